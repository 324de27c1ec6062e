"""`/customers`: find them, look at one. What changes one stands in customer_changes.py."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from flask import Response, redirect, request, url_for

from finance.auth.guard import caller
from finance.context import parts
from finance.customers import service
from finance.customers.masking import secrets_in
from finance.customers.model import STATUSES, Book, Customer, form_of
from finance.customers.queries import CustomerListSchema, filters_of
from finance.customers.schemas import dump_customer, dump_listed_customer
from finance.damaged import documents_in, mapping_of
from finance.invoices import service as invoices
from finance.invoices.seen import masked_invoice, settling
from finance.money import shown_amount
from finance.paging import PageWanted
from finance.payments import service as payments
from finance.payments.answers import dump_payment
from finance.receivables import service as receivables
from finance.receivables.answers import dump_total
from finance.receivables.store import ReceivablesBeingPrepared
from finance.web.exports import export_page, file_links
from finance.web.formats import today
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, shown_list
from finance.web.pages import asked, page, render
from finance.web.words import status_word

OPEN_INVOICES_SHOWN = 10
PAYMENTS_SHOWN = 5
HISTORY_SHOWN = 50
PARTS = ("gst_details", "products_services", "banking")

CUSTOMERS = ListOf(
    schema=CustomerListSchema(),
    filters=(
        Filter("customer_name", is_open=True),
        Filter("customer_code", is_open=True),
        Filter("customer_category", is_open=True),
        Filter("status", "choice", STATUSES, status_word, is_open=True),
    ),
    columns=(
        *("customer_code", "customer_name", "customer_category", "contact_person", "contact_number", "email_address"),
        *("pan_number", "payment_terms_days", "credit_limit", "status", "created_at", "created_by_name"),
    ),
    default_columns=("customer_code", "customer_name", "customer_category", "contact_person", "status"),
    sorts=("customer_code", "customer_name", "created_at"),
)

export_page("/customers/export", "customers.export_customers")


@page("/customers")
def list_customers() -> Any:
    """List customers, the newest first, or by name where a name is looked for."""

    def list_page(query: Mapping[str, Any]) -> Any:
        return partial(service.list_customers, book(), tenant=caller().tenant, filters=filters_of(query))

    shown = shown_list(CUSTOMERS, list_page, _dump_row)
    if isinstance(shown, Response):
        return shown
    title = f"{_('Customers')} ({shown.in_words()})" if shown.filters else _("Customers")
    files = file_links(shown, "/customers/export")
    body = render("customers/list.html", title=_("Customers"), page_title=title, shown=shown, files=files)
    return body, 422 if shown.errors else 200


@page("/customers/<customer_code>")
def show_customer(customer_code: str) -> Any:
    """Show a customer with what it owes, numbers masked."""
    customer = get_customer(customer_code)
    if customer["customer_code"] != customer_code:  # small letters are taken as capitals
        return redirect(url_for("web.show_customer", customer_code=customer["customer_code"]), 303)
    return _show(customer, in_full=False)


@page("/customers/<customer_code>/in-full", methods=["GET", "POST"])
def show_customer_in_full(customer_code: str) -> Any:
    """Show a customer with its numbers in full, which is on record before they are shown."""
    customer = get_customer(customer_code)
    if request.method != "POST":
        return redirect(url_for("web.show_customer", customer_code=customer["customer_code"]), 303)
    service.record_numbers_read(parts().db, asked(), customer)
    return _show(customer, in_full=True)


def get_customer(customer_code: str) -> Customer:
    """Return the customer of this code; raises CustomerNotFound."""
    return service.get_customer(book(), tenant=caller().tenant, customer_code=customer_code)


def book() -> Book:
    return Book(parts().db, parts().cipher)


def accounts_of(customer_code: str) -> list[dict[str, Any]] | None:
    """Return what a customer owes today in each currency, as the ageing has it; None where that is being prepared."""
    try:
        found = receivables.list_accounts(
            parts().db, tenant=caller().tenant, customer_code=customer_code, as_of=today(), settling=settling()
        )
    except ReceivablesBeingPrepared:
        return None
    return [
        {"currency": currency, "overdue": shown_amount(sum(row["buckets"][1:]), currency)} | dump_total(row, currency)
        for currency, row in found
    ]


def _show(customer: Customer, *, in_full: bool) -> str:
    code = customer["customer_code"]
    shown = plain(dump_customer(customer, in_full=in_full))
    return render(
        "customers/one.html",
        title=code,
        page_title=" – ".join(filter(None, (code, shown["customer_name"]))),
        customer=shown,
        in_full=in_full,
        has_secrets=any(secrets_in(form_of(customer))),
        accounts=accounts_of(code),
        open_invoices=_open_invoices(code),
        payments=_payments(code),
        history=_history(shown),
        history_shown=HISTORY_SHOWN,
        open_invoices_shown=OPEN_INVOICES_SHOWN,
        payments_shown=PAYMENTS_SHOWN,
        action_word=_action_word,
        today=today(),
    )


def plain(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dumped customer of which every part has the shape that a page expects; what is damaged is left out."""
    texts = {name: str(value) if isinstance(value, str | int) else None for name, value in shown.items()}
    kept = {name: shown[name] for name in ("created_at", "updated_at", "erased_at", "history") if name in shown}
    lists = {name: documents_in(shown.get(name)) for name in PARTS}
    inner = {name: mapping_of(shown.get(name)) for name in ("tds", "terms_conditions")}
    status = shown["status"] if isinstance(shown["status"], str) else None
    return {**texts, **kept, **lists, **inner, "status": status}


def _dump_row(customer: Customer) -> dict[str, Any]:
    shown = plain(dump_listed_customer(customer))
    return shown | {
        name: shown["terms_conditions"].get(name) for name in ("payment_terms_days", "credit_limit", "currency")
    }


def _open_invoices(customer_code: str) -> Sequence[Mapping[str, Any]]:
    """Return the open invoices that are due first."""
    filters = {"customer_code": customer_code, "min_outstanding": 1}
    wanted = PageWanted("due_on", None, OPEN_INVOICES_SHOWN)
    found = invoices.list_invoices(
        parts().db, tenant=caller().tenant, filters=filters, wanted=wanted, settling=settling()
    )
    return [masked_invoice(invoice) for invoice in found.rows]


def _payments(customer_code: str) -> Sequence[Mapping[str, Any]]:
    """Return the newest payments."""
    wanted = PageWanted("-payment_number", None, PAYMENTS_SHOWN)
    filters = {"customer_code": customer_code}
    found = payments.list_payments(parts().db, tenant=caller().tenant, filters=filters, wanted=wanted)
    return [dump_payment(payment) for payment in found.rows]


def _history(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the newest entries, the newest first: what changed, and from what to what where it is one text."""
    entries = documents_in(shown.get("history"))[-HISTORY_SHOWN:]
    return [dict(entry) | {"changes": _changes(entry)} for entry in reversed(entries)]


def _action_word(action: Any) -> str:
    words = {
        "saved": _("Saved"),
        "activated": _("Activated"),
        "deactivated": _("Deactivated"),
        "erased": _("Erased"),
    }
    return words.get(action, action) if isinstance(action, str) else "–"


def _changes(entry: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """Return (field, from, to) of an entry; of a part of the form its name alone."""
    return [(str(name), *_sides(mapping_of(change))) for name, change in mapping_of(entry.get("changes")).items()]


def _sides(change: Mapping[str, Any]) -> tuple[str | None, str | None]:
    before, after = change.get("from"), change.get("to")
    if not all(value is None or isinstance(value, str | int) for value in (before, after)):
        return None, None
    return None if before is None else str(before), None if after is None else str(after)
