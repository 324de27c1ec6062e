"""The collections `invoices` and `credit_notes`. One question or one change each, the tenant always in the filter."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document
from finance.history import push
from finance.invoices.model import (
    ALLOCATIONS_MAX,
    CREDIT_NOTE_KIND,
    CREDIT_NOTES_NUMBERED,
    HISTORY_MAX,
    KIND,
    NUMBERED,
    ORDER_BY_SORT,
    Claim,
    CreditNote,
    Invoice,
)
from finance.numbering.drafts import Numbered
from finance.once import RefusedByForeignIndex
from finance.paging import Page, PageWanted, page_queries, take_page

UNSETTLED_MAX = 200


def _invoices(db: Db) -> Collection[Invoice]:
    return cast("Collection[Invoice]", db.invoices)


def _credit_notes(db: Db) -> Collection[CreditNote]:
    return cast("Collection[CreditNote]", db.credit_notes)


def numbered(db: Db) -> Numbered:
    """Return what numbering needs to know of invoices."""
    return Numbered(db, NUMBERED)


def numbered_credit_notes(db: Db) -> Numbered:
    """Return what numbering needs to know of credit notes."""
    return Numbered(db, CREDIT_NOTES_NUMBERED)


def find_invoice(db: Db, *, tenant: str, invoice_number: str) -> Invoice | None:
    return _invoices(db).find_one({"tenant": tenant, "invoice_number": invoice_number})


def find_invoice_by_key(db: Db, *, tenant: str, idempotency_key: str) -> Invoice | None:
    return _invoices(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def find_invoice_by_cancel_key(db: Db, *, tenant: str, idempotency_key: str) -> Invoice | None:
    return _invoices(db).find_one({"tenant": tenant, "cancel_idempotency_key": idempotency_key})


def find_issued_days(db: Db, *, tenant: str, invoice_numbers: Sequence[str]) -> dict[str, str]:
    """Return the day of issue of each of these invoices that there is."""
    wanted = {"tenant": tenant, "invoice_number": {"$in": list(invoice_numbers)}}
    fields = {"_id": False, "invoice_number": True, "issued_on": True}
    return {found["invoice_number"]: found["issued_on"] for found in _invoices(db).find(wanted, fields)}


def has_numbers(db: Db, *, tenant: str, shop: str, period: str) -> bool:
    """Return whether the series of this period has an invoice."""
    wanted = {"tenant": tenant, "shop": shop, "period": period, "number_seq": {"$gt": 0}}
    return _invoices(db).find_one(wanted, {"_id": True}) is not None


def cancel_invoice(db: Db, invoice: Invoice, *, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Invoice | None:
    """Cancel an invoice that nothing is paid of, and return it; None where it changed, or another has this key."""
    wanted = {
        "tenant": invoice["tenant"],
        "_id": invoice["_id"],
        "status": {"$ne": "cancelled"},
        "allocations": {"$size": 0},
    }
    change: Document = push(invoice, entry)
    change["$set"] = change.get("$set", {}) | {**values, "status": "cancelled", "free_minor": 0}
    try:
        return _invoices(db).find_one_and_update(wanted, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        fields = (error.details or {}).get("keyPattern", {})
        if "cancel_idempotency_key" in fields:
            return None
        raise RefusedByForeignIndex.on("invoices", fields) from error


def link_credit_note(db: Db, invoice: Invoice, *, credit_note_number: str) -> None:
    _invoices(db).update_one(
        {"tenant": invoice["tenant"], "_id": invoice["_id"]},
        {"$set": {"credit_note_number": credit_note_number, "unsettled": False}},
    )


def list_invoices(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[Invoice]:
    """Return one page of the invoices that the filters mean."""
    query = {"tenant": tenant, **_query(filters)}
    order, descending = ORDER_BY_SORT[wanted.sort.removeprefix("-")], wanted.sort.startswith("-")
    queries = page_queries(_invoices(db), query, order=order, descending=descending, after=wanted.after)
    return take_page(queries, order=order, limit=wanted.limit)


def list_unsettled(db: Db, *, tenant: str) -> list[Invoice]:
    """Return the invoices on which a payment is on its way, or was left behind by a process that was killed."""
    return list(_invoices(db).find({"tenant": tenant, "unsettled": True}).limit(UNSETTLED_MAX))


def find_credit_note(db: Db, *, tenant: str, credit_note_number: str) -> CreditNote | None:
    return _credit_notes(db).find_one({"tenant": tenant, "credit_note_number": credit_note_number})


def list_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean, the newest first."""
    query, order = {"tenant": tenant, **_query(filters)}, ORDER_BY_SORT["issued_on"]
    queries = page_queries(_credit_notes(db), query, order=order, descending=True, after=wanted.after)
    return take_page(queries, order=order, limit=wanted.limit)


def list_sequences(db: Db, *, tenant: str, shop: str) -> list[Document]:
    """Return period, count and the first and newest number of each series of a shop; read from the index alone."""
    sequences = []
    for kind, collection in ((KIND, db.invoices), (CREDIT_NOTE_KIND, db.credit_notes)):
        grouped = collection.aggregate(
            [
                {"$match": {"tenant": tenant, "shop": shop, "number_seq": {"$gt": 0}}},
                {"$project": {"_id": False, "period": True, "number_seq": True}},
                {
                    "$group": {
                        "_id": "$period",
                        "count": {"$sum": 1},
                        "first": {"$min": "$number_seq"},
                        "newest": {"$max": "$number_seq"},
                    }
                },
                {"$sort": {"_id": -1}},
            ]
        )
        sequences += [{"kind": kind, **group, "period": group["_id"]} for group in grouped]
    return sequences


def find_newest(db: Db, *, kind: str, tenant: str, shop: str, period: str, number_seq: int) -> Document | None:
    collection = db.invoices if kind == KIND else db.credit_notes
    return collection.find_one({"tenant": tenant, "shop": shop, "period": period, "number_seq": number_seq})


# --- Allocations: one conditional change of one invoice each ------------------------------------------------------


def claim_part(db: Db, claim: Claim, *, currency: str, amount_minor: int) -> bool:
    """Claim a part of what is free on an invoice; False where that much isn't free (or the claim stands already)."""
    wanted = {
        "tenant": claim.tenant,
        "invoice_number": claim.invoice_number,
        "currency": currency,
        "status": {"$ne": "cancelled"},
        "free_minor": {"$gte": amount_minor},
        "allocations.claim": {"$ne": claim.claim},
        f"allocations.{ALLOCATIONS_MAX - 1}": {"$exists": False},
        f"history.{HISTORY_MAX - 1}": {"$exists": False},
    }
    change = {
        "$inc": {"free_minor": -amount_minor},
        "$push": {"allocations": {"claim": claim.claim, "amount_minor": amount_minor, "state": "claimed"}},
        "$set": {"unsettled": True},
    }
    return _invoices(db).update_one(wanted, change).modified_count == 1


def mark_settled(db: Db, claim: Claim, *, entry: Mapping[str, Any]) -> None:
    """Count a claim as paid. Once: it changes nothing where the claim is settled, or gone."""
    wanted = _with_claim(claim, ["claimed"])
    _change_allocations(db, wanted, _with_state(claim, "settled"), entry)


def mark_returning(db: Db, claim: Claim) -> None:
    """Note that the payment of a claim is about to be voided, so that readers look at the payment."""
    wanted = _with_claim(claim, ["claimed", "settled"])
    _change_allocations(db, wanted, _with_state(claim, "returning"), None)


def release_claim(db: Db, claim: Claim, *, states: Sequence[str], entry: Mapping[str, Any] | None) -> None:
    """Make the claimed part free again, where the claim is in one of `states`. Once."""
    wanted = _with_claim(claim, states)
    kept = {"$filter": {"input": "$allocations", "cond": {"$ne": ["$$this.claim", {"$literal": claim.claim}]}}}
    _change_allocations(db, wanted, kept, entry)


def _with_claim(claim: Claim, states: Sequence[str]) -> Document:
    """Return the filter for the invoice on which this claim is in one of these states."""
    return {
        "tenant": claim.tenant,
        "invoice_number": claim.invoice_number,
        "allocations": {"$elemMatch": {"claim": claim.claim, "state": {"$in": list(states)}}},
    }


def _with_state(claim: Claim, state: str) -> Document:
    """Return the allocations in which this claim's state is another."""
    is_it = {"$eq": ["$$this.claim", {"$literal": claim.claim}]}
    changed = {"$cond": [is_it, {"$mergeObjects": ["$$this", {"state": state}]}, "$$this"]}
    return {"$map": {"input": "$allocations", "in": changed}}


def _change_allocations(db: Db, wanted: Document, allocations: Document, entry: Mapping[str, Any] | None) -> None:
    """Set the allocations, and all that follows from them, in one atomic update.

    Sums are made anew from the allocations, so that they can't drift from them.
    """
    paid = {"$filter": {"input": "$allocations", "cond": {"$ne": ["$$this.state", "claimed"]}}}
    stages: list[Document] = [
        {"$set": {"_paid_before": "$paid_minor", "allocations": allocations}},
        {
            "$set": {
                "paid_minor": {"$sum": {"$map": {"input": paid, "in": "$$this.amount_minor"}}},
                "free_minor": {"$subtract": ["$total_minor", {"$sum": "$allocations.amount_minor"}]},
                "unsettled": {"$anyElementTrue": [_states_other_than_settled()]},
            }
        },
        {
            "$set": {
                "status": {
                    "$switch": {
                        "branches": [
                            {"case": {"$eq": ["$paid_minor", "$total_minor"]}, "then": "paid"},
                            {"case": {"$gt": ["$paid_minor", 0]}, "then": "partly_paid"},
                        ],
                        "default": "issued",
                    }
                }
            }
        },
    ]
    if entry is not None:
        paid_change = {"from": "$_paid_before", "to": "$paid_minor"}
        literal = {name: {"$literal": value} for name, value in entry.items()}
        stages.append(
            {
                "$set": {
                    "history": {"$concatArrays": ["$history", [{**literal, "changes": {"paid_minor": paid_change}}]]}
                }
            }
        )
    stages.append({"$unset": "_paid_before"})
    _invoices(db).update_one(wanted, stages)


def _states_other_than_settled() -> Document:
    return {"$map": {"input": "$allocations", "in": {"$ne": ["$$this.state", "settled"]}}}


def _query(filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of the list's filters."""
    names = ("shop", "status", "currency", "customer_code", "invoice_number", "idempotency_key", "period")
    query: Document = {name: filters[name] for name in names if name in filters}
    for field in ("issued_on", "due_on"):
        bounds = {
            operator: filters[f"{field.removesuffix('_on')}_{end}"]
            for operator, end in (("$gte", "from"), ("$lte", "to"))
            if f"{field.removesuffix('_on')}_{end}" in filters
        }
        if bounds:
            query[field] = bounds
    return query
