"""What MongoDB adds up of `invoices` and `credit_notes`. One question each, the tenant always in the filter."""

from collections.abc import Iterable, Mapping
from typing import Any

from finance.database import Db, Document
from finance.invoices import store

INTEGERS = ("int", "long")
AMOUNTS = ("total_net", "total_tax", "total", "amount_paid", "amount_credited", "outstanding", "overdue")


def group_invoices(db: Db, *, tenant: str, filters: Mapping[str, Any], today: str) -> list[Document]:
    """Return count and amounts by currency, and by whether the amounts can be read: of those that can't be there are
    none. Overdue is what is outstanding of those that were due before `today`.
    """
    kept = {"$set": {"credited_minor": {"$ifNull": ["$credited_minor", 0]}}}
    outstanding = {"$subtract": ["$total_minor", {"$add": ["$paid_minor", "$credited_minor"]}]}
    is_overdue = {"$and": [{"$eq": [{"$type": "$due_on"}, "string"]}, {"$lt": ["$due_on", today]}]}
    owed = {"$cond": [{"$eq": ["$status", "cancelled"]}, 0, outstanding]}
    values = {
        "total_net": "$net_minor",
        "total_tax": "$tax_minor",
        "total": "$total_minor",
        "amount_paid": "$paid_minor",
        "amount_credited": "$credited_minor",
        "outstanding": owed,
        "overdue": {"$cond": [is_overdue, owed, 0]},
    }
    is_readable = _are_whole("net_minor", "tax_minor", "total_minor", "paid_minor", "credited_minor")
    group = _group({"currency": "$currency"}, values, is_readable)
    query = store.query_of(tenant, filters)
    return _exact(db.invoices.aggregate([{"$match": query}, kept, group]))


def group_taxes(db: Db, *, kind: str, tenant: str, filters: Mapping[str, Any]) -> list[Document]:
    """Return net and tax by day of issue, currency and rate, of "invoices" or of "credit_notes".

    A document that has no rates at all counts among those that can't be read.
    """
    pipeline: list[Document] = [
        {"$match": store.query_of(tenant, filters)},
        {"$unwind": {"path": "$taxes", "preserveNullAndEmptyArrays": True}},
        _group(
            {"issued_on": "$issued_on", "currency": "$currency", "rate": "$taxes.rate"},
            {"net": "$taxes.net_minor", "tax": "$taxes.tax_minor"},
            _are_whole("taxes.net_minor", "taxes.tax_minor"),
        ),
    ]
    return _exact(db[kind].aggregate(pipeline))


def _are_whole(*fields: str) -> Document:
    return {"$and": [{"$in": [{"$type": f"${field}"}, list(INTEGERS)]} for field in fields]}


def _group(by: Document, values: Mapping[str, Any], is_readable: Document) -> Document:
    """Return the stage that adds up, as decimals of 34 digits: integers of MongoDB would end at 19."""
    sums = {name: {"$sum": {"$cond": [is_readable, {"$toDecimal": value}, 0]}} for name, value in values.items()}
    return {"$group": {"_id": {**by, "is_readable": is_readable}, "count": {"$sum": 1}, **sums}}


def _exact(groups: Iterable[Document]) -> list[Document]:
    """Return each group as one document, its decimals as integers."""
    return [
        {
            **group["_id"],
            **{name: value if isinstance(value, int) else int(value.to_decimal()) for name, value in _sums(group)},
        }
        for group in groups
    ]


def _sums(group: Document) -> Iterable[tuple[str, Any]]:
    return ((name, value) for name, value in group.items() if name != "_id")
