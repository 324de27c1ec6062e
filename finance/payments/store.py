"""The collection `payments`. One question or one change each, the tenant always in the filter."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from bson import Decimal128, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document
from finance.history import push
from finance.numbering.drafts import Numbered
from finance.once import RefusedByForeignIndex
from finance.paging import Page, PageWanted, page_queries, take_page
from finance.payments.model import NUMBERED, ORDER_BY_SORT, Payment
from finance.text import beginning

FOREIGN_BATCH = 1_000


def _payments(db: Db) -> Collection[Payment]:
    return cast("Collection[Payment]", db.payments)


def numbered(db: Db) -> Numbered:
    """Return what numbering needs to know of payments."""
    return Numbered(db, NUMBERED)


def find_payment(db: Db, *, tenant: str, payment_number: str) -> Payment | None:
    """Return the payment of this number, or else one from which a repair took it."""
    return _payments(db).find_one({"tenant": tenant, "payment_number": payment_number}) or _payments(db).find_one(
        {"tenant": tenant, "previous_numbers": payment_number}
    )


def find_payment_by_void_key(db: Db, *, tenant: str, idempotency_key: str) -> Payment | None:
    return _payments(db).find_one({"tenant": tenant, "void_idempotency_key": idempotency_key})


def update_payment(db: Db, payment: Payment, *, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Payment | None:
    """Set `values` (None removes a field), add the history entry, and return the payment as it is then.

    Returns None where the payment changed since it was read, or another one was voided under the same key. Raises
    RefusedByForeignIndex.
    """
    present = {name: value for name, value in values.items() if value is not None}
    absent = {name: "" for name, value in values.items() if value is None}
    change: Document = push(payment, entry)
    if present:
        change["$set"] = change.get("$set", {}) | present
    if absent:
        change["$unset"] = absent
    stored = payment.get("history")
    history = {"$size": len(stored)} if isinstance(stored, list) else {"$eq": stored}
    unchanged = {"tenant": payment["tenant"], "_id": payment["_id"], "history": history}
    try:
        return _payments(db).find_one_and_update(unchanged, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        fields = (error.details or {}).get("keyPattern", {})
        if "void_idempotency_key" in fields:
            return None
        raise RefusedByForeignIndex.on("payments", fields) from error


def list_payments(
    db: Db,
    *,
    tenant: str,
    filters: Mapping[str, Any],
    wanted: PageWanted,
    projection: Mapping[str, Any] | None = None,
) -> Page[Payment]:
    """Return one page of the payments that the filters mean, whole or with the fields of `projection`."""
    queries = find_pages(
        db, tenant=tenant, filters=filters, sort=wanted.sort, after=wanted.after, projection=projection
    )
    return take_page(queries, order=ORDER_BY_SORT[wanted.sort.removeprefix("-")], limit=wanted.limit)


def find_pages(
    db: Db,
    *,
    tenant: str,
    filters: Mapping[str, Any],
    sort: str,
    after: Sequence[Any] | None,
    projection: Mapping[str, Any] | None = None,
) -> Iterator[Cursor[Payment]]:
    """Return the queries of a list; the tests ask them for their indexes."""
    order, descending = ORDER_BY_SORT[sort.removeprefix("-")], sort.startswith("-")
    fields = None if projection is None else {**projection, **dict.fromkeys(order, True)}
    query = query_of(tenant, filters)
    return page_queries(_payments(db), query, order=order, descending=descending, after=after, projection=fields)


def query_of(tenant: str, filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of a list's filters."""
    query: Document = {"tenant": tenant}
    query |= {
        name: filters[name]
        for name in ("status", "currency", "method", "direction", "customer_code", "reference", "idempotency_key")
        if name in filters
    }
    if "previous_number" in filters:
        query["previous_numbers"] = filters["previous_number"]
    if "allocated" in filters:
        query["allocations.0"] = {"$exists": True}
    if "payer_folded" in filters:
        query["payer_folded"] = beginning(filters["payer_folded"])
    for field, low, high in (("paid_on", "paid_from", "paid_to"), ("amount_minor", "min_amount", "max_amount")):
        bounds = {operator: filters[name] for operator, name in (("$gte", low), ("$lte", high)) if name in filters}
        if bounds:
            query[field] = bounds
    return query


def find_payment_by_claim(db: Db, *, tenant: str, claim: str) -> Payment | None:
    return _payments(db).find_one({"tenant": tenant, "claim": claim})


def find_payment_by_key(db: Db, *, tenant: str, idempotency_key: str) -> Payment | None:
    return _payments(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def find_imported(db: Db, *, tenant: str, keys: Sequence[str], numbers: Sequence[str]) -> list[Payment]:
    """Return the payments that have one of the idempotency keys, or one of the numbers."""
    wanted = [{"idempotency_key": {"$in": list(keys)}}, {"payment_number": {"$in": list(numbers)}}]
    return [payment for condition in wanted for payment in _payments(db).find({"tenant": tenant, **condition})]


def each_foreign(db: Db, *, database: str, collection: str) -> Iterator[Document]:
    """Yield the documents of another system's collection on this server, their values as Python has them."""
    options: CodecOptions[Document] = CodecOptions(
        tz_aware=True,
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        unicode_decode_error_handler="surrogateescape",
    )
    source = db.client.get_database(database).get_collection(collection, codec_options=options)
    with source.find({}, batch_size=FOREIGN_BATCH) as documents:
        for document in documents:
            yield {name: _plain(value) for name, value in document.items()}


def count_foreign(db: Db, *, database: str, collection: str) -> int:
    """Return about how many documents another system's collection has."""
    return db.client.get_database(database).get_collection(collection).estimated_document_count()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, ObjectId):
        return str(value)
    return value.to_decimal() if isinstance(value, Decimal128) else value
