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


_OPEN: Mapping[str, Any] = {"free_minor": {"$gt": 0}}

INDEXES: tuple[Index, ...] = (
    unique("payments", "payment_number_unique", "tenant payment_number"),
    unique("payments", "idempotency_key_unique", "tenant idempotency_key?"),
    unique("payments", "void_idempotency_key_unique", "tenant void_idempotency_key?"),
    # Whoever completes an allocated payment stores it under its claim, so it is stored once.
    unique("payments", "claim_unique", "tenant claim?"),
    # Who gave or took back something later is known by its key; the claim leads from an invoice to what pays it.
    unique("payments", "allocation_key_unique", "tenant allocation_keys?"),
    unique("payments", "release_key_unique", "tenant release_keys?"),
    index("payments", "allocation_claim", "tenant allocations.claim?"),
    unique("payment_intents", "intent_key_unique", "tenant idempotency_key?"),
    index("payments", "payment_number_order", "tenant number_year number_seq _id"),
    index("payments", "paid_on_order", "tenant paid_on number_seq _id"),
    index("payments", "created_at_order", "tenant created_at _id"),
    index("payments", "method", "tenant method number_year number_seq _id"),
    index("payments", "outgoing", "tenant direction number_year number_seq _id", where={"direction": "outgoing"}),
    # Null for all of which something may be left; those of earlier versions are told apart by their entries.
    index("payments", "unallocated", "tenant fully_allocated_on number_year number_seq _id"),
    index("payments", "paid_invoice", "tenant allocations.invoice_number? _id"),
    index("payments", "currency_amount", "tenant currency amount_minor _id"),
    index("payments", "payer", "tenant payer_folded _id"),
    index("payments", "voided", "tenant status number_year number_seq _id", where={"status": "voided"}),
    # How many of a month are voided, for the totals: only voided payments cost it.
    index("payments", "voided_paid_on", "tenant status paid_on", where={"status": "voided"}),
    index("payments", "customer_code", "tenant customer_code? number_year number_seq _id"),
    index("payments", "reference", "tenant reference? _id"),
    index("payments", "previous_numbers", "tenant previous_numbers?"),
    # A statement sums from these alone, and has its lines in their order. Crossings: allocations between customers.
    index(
        "payments",
        "statement",
        "tenant customer_code? currency paid_on number_seq payment_number status direction amount_minor",
    ),
    index(
        "invoices", "statement", "tenant customer_code? currency issued_on shop number_seq invoice_number total_minor"
    ),
    index(
        "credit_notes",
        "statement",
        "tenant customer_code? currency issued_on shop number_seq credit_note_number total_minor",
    ),
    *(
        index(collection, "crossed", "tenant customer_code currency", where={"crossed": True})
        for collection in ("payments", "invoices", "credit_notes")
    ),
    # What is open: no day in their third field, or a later one.
    index("payments", "ageing", "tenant currency fully_allocated_on customer_code? paid_on"),
    index("invoices", "ageing", "tenant currency closed_on customer_code issued_on"),
    index("credit_notes", "ageing", "tenant currency fully_allocated_on customer_code issued_on"),
    # What an earlier version stored and lacks something yet: receivables/completing.py. Else there is nothing in them.
    index("payments", "uncompleted", "tenant _id", where={"claim": {"$gt": ""}, "allocated_minor": None}),
    index("invoices", "uncompleted_entries", "tenant _id", where={"allocations.on": None}),
    index("invoices", "uncompleted_cancellation", "tenant _id", where={"status": "cancelled", "closed_on": None}),
    index("invoices", "uncompleted_words", "tenant _id", where={"customer_name": {"$gt": ""}, "customer_folded": None}),
    index("credit_notes", "uncompleted", "tenant _id", where={"allocations": None}),
    index("payments", "allocated", "tenant number_year number_seq _id", where=_exists("allocations.0")),
    unique("invoices", "invoice_number_unique", "tenant invoice_number"),
    # Also what shows that a sequence is whole, and the page of one shop in its order.
    unique("invoices", "invoice_series_unique", "tenant shop period number_seq"),
    unique("invoices", "idempotency_key_unique", "tenant idempotency_key?"),
    unique("invoices", "cancel_idempotency_key_unique", "tenant cancel_idempotency_key?"),
    unique("invoices", "credit_key_unique", "tenant credit_keys?"),
    index("invoices", "number_order", "tenant shop period number_seq _id"),
    index("invoices", "issued_on_order", "tenant issued_on shop number_seq _id"),
    index("invoices", "created_at_order", "tenant created_at _id"),
    index("invoices", "status", "tenant status issued_on shop number_seq _id"),
    index("invoices", "customer_code", "tenant customer_code? issued_on shop number_seq _id"),
    index("invoices", "due_on_order", "tenant due_on issued_on shop number_seq _id"),
    index("invoices", "currency_total", "tenant currency total_minor issued_on shop number_seq _id"),
    index("invoices", "customer_name", "tenant customer_folded _id"),
    # Of what is open: few, of many that are paid. What is outstanding of a customer is summed up from the first alone.
    index("invoices", "open_of_customer", "tenant customer_code currency free_minor", where=_OPEN),
    index("invoices", "open_due_on", "tenant due_on issued_on shop number_seq _id", where=_OPEN),
    index("invoices", "open_amount", "tenant currency free_minor _id", where=_OPEN),
    index("invoices", "unsettled", "tenant unsettled", where={"unsettled": True}),
    unique("credit_notes", "credit_note_number_unique", "tenant credit_note_number"),
    unique("credit_notes", "credit_note_series_unique", "tenant shop period number_seq"),
    # Whoever finishes a credit stores its note under its claim, so it is stored once.
    unique("credit_notes", "claim_unique", "tenant claim?"),
    unique("credit_notes", "allocation_key_unique", "tenant allocation_keys?"),
    unique("credit_notes", "release_key_unique", "tenant release_keys?"),
    index("credit_notes", "allocation_claim", "tenant allocations.claim?"),
    index("credit_notes", "issued_on_order", "tenant issued_on shop number_seq _id"),
    index("credit_notes", "invoice_number", "tenant invoice_number issued_on shop number_seq _id"),
    index("credit_notes", "customer_code", "tenant customer_code? issued_on shop number_seq _id"),
    index("credit_notes", "unsettled", "tenant unsettled", where={"unsettled": True}),
    index("credit_notes", "currency", "tenant currency issued_on shop number_seq _id"),
    index(
        "credit_notes", "unallocated", "tenant unallocated issued_on shop number_seq _id", where={"unallocated": True}
    ),
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
    # All that a page says of many series is in it: which there are, which are whole, when each was checked.
    index("number_checks", "of_tenant", "tenant period kind scope is_whole missing checked_at"),
    index("audit_events", "at_order", "tenant at _id"),
    index("audit_events", "action", "tenant action at _id"),
    index("audit_events", "by", "tenant by at _id"),
    index("audit_events", "object", "tenant object_kind object_id at _id"),
    index("exports", "of_tenant", "tenant status created_at"),
    index("exports", "waiting", "status created_at"),
    expiring("exports", "expires", "expires_at"),
    unique("export_chunks", "chunk_unique", "tenant files_id n"),
    expiring("export_chunks", "expires", "expires_at"),
    # A file that is uploaded again is found by what is in it.
    unique("imports", "file_unique", "tenant kind sha256"),
    index("imports", "created_at_order", "tenant created_at _id"),
    index("imports", "of_tenant", "tenant status"),
    index("imports", "waiting", "status created_at"),
    expiring("imports", "expires", "expires_at"),
    unique("import_chunks", "chunk_unique", "tenant files_id n"),
    expiring("import_chunks", "expires", "expires_at"),
    unique("import_rows", "line_unique", "tenant rows_of line"),
    index("import_rows", "verdict", "tenant rows_of verdict line"),
    expiring("import_rows", "expires", "expires_at"),
    index("sessions", "of_key", "tenant key_id created_at"),
    expiring("sessions", "expires", "expires_at"),
    index("api_keys", "tenant", "tenant created_at"),
    unique("api_keys", "idempotency_key_unique", "tenant idempotency_key?"),
)
