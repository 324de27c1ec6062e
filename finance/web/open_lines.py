"""What a payment can be given to: open invoices, the oldest due first, or credit notes of which something is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finance.allocations.entries import unallocated_minor
from finance.auth.guard import caller
from finance.context import parts
from finance.customers.model import parse_code
from finance.damaged import text_of
from finance.invoices import credit_notes
from finance.invoices import service as invoices
from finance.invoices.credit_notes import CreditNoteNotFound
from finance.invoices.model import OPEN
from finance.invoices.seen import settling
from finance.money import shown_amount
from finance.paging import PageWanted
from finance.payments.model import Payment
from finance.text import fold

OPEN_MAX = 50


@dataclass(frozen=True)
class OpenLine:
    """An invoice or a credit note with what is open of it; `field` is what its number is called in the API.

    Where a damaged one has no number that can be read it is shown, and nothing can be given to it.
    """

    field: str
    number: str | None
    customer_name: Any
    customer_code: Any
    day: Any
    open_minor: int
    open_amount: str | None


def open_lines(payment: Payment, *, search: str) -> list[OpenLine]:
    """Return what is open in the payment's currency: of its customer, else of the payer's name, or what is searched.

    A search is a number, the code of a customer, or how a customer's name begins.
    """
    search = search.strip()[:200]
    if payment.get("direction") == "outgoing":
        return _numbered_first(_open_notes(payment, search))
    for filters in _meant(payment, search):
        found = _open_invoices(payment, filters)
        if found:
            return _numbered_first(found)
    return []


def _numbered_first(lines: list[OpenLine]) -> list[OpenLine]:
    """Return the lines with those last that have no field in the form: the places of the others have no hole."""
    return sorted(lines, key=lambda line: line.number is None)


def _meant(payment: Payment, search: str) -> list[dict[str, Any]]:
    """Return the filters that a search may mean, the most exact first."""
    if not search:
        own = payment.get("customer_code")
        return [{"customer_code": own} if own else {"customer_folded": fold(str(payment.get("payer")))}]
    code = parse_code(search)
    named = [{"invoice_number": search}, {"customer_folded": fold(search)}]
    return named if code is None else [named[0], {"customer_code": code}, named[1]]


def _open_invoices(payment: Payment, filters: Mapping[str, Any]) -> list[OpenLine]:
    # At least one minor unit: by this the indexes of what is open can be used.
    wanted = {**filters, "currency": payment["currency"], "status": OPEN, "min_outstanding": 1}
    page = invoices.list_invoices(
        parts().db,
        tenant=caller().tenant,
        filters=wanted,
        wanted=PageWanted("due_on", None, OPEN_MAX),
        settling=settling(),
    )
    return [_line(one, "invoice_number", one.get("due_on"), one.get("free_minor")) for one in page.rows]


def _open_notes(payment: Payment, search: str) -> list[OpenLine]:
    tenant, code = caller().tenant, parse_code(search) if search else payment.get("customer_code")
    if search:
        try:
            found = credit_notes.get_credit_note(
                parts().db, tenant=tenant, credit_note_number=search, settling=settling()
            )
        except CreditNoteNotFound:
            pass
        else:
            is_meant = found.get("currency") == payment["currency"] and unallocated_minor(found)
            return [_note_line(found)] if is_meant else []
    filters = {"currency": payment["currency"], "unallocated": True} | ({"customer_code": code} if code else {})
    page = credit_notes.list_credit_notes(
        parts().db, tenant=tenant, filters=filters, wanted=PageWanted("", None, OPEN_MAX), settling=settling()
    )
    return [_note_line(one) for one in page.rows]


def _note_line(note: Any) -> OpenLine:
    return _line(note, "credit_note_number", note.get("issued_on"), unallocated_minor(note))


def _line(document: Any, field: str, day: Any, open_minor: Any) -> OpenLine:
    name, code = document.get("customer_name"), document.get("customer_code")
    minor = open_minor if isinstance(open_minor, int) else 0
    number, shown = text_of(document.get(field)), shown_amount(minor, document.get("currency"))
    return OpenLine(field, number, name, code, day, 0 if number is None else minor, shown)
