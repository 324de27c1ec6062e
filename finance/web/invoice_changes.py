"""`/invoices/FAC-…/cancel` and `/credit`: an invoice is taken back, whole or in part, after saying what will happen."""

from collections.abc import Mapping
from typing import Any

from flask import request

from finance.context import parts
from finance.errors import Conflict, FinanceError
from finance.invoices import cancelling, crediting
from finance.invoices.answers import dump_totals
from finance.invoices.crediting import foresee_credit, left_to_credit
from finance.invoices.model import Invoice
from finance.invoices.schemas import CancelSchema, LinesSchema, NewCreditNoteSchema
from finance.invoices.seen import masked_invoice, settling, tags_of_invoice
from finance.invoices.totals import computed
from finance.money import require_currency, shown_amount
from finance.web import line_fields
from finance.web.asking import ask_page, refused, unchanged
from finance.web.forms import Form, load
from finance.web.invoices import address_of, find_invoice
from finance.web.languages import _
from finance.web.pages import asked, page, see_other

SHOWN_TOTAL = "shown_total"  # of the credit, as it stood above the button that was pressed


@page("/invoices/<invoice_number>/cancel", methods=["GET", "POST"])
def cancel_invoice(invoice_number: str) -> Any:
    """Ask whether to cancel an invoice, and why; then do so."""
    if request.method != "POST":
        return _ask_cancel(find_invoice(invoice_number), Form.opened())
    form = Form.sent()
    try:
        answer = cancelling.cancel_invoice(
            parts().db,
            asked(form.key),
            invoice_number=invoice_number,
            reason=load(CancelSchema(), form.body())["reason"],
            settling=settling(),
            condition=unchanged(form, tags_of_invoice),
        )
    except FinanceError as failure:
        invoice = find_invoice(invoice_number)
        return _ask_cancel(invoice, refused(form, failure, masked_invoice(invoice)))
    note = answer.document.get("credit_note_number")
    done = _("%(number)s is cancelled.", number=invoice_number)
    if note:
        done = _("%(number)s is cancelled by the credit note %(note)s.", number=invoice_number, note=note)
    return see_other(address_of(invoice_number), done=done)


@page("/invoices/<invoice_number>/credit", methods=["GET", "POST"])
def credit_invoice(invoice_number: str) -> Any:
    """Ask which lines of an invoice to credit, and why, and say what would happen; then do so."""
    if request.method != "POST":
        invoice = find_invoice(invoice_number)
        lines = line_fields.fields_of(masked_invoice(invoice)["lines"])
        return _ask_credit(invoice, Form.opened(lines))
    form = Form.sent()
    if line_fields.change(form):
        return _ask_credit(find_invoice(invoice_number), form)
    line_fields.leave_out_empty(form, without="quantity")
    if form.does == "totals":
        return _ask_credit(find_invoice(invoice_number), form)
    return _credit(invoice_number, form)


def _credit(invoice_number: str, form: Form) -> Any:
    try:
        body = line_fields.body_of(form, without=(SHOWN_TOTAL,))
        posted = load(NewCreditNoteSchema(), body)
        invoice = find_invoice(invoice_number)
        if form[SHOWN_TOTAL] != _total(invoice, body):
            form.notice = _("What will happen is other than was shown. Look at it below, and send it again.")
            return _ask_credit(invoice, form)
        answer = crediting.credit_invoice(
            parts().db,
            asked(form.key),
            invoice_number=invoice_number,
            posted=posted,
            settling=settling(),
            condition=unchanged(form, tags_of_invoice),
        )
    except FinanceError as failure:
        invoice = find_invoice(invoice_number)
        return _ask_credit(invoice, refused(form, failure, masked_invoice(invoice)))
    number = answer.document["credit_note_number"]
    done = _("%(number)s is issued.", number=number)
    if answer.replayed:
        done = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    return see_other(f"/credit-notes/{number}", done=done)


def _ask_cancel(invoice: Invoice, form: Form) -> tuple[str, int]:
    try:
        cancelling.require_cancellable(invoice)
        obstacle = None
    except Conflict as failure:
        obstacle = failure.code
    title = _("Cancel %(number)s", number=invoice["invoice_number"])
    return ask_page("invoices/cancel.html", title, masked_invoice(invoice), form, obstacle=obstacle)


def _ask_credit(invoice: Invoice, form: Form) -> tuple[str, int]:
    """Return the form with the lines, and what crediting them would come to where they can be read."""
    foreseen = _foreseen(invoice, form)
    form.values[SHOWN_TOTAL] = foreseen["total"] if foreseen else ""
    title = _("Credit %(number)s", number=invoice["invoice_number"])
    return ask_page(
        "invoices/credit.html",
        title,
        masked_invoice(invoice),
        form,
        lines=range(line_fields.count_of(form)),
        foreseen=foreseen,
        left=shown_amount(left_to_credit(invoice), invoice.get("currency")),
    )


def _foreseen(invoice: Invoice, form: Form) -> Mapping[str, Any] | None:
    if form.errors:
        return None
    try:
        body = line_fields.body_of(form, without=(SHOWN_TOTAL,))
        found = foresee_credit(invoice, load(LinesSchema(), {"lines": body.get("lines", [])}))
    except FinanceError as failure:
        form.refuse(failure)
        return None
    currency = found.totals["currency"]
    return {
        **dump_totals(found.totals),
        "applied": shown_amount(found.applied_minor, currency),
        "rest": shown_amount(found.unallocated_minor, currency),
        "has_rest": found.unallocated_minor > 0,
    }


def _total(invoice: Invoice, body: Mapping[str, Any]) -> str:
    """Return what the lines of a body come to, whatever has become of the invoice: this may be a repeat."""
    loaded = load(LinesSchema(), {"lines": body.get("lines", [])})
    return str(dump_totals(computed(loaded, require_currency(invoice.get("currency"))))["total"])
