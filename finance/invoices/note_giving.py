"""Giving what is left of credit notes to other invoices of their customer, and taking it back."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from finance.allocations.entries import unallocated_minor
from finance.allocations.giving import Source, give
from finance.allocations.model import (
    CREDIT_NOTE,
    INVOICE,
    InvoiceIsCancelled,
    MoreThanUnallocated,
    Part,
    Place,
    Stored,
)
from finance.allocations.releasing import release
from finance.allocations.suggesting import suggested
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.database import Db
from finance.errors import FieldError, Invalid, Unavailable
from finance.invoices.credit_notes import get_credit_note
from finance.invoices.model import CreditNote
from finance.invoices.notes import is_of_cancellation
from finance.invoices.settling import Settling
from finance.money import format_amount, parse_amount, shown_amount
from finance.once import Answer
from finance.said import said


class CreditNoteBusy(Unavailable):
    detail_default = said(
        "Others kept changing this credit note, and nothing was changed by this request. A retry is safe."
    )


def allocate_credit_note(
    db: Db,
    asked: Asked,
    *,
    credit_note_number: str,
    posted: Sequence[Mapping[str, str]],
    settling: Settling,
    condition: Condition = ALWAYS,
) -> Answer[CreditNote]:
    """Give parts of what is left of a credit note to invoices of its customer, all of them or none.

    Raises CreditNoteNotFound, MoreThanUnallocated, what giving.give does, or Invalid for another customer's invoice.
    """
    source = _source(db, asked, credit_note_number, settling, _require_no_cancellation)
    parts = _parts(source.find(), posted)
    answer = give(
        db,
        asked,
        source,
        parts=parts,
        require_customers=_require_own_customers,
        follow=settling.follow,
        condition=condition,
    )
    return cast(Answer[CreditNote], answer)


def suggest(note: CreditNote, open_minor: Sequence[int]) -> list[str | None]:
    """Return what each of these would get of what is left of a credit note, None where nothing.

    Those that come first get all that they take.
    """
    minors = suggested(unallocated_minor(note) or 0, open_minor)
    return [shown_amount(minor, note.get("currency")) if minor else None for minor in minors]


def total_of(note: CreditNote, posted: Sequence[Mapping[str, str]]) -> str:
    """Return what the parts that are posted come to; raises Invalid at the place of one that can't be."""
    return format_amount(sum(part.amount_minor for part in _parts(note, posted)), note["currency"])


def release_credit_note(
    db: Db,
    asked: Asked,
    *,
    credit_note_number: str,
    posted: Mapping[str, str],
    settling: Settling,
    condition: Condition = ALWAYS,
) -> Answer[CreditNote]:
    """Take back what a credit note gave to an invoice, or a part of it.

    Raises CreditNoteNotFound, InvoiceIsCancelled, or what releasing.release does.
    """
    source = _source(db, asked, credit_note_number, settling, _require_releasable)
    amount = posted.get("amount")
    amount_minor = None if amount is None else parse_amount(amount, cast(CreditNote, source.find())["currency"])
    sink = Place(asked.tenant, INVOICE, posted["invoice_number"])
    answer = release(
        db, asked, source, sink=sink, amount_minor=amount_minor, reason=posted["reason"], condition=condition
    )
    return cast(Answer[CreditNote], answer)


def _source(
    db: Db,
    asked: Asked,
    credit_note_number: str,
    settling: Settling,
    require_open: Callable[[Mapping[str, Any]], None],
) -> Source:
    find = partial(get_credit_note, db, tenant=asked.tenant, credit_note_number=credit_note_number, settling=settling)
    return Source(CREDIT_NOTE, credit_note_number, find=find, require_open=require_open, busy=CreditNoteBusy)


def _require_no_cancellation(note: Mapping[str, Any]) -> None:
    if is_of_cancellation(note):
        nothing = format_amount(0, note["currency"])
        raise MoreThanUnallocated(
            said(
                "{credit_note_number} took the whole of {invoice_number} back, so nothing of it is left.",
                credit_note_number=note["credit_note_number"],
                invoice_number=note["invoice_number"],
            ),
            extra={"unallocated": nothing},
        )


def _require_releasable(note: Mapping[str, Any]) -> None:
    if is_of_cancellation(note):
        raise InvoiceIsCancelled(
            said(
                "{invoice_number} is cancelled by this credit note; that is for good.",
                invoice_number=note["invoice_number"],
            )
        )


def _parts(note: Mapping[str, Any], posted: Sequence[Mapping[str, str]]) -> list[Part]:
    return [
        Part(
            Place(note["tenant"], INVOICE, part["invoice_number"]),
            parse_amount(part["amount"], note["currency"], name=f"allocations/{position}/amount"),
            f"/allocations/{position}",
        )
        for position, part in enumerate(posted)
    ]


def _require_own_customers(document: Stored, *, sinks: Sequence[Stored]) -> None:
    """Raise Invalid where an invoice is another customer's; who has no code is known by the name alone."""
    detail = said("is an invoice of another customer; a credit note goes to invoices of its own customer only.")
    errors = [
        FieldError(detail, pointer=f"/allocations/{position}/invoice_number")
        for position, invoice in enumerate(sinks)
        if _customer(invoice) != _customer(document)
    ]
    if errors:
        raise Invalid(errors=errors)


def _customer(document: Stored) -> tuple[Any, Any]:
    code = document.get("customer_code")
    return (code, None) if code is not None else (None, document.get("customer_name"))
