"""What follows from the entries of a document, as MongoDB computes it in the update that changes them.

Sums are made anew from the entries each time, so that they can't drift from them.
"""

from typing import Any

from finance.allocations.model import CREDIT_NOTE, INVOICE, MoneyKind

Expression = dict[str, Any]
ENTRIES: Expression = {"$cond": [{"$isArray": "$allocations"}, "$allocations", []]}
_IS_LIVE: Expression = {"$ne": ["$$this.state", "released"]}
_COUNTS: Expression = {"$not": [{"$in": [{"$ifNull": ["$$this.state", "settled"]}, ["claimed", "released"]]}]}
_IS_OF_NOTE: Expression = {"$eq": [{"$type": "$$this.credit_note_number"}, "string"]}
_IS_CROSSING: Expression = {"$ne": [{"$type": "$$this.customer_code"}, "missing"]}


def only(condition: Expression, entries: Any = ENTRIES) -> Expression:
    return {"$filter": {"input": entries, "cond": condition}}


def sum_of(condition: Expression) -> Expression:
    """Return the sum of the amounts of the entries that meet the condition."""
    return {"$sum": {"$map": {"input": only(condition), "in": _whole("$$this.amount_minor")}}}


def free_of(kind: MoneyKind) -> Expression:
    """Return what no entry has yet of a document's amount; claimed ones have it too."""
    return {"$subtract": [_whole(f"${kind.amount_field}"), sum_of(_IS_LIVE)]}


def unallocated() -> Expression:
    """Return whether something of a payment isn't allocated, also of one that an earlier version stored."""
    return {"$gt": ["$amount_minor", sum_of(_COUNTS)]}


def unallocated_minor() -> Expression:
    """Return what is left of a payment, whether or not it is voided."""
    return {"$subtract": ["$amount_minor", sum_of(_COUNTS)]}


def stages_of(kind: MoneyKind) -> list[Expression]:
    """Return the stages that set all that follows from the entries of a document of this kind."""
    return _of_invoice() if kind is INVOICE else _of_source(kind)


def _of_invoice() -> list[Expression]:
    outstanding = {"$subtract": [_whole("$total_minor"), {"$add": ["$paid_minor", "$credited_minor"]}]}
    is_cancelled = {"$eq": ["$status", "cancelled"]}
    credits = {"$cond": [{"$isArray": "$credits"}, "$credits", []]}
    is_unstored = {"$ne": [{"$type": "$$this.note"}, "missing"]}
    status = [
        {"case": is_cancelled, "then": "cancelled"},
        {"case": {"$eq": [outstanding, 0]}, "then": "paid"},
        {"case": {"$lt": [outstanding, "$total_minor"]}, "then": "partly_paid"},
    ]
    return [
        {
            "$set": {
                "paid_minor": sum_of({"$and": [_COUNTS, {"$not": [_IS_OF_NOTE]}]}),
                "credited_minor": sum_of({"$and": [_COUNTS, _IS_OF_NOTE]}),
                "free_minor": {"$cond": [is_cancelled, 0, free_of(INVOICE)]},
                "unsettled": {
                    "$or": [
                        _any({"$ne": ["$$this.state", "settled"]}),
                        _any(is_unstored, credits),
                        {"$and": [is_cancelled, {"$not": ["$credit_note_number"]}]},
                    ]
                },
                "crossed": _or_absent(_any(_IS_CROSSING), True),
            }
        },
        {"$set": {"status": {"$switch": {"branches": status, "default": "issued"}}}},
        {
            "$set": {
                "closed_on": {
                    "$switch": {
                        "branches": [
                            {"case": is_cancelled, "then": {"$ifNull": ["$closed_on", "$$REMOVE"]}},
                            {"case": {"$eq": ["$status", "paid"]}, "then": _latest_day(INVOICE)},
                        ],
                        "default": "$$REMOVE",
                    }
                }
            }
        },
    ]


def _of_source(kind: MoneyKind) -> list[Expression]:
    is_unsettled = {"$in": ["$$this.state", ["claimed", "returning"]]}
    is_full = {"$eq": ["$allocated_minor", f"${kind.amount_field}"]}
    return [
        {
            "$set": {
                "allocated_minor": sum_of(_COUNTS),
                "allocation_keys": _keys("idempotency_key"),
                "release_keys": _keys("release_key"),
                "unsettled": _or_absent(_any(is_unsettled), True),
                "crossed": _or_absent(_any({"$and": [_IS_LIVE, _IS_CROSSING]}), True),
            }
        },
        {
            "$set": {
                "fully_allocated_on": _or_absent(is_full, _latest_day(kind)),
                **({"unallocated": _or_absent({"$not": [is_full]}, True)} if kind is CREDIT_NOTE else {}),
            }
        },
    ]


def _keys(field: str) -> Expression:
    """Return the Idempotency-Keys of the entries; none where no entry has one.

    They are unique here and not in the entries: where one entry of a document has a key and another has none, a unique
    index on the entries' keys has that document under null, as it has the next such document.
    """
    keys = {
        "$filter": {"input": {"$map": {"input": ENTRIES, "in": f"$$this.{field}"}}, "cond": {"$gt": ["$$this", ""]}}
    }
    return {"$let": {"vars": {"keys": {"$setUnion": [keys, []]}}, "in": _or_absent({"$ne": ["$$keys", []]}, "$$keys")}}


def _latest_day(kind: MoneyKind) -> Expression:
    days = {"$map": {"input": only(_COUNTS), "in": "$$this.on"}}
    return {"$ifNull": [{"$max": days}, f"${kind.day_field}"]}


def _any(condition: Expression, entries: Any = ENTRIES) -> Expression:
    return {"$anyElementTrue": [{"$map": {"input": entries, "in": condition}}]}


def _whole(amount: str) -> Expression:
    """Return an amount to compute with: 0 where a document that is damaged has no whole one."""
    return {"$cond": [{"$in": [{"$type": amount}, ["int", "long"]]}, amount, 0]}


def _or_absent(condition: Expression, value: Any) -> Expression:
    return {"$cond": [condition, value, "$$REMOVE"]}
