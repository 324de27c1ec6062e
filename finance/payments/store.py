"""The collection `payments`. One question or one change each, the tenant always in the filter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document
from finance.errors import Invalid
from finance.numbering.issue import Numbered
from finance.payments.model import KIND, ORDER_BY_SORT, Payment


def numbered(db: Db) -> Numbered:
    """Return what numbering needs to know of payments."""
    return Numbered(db=db, collection=db.payments, kind=KIND, number_field="payment_number")


def find_payment(db: Db, *, tenant: str, payment_number: str) -> Payment | None:
    """Return the payment of this number, or else one from which a repair took it."""
    return db.payments.find_one({"tenant": tenant, "payment_number": payment_number}) or db.payments.find_one(
        {"tenant": tenant, "previous_numbers": payment_number}
    )


def find_payment_by_void_key(db: Db, *, tenant: str, idempotency_key: str) -> Payment | None:
    return db.payments.find_one({"tenant": tenant, "void_idempotency_key": idempotency_key})


def update_payment(db: Db, payment: Payment, *, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Payment | None:
    """Set `values` (None removes a field), add the history entry, and return the payment as it is then.

    Returns None where the payment changed since it was read, or another one holds a unique key in `values`.
    """
    present = {name: value for name, value in values.items() if value is not None}
    absent = {name: "" for name, value in values.items() if value is None}
    change: Document = {"$push": {"history": entry}}
    if present:
        change["$set"] = present
    if absent:
        change["$unset"] = absent
    unchanged = {"tenant": payment["tenant"], "_id": payment["_id"], "history": {"$size": len(payment["history"])}}
    try:
        return db.payments.find_one_and_update(unchanged, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError:
        return None


def list_payments(
    db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str, after: Sequence[Any] | None, limit: int
) -> list[Payment]:
    """Return up to `limit` payments in the order of `sort`, those after the position `after` of an earlier page."""
    name, direction = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    order = ORDER_BY_SORT[name]
    query = {"tenant": tenant, **_query(filters)}
    if after is not None:
        query = {"$and": [query, _beyond(order, _position(name, after), direction)]}
    return list(db.payments.find(query).sort([(field, direction) for field in order]).limit(limit))


def position_of(payment: Payment, *, sort: str) -> list[Any]:
    """Return the place of a payment in the order of `sort`, as JSON."""
    values = [payment.get(field) for field in ORDER_BY_SORT[sort.removeprefix("-")]]
    return [
        str(value) if isinstance(value, ObjectId) else value.isoformat() if isinstance(value, datetime) else value
        for value in values
    ]


def _query(filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of the list's filters."""
    query: Document = {
        name: filters[name]
        for name in ("status", "currency", "method", "direction", "customer_code", "reference", "idempotency_key")
        if name in filters
    }
    if "previous_number" in filters:
        query["previous_numbers"] = filters["previous_number"]
    if "payer_folded" in filters:
        query["payer_folded"] = {"$gte": filters["payer_folded"], "$lt": filters["payer_folded"] + "\U0010ffff"}
    for field, low, high in (("paid_on", "paid_from", "paid_to"), ("amount_minor", "min_amount", "max_amount")):
        bounds = {operator: filters[name] for operator, name in (("$gte", low), ("$lte", high)) if name in filters}
        if bounds:
            query[field] = bounds
    return query


def _beyond(order: Sequence[str], position: Sequence[Any], direction: int) -> Document:
    """Return the filter for what comes after `position`: further in the first field, or equal in it and further in …"""
    operator = "$gt" if direction == 1 else "$lt"
    branches = [
        {**dict(zip(order[:depth], position[:depth], strict=True)), order[depth]: {operator: position[depth]}}
        for depth in range(len(order))
    ]
    return {"$or": branches}


def _position(name: str, after: Sequence[Any]) -> list[Any]:
    """Return a cursor's values with the types they have in the database; raises Invalid where they can't be."""
    try:
        *values, identity = after
        if name == "created_at":
            values = [datetime.fromisoformat(values[0])]
        elif [type(value) for value in values] != [str if name == "paid_on" else int, int]:
            raise TypeError
        return [*values, ObjectId(identity)]
    except (TypeError, ValueError, IndexError, InvalidId):
        raise Invalid.parameter("cursor", "must be the next_cursor of the page before.") from None
