"""The collections `customers`, one document a customer, and `customer_codes`, the codes handed out for new forms.

What is secret is encrypted on its way in and decrypted on its way out, here and nowhere else.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.cursor import Cursor
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure

from finance.customers.model import ORDER_BY_SORT, SEARCHABLE_BY_SECRET, Customer, map_secrets, status_of, version_of
from finance.database import Db, Document
from finance.encryption import FieldCipher, is_ciphertext
from finance.errors import Conflict
from finance.numbering.issue import NotStored, Stored, Taken, read_back
from finance.paging import Page, PageWanted, page_queries, take_page

log = logging.getLogger(__name__)

RUN_PAGE = 10_000
RUN_PAGES_MAX = 100
_TOO_LARGE = (10334, 17419, 17420)  # BSONObjectTooLarge, and what an update answers
_UNIQUE_FIELDS = frozenset(("customer_code", "idempotency_key", "action_keys", "identity_claims"))
_NOT_LISTED = {"history": False, "request_hash": False, "identity_claims": False}


class RefusedByForeignIndex(Conflict):
    """A unique index that isn't ours stands on customers, as older systems left them behind."""

    detail_default = (
        "Another customer has the same value in a field that an index of this database wants to be unique. "
        "Nothing was stored. Whoever runs the service finds the index in the log."
    )


class CustomerHistoryFull(Conflict):
    detail_default = "This customer was changed so often that no further change can be recorded."


def find_customer(db: Db, cipher: FieldCipher, *, tenant: str, customer_code: str) -> Customer | None:
    return _opened(cipher, db.customers.find_one({"tenant": tenant, "customer_code": customer_code}))


def find_customer_by_key(db: Db, cipher: FieldCipher, *, tenant: str, idempotency_key: str) -> Customer | None:
    return _opened(cipher, db.customers.find_one({"tenant": tenant, "idempotency_key": idempotency_key}))


def find_customer_by_action_key(db: Db, cipher: FieldCipher, *, tenant: str, action_key: str) -> Customer | None:
    return _opened(cipher, db.customers.find_one({"tenant": tenant, "action_keys": action_key}))


def find_status(db: Db, *, tenant: str, customer_code: str) -> str | None:
    """Return the status of the customer of this code, None where there is none."""
    found = db.customers.find_one({"tenant": tenant, "customer_code": customer_code}, {"status": True})
    return status_of(found) if found else None


def has_code(db: Db, *, tenant: str, customer_code: str) -> bool:
    return find_status(db, tenant=tenant, customer_code=customer_code) is not None


def find_active_with_identity(
    db: Db, cipher: FieldCipher, *, tenant: str, identities: Iterable[str], other_than: str | None
) -> Customer | None:
    """Return an active customer, not of the code `other_than`, with one of these PANs or GSTINs."""
    sought = [cipher.encrypt(identity, tenant=tenant, searchable=True) for identity in identities]
    for field in ("pan_number", "gst_details.gstin"):
        for ciphertext in sought:
            query = {"tenant": tenant, field: ciphertext, "status": "active", "customer_code": {"$ne": other_than}}
            found = db.customers.find_one(query)
            if found is not None:
                return _opened(cipher, found)
    return None


def insert_customer(db: Db, cipher: FieldCipher, customer: Customer) -> Stored | Taken:
    """Store a new customer, or tell who has one of its unique keys. Raises NotStored."""
    document = _sealed(cipher, customer, tenant=customer["tenant"]) | {"_id": ObjectId()}
    try:
        db.customers.insert_one(document)
    except DuplicateKeyError as error:
        taken = _taken(db, cipher, error)
        if taken is None:
            raise NotStored from error
        return taken
    return Stored({**customer, "_id": document["_id"]})


def update_customer(
    db: Db,
    cipher: FieldCipher,
    customer: Customer,
    *,
    values: Mapping[str, Any],
    entry: Mapping[str, Any],
    action_key: str | None = None,
) -> Customer | Taken | None:
    """Set `values` (None removes a field), add the history entry, and return the customer as it is then.

    Returns None where the customer changed since it was read, and Taken where another one holds a unique key.
    Raises CustomerHistoryFull.
    """
    tenant = customer["tenant"]
    change: Document = {"$set": {"version": version_of(customer) + 1}, "$push": {"history": entry}}
    change["$set"] |= {name: value for name, value in values.items() if value is not None}
    change = _sealed(cipher, change, tenant=tenant)
    absent = {name: "" for name, value in values.items() if value is None}
    if absent:
        change["$unset"] = absent
    if action_key is not None:
        change["$push"]["action_keys"] = action_key
    unchanged = {"tenant": tenant, "_id": customer["_id"], "version": customer.get("version")}
    try:
        updated = db.customers.find_one_and_update(unchanged, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        return _taken(db, cipher, error)
    except DocumentTooLarge as error:
        raise CustomerHistoryFull from error
    except OperationFailure as error:
        if error.code not in _TOO_LARGE:
            raise
        raise CustomerHistoryFull from error
    return _opened(cipher, updated)


def list_customers(
    db: Db, cipher: FieldCipher, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted
) -> Page[Customer]:
    """Return one page of the customers that the filters mean, without their histories."""
    queries = find_pages(db, cipher, tenant=tenant, filters=filters, sort=wanted.sort, after=wanted.after)
    page = take_page(queries, order=ORDER_BY_SORT[wanted.sort.removeprefix("-")], limit=wanted.limit)
    return Page([_open(cipher, document) for document in page.rows], page.position)


def find_pages(
    db: Db, cipher: FieldCipher, *, tenant: str, filters: Mapping[str, Any], sort: str, after: Sequence[Any] | None
) -> Iterator[Cursor[Customer]]:
    """Return the queries of a list; the tests ask them for their indexes."""
    return page_queries(
        db.customers,
        {"tenant": tenant, **_query(cipher, tenant, filters)},
        order=ORDER_BY_SORT[sort.removeprefix("-")],
        descending=sort.startswith("-"),
        after=after,
        projection=_NOT_LISTED,
    )


def end_of_run(db: Db, *, tenant: str, number_seq: int) -> int:
    """Return the last number of the run of stored numbers, one after the other, that `number_seq` is in."""
    last = number_seq
    for _page in range(RUN_PAGES_MAX):
        query = {"tenant": tenant, "number_seq": {"$gt": last}}
        page = db.customers.find(query, {"_id": False, "number_seq": True}).sort("number_seq").limit(RUN_PAGE)
        numbers = [document["number_seq"] for document in page]
        for found in numbers:
            if found != last + 1:
                return last
            last = found
        if len(numbers) < RUN_PAGE:
            return last
    return last


def insert_handed_out_code(db: Db, document: Document) -> bool:
    """Record a code handed out; False where another one has the same Idempotency-Key."""
    try:
        db.customer_codes.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def find_handed_out_code(db: Db, *, tenant: str, idempotency_key: str) -> Document | None:
    return db.customer_codes.find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def read_handed_out_code(db: Db, *, tenant: str, idempotency_key: str) -> Document | None:
    """Return the code that another process has recorded for this key just now."""
    return read_back(db.customer_codes, {"tenant": tenant, "idempotency_key": idempotency_key})


def _taken(db: Db, cipher: FieldCipher, error: DuplicateKeyError) -> Taken | None:
    """Return who has the unique key, None where nobody has after all; raises RefusedByForeignIndex."""
    details = error.details or {}
    fields = frozenset(details["keyPattern"])
    if not fields & _UNIQUE_FIELDS:
        log.error("A unique index that isn't ours refused a customer: %s", ", ".join(sorted(fields)))
        raise RefusedByForeignIndex from error
    document = _opened(cipher, read_back(db.customers, details["keyValue"]))
    return None if document is None else Taken(document, fields)


def _sealed(cipher: FieldCipher, value: Document, *, tenant: str) -> Document:
    def encrypt(name: str, text: str, _pointer: str) -> Any:
        if name == "request_hash" and not cipher.is_configured:  # then there is no secret that it could give away
            return text
        return cipher.encrypt(text, tenant=tenant, searchable=SEARCHABLE_BY_SECRET[name])

    sealed: Document = map_secrets(value, encrypt)
    return sealed


def _opened(cipher: FieldCipher, document: Document | None) -> Customer | None:
    return None if document is None else _open(cipher, document)


def _open(cipher: FieldCipher, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _open(cipher, member) for name, member in value.items()}
    if isinstance(value, list):
        return [_open(cipher, item) for item in value]
    return cipher.decrypt(value) if is_ciphertext(value) else value


def _query(cipher: FieldCipher, tenant: str, filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of the list's filters."""
    query: Document = {
        name: filters[name] for name in ("customer_code", "customer_category", "status") if name in filters
    }
    if "name_folded" in filters:
        query["name_folded"] = {"$gte": filters["name_folded"], "$lt": filters["name_folded"] + "\U0010ffff"}
    for name, field in (("pan_number", "pan_number"), ("gstin", "gst_details.gstin")):
        if name in filters:
            query[field] = cipher.encrypt(filters[name], tenant=tenant, searchable=True)
    return query
