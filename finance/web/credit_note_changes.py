"""`/credit-notes/AV-…/release` and `/refund`: what a credit note gave is taken back; what is left is paid back."""

from collections.abc import Mapping
from typing import Any

from flask import redirect, request

from finance.auth.guard import caller
from finance.context import parts
from finance.errors import FieldError, FinanceError, Invalid, PreconditionFailed
from finance.invoices import note_giving
from finance.invoices.model import CreditNote
from finance.invoices.schemas import ReleaseCreditNoteSchema
from finance.invoices.seen import masked_credit_note, settling, tags_of_credit_note
from finance.payments import likeness
from finance.payments import service as payments
from finance.payments.model import METHODS
from finance.payments.schemas import AllocatedPaymentSchema
from finance.web.asking import ask_page, refused, unchanged
from finance.web.credit_notes import address_of, find_note, has_rest
from finance.web.formats import amount, today
from finance.web.forms import Form, load
from finance.web.languages import _
from finance.web.pages import asked, page, see_other
from finance.web.words import method_word


@page("/credit-notes/<credit_note_number>/release", methods=["GET", "POST"])
def release_credit_note(credit_note_number: str) -> Any:
    """Ask how much to take back of what a credit note gave to an invoice, and why; then do so."""
    note = find_note(credit_note_number)
    if request.method != "POST":
        number = request.args.get("invoice", "")
        given = _given_to(note, number)
        if given is None:
            return redirect(address_of(credit_note_number), 303)
        begins = {"invoice_number": number, "amount": amount(given, note.get("currency"))}
        return _ask_release(note, Form.opened(begins))
    form = Form.sent()
    try:
        posted = load(ReleaseCreditNoteSchema(), form.body())
        note_giving.release_credit_note(
            parts().db,
            asked(form.key),
            credit_note_number=credit_note_number,
            posted={name: value for name, value in posted.items() if value is not None},
            settling=settling(),
            condition=unchanged(form, tags_of_credit_note),
        )
    except FinanceError as failure:
        now = find_note(credit_note_number)
        return _ask_release(now, refused(form, failure, masked_credit_note(now)))
    done = _("It is taken back from %(number)s.", number=form["invoice_number"])
    return see_other(address_of(credit_note_number), done=done)


def _ask_release(note: CreditNote, form: Form) -> tuple[str, int]:
    title = _("Take back from %(number)s", number=form["invoice_number"])
    given = _given_to(note, form["invoice_number"])
    return ask_page("credit_notes/release.html", title, masked_credit_note(note), form, given=given)


@page("/credit-notes/<credit_note_number>/refund", methods=["GET", "POST"])
def refund_credit_note(credit_note_number: str) -> Any:
    """Pay back what is left of a credit note, or a part of it: with an outgoing payment that is given to it."""
    note = find_note(credit_note_number)
    if request.method != "POST":
        if not has_rest(note):
            return redirect(address_of(credit_note_number), 303)
        left = amount(masked_credit_note(note)["unallocated"], note.get("currency"))
        begins = {"amount": left, "paid_on": today(), "payer": note.get("customer_name"), "method": "bank_transfer"}
        return _ask_refund(note, Form.opened(begins))
    form = Form.sent()
    try:
        _require_state(note, form)
        posted = load(AllocatedPaymentSchema(), _refund_of(note, form.body()))
        answer = payments.record_payment(
            parts().db, asked(form.key), submit=parts().submit_payment, posted=posted, today=today()
        )
    except FinanceError as failure:
        now = find_note(credit_note_number)
        return _ask_refund(now, refused(form, _at_amount(failure), masked_credit_note(now)))
    number = answer.document["payment_number"]
    done = _("%(number)s pays it back.", number=number)
    if answer.replayed:
        done = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    return see_other(address_of(credit_note_number), done=done)


def _ask_refund(note: CreditNote, form: Form) -> tuple[str, int]:
    title = _("Pay %(number)s back", number=note["credit_note_number"])
    methods = [(method, method_word(method)) for method in METHODS]
    return ask_page("credit_notes/refund.html", title, masked_credit_note(note), form, methods=methods)


def _require_state(note: CreditNote, form: Form) -> None:
    """Raise PreconditionFailed where the credit note changed since the form was shown, unless this form did it."""
    condition = unchanged(form, tags_of_credit_note)
    try:
        condition.require(note)
    except PreconditionFailed:
        if likeness.find_number_of_key(parts().db, tenant=caller().tenant, key=form.key) is None:
            raise


def _refund_of(note: CreditNote, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payment that pays a credit note back, as it is posted."""
    body = {**typed, "direction": "outgoing", "currency": note.get("currency")}
    if isinstance(note.get("customer_code"), str):
        body["customer_code"] = note["customer_code"]
    if "amount" in typed:
        part = {"credit_note_number": note["credit_note_number"], "amount": typed["amount"]}
        body["allocations"] = [part]
    return body


def _at_amount(failure: FinanceError) -> FinanceError:
    """Return a refusal of the one allocation as one of the amount, which is the field that the form has."""
    if not isinstance(failure, Invalid):
        return failure
    errors = {
        (("/amount" if (error.pointer or "").startswith("/allocations") else error.pointer), error.detail)
        for error in failure.errors
    }
    return Invalid(failure.detail, errors=[FieldError(detail, pointer=pointer) for pointer, detail in sorted(errors)])


def _given_to(note: CreditNote, number: str) -> str | None:
    """Return what a credit note gives to an invoice, None where that is nothing."""
    given = masked_credit_note(note)["allocations"]
    return next((one["amount"] for one in given if number and one["invoice_number"] == number), None)
