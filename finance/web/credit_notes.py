"""`/credit-notes`: find them, and one of them with what it was given to."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response
from marshmallow import fields

from finance.allocations.entries import unallocated_minor
from finance.auth.guard import caller
from finance.context import parts
from finance.invoices import credit_notes
from finance.invoices.answers import dump_credit_note
from finance.invoices.model import CreditNote
from finance.invoices.notes import is_of_cancellation
from finance.invoices.schemas import CreditNoteListSchema, filters_of
from finance.invoices.seen import masked_credit_note, settling
from finance.invoices.tax_numbers import TAX_NUMBERS, opened, record_read
from finance.web import periods
from finance.web.exports import export_page, file_links
from finance.web.invoice_words import history_of
from finance.web.invoices import seller_of
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, shown_list
from finance.web.pages import asked, page, render

COLUMNS = (
    *("credit_note_number", "issued_on", "invoice_number", "shop", "customer_name", "customer_code", "total_net"),
    *("total_tax", "total", "allocated", "unallocated", "reason", "created_at", "created_by_name"),
)


class _NotesSchema(CreditNoteListSchema):
    """The list of the API, which has one order; the page before one is read in the other."""

    sort = fields.String(load_default="-issued_on", validate=lambda sort: sort == "-issued_on")


CREDIT_NOTES = ListOf(
    schema=_NotesSchema(),
    filters=(
        Filter("issued_from", "day", is_open=True),
        Filter("issued_to", "day", is_open=True),
        Filter("customer_code", is_open=True),
        Filter("currency", is_open=True),
        Filter("unallocated", "choice", ("true",), lambda _value: _("Yes"), is_open=True),
        Filter("invoice_number"),
        Filter("shop"),
    ),
    columns=COLUMNS,
    default_columns=("credit_note_number", "issued_on", "invoice_number", "customer_name", "total", "unallocated"),
)

export_page("/credit-notes/export", "credit-notes.export_credit_notes")
export_page("/credit-notes/allocations/export", "credit-notes.export_credit_note_allocations")


@page("/credit-notes")
def list_credit_notes() -> Any:
    """List credit notes, the newest day first."""

    def list_page(query: Mapping[str, Any]) -> Any:
        return partial(
            credit_notes.list_credit_notes,
            parts().db,
            tenant=caller().tenant,
            filters=filters_of(query),
            settling=settling(),
        )

    shown = shown_list(CREDIT_NOTES, list_page, masked_credit_note)
    if isinstance(shown, Response):
        return shown
    title = _("Credit notes")
    body = render(
        "credit_notes/list.html",
        title=title,
        page_title=f"{title} ({shown.in_words()})" if shown.filters else title,
        shown=shown,
        presets=periods.presets(shown, "issued_from", "issued_to"),
        files=file_links(shown, "/credit-notes/export", has_order=False),
        allocation_files=file_links(shown, "/credit-notes/allocations/export", has_order=False),
    )
    return body, 422 if shown.errors else 200


@page("/credit-notes/<credit_note_number>")
def show_credit_note(credit_note_number: str) -> Any:
    """Show a credit note as it was issued, and what took it up; that its tax numbers were read is on record."""
    note = find_note(credit_note_number)
    read = opened(parts().cipher, note)
    record_read(parts().db, asked(), read)
    shown = dump_credit_note(read, in_full=TAX_NUMBERS)
    return render(
        "credit_notes/one.html",
        title=credit_note_number,
        note=shown,
        seller=seller_of(note),
        history_entries=history_of(shown),
        has_rest=has_rest(note),
        can_be_released=not is_of_cancellation(note),
    )


def find_note(credit_note_number: str) -> CreditNote:
    """Return a credit note of who is signed in; raises CreditNoteNotFound."""
    return credit_notes.get_credit_note(
        parts().db, tenant=caller().tenant, credit_note_number=credit_note_number, settling=settling()
    )


def has_rest(note: CreditNote) -> bool:
    """Return whether something of a credit note is left to give, or to pay back."""
    return (unallocated_minor(note) or 0) > 0


def address_of(credit_note_number: Any, *rest: str) -> str:
    """Return the address of a credit note, or of what is done with it."""
    return "/".join(("/credit-notes", quote(str(credit_note_number), safe=""), *rest))
