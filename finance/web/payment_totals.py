"""`/payments/totals`: what all payments of a filter come to, and month by month."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response

from finance.paging import Page, PageWanted
from finance.web.languages import _
from finance.web.lists import ShownList, shown_list
from finance.web.pages import page, render
from finance.web.payments import PAYMENTS, title_of, totals_of
from finance.web.periods import end_of_month, presets

MONTHS_SHOWN = 600  # of all tables; fifty years of one


@dataclass(frozen=True)
class MonthTable:
    """The months of one currency, direction and status; each row has its `address`, and its `part` of the largest."""

    currency: Any
    direction: Any
    status: Any
    rows: Sequence[Mapping[str, Any]]


@page("/payments/totals")
def total_payments() -> Any:
    """Add up all payments of a filter, in the time that a request has."""
    shown = shown_list(PAYMENTS, lambda query: _no_rows, lambda row: row)
    if isinstance(shown, Response):
        return shown
    totals = None if shown.errors else totals_of(shown.query)
    data = totals.data if totals else []
    body = render(
        "payments/totals.html",
        title=_("Totals of payments"),
        page_title=title_of(shown, _("Totals of payments")),
        shown=shown,
        presets=presets(shown, "paid_from", "paid_to"),
        totals=totals,
        tables=_tables(shown, data[-MONTHS_SHOWN:]),
        not_shown=max(0, len(data) - MONTHS_SHOWN),
    )
    return body, 422 if shown.errors else 200


def _no_rows(*, wanted: PageWanted) -> Page[Any]:
    """Find nothing: the totals list no payment."""
    return Page([], None, ())


def _tables(shown: ShownList, data: Iterable[Mapping[str, Any]]) -> list[MonthTable]:
    by_kind: dict[tuple[Any, Any, Any], list[Mapping[str, Any]]] = {}
    for row in data:
        by_kind.setdefault((row["currency"], row["direction"], row["status"]), []).append(row)
    kinds = sorted(by_kind, key=lambda kind: [str(name) for name in kind])
    return [MonthTable(*kind, rows=_rows(shown, by_kind[kind])) for kind in kinds]


def _rows(shown: ShownList, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the months, the newest first, with how long the bar of each is in percent of the largest."""
    largest = max((Decimal(row["total"]) for row in rows if row["total"] is not None), default=Decimal(0))
    newest_first = sorted(rows, key=lambda row: row["month"] or "", reverse=True)
    return [{**row, "part": _part(row["total"], largest), "address": _address(shown, row)} for row in newest_first]


def _part(total: str | None, largest: Decimal) -> int:
    return int(Decimal(total) * 100 / largest) if total is not None and largest else 0


def _address(shown: ShownList, row: Mapping[str, Any]) -> str | None:
    """Return the address of a month's payments, within the days that are filtered by."""
    month, names = row["month"], ("currency", "direction", "status")
    if month is None or any(row[name] is None for name in names):
        return None
    first = date.fromisoformat(f"{month}-01")
    days = {
        "paid_from": max(first.isoformat(), shown.sent.get("paid_from", "")),
        "paid_to": min(end_of_month(first).isoformat(), shown.sent.get("paid_to", "9999")),
    }
    return shown.address(limit=None, columns=None, sort=None, **days, **{name: row[name] for name in names}).replace(
        "/payments/totals", "/payments", 1
    )
