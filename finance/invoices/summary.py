"""What the invoices of a list come to, and what a VAT return needs: net and tax by month and rate.

A cancelled invoice stays in the month in which it was issued; its credit note takes it back in that of its own day. So
both are kept apart, and what is left of the one after the other stands beside them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from finance.database import Db, Document, DriverError
from finance.errors import Unavailable
from finance.invoices import summary_store
from finance.invoices.settling import Settling, settle_all
from finance.invoices.summary_store import AMOUNTS
from finance.money import shown_amount
from finance.said import said

# Credit notes have these of an invoice's fields. By any other filter none of them can be told from another.
OF_BOTH = frozenset(("shop", "customer_code", "currency", "issued_from", "issued_to"))

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_RATE = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)


class SummaryTakesTooLong(Unavailable):
    detail_default = said(
        "These are too many invoices to be added up in the time that a request has. Ask for fewer days, or one shop."
    )


@dataclass(frozen=True)
class Summary:
    """All that was answered as issued before `as_of` is in it."""

    as_of: datetime
    data: list[dict[str, Any]]
    taxes: list[dict[str, Any]]


def summarize(
    db: Db, *, tenant: str, filters: Mapping[str, Any], settling: Settling, now: datetime, today: date
) -> Summary:
    """Return what the invoices that the filters mean come to, as of `today`; raises SummaryTakesTooLong.

    With filters that credit notes don't have, what they took back is left out, and told to be.
    """
    settle_all(db, tenant=tenant, settling=settling)
    has_credit_notes = filters.keys() <= OF_BOTH
    try:
        invoices = summary_store.group_invoices(db, tenant=tenant, filters=filters, today=today.isoformat())
        issued = summary_store.group_taxes(db, kind="invoices", tenant=tenant, filters=filters)
        credited = (
            summary_store.group_taxes(db, kind="credit_notes", tenant=tenant, filters=filters)
            if has_credit_notes
            else []
        )
    except DriverError as error:
        if error.timeout:
            raise SummaryTakesTooLong from error
        raise
    return Summary(now, _by_currency(invoices), _by_month_and_rate(issued, credited, has_credit_notes=has_credit_notes))


def add_up(db: Db, *, tenant: str, filters: Mapping[str, Any], settling: Settling, today: date) -> list[dict[str, Any]]:
    """Return the `data` of `summarize` alone; raises SummaryTakesTooLong."""
    try:
        settle_all(db, tenant=tenant, settling=settling)
        groups = summary_store.group_invoices(db, tenant=tenant, filters=filters, today=today.isoformat())
    except DriverError as error:
        if error.timeout:
            raise SummaryTakesTooLong from error
        raise
    return _by_currency(groups)


def _by_currency(groups: Iterable[Document]) -> list[dict[str, Any]]:
    rows: dict[tuple[str | None, bool], dict[str, int]] = {}
    for group in groups:
        currency = _text(group.get("currency"))
        row = rows.setdefault((currency, _is_readable(group)), dict.fromkeys(("count", *AMOUNTS), 0))
        for name in row:
            row[name] += group[name]
    return [
        {
            "currency": currency,
            "count": row["count"],
            **{name: shown_amount(row[name], currency) if is_readable else None for name in AMOUNTS},
        }
        for (currency, is_readable), row in sorted(rows.items(), key=lambda entry: _order(*entry[0]))
    ]


def _by_month_and_rate(
    issued: Iterable[Document], credited: Iterable[Document], *, has_credit_notes: bool
) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], list[int]] = {}
    for offset, groups in ((0, issued), (2, credited)):
        for group in groups:
            day = group.get("issued_on")
            month = day[:7] if isinstance(day, str) and _DAY.fullmatch(day) else None
            key = (month, _text(group.get("currency")), _text(group.get("rate")), _is_readable(group))
            row = sums.setdefault(key, [0, 0, 0, 0])
            row[offset] += group["net"]
            row[offset + 1] += group["tax"]
    rows = []
    for key in sorted(sums, key=lambda key: _order(key[0], key[1], _percent(key[2]), key[2], key[3])):
        month, currency, rate, is_readable = key
        net, tax, net_credited, tax_credited = sums[key]
        amounts: dict[str, int | None] = {"net_invoiced": net, "tax_invoiced": tax}
        amounts |= {"net_credited": net_credited, "tax_credited": tax_credited}
        amounts |= {"net": net - net_credited, "tax": tax - tax_credited}
        if not has_credit_notes:
            amounts |= dict.fromkeys(("net_credited", "tax_credited", "net", "tax"))
        shown = {name: shown_amount(value, currency) if is_readable else None for name, value in amounts.items()}
        rows.append({"month": month, "currency": currency, "rate": rate, **shown})
    return rows


def _percent(rate: str | None) -> float | None:
    """Return a rate as it is sorted by."""
    return float(rate) if rate is not None and _RATE.fullmatch(rate) else None


def _is_readable(group: Document) -> bool:
    return bool(group["is_readable"]) and shown_amount(0, group.get("currency")) is not None


def _order(*parts: Any) -> list[tuple[bool, Any]]:
    """Return what to sort by: what is missing last."""
    return [(part is None, "" if part is None else part) for part in parts]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
