"""Amounts, counts, days and instants as the reader writes them; and amounts as they were typed, read exactly."""

import re
from copy import copy
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, get_decimal_symbol, get_group_symbol, parse_pattern
from markupsafe import Markup, escape

from finance.context import parts
from finance.money import DECIMALS_BY_CURRENCY
from finance.web.languages import _, reader

DAY = "d MMM y"  # never all digits: 03/11 is another day elsewhere
DAY_AND_TIME = "d MMM y, HH:mm"
_SPACES = str.maketrans("", "", " \u00a0\u202f\u2009\t")
_APOSTROPHE = "’"
_DIGITS_AND_MARKS = re.compile(r"[0-9.,'’]+", re.ASCII)


class UnclearAmount(ValueError):
    """What was typed can be read in two ways; its text says which."""


def number(value: Any, decimals: int = 0) -> str:
    """Return a number, or the text of one, in the reader's way, with all its decimals and at least as many as these.

    What is none is shown as it is.
    """
    try:
        exact = Decimal(str(value))
        if not exact.is_finite():
            return str(value)
    except InvalidOperation:
        return "–" if value is None else str(value)
    shown = max(decimals, -int(exact.as_tuple().exponent))
    return str(_pattern(reader().locale, shown).apply(exact, reader().locale))


def amount(value: str | None, currency: Any) -> str:
    """Return an amount (as the API answers it) with its currency's decimals, without the currency; never rounded."""
    return "–" if value is None else number(value, DECIMALS_BY_CURRENCY.get(str(currency), 0))


def money(value: str | None, currency: Any) -> Markup:
    """Return an amount with its currency behind it, as one cell of a table."""
    if value is None:
        return Markup('<span class="money">–</span>')
    shown = amount(value, currency)
    return Markup('<data class="money" value="{}">{}<span class="cur">\u00a0{}</span></data>').format(
        value, shown, currency if isinstance(currency, str) else "–"
    )


def money_text(value: str | None, currency: Any) -> str:
    """Return an amount with its currency, as it stands in a sentence: 1,250.50 EUR."""
    return f"{amount(value, currency)}\u00a0{currency}"


def day(value: Any) -> Markup:
    """Return a day (a date, or YYYY-MM-DD) as 3 Nov 2026; what is none is shown as it is."""
    shown = day_text(value)
    return Markup('<time datetime="{}">{}</time>').format(value, shown) if shown != str(value) else escape(shown)


def day_text(value: Any) -> str:
    try:
        found = value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        return "–" if value is None else str(value)
    return str(format_date(found, DAY, locale=reader().locale))


def instant(value: Any) -> Markup:
    """Return an instant to the minute, in the service's zone, which the frame names."""
    if not isinstance(value, datetime):
        return escape("–" if value is None else str(value))
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", instant_text(value))


def instant_text(value: datetime) -> str:
    local = value.astimezone(parts().config.timezone)
    return f"{format_date(local.date(), DAY, locale=reader().locale)} {local:%H:%M}"


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
    the reader doesn't group by it. What isn't digits and marks is returned as it is: the API says what is wrong.
    """
    plain = text.strip().translate(_SPACES)
    if plain.endswith("%"):  # of a discount, which may be a share
        return f"{read_amount(plain[:-1])}%"
    if not _DIGITS_AND_MARKS.fullmatch(plain):
        return text.strip()
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
    return marked


def example_amount() -> str:
    """Return how the reader writes an amount, for the hint of a field."""
    return number("1250.50", 2)


def _unclear(text: str, group: str, decimal: str) -> str:
    """Return both readings of an amount, as its reader writes them, or that it has none."""
    one, other = text.replace(group, ""), text.replace(group, decimal)
    readable = re.compile(rf"\d+(?:{re.escape(decimal)}\d+)?", re.ASCII)
    if one == other or not readable.fullmatch(one) or not readable.fullmatch(other):
        return _("can’t be read as one amount. Write it as %(example)s.", example=example_amount())
    return _(
        "can be read as %(one)s or as %(other)s. Write the one that you mean, as in %(example)s.",
        one=one,
        other=other,
        example=example_amount(),
    )


@cache
def _groups(locale: Locale) -> re.Pattern[str]:
    """Return how thousands stand in this locale: 3–3, or 3–2–2 in India."""
    last, others = parse_pattern(locale.decimal_formats[None]).grouping
    mark = re.escape(str(get_group_symbol(locale)))
    return re.compile(rf"\d{{1,{others}}}(?:{mark}\d{{{others}}})*{mark}\d{{{last}}}", re.ASCII)


@cache
def _pattern(locale: Locale, decimals: int) -> NumberPattern:
    pattern = copy(parse_pattern(locale.decimal_formats[None]))
    pattern.frac_prec = (decimals, decimals)
    return pattern
