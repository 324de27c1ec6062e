"""`/overview`: how things stand. Each figure leads to the list that explains it, by the same filter.

No sum is made here: what the payments and invoices of a list come to, the services say, as of an instant. What isn't
there within QUICK_S stands behind a link, so that the page never waits for a sum.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import current_app, request

from finance import database
from finance.auth.guard import caller
from finance.context import parts
from finance.database import DriverError
from finance.edge.lists import turn_of_caller
from finance.invoices import schemas as invoice_schemas
from finance.invoices import summary as invoice_summary
from finance.invoices.seen import settling
from finance.maintenance.audit.standing import Summary, read_summary
from finance.payments import rests
from finance.payments import schemas as payment_schemas
from finance.payments import summary as payment_summary
from finance.payments.routes import KEPT_TOTALS
from finance.web.formats import today
from finance.web.languages import _
from finance.web.number_words import checked_words, summary_words
from finance.web.pages import page, render

T = TypeVar("T")

QUICK_S, LEAST_S = 0.25, 0.05  # for all sums together, and for one of them whatever the others took
REST_S = 1.0  # of a request's time, for the rest of the page, where ?totals= asks for a sum however long it takes


@dataclass(frozen=True)
class Months:
    """The month that it is and the one before it, as YYYY-MM, with their first and last days."""

    this: str
    last: str
    this_days: tuple[date, date]
    last_days: tuple[date, date]


@page("/overview")
def show_overview() -> Any:
    """Show this month against the last, what is overdue, what isn't allocated, and whether all numbers are accounted
    for.
    """
    months = _months(today())
    sums = _Sums(wanted=request.args.get("totals"))
    with turn_of_caller():
        overdue = sums.find("overdue", _overdue)
        paid = sums.find("paid", partial(_paid, months))
        rest = sums.find("unallocated", _unallocated)
    numbers: Summary = read_summary(parts().db, tenant=caller().tenant)
    return render(
        "overview.html",
        title=_("How things stand"),
        months=months,
        paid=None if paid is None else _by_currency(paid.data, months),
        paid_as_of=paid.as_of if paid else None,
        overdue=overdue,
        rest=rest,
        numbers=numbers,
        summary_words=summary_words,
        checked_words=checked_words,
        address=address,
        wanted=sums.wanted,
    )


def address(path: str, **filters: Any) -> str:
    """Return the list of these filters; what isn't known is no filter."""
    return f"{path}?{urlencode({name: value for name, value in filters.items() if value is not None})}"


class _Sums:
    """Gives each sum its time: what is left of QUICK_S, or for the `wanted` one nearly all that a request has."""

    def __init__(self, *, wanted: str | None) -> None:
        self.wanted = wanted
        self._ends_s = time.monotonic() + QUICK_S

    def find(self, name: str, add_up: Callable[[], T]) -> T | None:
        """Return a sum, None where it isn't there in time."""
        try:
            with database.deadline(self._seconds(name)):
                return add_up()
        except (payment_summary.SummaryTakesTooLong, invoice_summary.SummaryTakesTooLong):
            return None
        except DriverError as error:
            if not error.timeout:
                raise
            return None

    def _seconds(self, name: str) -> float:
        if name != self.wanted:
            return max(self._ends_s - time.monotonic(), min(LEAST_S, QUICK_S))
        return max((database.remaining_s() or REST_S) - REST_S, QUICK_S)


def _paid(months: Months) -> payment_summary.Summary:
    """Return what the payments of both months come to; those that are voided are left out."""
    query = {"paid_from": months.last_days[0], "paid_to": months.this_days[1], "status": "recorded"}
    kept: payment_summary.Kept = current_app.extensions[KEPT_TOTALS]
    filters = payment_schemas.filters_of(query)
    return payment_summary.summarize(parts().db, kept, tenant=caller().tenant, filters=filters, now=parts().clock())


def _overdue() -> invoice_summary.Summary:
    filters = invoice_schemas.filters_of({"overdue": "true"}, today=today())
    return invoice_summary.summarize(
        parts().db,
        tenant=caller().tenant,
        filters=filters,
        settling=settling(),
        now=parts().clock(),
        today=today(),
    )


def _unallocated() -> rests.Rests:
    return rests.sum_unallocated(parts().db, tenant=caller().tenant, now=parts().clock())


def _by_currency(rows: list[dict[str, Any]], months: Months) -> list[dict[str, Any]]:
    """Return a row for each currency and direction with what was paid in either month, and the bars of both."""
    found: dict[tuple[Any, Any], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["month"] in (months.this, months.last):
            found.setdefault((row["currency"], row["direction"]), {})[row["month"]] = row
    return [
        {
            "currency": currency,
            "direction": direction,
            "this": of_months.get(months.this),
            "last": of_months.get(months.last),
            "bars": _bars(of_months.get(months.this), of_months.get(months.last)),
        }
        for (currency, direction), of_months in sorted(found.items(), key=lambda entry: str(entry[0]))
    ]


def _bars(this: Mapping[str, Any] | None, last: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return how long the bars of two sums are, in percent of the larger one."""
    sums = [Decimal((row or {}).get("total") or 0) for row in (this, last)]
    largest = max(sums) or Decimal(1)
    return tuple(f"{one * 100 / largest:.1f}" for one in sums)  # type: ignore[return-value]


def _months(day: date) -> Months:
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    before = first - timedelta(days=1)
    return Months(f"{first:%Y-%m}", f"{before:%Y-%m}", (first, last), (before.replace(day=1), before))
