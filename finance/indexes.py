"""The one list of indexes that everything else relies on, a line each. Their names are those in the databases.

Every unique index begins with the tenant, so that {tenant: 1} can be the shard key. Those that end in the order of a
list (its number, day or instant) give a page in that order without sorting, for the filter that they begin with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel


@dataclass(frozen=True)
class Index:
    """An index that must stand. `partial` is its partialFilterExpression."""

    collection: str
    name: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    expires: bool = False  # MongoDB removes a document at the instant that the field holds
    partial: Mapping[str, Any] | None = None

    def as_model(self, **instead_of_unique: Any) -> IndexModel:
        """Return it for the driver; `prepareUnique=True` takes the place of `unique`."""
        options: dict[str, Any] = instead_of_unique or ({"unique": True} if self.unique else {})
        if self.expires:
            options["expireAfterSeconds"] = 0
        if self.partial is not None:
            options["partialFilterExpression"] = dict(self.partial)
        return IndexModel(list(self.keys), name=self.name, **options)


def index(
    collection: str, name: str, fields: str, *, where: Mapping[str, Any] | None = None, is_unique: bool = False
) -> Index:
    """Return an index on `fields`. One with a "?" is an optional text: only documents that have it are in the index.

    A missing field counts as null in a unique index, so one on an optional field is partial. A text that is there is
    {"$gt": ""}, not {"$type": "string"}: the planner doesn't see that a query for a text implies that (decision 0002).
    """
    optional = [field.removesuffix("?") for field in fields.split() if field.endswith("?")]
    keys = tuple((field.removesuffix("?"), 1) for field in fields.split())
    return Index(collection, name, keys, is_unique, False, where or {field: {"$gt": ""} for field in optional} or None)


def unique(collection: str, name: str, fields: str, *, where: Mapping[str, Any] | None = None) -> Index:
    return index(collection, name, fields, where=where, is_unique=True)


def expiring(collection: str, name: str, field: str) -> Index:
    return Index(collection, name, ((field, 1),), expires=True)


def _exists(field: str) -> Mapping[str, Any]:
    return {field: {"$exists": True}}  # for what is encrypted: it is no text


INDEXES: tuple[Index, ...] = (
    unique("payments", "payment_number_unique", "tenant payment_number"),
    unique("payments", "idempotency_key_unique", "tenant idempotency_key?"),
    unique("payments", "void_idempotency_key_unique", "tenant void_idempotency_key?"),
    # Whoever completes an allocated payment stores it under its claim, so it is stored once.
    unique("payments", "claim_unique", "tenant claim?"),
    unique("payment_intents", "intent_key_unique", "tenant idempotency_key?"),
    index("payments", "payment_number_order", "tenant number_year number_seq _id"),
    index("payments", "paid_on_order", "tenant paid_on number_seq _id"),
    index("payments", "created_at_order", "tenant created_at _id"),
    index("payments", "method", "tenant method number_year number_seq _id"),
    index("payments", "direction", "tenant direction number_year number_seq _id"),
    index("payments", "currency_amount", "tenant currency amount_minor _id"),
    index("payments", "payer", "tenant payer_folded _id"),
    index("payments", "voided", "tenant status number_year number_seq _id", where={"status": "voided"}),
    index("payments", "customer_code", "tenant customer_code? number_year number_seq _id"),
    index("payments", "reference", "tenant reference? _id"),
    index("payments", "previous_numbers", "tenant previous_numbers?"),
    index("payments", "allocated", "tenant number_year number_seq _id", where=_exists("allocations.0")),
    unique("invoices", "invoice_number_unique", "tenant invoice_number"),
    # Also what shows that a sequence is whole, and the page of one shop in its order.
    unique("invoices", "invoice_series_unique", "tenant shop period number_seq"),
    unique("invoices", "idempotency_key_unique", "tenant idempotency_key?"),
    unique("invoices", "cancel_idempotency_key_unique", "tenant cancel_idempotency_key?"),
    index("invoices", "number_order", "tenant shop period number_seq _id"),
    index("invoices", "issued_on_order", "tenant issued_on shop number_seq _id"),
    index("invoices", "created_at_order", "tenant created_at _id"),
    index("invoices", "status", "tenant status issued_on shop number_seq _id"),
    index("invoices", "due_on", "tenant due_on? _id"),
    index("invoices", "customer_code", "tenant customer_code? issued_on shop number_seq _id"),
    index("invoices", "unsettled", "tenant unsettled", where={"unsettled": True}),
    unique("credit_notes", "credit_note_number_unique", "tenant credit_note_number"),
    unique("credit_notes", "credit_note_series_unique", "tenant shop period number_seq"),
    unique("credit_notes", "credit_note_invoice_unique", "tenant invoice_number"),
    index("credit_notes", "issued_on_order", "tenant issued_on shop number_seq _id"),
    unique("shops", "shop_unique", "tenant shop"),
    unique("customers", "customer_code_unique", "tenant customer_code"),
    unique("customers", "idempotency_key_unique", "tenant idempotency_key?"),
    unique("customers", "action_key_unique", "tenant action_keys?"),
    unique("customers", "identity_claim_unique", "tenant identity_claims", where=_exists("identity_claims")),
    index("customers", "created_at_order", "tenant created_at _id"),
    index("customers", "name_order", "tenant name_folded _id"),
    index("customers", "name_words", "tenant name_words _id"),
    index("customers", "inactive", "tenant status created_at _id", where={"status": "inactive"}),
    index("customers", "erased", "tenant status created_at _id", where={"status": "erased"}),
    index("customers", "category", "tenant customer_category? created_at _id"),
    index("customers", "pan_number", "tenant pan_number", where=_exists("pan_number")),
    index("customers", "gstin", "tenant gst_details.gstin", where=_exists("gst_details.gstin")),
    index("customers", "customer_number_order", "tenant number_seq", where={"number_seq": {"$gt": 0}}),
    unique("customer_codes", "number_unique", "tenant number_seq"),
    unique("customer_codes", "idempotency_key_unique", "tenant idempotency_key?"),
    # One data key of a name (a tenant's): two processes that make it at the same time must end with the same.
    unique("encryption_keys", "key_name_unique", "keyAltNames", where=_exists("keyAltNames")),
    unique("number_gaps", "number_gap_unique", "tenant kind scope period number_seq"),
    index("audit_events", "at_order", "tenant at _id"),
    index("audit_events", "action", "tenant action at _id"),
    index("audit_events", "by", "tenant by at _id"),
    index("audit_events", "object", "tenant object_kind object_id at _id"),
    index("exports", "of_tenant", "tenant status created_at"),
    index("exports", "waiting", "status created_at"),
    expiring("exports", "expires", "expires_at"),
    unique("export_chunks", "chunk_unique", "tenant files_id n"),
    expiring("export_chunks", "expires", "expires_at"),
    index("api_keys", "tenant", "tenant created_at"),
    unique("api_keys", "idempotency_key_unique", "tenant idempotency_key?"),
)
