"""What statements read: the documents of one customer in the order of their days, each sum from an index alone."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from bson import Decimal128
from pymongo.errors import OperationFailure

from finance.database import Db, Document
from finance.errors import Unavailable
from finance.money import is_whole
from finance.paging import page_queries, position_of, values_at
from finance.receivables.model import STREAMS, Account, Period, Stream
from finance.said import said

# On the side that gives a claimed entry isn't given yet and a released one no longer; on the other side one that is
# being given back counts until it is decided.
NOT_COUNTED = ("claimed", "released")
WHOLE_TYPES = ("int", "long")
NO_LIST: Document = {"$not": {"$type": "array"}}  # a list would be found by each of its members
RefusedByServer = OperationFailure
_BAD_VALUE = 2


class ReceivablesBeingPrepared(Unavailable):
    detail_default = said("Statements and ageing are being prepared after an upgrade. A retry is safe.")
    retry_after_s = 5


def list_currencies(db: Db, *, tenant: str, customer_code: str) -> list[str]:
    """Return the currencies of a customer's documents, in order."""
    whose = {"tenant": tenant, "customer_code": customer_code}
    names = ("invoices", "credit_notes", "payments")
    found = [currency for name in names for currency in db[name].distinct("currency", whose)]
    return sorted({currency for currency in found if isinstance(currency, str)})


def find_name(db: Db, *, tenant: str, customer_code: str) -> str | None:
    return find_names(db, tenant=tenant, customer_codes=[customer_code]).get(customer_code)


def find_names(db: Db, *, tenant: str, customer_codes: Collection[str]) -> dict[str, str | None]:
    """Return what the customers of these codes are called now."""
    wanted = {"tenant": tenant, "customer_code": {"$in": list(customer_codes)}}
    found = db.customers.find(wanted, {"_id": False, "customer_code": True, "customer_name": True})
    return {customer["customer_code"]: customer.get("customer_name") for customer in found}


def find_first_day(db: Db, account: Account) -> str | None:
    """Return the day of the first document, None where there is none. No crossing is before both of its documents."""
    days = []
    for stream in STREAMS:
        if not stream.entries:
            day = stream.order[0]
            first = db[stream.collection].find(
                {**_documents(account, stream), day: {"$gt": ""}}, {"_id": False, day: True}
            )
            found = read(first.sort(day, 1).hint(stream.index).limit(1).__iter__)
            days += [_day_in(document[day], otherwise="") for document in found]
    return min(filter(None, days), default=None)


def sum_until(
    db: Db, account: Account, stream: Stream, period: Period, *, after: Sequence[Any] | None
) -> tuple[int, int, int]:
    """Return what a stream comes to before the period, up to the position `after` in it, and up to its last day.

    Above zero is what the customer owes more. `after` is a position of this stream, or the day alone before which all
    of it is shown already; None where the period is shown from its beginning.
    """
    if stream.entries:
        return _sum_crossings(db, account, stream, period, after)
    # One sum for each stretch of days: a condition in a sum costs as much as the sum.
    sum_of_days = partial(_sum_documents, db, account, stream)
    opening = sum_of_days({"$lt": period.first})
    if after is None:
        return opening, opening, opening + sum_of_days({"$gte": period.first, "$lte": period.last})
    day = max(after[0], period.first)
    until = opening + sum_of_days({"$gte": period.first, "$lt": day})
    closing = until + sum_of_days({"$gte": day, "$lte": period.last})
    if len(after) > 1:
        until += sum_of_days({"$gte": day, "$lte": day}, shown=_is_shown(stream, after))
    return opening, until, closing


def list_rows(
    db: Db, account: Account, stream: Stream, period: Period, *, after: Sequence[Any] | None, limit: int
) -> list[tuple[Document, list[Any]]]:
    """Return the first rows of a stream after a position (`after` as above), each with its own position."""
    if stream.entries:
        stages = _lines(account, stream, period, after, limit)
        rows = read(partial(db[stream.collection].aggregate, stages, hint=stream.index))
    else:
        rows = _find_documents(db, account, stream, period, after=after, limit=limit)
    return [(row, position_of(row, order=stream.order)) for row in rows]


def _documents(account: Account, stream: Stream) -> Document:
    whose = {"tenant": account.tenant, "customer_code": account.customer_code, "currency": account.currency}
    return {**whose, **stream.where, **({"crossed": True} if stream.entries else {})}


def _sum_documents(db: Db, account: Account, stream: Stream, days: Document, *, shown: Document | None = None) -> int:
    """Return what the documents of these days come to; where `shown` is given, those that meet it."""
    rows = [{"$match": {**_documents(account, stream), stream.order[0]: days}}]
    # Only of payments: a field that isn't in the index would have each document read.
    direction = "$direction" if stream.collection == "payments" else None
    return _signed_sums(db, stream, rows, direction, {"sum": shown})["sum"]


def _sum_crossings(
    db: Db, account: Account, stream: Stream, period: Period, after: Sequence[Any] | None
) -> tuple[int, int, int]:
    """Return the sums of sum_until, in one look at the documents: an entry is in no index."""
    before = {"$lt": ["$on", _literal(period.first)]}
    until = before if after is None else _is_shown(stream, after)
    sums = _signed_sums(
        db,
        stream,
        _entries(account, stream, period.last),
        "$direction",
        {"opening": before, "until": until, "closing": None},
    )
    return sums["opening"], sums["until"], sums["closing"]


def _signed_sums(
    db: Db, stream: Stream, rows: list[Document], direction: str | None, conditions: dict[str, Document | None]
) -> dict[str, int]:
    """Return, for each condition, the sum of what meets it, above zero where the customer owes more.

    Where an int64 isn't enough, MongoDB answers with a number that has lost digits: then the sum is made of decimals.
    So it is where a document that is damaged has an amount that isn't whole; that one isn't counted.
    """
    amount: Any = f"${stream.amount}"
    for value in (amount, {"$toDecimal": whole_or_zero(amount)}):
        sums = {
            name: {"$sum": value if condition is None else {"$cond": [condition, value, 0]}}
            for name, condition in conditions.items()
        }
        stages = [*rows, {"$group": {"_id": direction, **sums}}]
        groups = list(read(partial(db[stream.collection].aggregate, stages, hint=stream.index)))
        if all(is_whole(group[name]) for group in groups for name in conditions):
            break
    signs = [1 if stream.is_debit({"direction": group["_id"]}) else -1 for group in groups]
    return {
        name: sum(sign * _whole(group[name]) for sign, group in zip(signs, groups, strict=True)) for name in conditions
    }


def _is_shown(stream: Stream, after: Sequence[Any]) -> Document:
    """Return the condition that a row is at a position or before it; lists compare as the index has them in order."""
    if len(after) == 1:
        return {"$lt": [f"${stream.order[0]}", _literal(after[0])]}
    values = values_at(stream.order, after)
    return {"$lte": [[f"${name}" for name in stream.order], [_literal(value) for value in values]]}


def _entries(account: Account, stream: Stream, last: str) -> list[Document]:
    """Return the stages that find all crossings of a stream up to a day."""
    number = {"$ifNull": ["$allocations.payment_number", "$allocations.credit_note_number"]}
    counted = {"customer_code": {"$exists": True}, "state": {"$nin": list(NOT_COUNTED)}, "on": {"$lte": last} | NO_LIST}
    return [
        {"$match": _documents(account, stream)},
        {"$project": {"allocations": True, "direction": True, "payment_number": True}},
        {"$unwind": "$allocations"},
        {"$match": {f"allocations.{name}": condition for name, condition in counted.items()}},
        {
            "$project": {
                "on": "$allocations.on",
                "number": "$payment_number" if stream.collection == "payments" else number,
                "amount_minor": whole_or_zero("$allocations.amount_minor"),
                "direction": True,
            }
        },
    ]


def _lines(account: Account, stream: Stream, period: Period, after: Sequence[Any] | None, limit: int) -> list[Document]:
    """Return the stages that give crossings as lines: one a payment and day."""
    found: Document = {"on": {"$gte": period.first}}
    if after is not None and len(after) == 1:
        found = {"on": {"$gte": max(period.first, after[0])}}
    elif after is not None:
        on, number = after
        found = {"$or": [{"on": {"$gt": on}}, {"on": on, "number": {"$gt": number}}]}
    line = {"_id": {"on": "$on", "number": "$number"}, "amount_minor": {"$sum": "$amount_minor"}}
    shown = {"on": "$_id.on", "number": "$_id.number", "amount_minor": True, "direction": True}
    return [
        *_entries(account, stream, period.last),
        {"$match": found},
        {"$group": {**line, "direction": {"$first": "$direction"}}},
        {"$project": shown},
        {"$sort": {"on": 1, "number": 1}},
        {"$limit": limit},
    ]


def _find_documents(
    db: Db, account: Account, stream: Stream, period: Period, *, after: Sequence[Any] | None, limit: int
) -> Iterator[Document]:
    day = stream.order[0]
    first = period.first
    if after is not None and len(after) == 1:
        first, after = max(first, after[0]), None
    query = {**_documents(account, stream), day: {"$gte": first, "$lte": period.last}}
    shown = {"_id": False, **dict.fromkeys((*stream.order, stream.amount), True)}
    if stream.collection == "payments":
        shown["direction"] = True
    pages = page_queries(
        db[stream.collection], query, order=stream.order, descending=False, after=after, projection=shown
    )
    for page in pages:
        for document in read(page.hint(stream.index).limit(limit).__iter__):
            yield document | {day: _day_in(document[day], first, period.last, otherwise=first)}
            limit -= 1
        if limit <= 0:
            return


def whole_or_zero(amount: Any) -> Document:
    """Return a stored amount as MongoDB computes with it: 0 where a document that is damaged has no whole one."""
    return {"$cond": [{"$in": [{"$type": amount}, list(WHOLE_TYPES)]}, amount, 0]}


def _day_in(stored: Any, first: str = "", last: str = "\uffff", *, otherwise: str) -> str:
    """Return a day as it is stored; where a damaged document has a list there, the one by which it was found."""
    days = stored if isinstance(stored, list) else [stored]
    return min((day for day in days if isinstance(day, str) and first <= day <= last), default=otherwise)


def read(query: Callable[[], Iterable[Document]]) -> Iterator[Document]:
    """Yield what a query finds; raises ReceivablesBeingPrepared where its index is still being built."""
    try:
        yield from query()
    except OperationFailure as error:
        if error.code == _BAD_VALUE and "hint" in str(error):
            raise ReceivablesBeingPrepared from error
        raise


def _literal(value: Any) -> Document:
    return {"$literal": value}


def _whole(value: Any) -> int:
    return int(value.to_decimal()) if isinstance(value, Decimal128) else int(value)
