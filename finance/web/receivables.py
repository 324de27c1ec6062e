"""`/receivables`: who owes how much, and since when, as of a day and in one currency."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Response

from finance.auth.guard import caller
from finance.context import parts
from finance.edge.fields import Count
from finance.invoices.seen import settling
from finance.receivables import service
from finance.receivables.answers import AGEING_AMOUNTS, dump_total
from finance.receivables.model import BUCKETS, LAST_DAYS, Row
from finance.receivables.schemas import PAGE_SIZE_MAX, AgeingSchema
from finance.web.exports import export_page, links_to
from finance.web.formats import day_text, today
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, ShownList
from finance.web.pages import page, render
from finance.web.statement import shown_or_errors

PAGE_SIZE = 100

export_page("/receivables/export", "receivables.export_ageing")


class AgeingPageSchema(AgeingSchema):
    """The API's, always in pages."""

    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)


AGEING = ListOf(
    schema=AgeingPageSchema(), filters=(Filter("as_of", "day", is_open=True), Filter("currency", is_open=True))
)


@page("/receivables")
def show_receivables() -> Any:
    """Show what every customer owes, by how long it is due; the total is that of all pages."""
    asked: dict[str, Any] = {}

    def list_page(query: Mapping[str, Any]) -> Any:
        currency, as_of = service.understand_ageing(
            parts().db, tenant=caller().tenant, query=query, today=today(), settling=settling()
        )
        asked.update(currency=currency, as_of=as_of)
        return partial(service.list_ageing, parts().db, tenant=caller().tenant, **asked)

    shown = shown_or_errors(AGEING, list_page, dict)
    if isinstance(shown, Response):
        return shown
    currencies = service.list_shops_currencies(parts().db, tenant=caller().tenant)
    is_choice = not asked and set(shown.errors) == {"currency"} and "currency" not in shown.sent and len(currencies) > 1
    if is_choice:  # nothing was asked wrongly: it is a question
        shown.errors = {}
    return _shown_page(shown, asked, currencies), 422 if shown.errors else 200


def _shown_page(shown: ShownList, asked: Mapping[str, Any], currencies: list[str]) -> str:
    title = _("Receivables")
    values: dict[str, Any] = {"rows": [], "total": None}
    if asked:
        title = f"{title} ({asked['currency']}, {day_text(asked['as_of'])})"
        values["rows"] = [_shown_row(row, **asked) for row in shown.rows]
        values["total"] = _amounts(shown.page.total, **asked) | {"parts": _parts(shown.page.total)}
    wanted = {name: str(asked[name]) for name in ("as_of", "currency") if name in asked}
    return render(
        "receivables/list.html",
        title=_("Receivables"),
        page_title=title,
        shown=shown,
        currencies=currencies,
        amounts=AGEING_AMOUNTS,
        files=links_to("/receivables/export", wanted),
        currency=asked.get("currency"),
        as_of=asked.get("as_of"),
        today=today(),
        **values,
    )


def _shown_row(row: Row, *, currency: str, as_of: date) -> dict[str, Any]:
    return _amounts(row, currency=currency, as_of=as_of) | {
        "customer_code": row["customer_code"],
        "customer_name": row["customer_name"],
        "parts": _parts(row),
    }


def _amounts(row: Row, *, currency: str, as_of: date) -> dict[str, Any]:
    """Return the amounts of a row, and where each leads to; `total` is the row of no customer."""
    code = row["customer_code"]
    shown: dict[str, Any] = dump_total(row, currency)
    of: dict[str, str] = {"customer_code": code} if code else {}
    return shown | {"links": _links(of, currency=currency, as_of=as_of)}


def _links(of: Mapping[str, str], *, currency: str, as_of: date) -> dict[str, str]:
    """Return, by the name of an amount, the list of the documents that it is made of.

    Of a past day the list can say only when they were due: what was open then may be paid since.
    """
    base = {**of, "currency": currency} | ({"status": "open"} if as_of >= today() else {})
    links = {name: f"/invoices?{urlencode({**base, **_days(name, as_of)})}" for name in BUCKETS}
    links["outstanding"] = f"/invoices?{urlencode(base)}"
    links["unallocated_credit"] = f"/payments?{urlencode({**of, 'currency': currency, 'unallocated': 'true'})}"
    if "customer_code" in of:
        statement = {"to": as_of.isoformat(), "currency": currency}
        links["balance"] = f"/customers/{of['customer_code']}/statement?{urlencode(statement)}"
    return links


def _days(bucket: str, as_of: date) -> dict[str, str]:
    """Return from when to when what is in a bucket was due."""
    place = BUCKETS.index(bucket)
    days = {}
    if place < len(LAST_DAYS):
        days["due_from"] = _before(as_of, LAST_DAYS[place])
    if place > 0:
        days["due_to"] = _before(as_of, LAST_DAYS[place - 1] + 1)
    return days


def _before(day: date, days: int) -> str:
    return (day - timedelta(days=days) if day.toordinal() > days else date.min).isoformat()


def _parts(row: Row) -> list[tuple[float, float]]:
    """Return where each of the five parts of a bar begins, and how wide it is, in percent."""
    owed = [max(0, minor) for minor in row["buckets"]]
    whole = sum(owed)
    widths = [100 * minor / whole if whole else 0.0 for minor in owed]
    return [(round(sum(widths[:place]), 2), round(width, 2)) for place, width in enumerate(widths)]
