"""`/payments/new`: a payment is recorded, once however often its form is sent."""

from collections.abc import Mapping
from typing import Any

from flask import request, url_for

from finance.allocations.model import OtherCustomersInvoice
from finance.asked import Asked
from finance.auth.guard import caller
from finance.context import parts
from finance.errors import FinanceError
from finance.invoices import credit_notes
from finance.invoices import service as invoices
from finance.invoices.answers import dump_credit_note, dump_invoice
from finance.invoices.seen import settling
from finance.payments import likeness, service
from finance.payments.model import DIRECTIONS, METHODS
from finance.payments.schemas import ALLOCATIONS_MAX, AllocatedPaymentSchema
from finance.web import sessions
from finance.web.customer_finding import FOUND, find_customers, take_found
from finance.web.formats import amount, today
from finance.web.forms import Form, load
from finance.web.languages import _
from finance.web.pages import asked, page, render, see_other
from finance.web.payments import ANOTHER
from finance.web.words import direction_word, method_word

ALIKE = "confirmed"  # the boxes that are ticked where something was asked
OTHER_CUSTOMER = "confirm_other_customer"
_ADD, _REMOVE = "add", "remove-"


@page("/payments/new", methods=["GET", "POST"])
def record_payment() -> Any:
    """Record a payment; a form that names an invoice (?invoice=) is filled in with what it takes to pay it."""
    if request.method != "POST":
        return _form(Form.opened({"direction": "incoming", "paid_on": today(), **_prefilled()}))
    form = take_found(Form.sent())
    if form.does == "find":
        return _form(form, customers=find_customers(form["customer_code"] or form["payer"]))
    if form.does == "anew":
        return _form(Form({name: value for name, value in form.values.items() if name not in (ALIKE, OTHER_CUSTOMER)}))
    if form.does == _ADD or form.does.startswith(_REMOVE):
        return _form(_with_lines(form))
    return _record(form)


def _record(form: Form) -> Any:
    shared, now_asked = parts(), asked(form.key)
    try:
        posted = load(AllocatedPaymentSchema(), form.body(without=(OTHER_CUSTOMER, FOUND)))
        alike = None if form.confirmed else likeness.find_like(shared.db, now_asked, posted=posted, today=today())
        if alike is not None:
            form.status = 422
            return _form(form, alike=alike)
        answer = service.record_payment(
            shared.db,
            now_asked,
            submit=shared.submit_payment,
            posted=posted,
            today=today(),
            confirmed=form.has(OTHER_CUSTOMER),
        )
    except OtherCustomersInvoice:
        form.status = 422
        return _form(form, is_of_another=True)
    except FinanceError as refused:
        return _form(_with_stored(form.refuse(refused), now_asked))
    number = answer.document["payment_number"]
    said = _("%(number)s is recorded.", number=number)
    if answer.replayed:
        said = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    sessions.own()[ANOTHER] = url_for("web.record_payment")
    return see_other(url_for("web.show_payment", payment_number=number), done=said)


def _form(form: Form, **shown: Any) -> tuple[str, int]:
    title = _("Record a payment")
    body = render(
        "payments/new.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if form.status != 200 else title,
        form=form,
        methods=[(method, method_word(method)) for method in METHODS],
        directions=[(direction, direction_word(direction)) for direction in DIRECTIONS],
        lines=_lines_of(form),
        **shown,
    )
    return body, form.status


def _prefilled() -> dict[str, Any]:
    """Return what is known of a payment that is to pay an invoice, or to pay a credit note back."""
    for name, fill_in in (("invoice", _of_invoice), ("credit_note", _of_credit_note)):
        if request.args.get(name):
            return {name: value for name, value in fill_in(request.args[name]).items() if isinstance(value, str)}
    return {name: request.args[name] for name in ("customer_code", "payer", "currency") if request.args.get(name)}


def _of_invoice(number: str) -> dict[str, Any]:
    found = invoices.get_invoice(parts().db, tenant=caller().tenant, invoice_number=number, settling=settling())
    shown = dump_invoice(found)
    return _paying(shown, "invoice_number", shown["outstanding"])


def _of_credit_note(number: str) -> dict[str, Any]:
    found = credit_notes.get_credit_note(
        parts().db, tenant=caller().tenant, credit_note_number=number, settling=settling()
    )
    shown = dump_credit_note(found)
    return {"direction": "outgoing", **_paying(shown, "credit_note_number", shown["unallocated"])}


def _paying(shown: Mapping[str, Any], field: str, left: str | None) -> dict[str, Any]:
    typed = None if left is None else amount(left, shown["currency"])
    return {
        "amount": typed,
        "currency": shown["currency"],
        "payer": shown["customer_name"],
        "customer_code": shown["customer_code"],
        f"allocations-0-{field}": shown[field],
        "allocations-0-amount": typed,
    }


def _lines_of(form: Form) -> list[int]:
    """Return the places of the allocations that stand in a form."""
    places = {name.split("-")[1] for name in form.values if name.startswith("allocations-")}
    return sorted(int(place) for place in places if place.isascii() and place.isdigit() and len(place) <= 3)


def _with_lines(form: Form) -> Form:
    """Return the form with one more allocation, or without the one that is to be removed; nothing else is lost."""
    lines = [
        {field: form[f"allocations-{place}-{field}"] for field in ("invoice_number", "credit_note_number", "amount")}
        for place in _lines_of(form)
        if form.does != f"{_REMOVE}{place}"
    ]
    if form.does == _ADD and len(lines) < ALLOCATIONS_MAX:
        lines.append({"invoice_number": "", "credit_note_number": "", "amount": ""})
    kept = {name: value for name, value in form.values.items() if not name.startswith("allocations-")}
    typed = {f"allocations-{place}-{name}": value for place, line in enumerate(lines) for name, value in line.items()}
    return Form(kept | typed, key=form.key)


def _with_stored(form: Form, now_asked: Asked) -> Form:
    """Return a form that was stored already, with other values, knowing as what."""
    if form.reused:
        number = likeness.find_number_of_key(parts().db, tenant=now_asked.tenant, key=form.key)
        form.stored = (number and (number, url_for("web.show_payment", payment_number=number))) or None
    return form
