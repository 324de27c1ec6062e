"""`/invoices`: find them, and one of them as it was issued. Others issue one, change one, add them up."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, request

from finance.auth.guard import caller
from finance.context import parts
from finance.damaged import text_of
from finance.database import Document
from finance.invoices import service
from finance.invoices.answers import dump_invoice
from finance.invoices.model import OPEN, SORTS, STATUSES, Invoice, days_overdue
from finance.invoices.schemas import InvoiceListSchema, filters_of
from finance.invoices.seen import masked_invoice, settling
from finance.invoices.tax_numbers import TAX_NUMBERS, opened, record_read
from finance.paging import PageWanted
from finance.payments import service as payments
from finance.payments.answers import dump_payment
from finance.shops import service as shops
from finance.web import invoice_totals, periods
from finance.web.exports import export_page, file_links
from finance.web.formats import today
from finance.web.invoice_words import history_of
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, ShownList, shown_list
from finance.web.pages import asked, page, render
from finance.web.words import status_word

PAYMENTS_SHOWN_MAX = 50
COLUMNS = (
    *("invoice_number", "issued_on", "due_on", "shop", "customer_name", "customer_code", "total_net", "total_tax"),
    *("total", "amount_paid", "amount_credited", "outstanding", "status", "created_at", "created_by_name"),
)
INVOICES = ListOf(
    schema=InvoiceListSchema(),
    filters=(
        Filter("issued_from", "day", is_open=True),
        Filter("issued_to", "day", is_open=True),
        Filter("customer_name", is_open=True),
        Filter("currency", is_open=True),
        Filter("status", "choice", (*STATUSES, OPEN), status_word, is_open=True),
        Filter("overdue", "choice", ("true",), lambda _value: _("Yes")),
        Filter("min_outstanding", "money"),
        Filter("due_from", "day"),
        Filter("due_to", "day"),
        Filter("customer_code"),
        Filter("shop"),
        Filter("idempotency_key"),
    ),
    columns=COLUMNS,
    default_columns=("invoice_number", "issued_on", "due_on", "customer_name", "total", "outstanding", "status"),
    sorts=("invoice_number", "issued_on", "due_on", "created_at"),
)
# Totals of several currencies have no order.
OF_ONE_CURRENCY = replace(INVOICES, sorts=(*INVOICES.sorts, "total"))

export_page("/invoices/export", "invoices.export_invoices")


@page("/invoices")
def list_invoices() -> Any:
    """List invoices, the newest day first."""
    if request.args.get("sort") in ("total", "-total") and not request.args.get("currency"):
        kept = {name: value for name, value in request.args.items() if name != "sort"}
        return redirect(ShownList(INVOICES, kept).address(), 303)
    of = OF_ONE_CURRENCY if "currency" in request.args else INVOICES
    shown = shown_list(of, _pages_of, shown_invoice)
    if isinstance(shown, Response):
        return shown
    title = f"{_('Invoices')} ({shown.in_words()})" if shown.filters else _("Invoices")
    body = render(
        "invoices/list.html",
        title=_("Invoices"),
        page_title=title,
        shown=shown,
        presets=_presets(shown),
        totals=invoice_totals.of_list(shown) if shown.rows and shown.is_first else None,
        files=file_links(shown, "/invoices/export", has_order=shown.sort in SORTS),
    )
    return body, 422 if shown.errors else 200


@page("/invoices/<invoice_number>")
def show_invoice(invoice_number: str) -> Any:
    """Show an invoice as it was issued, and what has become of it; that its tax numbers were read is on record."""
    invoice = find_invoice(invoice_number)
    read = opened(parts().cipher, invoice)
    record_read(parts().db, asked(), read)
    shown = with_overdue(invoice, dump_invoice(read, in_full=TAX_NUMBERS))
    return render(
        "invoices/one.html",
        title=invoice_number,
        invoice=shown,
        seller=seller_of(invoice),
        payments=_payments_of(invoice_number),
        history_entries=history_of(shown),
        can_be_cancelled=not (shown["allocations"] or shown["credit_note_numbers"]) and shown["status"] != "cancelled",
    )


def find_invoice(invoice_number: str) -> Invoice:
    """Return an invoice of who is signed in; raises InvoiceNotFound."""
    return service.get_invoice(parts().db, tenant=caller().tenant, invoice_number=invoice_number, settling=settling())


def shown_invoice(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as lists answer it, and for how many days it is overdue."""
    return with_overdue(invoice, masked_invoice(invoice))


def with_overdue(invoice: Invoice, shown: dict[str, Any]) -> dict[str, Any]:
    return {**shown, "days_overdue": days_overdue(invoice, today=today())}


def seller_of(document: Mapping[str, Any]) -> str | None:
    """Return what the shop is called that issued a document; its short name where it isn't there (any more)."""
    shop = document.get("shop")
    found = shops.find_readable_shop(parts().db, tenant=caller().tenant, shop=shop) if isinstance(shop, str) else None
    return found.get("name") if found else shop


def address_of(invoice_number: Any, *rest: str) -> str:
    """Return the address of an invoice, or of what is done to it."""
    return "/".join(("/invoices", quote(str(invoice_number), safe=""), *rest))


def _pages_of(query: Mapping[str, Any]) -> Any:
    filters = filters_of(query, today=today())
    return partial(service.list_invoices, parts().db, tenant=caller().tenant, filters=filters, settling=settling())


def _payments_of(invoice_number: str) -> dict[str, Document]:
    """Return the newest payments of an invoice by their numbers."""
    wanted = PageWanted("-payment_number", None, PAYMENTS_SHOWN_MAX)
    filters = {"invoice_number": invoice_number}
    found = payments.list_payments(parts().db, tenant=caller().tenant, filters=filters, wanted=wanted)
    numbered = [(text_of(payment.get("payment_number")), payment) for payment in found.rows]
    return {number: dump_payment(payment) for number, payment in numbered if number}


def _presets(shown: ShownList) -> list[tuple[str, str]]:
    return [
        (_("Overdue"), shown.address(overdue="true", status=None, sort=None)),
        (_("Open"), shown.address(status=OPEN, overdue=None)),
        *periods.presets(shown, "issued_from", "issued_to"),
    ]
