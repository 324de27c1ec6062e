"""The collections `invoices` and `credit_notes`. One question or one change each, the tenant always in the filter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document
from finance.history import as_read, push
from finance.invoices.model import (
    CREDIT_NOTE_KIND,
    CREDIT_NOTES_NUMBERED,
    KIND,
    NUMBERED,
    OPEN,
    OPEN_STATUSES,
    ORDER_BY_SORT,
    CreditNote,
    Invoice,
)
from finance.numbering.drafts import Numbered
from finance.once import RefusedByForeignIndex
from finance.paging import Page, PageWanted, page_queries, take_page
from finance.text import beginning

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


def find_like(db: Db, *, tenant: str, wanted: Mapping[str, Any], other_than_key: str | None) -> Invoice | None:
    """Return an invoice that has these values and isn't cancelled; `wanted` names currency, total and day of issue."""
    query = {"tenant": tenant, **wanted, "status": {"$ne": "cancelled"}}
    if other_than_key is not None:
        query["idempotency_key"] = {"$ne": other_than_key}
    return _invoices(db).find_one(query, {"invoice_number": True}, hint="currency_total")


def find_issued_days(db: Db, *, tenant: str, invoice_numbers: Sequence[str]) -> dict[str, str]:
    """Return the day of issue of each of these invoices that there is."""
    wanted = {"tenant": tenant, "invoice_number": {"$in": list(invoice_numbers)}}
    fields = {"_id": False, "invoice_number": True, "issued_on": True}
    return {found["invoice_number"]: found["issued_on"] for found in _invoices(db).find(wanted, fields)}


def find_due_days(db: Db, *, tenant: str, invoice_numbers: Sequence[str]) -> dict[str, str | None]:
    """Return the day on which each of these invoices that there is falls due."""
    wanted = {"tenant": tenant, "invoice_number": {"$in": list(invoice_numbers)}}
    found = _invoices(db).find(wanted, {"_id": False, "invoice_number": True, "due_on": True})
    return {invoice["invoice_number"]: invoice.get("due_on") for invoice in found}


def cancel_invoice(db: Db, invoice: Invoice, *, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Invoice | None:
    """Cancel an invoice of which nothing is paid or credited, and return it; None where it changed, or another has
    this key.
    """
    wanted = {
        "tenant": invoice["tenant"],
        "_id": invoice["_id"],
        "status": {"$ne": "cancelled"},
        "allocations": {"$size": 0},
        "credits.0": {"$exists": False},
        "history": as_read(invoice),
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


def link_credit_note(db: Db, invoice: Invoice, *, note: CreditNote) -> None:
    linked = {"credit_note_number": note["credit_note_number"], "closed_on": note["issued_on"], "unsettled": False}
    _invoices(db).update_one({"tenant": invoice["tenant"], "_id": invoice["_id"]}, {"$set": linked})


def list_invoices(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[Invoice]:
    """Return one page of the invoices that the filters mean."""
    query = {"tenant": tenant, **_query(filters)}
    order, descending = ORDER_BY_SORT[wanted.sort.removeprefix("-")], wanted.sort.startswith("-")
    queries = page_queries(_invoices(db), query, order=order, descending=descending, after=wanted.after)
    return take_page(queries, order=order, limit=wanted.limit)


def list_unsettled(db: Db, *, tenant: str, now: datetime) -> list[Invoice]:
    """Return the invoices on which something is on its way, or was left behind by a process that was killed; those that
    were put off not before their time.
    """
    wanted = {"tenant": tenant, "unsettled": True, "settling.again_at": {"$not": {"$gt": now}}}
    return list(_invoices(db).find(wanted).limit(UNSETTLED_MAX))


def put_off(db: Db, invoice: Invoice, *, again_at: datetime, failed: str) -> None:
    """Note why an invoice couldn't be settled, and when lists may try again."""
    unsettled = {"tenant": invoice["tenant"], "_id": invoice["_id"], "unsettled": True}
    _invoices(db).update_one(unsettled, {"$set": {"settling": {"again_at": again_at, "failed": failed}}})


def forget_put_off(db: Db, invoice: Invoice) -> None:
    _invoices(db).update_one({"tenant": invoice["tenant"], "_id": invoice["_id"]}, {"$unset": {"settling": True}})


def outstanding_of_customer(db: Db, *, tenant: str, customer_code: str, currency: str) -> int:
    """Return what is free on a customer's invoices in one currency, read from the index alone."""
    wanted = {"tenant": tenant, "customer_code": customer_code, "currency": currency, "free_minor": {"$gt": 0}}
    group = {"_id": None, "free_minor": {"$sum": "$free_minor"}}
    found = next(iter(_invoices(db).aggregate([{"$match": wanted}, {"$group": group}])), None)
    return int(found["free_minor"]) if found else 0


def find_credit_note(db: Db, *, tenant: str, credit_note_number: str) -> CreditNote | None:
    return _credit_notes(db).find_one({"tenant": tenant, "credit_note_number": credit_note_number})


def list_unsettled_credit_notes(db: Db, *, tenant: str) -> list[CreditNote]:
    """Return the credit notes on which something is on its way, or was left behind by a process that was killed."""
    return list(_credit_notes(db).find({"tenant": tenant, "unsettled": True}).limit(UNSETTLED_MAX))


def list_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean, the newest first unless `issued_on` is wanted."""
    query, order = {"tenant": tenant, **_query(filters)}, ORDER_BY_SORT["issued_on"]
    queries = page_queries(
        _credit_notes(db), query, order=order, descending=wanted.sort != "issued_on", after=wanted.after
    )
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


def query_of(tenant: str, filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of a tenant's documents that a list's filters mean."""
    return {"tenant": tenant, **_query(filters)}


def _query(filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of the list's filters."""
    names = ("shop", "status", "currency", "customer_code", "invoice_number", "idempotency_key", "period")
    query: Document = {name: filters[name] for name in names if name in filters}
    if "unallocated" in filters:
        query["unallocated"] = True
    if "customer_folded" in filters:
        query["customer_folded"] = beginning(filters["customer_folded"])
    for field in ("issued_on", "due_on"):
        bounds = {
            operator: filters[f"{field.removesuffix('_on')}_{end}"]
            for operator, end in (("$gte", "from"), ("$lte", "to"))
            if f"{field.removesuffix('_on')}_{end}" in filters
        }
        if bounds:
            query[field] = bounds
    if "overdue_on" in filters:
        query["due_on"] = query.get("due_on", {}) | {"$lt": filters["overdue_on"]}
    if "overdue_on" in filters or "min_outstanding" in filters:
        # What is open by either of its marks: the one is in the indexes of what is open, the other in that of the days.
        query["free_minor"] = {"$gte": filters.get("min_outstanding", 1)}
        query.setdefault("status", OPEN)
    if query.get("status") == OPEN:
        query["status"] = {"$in": list(OPEN_STATUSES)}
    return query
