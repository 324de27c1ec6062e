"""`/payments`: find them, look at one, record one. What changes one stands in payment_changes.py."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Response, redirect, request, url_for

from finance.auth.guard import caller
from finance.context import parts
from finance.errors import FinanceError
from finance.payments import service
from finance.payments.answers import dump_payment
from finance.payments.model import DIRECTIONS, METHODS, STATUSES
from finance.payments.schemas import AllocatedPaymentSchema, PaymentListSchema, filters_of
from finance.web.exports import file_links
from finance.web.formats import today
from finance.web.forms import Form, load
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, shown_list
from finance.web.pages import asked, page, render, see_other
from finance.web.words import direction_word, method_word, status_word

COLUMNS = (
    *("payment_number", "paid_on", "payer", "customer_code", "method", "reference", "direction", "amount"),
    *("unallocated", "status", "created_at", "created_by_name"),
)
PAYMENTS = ListOf(
    schema=PaymentListSchema(),
    filters=(
        Filter("paid_from", "day", is_open=True),
        Filter("paid_to", "day", is_open=True),
        Filter("payer", is_open=True),
        Filter("currency", is_open=True),
        Filter("status", "choice", STATUSES, status_word, is_open=True),
        Filter("min_amount", "money"),
        Filter("max_amount", "money"),
        Filter("method", "choice", METHODS, method_word),
        Filter("direction", "choice", DIRECTIONS, direction_word),
        Filter("customer_code"),
        Filter("reference"),
        Filter("invoice_number"),
        Filter("previous_number"),
        Filter("unallocated", "choice", ("true",), lambda _value: _("Yes")),
        Filter("idempotency_key"),
    ),
    columns=COLUMNS,
    default_columns=("payment_number", "paid_on", "payer", "method", "amount", "status"),
    sorts=("payment_number", "paid_on", "created_at"),
)


@page("/payments")
def list_payments() -> Any:
    """List payments, the newest number first."""

    def list_page(query: Mapping[str, Any]) -> Any:
        return partial(service.list_payments, parts().db, tenant=caller().tenant, filters=filters_of(query))

    shown = shown_list(PAYMENTS, list_page, dump_payment)
    if isinstance(shown, Response):
        return shown
    title = f"{_('Payments')} ({shown.in_words()})" if shown.filters else _("Payments")
    files = file_links(shown, "/payments/export")
    body = render("payments/list.html", title=_("Payments"), page_title=title, shown=shown, files=files)
    return body, 422 if shown.errors else 200


@page("/payments/<payment_number>")
def show_payment(payment_number: str) -> Any:
    """Show a payment with what it pays and its history."""
    payment = service.get_payment(parts().db, tenant=caller().tenant, payment_number=payment_number)
    if payment["payment_number"] != payment_number:  # one that a repair gave another number
        return redirect(url_for("web.show_payment", payment_number=payment["payment_number"]), 303)
    return render("payments/one.html", title=payment_number, payment=dump_payment(payment))


@page("/payments/new", methods=["GET", "POST"])
def record_payment() -> Any:
    """Record a payment, once however often the form is sent."""
    return _record(Form.sent()) if _is_sent() else _form(Form.opened({"direction": "incoming", "paid_on": today()}))


def _record(form: Form) -> Any:
    shared = parts()
    try:
        answer = service.record_payment(
            shared.db,
            asked(form.key),
            submit=shared.submit_payment,
            posted=load(AllocatedPaymentSchema(), form.body()),
            today=today(),
        )
    except FinanceError as refused:
        return _form(form.refuse(refused))
    number = answer.document["payment_number"]
    said = _("%(number)s is recorded.", number=number)
    if answer.replayed:
        said = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    return see_other(url_for("web.show_payment", payment_number=number), done=said)


def _form(form: Form) -> tuple[str, int]:
    methods = [(method, method_word(method)) for method in METHODS]
    directions = [(direction, direction_word(direction)) for direction in DIRECTIONS]
    title = _("Record a payment")
    page_title = _("Problem: %(title)s", title=title) if form.status != 200 else title
    body = render(
        "payments/new.html", title=title, page_title=page_title, form=form, methods=methods, directions=directions
    )
    return body, form.status


def _is_sent() -> bool:
    return request.method == "POST"
