"""Documents that earlier versions stored are given what statements, the ageing and the search by name rely on today.

What is left to do is what stands in an index that has nothing else in it, so looking costs nothing once it is done, and
what a process of the earlier version still stores beside us is found as well. Each change is made only where the
document is as it was read: it doesn't matter how many do this at a time, or where one is killed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finance.allocations.entries import counted_minor, entries_of
from finance.allocations.legacy import filled_in
from finance.allocations.model import INVOICE, PAYMENT
from finance.database import Db, Document, create_indexes
from finance.invoices.model import folded_name_fields
from finance.receivables.store import ReceivablesBeingPrepared, RefusedByServer, read

log = logging.getLogger(__name__)

AT_ONCE_MAX = 100  # of one kind, by a request; with more left it is told to come again
BATCH = 500


@dataclass(frozen=True)
class Unfinished:
    """Documents that lack something, the index that has only those, and what adds it; False where it can't be yet."""

    collection: str
    index: str
    lacks: Document
    complete: Callable[[Db, Document], bool]
    counts: bool = True  # in statements and the ageing


def complete_tenant(db: Db, *, tenant: str) -> None:
    """Complete what a tenant's statements rely on; raises ReceivablesBeingPrepared where that is more than a few."""
    for kind in KINDS:
        if kind.counts:
            found = _find(db, kind, {"tenant": tenant}, AT_ONCE_MAX)
            completed = [_completed(db, kind, document) for document in found]
            if len(found) == AT_ONCE_MAX and any(completed):
                raise ReceivablesBeingPrepared


def complete_all(db: Db) -> None:
    """Complete the documents of all tenants, in the background, after making sure that the indexes stand."""
    create_indexes(db)
    for kind in KINDS:
        count = 0
        after: Document = {"tenant": {"$gt": ""}}
        while found := _find(db, kind, after, BATCH):
            count += sum(_completed(db, kind, document) for document in found)
            tenant, last = found[-1]["tenant"], found[-1]["_id"]
            after = {"$or": [{"tenant": tenant, "_id": {"$gt": last}}, {"tenant": {"$gt": tenant}}]}
        if count:
            log.info("%d documents of an earlier version were completed: %s.", count, f"{kind.collection}.{kind.index}")


def _find(db: Db, kind: Unfinished, where: Document, limit: int) -> list[Document]:
    cursor = db[kind.collection].find({**kind.lacks, **where}).sort([("tenant", 1), ("_id", 1)])
    return list(read(cursor.hint(kind.index).limit(limit).__iter__))


def _completed(db: Db, kind: Unfinished, document: Document) -> bool:
    """Complete one document; one that is damaged must not keep the others from being shown."""
    try:
        return kind.complete(db, document)
    except RefusedByServer as error:
        if error.timeout:
            raise
        log.warning("%s %s can't be completed: %s", kind.collection, document["_id"], error.code)
        return False


def _complete_payment(db: Db, payment: Document) -> bool:
    filled = filled_in(db, payment, PAYMENT)
    if "allocated_minor" in filled:
        return True
    # Its claim had nothing under it that could be read, or it was changed meanwhile: then it is found again.
    allocated = {"allocated_minor": counted_minor(entries_of(filled))}
    return _set(db, "payments", filled, {"allocations": filled.get("allocations"), "allocated_minor": None}, allocated)


def _complete_entries(db: Db, invoice: Document) -> bool:
    """Complete an invoice's entries; one whose payment isn't stored isn't paid yet, and stays as it is."""
    filled = filled_in(db, invoice, INVOICE)
    return all("on" in entry for entry in entries_of(filled)) and isinstance(filled.get("allocations"), list)


def _complete_cancellation(db: Db, invoice: Document) -> bool:
    """Note since when a cancelled invoice is closed: the day of its credit note, where that is stored."""
    of_invoice = {"tenant": invoice["tenant"], "invoice_number": invoice.get("invoice_number")}
    found = [note for note in db.credit_notes.find(of_invoice) if _is_of_cancellation(note)]
    closed_on = found[0].get("issued_on") if found else None
    wanted = {"status": "cancelled", "closed_on": None}
    return closed_on is not None and _set(db, "invoices", invoice, wanted, {"closed_on": closed_on})


def _complete_credit_note(db: Db, note: Document) -> bool:
    """Give a credit note its one entry: it took its cancelled invoice back whole."""
    total_minor, on, number = note.get("total_minor"), note.get("issued_on"), note.get("invoice_number")
    entry = {"claim": f"cancel:{number}", "state": "settled", "amount_minor": total_minor, "invoice_number": number}
    values = {"allocations": [entry | {"on": on}], "allocated_minor": total_minor, "fully_allocated_on": on}
    return _set(db, "credit_notes", note, {"allocations": None}, values)


def _complete_words(db: Db, invoice: Document) -> bool:
    """Make an invoice one that the search by the customer's name finds."""
    words = folded_name_fields(str(invoice["customer_name"]))
    return _set(db, "invoices", invoice, {"customer_folded": None}, words)


def _set(db: Db, collection: str, document: Document, wanted: Document, values: dict[str, Any]) -> bool:
    """Set values where the document still lacks them; return whether it has them now."""
    where = {"tenant": document["tenant"], "_id": document["_id"], **wanted}
    return db[collection].update_one(where, {"$set": values}).matched_count == 1


def _is_of_cancellation(note: Document) -> bool:
    return str(note.get("claim", "cancel:")).startswith("cancel:")


# Payments first: what an invoice's entries lack is read from them.
KINDS = (
    Unfinished("payments", "uncompleted", {"claim": {"$gt": ""}, "allocated_minor": None}, _complete_payment),
    Unfinished("invoices", "uncompleted_entries", {"allocations.on": None}, _complete_entries),
    Unfinished("credit_notes", "uncompleted", {"allocations": None}, _complete_credit_note),
    Unfinished(
        "invoices", "uncompleted_cancellation", {"status": "cancelled", "closed_on": None}, _complete_cancellation
    ),
    Unfinished(
        "invoices",
        "uncompleted_words",
        {"customer_name": {"$gt": ""}, "customer_folded": None},
        _complete_words,
        counts=False,
    ),
)
