"""What invoices come to: in a line above their list, and at `/invoices/totals` by month and rate, for a VAT return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response

from finance import database
from finance.auth.guard import caller
from finance.context import parts
from finance.invoices import summary
from finance.invoices.model import OPEN, STATUSES
from finance.invoices.schemas import filters_of
from finance.invoices.seen import settling
from finance.invoices.summary_schemas import InvoiceSummaryFiltersSchema
from finance.paging import Page
from finance.web import periods
from finance.web.formats import today
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, ShownList, shown_list
from finance.web.pages import page, render
from finance.web.words import status_word

WAIT_S = 0.25  # that a list waits for its totals; they are at a link of their own otherwise
TAXES_SHOWN_MAX = 1_000
TOTALS = ListOf(
    schema=InvoiceSummaryFiltersSchema(),
    filters=(
        Filter("issued_from", "day", is_open=True),
        Filter("issued_to", "day", is_open=True),
        Filter("shop", is_open=True),
        Filter("currency", is_open=True),
        Filter("customer_code", is_open=True),
        Filter("customer_name"),
        Filter("status", "choice", (*STATUSES, OPEN), status_word),
        Filter("overdue", "choice", ("true",), lambda _value: _("Yes")),
        Filter("min_outstanding", "money"),
        Filter("due_from", "day"),
        Filter("due_to", "day"),
        Filter("idempotency_key"),
    ),
)


@dataclass(frozen=True)
class ListTotals:
    """What the invoices of a list come to, by currency; None where that takes longer than a list may wait."""

    as_of: datetime
    by_currency: list[dict[str, Any]] | None
    address: str


def of_list(shown: ShownList) -> ListTotals:
    """Return what the invoices of a list come to, and where that stands with their taxes."""
    now = parts().clock()
    filters = filters_of(dict(shown.query), today=today())
    try:
        with database.deadline(WAIT_S):
            found = summary.add_up(
                parts().db, tenant=caller().tenant, filters=filters, settling=settling(), today=today()
            )
    except summary.SummaryTakesTooLong:
        found = None
    return ListTotals(now, found, ShownList(TOTALS, shown.filters).address_at("/invoices/totals"))


@page("/invoices/totals")
def show_invoice_totals() -> Any:
    """Show what the invoices of a filter come to, and their net and tax by month and rate."""
    found: list[summary.Summary] = []

    def list_page(query: Mapping[str, Any]) -> Any:
        def add_up(*, wanted: Any) -> Page[Any]:
            found.append(_summary(query))
            return Page([], None, ())

        return add_up

    shown = shown_list(TOTALS, list_page, dict)
    if isinstance(shown, Response):
        return shown
    body = render(
        "invoices/totals.html",
        title=_("Totals of invoices"),
        page_title=f"{_('Totals of invoices')} ({shown.in_words()})" if shown.filters else _("Totals of invoices"),
        shown=shown,
        presets=periods.presets(shown, "issued_from", "issued_to"),
        summary=found[0] if found else None,
        taxes=found[0].taxes[:TAXES_SHOWN_MAX] if found else [],
        list_address=shown.address_at("/invoices"),
    )
    return body, 422 if shown.errors else 200


def _summary(query: Mapping[str, Any]) -> summary.Summary:
    now = parts().clock()
    return summary.summarize(
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query, today=today()),
        settling=settling(),
        now=now,
        today=today(),
    )
