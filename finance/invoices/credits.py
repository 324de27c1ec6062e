"""What an invoice says is credited of it: its `credits`. One question or one atomic change of one document each."""

from collections.abc import Mapping
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.allocations.derived import ENTRIES, free_of, stages_of
from finance.allocations.model import ENTRIES_MAX, INVOICE
from finance.database import Db, Document
from finance.history import HistoryEntry, as_read
from finance.invoices.model import HISTORY_MAX, Credit, CreditNote, Invoice
from finance.obsolete import drop_obsolete
from finance.once import RefusedByForeignIndex

CREDITS_MAX = 500
# Each that has no credit note yet holds all its lines; more of them would not fit into one document.
UNFINISHED_MAX = 8

_CREDITS = {"$cond": [{"$isArray": "$credits"}, "$credits", []]}
_HISTORY = {"$cond": [{"$isArray": "$history"}, "$history", []]}


def _invoices(db: Db) -> Collection[Invoice]:
    return cast("Collection[Invoice]", db.invoices)


def find_by_key(db: Db, *, tenant: str, idempotency_key: str) -> Invoice | None:
    """Return the invoice of which something was credited under this key."""
    return _invoices(db).find_one({"tenant": tenant, "credit_keys": idempotency_key})


def find_note_without_claim(db: Db, *, tenant: str, invoice_number: str) -> CreditNote | None:
    """Return the credit note that an earlier version stored for a cancelled invoice."""
    wanted = {"tenant": tenant, "invoice_number": invoice_number, "claim": None}
    return cast("CreditNote | None", db.credit_notes.find_one(wanted))


def decide(db: Db, invoice: Invoice, credit: Credit, *, unchanged: bool = False) -> Invoice | None:
    """Credit a part of an invoice, for good, and return the invoice; what is free of it takes its part of the credit.

    Returns None where less is left to credit than is wanted, where the invoice can't be changed as it is now, or where
    the key is taken; with `unchanged` also where anything of it changed since it was read.
    """
    total_minor, key = credit["total_minor"], credit.get("idempotency_key")
    unfinished = {"$filter": {"input": _CREDITS, "cond": {"$ne": [{"$type": "$$this.note"}, "missing"]}}}
    wanted: Document = {
        "tenant": invoice["tenant"],
        "_id": invoice["_id"],
        "status": {"$ne": "cancelled"},
        f"credits.{CREDITS_MAX - 1}": {"$exists": False},
        f"allocations.{ENTRIES_MAX - 1}": {"$exists": False},
        f"history.{HISTORY_MAX - 1}": {"$exists": False},
        "$expr": {
            "$and": [
                {"$lte": [{"$add": [{"$sum": "$credits.total_minor"}, total_minor]}, "$total_minor"]},
                {"$lt": [{"$size": unfinished}, UNFINISHED_MAX]},
            ]
        },
    }
    if key is not None:
        wanted["credit_keys"] = {"$ne": key}
    if unchanged:  # a credit is told in the history once it has its note, and others must not be decided until then
        wanted["history"] = as_read(invoice)
        wanted["credits"] = {"$size": len(invoice["credits"])} if "credits" in invoice else {"$exists": False}
    try:
        return _invoices(db).find_one_and_update(wanted, _deciding(credit), return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        fields = (error.details or {}).get("keyPattern", {})
        if "credit_keys" in fields:
            return None
        raise RefusedByForeignIndex.on("invoices", fields) from error


def _deciding(credit: Credit) -> list[Document]:
    applied_minor = {"$max": [0, {"$min": [credit["total_minor"], free_of(INVOICE)]}]}
    entry = {"claim": credit["claim"], "state": "claimed", "amount_minor": "$_applied_minor"}
    with_entry = {"$concatArrays": [ENTRIES, [entry]]}
    stages: list[Document] = [
        {"$set": {"_applied_minor": {"$toLong": applied_minor}}},
        {
            "$set": {
                "credits": {
                    "$concatArrays": [
                        _CREDITS,
                        [{"$mergeObjects": [{"$literal": credit}, {"applied_minor": "$_applied_minor"}]}],
                    ]
                },
                "allocations": {"$cond": [{"$gt": ["$_applied_minor", 0]}, with_entry, "$allocations"]},
            }
        },
    ]
    key = credit.get("idempotency_key")
    if key is not None:
        keys = {"$concatArrays": [{"$ifNull": ["$credit_keys", []]}, [{"$literal": key}]]}
        stages.append({"$set": {"credit_keys": keys}})
    return [*stages, *stages_of(INVOICE), {"$unset": "_applied_minor"}]


def link(db: Db, invoice: Invoice, credit: Credit, *, note: CreditNote, told: HistoryEntry) -> None:
    """Note the number of a credit's note, and count what the invoice takes of it. Once, whoever does it.

    The invoice's entry is counted here only as it was made: who met it before let it follow the credit note, told it in
    the history, and may have released it since.
    """
    number = note["credit_note_number"]
    numbered = {name: value for name, value in credit.items() if name != "note"} | {"credit_note_number": number}
    is_it = {"$eq": ["$$this.claim", {"$literal": credit["claim"]}]}
    is_new = {"$and": [is_it, {"$eq": ["$$this.state", "claimed"]}, {"$eq": [{"$type": "$$this.mark"}, "missing"]}]}
    settled = {"state": "settled", "credit_note_number": number, "on": note["issued_on"]}
    change: list[Document] = [
        {
            "$set": {
                "_before": {"$ifNull": ["$credited_minor", 0]},
                "_tells": {"$or": [credit["applied_minor"] == 0, _any(is_new)]},
                "credits": _each("$credits", is_it, {"$literal": numbered}),
                "allocations": _each(ENTRIES, is_new, {"$mergeObjects": ["$$this", {"$literal": settled}]}),
            }
        },
        *stages_of(INVOICE),
        {"$set": {"history": {"$concatArrays": [_HISTORY, {"$cond": ["$_tells", [_with_change(told)], []]}]}}},
        {"$unset": ["_before", "_tells"]},
    ]
    wanted = {"claim": credit["claim"], "note": {"$exists": True}}
    _invoices(db).update_one(
        {"tenant": invoice["tenant"], "_id": invoice["_id"], "credits": {"$elemMatch": wanted}}, change
    )


def drop_obsolete_indexes(db: Db) -> None:
    """Drop the index by which an earlier version let an invoice have one credit note, where a worker of it built it."""
    drop_obsolete(db, ["credit_notes"])


def _each(array: Any, condition: Document, value: Any) -> Document:
    """Return the array in which those that meet the condition are another."""
    return {"$map": {"input": array, "in": {"$cond": [condition, value, "$$this"]}}}


def _any(condition: Document) -> Document:
    return {"$anyElementTrue": [{"$map": {"input": ENTRIES, "in": condition}}]}


def _with_change(told: Mapping[str, Any]) -> Document:
    literal = {name: {"$literal": value} for name, value in told.items()}
    changed = {"credited_minor": {"from": "$_before", "to": "$credited_minor"}}
    return {**literal, "changes": {"$cond": [{"$eq": ["$_before", "$credited_minor"]}, {}, changed]}}
