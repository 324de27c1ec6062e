"""Amounts, counts, days and instants as the reader writes them; and amounts as they were typed, read exactly."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import get_decimal_symbol, get_group_symbol, parse_pattern
from markupsafe import Markup, escape

from finance.context import parts
from finance.money import DECIMALS_BY_CURRENCY, MINUS_SIGNS
from finance.web.languages import _, reader

DAY = "d MMM y"  # never all digits: 03/11 is another day elsewhere
_SPACES = str.maketrans("", "", " \u00a0\u202f\u2009\t")
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_APOSTROPHE = "’"
_DIGITS_AND_MARKS = re.compile(r"[0-9.,'’]+", re.ASCII)


class UnclearAmount(ValueError):
    """What was typed can be read in two ways; its text says which."""


def number(value: Any, decimals: int = 0) -> str:
    """Return a number, or the text of one, in the reader's way, with all its decimals and at least as many as these.

    What is none is shown as it is.
    """
    text = value if type(value) is str else str(value)
    if not _PLAIN.fullmatch(text):
        try:
            text = f"{Decimal(text):f}"
        except InvalidOperation:
            return "–" if value is None else text
        if not _PLAIN.fullmatch(text):  # no number
            return text
    style = _style(reader().locale)
    whole, _mark, part = text.removeprefix("-").partition(".")
    part = part.ljust(decimals, "0")
    sign = "-" if text[0] == "-" else ""
    return f"{sign}{style.grouped(whole)}{style.decimal if part else ''}{part}"


def amount(value: str | None, currency: Any) -> str:
    """Return an amount (as the API answers it) with its currency's decimals, without the currency; never rounded."""
    return "–" if value is None else number(value, DECIMALS_BY_CURRENCY.get(str(currency), 0))


def money(value: str | None, currency: Any) -> Markup:
    """Return an amount with its currency behind it, as one cell of a table."""
    if value is None:
        return Markup('<span class="money">–</span>')
    code = escape(currency) if isinstance(currency, str) else "–"
    shown = f'{escape(amount(value, currency))}<span class="cur">\u00a0{code}</span>'
    return Markup(f'<data class="money" value="{escape(value)}">{shown}</data>')


def money_text(value: str | None, currency: Any) -> str:
    """Return an amount with its currency, as it stands in a sentence: 1,250.50 EUR."""
    return f"{amount(value, currency)}\u00a0{currency}"


def day(value: Any) -> Markup:
    """Return a day (a date, or YYYY-MM-DD) as 3 Nov 2026; what is none is shown as it is."""
    shown = day_text(value)
    if shown == str(value) or value is None:
        return escape(shown)
    return Markup(f'<time datetime="{escape(value)}">{escape(shown)}</time>')


def day_text(value: Any) -> str:
    try:
        found = value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        return "–" if value is None else str(value)
    return _day_in(reader().locale, found.year, found.month, found.day)


def instant(value: Any) -> Markup:
    """Return an instant to the minute, in the service's zone, which the frame names."""
    if not isinstance(value, datetime):
        return escape("–" if value is None else str(value))
    utc = value.astimezone(UTC)
    return Markup(f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{escape(instant_text(value))}</time>')


def instant_text(value: datetime) -> str:
    local = value.astimezone(parts().config.timezone)
    return f"{_day_in(reader().locale, local.year, local.month, local.day)} {local:%H:%M}"


def month_text(value: str) -> str:
    """Return a month (YYYY-MM) as November 2026."""
    try:
        return str(format_date(date.fromisoformat(f"{value}-01"), "LLLL y", locale=reader().locale))
    except (TypeError, ValueError):
        return str(value)


def zone_name() -> str:
    return str(parts().config.timezone)


def today() -> date:
    """Return the day that it is in the service's zone."""
    return parts().clock().astimezone(parts().config.timezone).date()


def read_amount(text: str) -> str:
    """Return an amount as the API takes it, of one as the reader writes it; raises UnclearAmount.

    Spaces go. A mark between thousands counts only where they stand right, and a point is the decimal mark too where
    the reader doesn't group by it. What is below zero is returned as it is: the API says what to do about that.
    """
    plain = text.strip().translate(_SPACES)
    if plain.endswith("%"):  # of a discount, which may be a share
        return f"{read_amount(plain[:-1])}%"
    if not plain or plain.startswith(MINUS_SIGNS):
        return plain  # the API says what is right for money that goes out
    if not _DIGITS_AND_MARKS.fullmatch(plain):
        raise UnclearAmount(_no_amount())
    locale = reader().locale
    group, decimal = str(get_group_symbol(locale)), str(get_decimal_symbol(locale))
    if group == _APOSTROPHE:
        plain = plain.replace("'", group)
    if group in plain:
        whole, mark, rest = plain.partition(decimal)
        if not _groups(locale).fullmatch(whole) or group in rest or decimal in rest:
            raise UnclearAmount(_unclear(plain, group, decimal))
        return whole.replace(group, "") + ("." + rest if mark else "")
    marked = plain.replace(decimal, ".")
    if marked.count(".") > 1:
        raise UnclearAmount(_unclear(plain, group, decimal))
    if marked.startswith(".") or marked.endswith("."):
        raise UnclearAmount(_no_amount())
    return marked


def example_amount() -> str:
    """Return how the reader writes an amount, for the hint of a field."""
    return number("1250.50", 2)


def _no_amount() -> str:
    return _("can’t be read as one amount. Write it as %(example)s.", example=example_amount())


def _unclear(text: str, group: str, decimal: str) -> str:
    """Return both readings of an amount, as its reader writes them, or that it has none."""
    one, other = text.replace(group, ""), text.replace(group, decimal)
    readable = re.compile(rf"\d+(?:{re.escape(decimal)}\d+)?", re.ASCII)
    if one == other or one.startswith("0") or not readable.fullmatch(one) or not readable.fullmatch(other):
        return _no_amount()
    return _(
        "can be read as %(one)s or as %(other)s. Write the one that you mean, as in %(example)s.",
        one=one,
        other=other,
        example=example_amount(),
    )


@dataclass(frozen=True)
class _Style:
    """How numbers are written: their marks, and how many digits stand in the last group and in the others."""

    group: str
    decimal: str
    last: int
    others: int

    def grouped(self, whole: str) -> str:
        """Return digits in groups."""
        whole = whole.lstrip("0") or "0"
        if len(whole) <= self.last:
            return whole
        rest, groups = whole[: -self.last], [whole[-self.last :]]
        while rest:
            groups.append(rest[-self.others :])
            rest = rest[: -self.others]
        return self.group.join(reversed(groups))


@cache
def _style(locale: Locale) -> _Style:
    last, others = parse_pattern(locale.decimal_formats[None]).grouping
    return _Style(str(get_group_symbol(locale)), str(get_decimal_symbol(locale)), last, others)


@cache
def _groups(locale: Locale) -> re.Pattern[str]:
    """Return how thousands stand in this locale: 3–3, or 3–2–2 in India."""
    style = _style(locale)
    mark = re.escape(style.group)
    return re.compile(rf"\d{{1,{style.others}}}(?:{mark}\d{{{style.others}}})*{mark}\d{{{style.last}}}", re.ASCII)


@lru_cache(maxsize=2_000)
def _day_in(locale: Locale, year: int, month: int, day: int) -> str:
    return str(format_date(date(year, month, day), DAY, locale=locale))
