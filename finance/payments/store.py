"""The collection `payments`. One question or one change each, the tenant always in the filter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from bson import Decimal128, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import DuplicateKeyError, OperationFailure

from finance.allocations.derived import unallocated, unallocated_minor
from finance.database import Db, Document
from finance.history import as_read, push
from finance.numbering.drafts import Numbered
from finance.once import RefusedByForeignIndex
from finance.paging import Page, PageWanted, page_queries, take_page
from finance.payments.model import NUMBERED, ORDER_BY_SORT, Payment
from finance.text import beginning

T = TypeVar("T")

FOREIGN_BATCH = 1_000
INTEGERS = ("int", "long")
# SnapshotTooOld, SnapshotUnavailable; and what a server says that is in no replica set.
NO_SNAPSHOT = (239, 246, 20, 72, 123)
NO_SUCH_INDEX = 2  # BadValue: the hint names none
GROUPS_BATCH = 1_000  # read at a time, while others wait
LIKE_MAX = 20
KEYS_BATCH = 100  # read and made into objects at a time, while others wait


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


def find_like(db: Db, *, tenant: str, wanted: Mapping[str, Any], other_than_key: str | None) -> list[Payment]:
    """Return payments that have these values and aren't voided; no more than are looked at."""
    query = {"tenant": tenant, **wanted, "status": {"$ne": "voided"}}
    if other_than_key is not None:
        query["idempotency_key"] = {"$ne": other_than_key}
    return list(_payments(db).find(query, {"payment_number": True, "payer": True}).limit(LIKE_MAX))


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
    unchanged = {"tenant": payment["tenant"], "_id": payment["_id"], "history": as_read(payment)}
    unchanged["revision"] = payment.get("revision")  # None finds those without
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
    if "invoice_number" in filters:
        paid = {"invoice_number": filters["invoice_number"], "state": {"$nin": ["claimed", "released"]}}
        query |= {"allocations.invoice_number": filters["invoice_number"], "allocations": {"$elemMatch": paid}}
    if "unallocated" in filters:
        query |= {"fully_allocated_on": None, "$expr": unallocated()}
    if ("invoice_number" in filters or "unallocated" in filters) and "status" not in filters:
        query["status"] = {"$ne": "voided"}  # it gives nothing any more, and nothing of it is left
    if "allocated" in filters:
        query["allocations.0"] = {"$exists": True}
    if "payer_folded" in filters:
        query["payer_folded"] = beginning(filters["payer_folded"])
    for field, low, high in (("paid_on", "paid_from", "paid_to"), ("amount_minor", "min_amount", "max_amount")):
        bounds = {operator: filters[name] for operator, name in (("$gte", low), ("$lte", high)) if name in filters}
        if bounds:
            query[field] = bounds
    return query


def in_days(tenant: str, first: str, before: str | None) -> Document:
    """Return the query for payments whose day is a text from `first` on, and comes before `before`."""
    return {"tenant": tenant, "paid_on": {"$gte": first} | ({} if before is None else {"$lt": before})}


def find_day(db: Db, query: Document, *, skip: int) -> Any:
    """Return the `paid_on` of the payment that `skip` are before, by the keys of an index; None where there is none."""
    shown = {"paid_on": True, "_id": False}
    order = [("paid_on", 1), ("number_seq", 1)]

    def look(**hint: str) -> Payment | None:
        return _payments(db).find_one(query, shown, sort=order, skip=skip, **hint)

    found = _by_index("paid_on_order", look)
    return found["paid_on"] if found else None


def count_of_days(db: Db, *, tenant: str, days: Document, status: str | None = None) -> int:
    """Return how many payments there are of these days, in all or of a status; by counting the keys of an index."""
    query: Document = {"tenant": tenant, "paid_on": days} | ({} if status is None else {"status": status})

    def count(**hint: str) -> int:
        asked: Document = {"count": "payments", "query": query, "readConcern": {"level": "majority"}, **hint}
        return int(db.command(asked)["n"])

    return _by_index("voided_paid_on" if status == "voided" else "paid_on_order", count)


def _by_index(name: str, ask: Callable[..., T]) -> T:
    """Return what `ask` finds by the index of this name, or however MongoDB likes where that isn't built yet.

    An array that another system ever left in a field marks its index as one of arrays, for good and for all tenants;
    the planner then prefers other indexes, by which it reads every document.
    """
    try:
        return ask(hint=name)
    except OperationFailure as error:
        if error.code != NO_SUCH_INDEX:
            raise
        return ask()


def group_totals(db: Db, query: Document) -> Iterator[Document]:
    """Yield count and total by day, currency, direction, status and type of the amount; the total of what isn't an
    integer is none.

    MongoDB adds integers exactly and gives a floating point number where the sum is more than one can be; then they are
    added as decimals. All is of one moment where MongoDB keeps it (a replica set does for five minutes).
    """
    try:
        with db.client.start_session(snapshot=True) as moment:
            return _group_totals(db, query, moment)
    except OperationFailure as error:
        if error.code not in NO_SNAPSHOT:
            raise
        return _group_totals(db, query, None)


def _group_totals(db: Db, query: Document, moment: ClientSession | None) -> Iterator[Document]:
    groups = _read(db, _totals_pipeline(query, "$amount_minor"), moment)
    if any(isinstance(group["total"], float) for group in groups if group["_id"]["type"] in INTEGERS):
        is_integer = {"$in": [{"$type": "$amount_minor"}, list(INTEGERS)]}
        amount = {"$cond": [is_integer, {"$toDecimal": "$amount_minor"}, 0]}
        groups = _read(db, _totals_pipeline(query, amount), moment)
    return map(_with_exact_total, groups)


def _with_exact_total(group: Document) -> Document:
    total = group["total"] if group["_id"]["type"] in INTEGERS else None  # of anything else it may be no number
    return {**group, "total": int(total.to_decimal()) if isinstance(total, Decimal128) else total}


def _read(db: Db, pipeline: list[Document], moment: ClientSession | None) -> list[Document]:
    return list(db.payments.aggregate(pipeline, session=moment, batchSize=GROUPS_BATCH))


def _totals_pipeline(query: Document, amount: Any) -> list[Document]:
    by = {"day": "$paid_on", "currency": "$currency", "direction": "$direction", "status": "$status"}
    key = {**by, "type": {"$type": "$amount_minor"}}
    return [{"$match": query}, {"$group": {"_id": key, "count": {"$sum": 1}, "total": {"$sum": amount}}}]


def group_unallocated(db: Db, *, tenant: str) -> list[Document]:
    """Return how many payments have something left, and what that comes to, by currency and direction.

    Those whose amount isn't an integer count by themselves, without a sum: they have something left that nobody knows.
    """
    is_whole = {"$in": [{"$type": "$amount_minor"}, list(INTEGERS)]}
    rest = {"$cond": ["$is_whole", {"$toDecimal": unallocated_minor()}, 0]}
    key = {"currency": "$currency", "direction": "$direction", "is_whole": "$is_whole"}
    pipeline: list[Document] = [
        {"$match": query_of(tenant, {"unallocated": "true"})},
        {"$set": {"is_whole": is_whole}},
        {"$group": {"_id": key, "count": {"$sum": 1}, "rest": {"$sum": rest}}},
    ]
    return [_exact_rest(group) for group in db.payments.aggregate(pipeline)]


def _exact_rest(group: Document) -> Document:
    rest = group["rest"]
    return {
        **group["_id"],
        "count": group["count"],
        "rest": int(rest.to_decimal() if isinstance(rest, Decimal128) else rest),
    }


def find_payment_by_key(db: Db, *, tenant: str, idempotency_key: str) -> Payment | None:
    return _payments(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def each_of_keys(db: Db, *, tenant: str, first: str, before: str) -> Iterator[Payment]:
    """Yield the payments whose idempotency key is from `first` to the one before `before`, in the order of the keys."""
    wanted = {"tenant": tenant, "idempotency_key": {"$gte": first, "$lt": before}}
    yield from _payments(db).find(wanted, sort=[("idempotency_key", 1)], batch_size=KEYS_BATCH)


def each_of_day(db: Db, *, tenant: str, paid_on: str, amounts_minor: Sequence[int]) -> Iterator[Payment]:
    """Yield the recorded payments of a day that have one of these amounts."""
    wanted = {"tenant": tenant, "paid_on": paid_on, "amount_minor": {"$in": list(amounts_minor)}, "status": "recorded"}
    shown = dict.fromkeys(
        ("payment_number", "paid_on", "currency", "amount_minor", "payer", "idempotency_key", "created_at"), True
    )
    yield from _payments(db).find(wanted, shown, batch_size=FOREIGN_BATCH)


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
