"""What a credit note is made of: of a cancelled invoice the whole, of another one the lines that are credited.

Each follows from what its invoice says alone, so that whoever finishes it writes the same one.
"""

from collections.abc import Mapping
from typing import Any, cast

from finance.allocations.entries import source_as_of
from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import Document
from finance.history import created_by
from finance.invoices.model import COPIED_TO_CREDIT_NOTE, CreditNote, Invoice, Totals

_OF_CANCELLATION = "cancel:"  # other claims are hexadecimal


def cancelling_claim(invoice_number: str) -> str:
    """Return the claim of the one credit note that an invoice's cancellation has."""
    return _OF_CANCELLATION + invoice_number


def is_of_cancellation(note: Mapping[str, Any]) -> bool:
    """Return whether a credit note took its invoice back whole; those that earlier versions stored all did."""
    return str(note.get("claim", _OF_CANCELLATION)).startswith(_OF_CANCELLATION)


def cancelling_note(invoice: Invoice) -> CreditNote:
    """Return the credit note that takes back the whole of a cancelled invoice, without number and day."""
    made = {"created_at": invoice["cancelled_at"], "created_by": invoice["cancelled_by"]}
    if invoice.get("cancelled_by_name") is not None:
        made["created_by_name"] = invoice["cancelled_by_name"]
    note = _note(
        invoice, {"reason": invoice["cancel_reason"], **made}, claim=cancelling_claim(invoice["invoice_number"])
    )
    return applied(note, invoice["total_minor"])


def crediting_note(invoice: Invoice, asked: Asked, *, totals: Totals, reason: str, claim: str) -> CreditNote:
    """Return the credit note over a part of an invoice, without number and day, and nothing of it applied yet."""
    made = {"created_at": asked.now, **created_by(asked)}
    return _note(invoice, {"reason": reason, **totals, **made}, claim=claim)


def applied(note: CreditNote, amount_minor: int) -> CreditNote:
    """Return the note with what its own invoice takes of it from the start; the rest is unallocated."""
    entry = {"claim": note["claim"], "state": "settled", "amount_minor": amount_minor}
    entry["invoice_number"] = note["invoice_number"]
    entries = [entry] if amount_minor else []
    rest = {"unallocated": True} if amount_minor < note["total_minor"] else {}
    return cast(CreditNote, {**note, "allocations": entries, "allocated_minor": amount_minor, **rest})


def give_day(note: CreditNote, day: str) -> None:
    """Date a note that isn't stored yet, and what its invoice takes of it: an invoice is never of a later day."""
    note["issued_on"] = day
    for entry in note["allocations"]:
        entry["on"] = day
    if note["allocated_minor"] == note["total_minor"]:
        note["fully_allocated_on"] = day


def as_credited(note: CreditNote) -> CreditNote:
    """Return a credit note as it was when it was issued: what a repeat of its request is answered with."""
    issued = source_as_of(note, history_length=0)
    own = [entry for entry in documents_in(issued.get("allocations")) if entry.get("claim") == note["claim"]]
    return cast(CreditNote, {**issued, "allocations": own})


def _note(invoice: Invoice, values: Mapping[str, Any], *, claim: str) -> CreditNote:
    note: Document = {
        **{name: value for name, value in invoice.items() if name in COPIED_TO_CREDIT_NOTE},
        "credit_note_number": None,
        "number_seq": None,
        "period": None,
        "invoice_number": invoice["invoice_number"],
        "issued_on": None,
        "claim": claim,
        "history": [],
        **values,
    }
    return cast(CreditNote, note)
