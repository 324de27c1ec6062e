"""`/payments`: find them, look at one. How they are recorded and changed stands in the files beside this one."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Response, current_app, redirect, url_for

from finance import database
from finance.allocations.entries import unallocated_minor
from finance.auth.guard import caller
from finance.context import parts
from finance.edge.lists import turn_of_caller
from finance.errors import TooBusy
from finance.invoices import service as invoices
from finance.money import shown_amount
from finance.payments import likeness, service
from finance.payments.answers import dump_payment
from finance.payments.model import DIRECTIONS, METHODS, STATUSES, Payment
from finance.payments.routes import KEPT_TOTALS
from finance.payments.schemas import PaymentListSchema, filters_of
from finance.payments.service import PaymentNotFound
from finance.payments.summary import Summary, SummaryTakesTooLong, summarize
from finance.said import said
from finance.web import sessions
from finance.web.exports import file_links
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, ShownList, shown_list
from finance.web.pages import page, render
from finance.web.payment_history import changes_of
from finance.web.payment_words import sentence_of
from finance.web.periods import presets
from finance.web.words import direction_word, method_word, status_word

TOTALS_WITHIN_S = 0.25  # a list waits no longer for its sum
ALLOCATIONS_SHOWN = 100
ANOTHER = "another"  # in the session: where the next one is recorded, said on the page of the one that was
_NUMBER = re.compile(r"PAY(\d{4})\d{4,12}", re.ASCII)
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
    """List payments, the newest number first, with what all of the filter comes to."""

    def list_page(query: Mapping[str, Any]) -> Any:
        return partial(service.list_payments, parts().db, tenant=caller().tenant, filters=filters_of(query))

    shown = shown_list(PAYMENTS, list_page, dump_payment)
    if isinstance(shown, Response):
        return shown
    body = render(
        "payments/list.html",
        title=_("Payments"),
        page_title=title_of(shown, _("Payments")),
        shown=shown,
        presets=presets(shown, "paid_from", "paid_to"),
        files=file_links(shown, "/payments/export"),
        totals=_quick_totals(shown) if shown.rows and shown.is_first else None,
    )
    return body, 422 if shown.errors else 200


@page("/payments/<payment_number>")
def show_payment(payment_number: str) -> Any:
    """Show a payment with what it pays and its history."""
    payment = get_payment(payment_number)
    if payment["payment_number"] != payment_number:  # one that a repair gave another number
        return redirect(url_for("web.show_payment", payment_number=payment["payment_number"]), 303)
    return payment_page(payment)


def get_payment(payment_number: str) -> Payment:
    """Return the payment of this number; raises PaymentNotFound, with the newest of its year."""
    try:
        return service.get_payment(parts().db, tenant=caller().tenant, payment_number=payment_number)
    except PaymentNotFound:
        year = _NUMBER.fullmatch(payment_number)
        newest = year and likeness.find_newest(parts().db, tenant=caller().tenant, year=int(year[1]))
        if not newest:
            raise
        text = said(
            "There is no payment {number}; the newest of {year} is {newest}.",
            number=payment_number,
            year=payment_number[3:7],
            newest=newest,
        )
        raise PaymentNotFound(text) from None


def payment_page(payment: Payment, *, notice: str | None = None, status: int = 200) -> tuple[str, int]:
    """Return the page of a payment; `notice` says why nothing was done to it."""
    shown = dump_payment(payment)
    given = shown["allocations"][:ALLOCATIONS_SHOWN]
    numbers = [one["invoice_number"] for one in given if one["invoice_number"]]
    body = render(
        "payments/one.html",
        title=payment["payment_number"],
        payment=shown,
        sentence=sentence_of(shown),
        given=given,
        not_shown=len(shown["allocations"]) - len(given),
        due_days=invoices.due_days(parts().db, tenant=caller().tenant, invoice_numbers=numbers),
        can_give=can_give(payment),
        changes=changes_of(shown),
        another=sessions.own().pop(ANOTHER, None),
        notice=notice,
    )
    return body, status


def can_give(payment: Payment) -> bool:
    """Return whether a payment has something left to give, in a currency that we know."""
    shown = shown_amount(unallocated_minor(payment), payment.get("currency"))
    return shown is not None and bool(set(shown) - set("0."))


def totals_of(query: Mapping[str, Any]) -> Summary:
    """Return what a loaded query's payments come to, by the API's own summary; raises SummaryTakesTooLong, TooBusy."""
    shared = parts()
    with turn_of_caller():
        return summarize(
            shared.db,
            current_app.extensions[KEPT_TOTALS],
            tenant=caller().tenant,
            filters=filters_of(query),
            now=shared.clock(),
        )


def title_of(shown: ShownList, title: str) -> str:
    """Return a page's title with the filters of its list in words."""
    title = f"{title} ({shown.in_words()})" if shown.filters else title
    return _("Problem: %(title)s", title=title) if shown.errors else title


def _quick_totals(shown: ShownList) -> Summary | None:
    """Return the totals of a list, None where they can't be had at once."""
    try:
        with database.deadline(TOTALS_WITHIN_S):
            return totals_of(shown.query)
    except (SummaryTakesTooLong, TooBusy):
        return None
