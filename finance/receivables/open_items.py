"""What the ageing reads: what was open at a day, added up by customer where the documents are."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import merge
from itertools import groupby
from typing import Any

from bson import Decimal128

from finance.database import Db, Document
from finance.receivables.model import BUCKETS
from finance.receivables.store import NO_LIST, NOT_COUNTED, WHOLE_TYPES, read, whole_or_zero

_BATCH = 1_000


def each_customer(
    db: Db, *, tenant: str, currency: str, as_of: str, due_from: list[str], customer_code: str | None = None
) -> Iterator[Document]:
    """Yield, in the order of their codes, {"_id": code, "buckets": […], "credit_minor"} of who has something open.

    `due_from` has the first due day of every bucket but the last one. What names no customer comes last, its `_id` is
    None; payments that name none are nobody's. With a `customer_code` no more is read than what that one has open.
    """
    whose: Document = {"tenant": tenant, "currency": currency}
    named: Document = {"customer_code": {"$gt": ""} | NO_LIST}
    if customer_code is not None:
        whose = named = {**whose, "customer_code": customer_code}
    found = [
        _invoices(db, whose, as_of, due_from),
        _credits(db, "credit_notes", whose, as_of, of_customers={}, day="issued_on", amount="total_minor"),
        _credits(
            db,
            "payments",
            {**whose, "status": "recorded"},
            as_of,
            of_customers=named,
            day="paid_on",
            amount="amount_minor",
        ),
    ]
    for (_is_last, code), parts in groupby(merge(*found, key=_place), key=_place):
        row: Document = {"_id": code or None, "buckets": [0] * len(BUCKETS), "credit_minor": 0}
        for part in parts:
            row["buckets"] = [a + _whole(part.get(name)) for a, name in zip(row["buckets"], BUCKETS, strict=True)]
            row["credit_minor"] += _whole(part.get("given")) - _whole(part.get("paid_back"))
        yield row


def _invoices(db: Db, whose: Document, as_of: str, due_from: list[str]) -> Iterator[Document]:
    outstanding = {"$cond": [{"$eq": ["$status", "cancelled"]}, "$total_minor", _rest("total_minor", as_of)]}
    due = {"$ifNull": ["$due_on", "$issued_on"]}
    in_bucket = [{"$gte": ["$due", day]} for day in due_from]
    sums = {}
    for position, name in enumerate(BUCKETS):
        later = [{"$not": condition} for condition in in_bucket[:position]]
        is_in = {"$and": [*in_bucket[position : position + 1], *later]}
        sums[name] = {"$sum": {"$cond": [is_in, {"$toDecimal": "$open"}, 0]}}
    stages = [
        {
            "$match": {
                **whose,
                "closed_on": {"$not": {"$lte": as_of}},
                "issued_on": {"$lte": as_of},
                **_is_number("total_minor"),
            }
        },
        {"$project": {"customer_code": True, "due": due, "open": outstanding}},
    ]
    return _grouped(db, "invoices", stages, sums)


def _credits(
    db: Db, collection: str, whose: Document, as_of: str, *, of_customers: Document, day: str, amount: str
) -> Iterator[Document]:
    """Yield what credit notes or payments have left to give, and what outgoing payments have not paid back yet."""
    is_open = {"fully_allocated_on": {"$not": {"$lte": as_of}}, day: {"$lte": as_of}}
    is_outgoing = {"$eq": ["$direction", "outgoing"]}
    stages = [
        {"$match": {**whose, **of_customers, **is_open, **_is_number(amount)}},
        {"$project": {"customer_code": True, "direction": True, "open": _rest(amount, as_of)}},
    ]
    value = {"$toDecimal": "$open"}
    sums = {
        "given": {"$sum": {"$cond": [is_outgoing, 0, value]}},
        "paid_back": {"$sum": {"$cond": [is_outgoing, value, 0]}},
    }
    return _grouped(db, collection, stages, sums)


def _grouped(db: Db, collection: str, stages: list[Document], sums: Document) -> Iterator[Document]:
    """Return the sums of each customer who has something open, in the order of codes, null last."""
    is_named = {"$eq": [{"$type": "$customer_code"}, "string"]}
    whole = [
        *stages,
        {"$match": {"open": {"$ne": 0}}},
        {"$group": {"_id": {"$cond": [is_named, "$customer_code", None]}, **sums}},
        {"$set": {"named": {"$gt": ["$_id", None]}}},
        {"$sort": {"named": -1, "_id": 1}},
    ]
    query: Callable[[], Iterable[Document]] = partial(
        db[collection].aggregate, whole, hint="ageing", allowDiskUse=True, batchSize=_BATCH
    )
    return read(query)


def _rest(amount: str, as_of: str) -> Document:
    """Return what of an amount no entry had taken at a day."""
    counted = {"$and": [{"$not": {"$in": ["$$this.state", list(NOT_COUNTED)]}}, {"$lte": ["$$this.on", as_of]}]}
    entries = {"$cond": [{"$isArray": "$allocations"}, "$allocations", []]}
    taken = {
        "$map": {"input": {"$filter": {"input": entries, "cond": counted}}, "in": whole_or_zero("$$this.amount_minor")}
    }
    return {"$subtract": [f"${amount}", {"$sum": taken}]}


def _is_number(field: str) -> Document:
    return {field: {"$type": list(WHOLE_TYPES)} | NO_LIST}  # what is damaged keeps no others from being added up


def _place(row: Document) -> tuple[bool, str]:
    return row["_id"] is None, row["_id"] or ""


def _whole(value: Any) -> int:
    return int(value.to_decimal()) if isinstance(value, Decimal128) else int(value or 0)
