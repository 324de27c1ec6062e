"""The collections `customers`, one document a customer, and `customer_codes`, the codes handed out for new forms.

What is secret is encrypted on its way in and decrypted on its way out, here and nowhere else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure

from finance.customers.masking import SEARCHABLE_BY_SECRET, map_secrets
from finance.customers.model import (
    ORDER_BY_SORT,
    Book,
    Customer,
    Entry,
    HandedOutCode,
    Status,
    status_of,
    version_of,
)
from finance.database import Db, Document
from finance.encryption import FieldCipher, is_ciphertext
from finance.errors import Conflict
from finance.history import push
from finance.numbering.documents import read_back
from finance.numbering.drafts import NotStored
from finance.once import RefusedByForeignIndex
from finance.paging import Page, PageWanted, page_queries, take_page
from finance.said import said
from finance.text import beginning, fold

T = TypeVar("T")

RUN_PAGE = 10_000
RUN_PAGES_MAX = 100
_TOO_LARGE = (10334, 17419, 17420)  # BSONObjectTooLarge, and what an update answers
_KEPT_OPEN = ("request_hash", "identity_claims")
_UNIQUE_FIELDS = frozenset(("customer_code", "idempotency_key", "action_keys", "identity_claims"))
_NOT_LISTED = {"history": False, "request_hash": False, "identity_claims": False, "name_words": False}


class CustomerHistoryFull(Conflict):
    detail_default = said("This customer was changed so often that no further change can be recorded.")


@dataclass(frozen=True)
class Taken:
    """Another customer has the same unique key (`fields`); nothing was stored."""

    customer: Customer
    fields: frozenset[str]


def find_customer(book: Book, *, tenant: str, customer_code: str) -> Customer | None:
    return _find(book, {"tenant": tenant, "customer_code": customer_code})


def find_codes(book: Book, *, tenant: str, identity: Mapping[str, str], codes_max: int) -> list[tuple[str, Status]]:
    """Return the codes and statuses of the customers with this `pan_number`, or exactly this `customer_name`."""
    query: Document = {"tenant": tenant, **identity}
    if "customer_name" in identity:
        query["name_folded"] = fold(identity["customer_name"])
    found = _customers(book.db).find(
        _sealed(book.cipher, query, tenant=tenant), {"customer_code": True, "status": True}
    )
    return [(customer["customer_code"], status_of(customer)) for customer in found.limit(codes_max)]


def find_fields(db: Db, *, tenant: str, customer_code: str, fields: Iterable[str]) -> Customer | None:
    """Return no more than these fields of a customer, as they are stored: nothing is decrypted."""
    query = {"tenant": tenant, "customer_code": customer_code}
    return _customers(db).find_one(query, dict.fromkeys(fields, True))


def find_part(book: Book, *, tenant: str, customer_code: str, fields: Iterable[str]) -> Customer | None:
    """Return no more than these fields of a customer, decrypted."""
    found = find_fields(book.db, tenant=tenant, customer_code=customer_code, fields=fields)
    return None if found is None else _opened(book.cipher, found)


def find_customer_by_key(book: Book, *, tenant: str, idempotency_key: str) -> Customer | None:
    return _find(book, {"tenant": tenant, "idempotency_key": idempotency_key})


def find_customer_by_action_key(book: Book, *, tenant: str, action_key: str) -> Customer | None:
    return _find(book, {"tenant": tenant, "action_keys": action_key})


def find_status(db: Db, *, tenant: str, customer_code: str) -> Status | None:
    return find_statuses(db, tenant=tenant, customer_codes=[customer_code]).get(customer_code)


def find_statuses(db: Db, *, tenant: str, customer_codes: Sequence[str]) -> dict[str, Status]:
    """Return the status of each customer that there is of these codes."""
    wanted = {"tenant": tenant, "customer_code": {"$in": customer_codes}}
    found = _customers(db).find(wanted, {"_id": False, "customer_code": True, "status": True})
    return {customer["customer_code"]: status_of(customer) for customer in found}


def find_active_with_identity(
    book: Book, *, tenant: str, identities: Iterable[str], other_than: str | None
) -> Customer | None:
    """Return an active customer, not of the code `other_than`, with one of these PANs or GSTINs."""
    sought = [book.cipher.encrypt(identity, tenant=tenant, searchable=True) for identity in identities]
    for field in ("pan_number", "gst_details.gstin"):
        for ciphertext in sought:
            other = {"status": "active", "customer_code": {"$ne": other_than}}
            found = _find(book, {"tenant": tenant, field: ciphertext, **other})
            if found is not None:
                return found
    return None


def insert_customer(book: Book, customer: Customer) -> Customer | Taken:
    """Store a new customer, and return it or who has one of its unique keys. Raises NotStored."""
    stored: Customer = {**customer, "_id": ObjectId()}
    try:
        _customers(book.db).insert_one(_sealed(book.cipher, stored, tenant=customer["tenant"]))
    except DuplicateKeyError as error:
        taken = _taken(book, customer["tenant"], error)
        if taken is None:
            raise NotStored from error
        return taken
    return stored


def update_customer(
    book: Book, customer: Customer, *, values: Mapping[str, object], entry: Entry
) -> Customer | Taken | None:
    """Set `values` (None removes a field), add the history entry, and return the customer as it is then.

    Returns None where the customer changed since it was read, and Taken where another one holds a unique key.
    Raises CustomerHistoryFull.
    """
    change: Document = {
        "$set": {name: value for name, value in values.items() if value is not None}
        | {"version": version_of(customer) + 1},
    }
    for operator, fields in push(customer, entry).items():
        change[operator] = change.get(operator, {}) | fields
    change = _sealed(book.cipher, change, tenant=customer["tenant"])
    absent = {name: "" for name, value in values.items() if value is None}
    if absent:
        change["$unset"] = absent
    if entry.get("action_key") is not None:
        change["$push"] = change.get("$push", {}) | {"action_keys": entry["action_key"]}
    unchanged = {"tenant": customer["tenant"], "_id": customer["_id"], "version": customer.get("version")}
    try:
        found = _customers(book.db).find_one_and_update(unchanged, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        return _taken(book, customer["tenant"], error)
    except (DocumentTooLarge, OperationFailure) as error:
        if isinstance(error, OperationFailure) and error.code not in _TOO_LARGE:
            raise
        raise CustomerHistoryFull from error
    return None if found is None else _opened(book.cipher, found)


def replace_customer(db: Db, read: Customer, customer: Customer) -> Customer | None:
    """Store the whole document, without secrets, in the place of the one that was read, and return it.

    Returns None where it changed since, or another customer was changed under the same key. Raises
    RefusedByForeignIndex.
    """
    unchanged = {"tenant": read["tenant"], "_id": read["_id"], "version": read.get("version")}
    try:
        found = _customers(db).find_one_and_replace(unchanged, customer, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        fields = (error.details or {}).get("keyPattern", {})
        if "action_keys" in fields:
            return None
        raise RefusedByForeignIndex.on("customers", fields) from error
    return found


def list_customers(book: Book, *, tenant: str, filters: Mapping[str, str], wanted: PageWanted) -> Page[Customer]:
    """Return one page of the customers that the filters mean, without their histories."""
    queries = find_pages(book, tenant=tenant, filters=filters, sort=wanted.sort, after=wanted.after)
    page = take_page(queries, order=ORDER_BY_SORT[wanted.sort.removeprefix("-")], limit=wanted.limit)
    return Page([_opened(book.cipher, customer) for customer in page.rows], page.position, page.order)


def find_pages(
    book: Book, *, tenant: str, filters: Mapping[str, str], sort: str, after: Sequence[Any] | None
) -> Iterator[Cursor[Customer]]:
    """Return the queries of a list; the tests ask them for their indexes."""
    return page_queries(
        _customers(book.db),
        {"tenant": tenant, **_query(book.cipher, tenant, filters)},
        order=ORDER_BY_SORT[sort.removeprefix("-")],
        descending=sort.startswith("-"),
        after=after,
        projection=_NOT_LISTED,
    )


def sealed_query(book: Book, *, tenant: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a query with its numbers as they are stored, for what outlives the request: who has a PAN's digest can
    find the PAN by trying all there are.
    """
    sealed = _sealed(book.cipher, query, tenant=tenant)
    return {name: value.hex() if is_ciphertext(value) else value for name, value in sealed.items()}


def end_of_run(db: Db, *, tenant: str, number_seq: int) -> int:
    """Return the last number of the run of stored numbers, one after the other, that `number_seq` is in."""
    last = number_seq
    for _page in range(RUN_PAGES_MAX):
        query = {"tenant": tenant, "number_seq": {"$gt": last}}
        page = _customers(db).find(query, {"_id": False, "number_seq": True}).sort("number_seq").limit(RUN_PAGE)
        numbers = [document["number_seq"] for document in page]
        for found in numbers:
            if found != last + 1:
                return last
            last = found
        if len(numbers) < RUN_PAGE:
            return last
    return last


def insert_handed_out_code(db: Db, document: HandedOutCode) -> bool:
    """Record a code handed out; False where another one has the same Idempotency-Key."""
    try:
        _codes(db).insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def find_handed_out_code(db: Db, *, tenant: str, idempotency_key: str) -> HandedOutCode | None:
    return _codes(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def read_handed_out_code(db: Db, *, tenant: str, idempotency_key: str) -> HandedOutCode | None:
    """Return the code that another process has recorded for this key just now."""
    found = read_back(db.customer_codes, {"tenant": tenant, "idempotency_key": idempotency_key})
    return cast("HandedOutCode | None", found)


def _customers(db: Db) -> Collection[Customer]:
    return cast("Collection[Customer]", db.customers)


def _codes(db: Db) -> Collection[HandedOutCode]:
    return cast("Collection[HandedOutCode]", db.customer_codes)


def _find(book: Book, query: Document) -> Customer | None:
    found = _customers(book.db).find_one(query)
    return None if found is None else _opened(book.cipher, found)


def _taken(book: Book, tenant: str, error: DuplicateKeyError) -> Taken | None:
    """Return who has the unique key, None where nobody has after all; raises RefusedByForeignIndex.

    An index that is not ours may also take customers for equal that both lack a field, or are of two tenants.
    """
    values = (error.details or {})["keyValue"]
    if not any(values.get(name) is not None for name in _UNIQUE_FIELDS):
        raise RefusedByForeignIndex.on("customers", values) from error
    found = read_back(book.db.customers, values)
    if found is None:
        return None
    if found["tenant"] != tenant:
        raise RefusedByForeignIndex.on("customers", values) from error
    return Taken(_opened(book.cipher, cast(Customer, found)), frozenset(values))


def _sealed(cipher: FieldCipher, value: T, *, tenant: str) -> T:
    def encrypt(name: str, text: str, _pointer: str) -> object:
        if name in _KEPT_OPEN and not cipher.is_configured:  # then there is no secret that it could give away
            return text
        return cipher.encrypt(text, tenant=tenant, searchable=SEARCHABLE_BY_SECRET[name])

    return map_secrets(value, encrypt)


def _opened(cipher: FieldCipher, customer: Customer) -> Customer:
    return cast(Customer, _open(cipher, customer))


def _open(cipher: FieldCipher, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _open(cipher, member) for name, member in value.items()}
    if isinstance(value, list):
        return [_open(cipher, item) for item in value]
    return cipher.decrypt(value) if is_ciphertext(value) else value


def _query(cipher: FieldCipher, tenant: str, filters: Mapping[str, str]) -> Document:
    """Return the MongoDB filter of the list's filters."""
    query: Document = {
        name: filters[name] for name in ("customer_code", "customer_category", "status") if name in filters
    }
    if "name_folded" in filters:
        found = beginning(filters["name_folded"])
        query["$or"] = [{"name_words": found}, {"name_folded": found}]  # the second for what an older version stored
    for name, field in (("pan_number", "pan_number"), ("gstin", "gst_details.gstin")):
        if name in filters:
            query[field] = cipher.encrypt(filters[name], tenant=tenant, searchable=True)
    return query
