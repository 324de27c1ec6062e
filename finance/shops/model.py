"""What a shop is, and how it writes the numbers of its invoices and credit notes.

`rules` are the ways of numbering, the newest last. Each but the first has `begins_on`, the day in the shop's zone from
which it numbers (rules.py). An earlier version stored `replaced_on` in the one before instead.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NotRequired, TypedDict

from finance.numbering.series import Series
from finance.said import said

RESETS = ("month", "year", "never")
INVOICE_FORMAT = "FAC-{shop}-{year}{month}-{number:04}"
MAX_LENGTH = 30
MAX_LENGTH_LARGEST = 60
FORMAT_LENGTH_MAX = 100
DIGITS_MAX = 12
ISSUE_AHEAD_DAYS = 1
ISSUE_AHEAD_DAYS_MAX = 62
HISTORY_MAX = 1_000
# What is numbered, and which setting says how.
FORMAT_BY_KIND: dict[str, Literal["invoice_format", "credit_note_format"]] = {
    "invoice": "invoice_format",
    "credit_note": "credit_note_format",
}

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"number(?::0?([1-9][0-9]?))?", re.ASCII)
_LITERAL = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
_PERIOD_NAMES = ("year", "month", "fiscal_year")
# What a number must tell so that no two periods of the same reset write the same one: one of these sets.
_TELLING_BY_RESET: dict[str, tuple[frozenset[str], ...]] = {
    "month": (frozenset({"year", "month"}), frozenset({"fiscal_year", "month"})),
    "year": (frozenset({"year"}), frozenset({"fiscal_year"})),
    "never": (frozenset(),),
}
_REPEATED_BY_RESET = {
    "month": said(
        "can't be unique: the numbers begin again each month, so it must hold {month} and {year} or {fiscal_year} and "
        "{month}."
    ),
    "year": said("can't be unique: the numbers begin again each year, so it must hold {year} or {fiscal_year}."),
}
# What is the same for all documents of one period, and so may stand in its numbers.
_CONSTANT_BY_RESET: dict[str, frozenset[str]] = {
    "month": frozenset(_PERIOD_NAMES),
    "year": frozenset({"year", "fiscal_year"}),
    "never": frozenset(),
}


class ShopSettings(TypedDict):
    name: str
    timezone: str
    currency: str
    max_length: int
    issue_ahead_days: int


class Formats(TypedDict):
    invoice_format: str
    credit_note_format: str


class RuleSettings(Formats):
    reset: str
    fiscal_year_start_month: int


class Settings(ShopSettings, RuleSettings):
    """A shop as it is set up."""


class Rule(RuleSettings):
    """A way of numbering. `former` are formats that it had before; `claimed` says that what it writes is this shop's
    (claims.py), `at_once` that its formats don't wait for a period to end: what was written before met another's.
    """

    begins_on: NotRequired[str]
    replaced_on: NotRequired[str]
    former: NotRequired[list[Formats]]
    claimed: NotRequired[bool]
    at_once: NotRequired[bool]


class Shop(ShopSettings):
    _id: NotRequired[object]
    tenant: str
    shop: str
    rules: list[Rule]
    history: list[dict[str, Any]]
    created_at: datetime
    created_by: str
    created_by_name: NotRequired[str]


@dataclass(frozen=True)
class Period:
    """One period of a series: its label in counters and documents, its days, and what its numbers may tell."""

    label: str
    first_day: date
    last_day: date
    parts: Mapping[str, str]


def period_of(day: date, *, reset: str, fiscal_year_start_month: int) -> Period:
    """Return the period that `day` falls in. A year that begins in another month than January is named FY and its
    first calendar year, and its numbers tell that year.
    """
    fiscal_first = date(day.year - (day.month < fiscal_year_start_month), fiscal_year_start_month, 1)
    calendar = fiscal_year_start_month == 1
    year = f"{fiscal_first.year}"
    fiscal_year = year if calendar else f"{year}-{(fiscal_first.year + 1) % 100:02d}"
    if reset == "month":
        first = day.replace(day=1)
        parts = {"year": f"{day.year:04d}", "month": f"{day.month:02d}", "fiscal_year": fiscal_year}
        return Period(f"{day:%Y-%m}", first, _month_after(first) - timedelta(days=1), parts)
    if reset == "year":
        parts = {"year": year, "fiscal_year": fiscal_year}
        last = fiscal_first.replace(year=fiscal_first.year + 1) - timedelta(days=1)
        return Period(year if calendar else f"FY{year}", fiscal_first, last, parts)
    return Period("all", date.min, date.max, {})


def format_of_period(number_format: str, *, shop: str, period: Period) -> str:
    """Return a format in which all but the number is filled in: FAC-DKR1-202611-{number:04}."""
    parts = {**period.parts, "shop": shop.upper()}
    return _PLACEHOLDER.sub(lambda found: parts.get(found[1], found[0]), number_format)


def series_of(
    kind: str, *, tenant: str, shop: str, period: str, number_format: str, length_max: int | None = None
) -> Series:
    """Return the series of a shop's documents of one kind in one period, written in that period's format."""
    before, number, after = _PLACEHOLDER.split(number_format)
    digits = _NUMBER.fullmatch(number)
    assert digits is not None
    return Series(
        tenant=tenant,
        kind=kind,
        prefix=before,
        digits_min=int(digits[1] or 1),
        suffix=after,
        scope=shop.upper(),
        period=period,
        document_filter={"shop": shop, "period": period},
        length_max=length_max,
    )


def is_format(value: object) -> bool:
    """Return whether numbers can be written in what is stored: it is a text that holds {number} once."""
    return isinstance(value, str) and sum(bool(_NUMBER.fullmatch(name)) for name in _PLACEHOLDER.findall(value)) == 1


def default_credit_note_format(invoice_format: str, *, fits: Mapping[str, Any]) -> str:
    """Return the invoices' format with AV in the place of FAC or before it, as short as the length demands."""
    rest = invoice_format.removeprefix("FAC-")
    return next(
        (written for written in (f"AV-{rest}", f"AV{rest}") if format_problem(written, **fits) is None), f"AV-{rest}"
    )


def format_problem(
    number_format: str, *, shop: str, reset: str, fiscal_year_start_month: int, max_length: int
) -> str | None:
    """Return why numbers can't be written so, None where they can."""
    return next(_problems(number_format, shop, reset, fiscal_year_start_month, max_length), None)


def _problems(number_format: str, shop: str, reset: str, start_month: int, max_length: int) -> Iterator[str]:
    names = _PLACEHOLDER.findall(number_format)
    literals = _PLACEHOLDER.split(number_format)[::2]
    if not all(_LITERAL.fullmatch(literal) for literal in literals):
        yield said("may hold letters, digits, '-', '_', '.' and {shop} {year} {month} {fiscal_year} {number:04} only.")
        return
    unknown = [name for name in names if name not in ("shop", *_PERIOD_NAMES) and not _NUMBER.fullmatch(name)]
    if unknown:
        known = "{shop} {year} {month} {fiscal_year} {number:04}"
        yield said(
            "has a placeholder that isn't known, {unknown}; there are {known}.",
            unknown=f"{{{unknown[0][:40]}}}",
            known=known,
        )
        return
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if len(numbers) != 1:
        yield said("must hold {number}, such as {number:04}, exactly once.")
        return
    if int(_NUMBER.fullmatch(numbers[0])[1] or 1) > DIGITS_MAX:  # type: ignore[index]
        yield said("must write the number with at most {most} digits.", most=DIGITS_MAX)
        return
    told = frozenset(names) & frozenset(_PERIOD_NAMES)
    if not any(telling <= told for telling in _TELLING_BY_RESET[reset]):
        yield _REPEATED_BY_RESET[reset]
    changing = sorted(told - _CONSTANT_BY_RESET[reset])
    if changing:
        yield said(
            "must not hold {name}: one sequence with reset {reset!r} runs over several of them.",
            name=f"{{{changing[0]}}}",
            reset=reset,
        )
        return
    yield from _ambiguities(number_format, names.index(numbers[0]), literals, names)
    yield from _too_long(number_format, shop, reset, start_month, max_length)


def _ambiguities(number_format: str, at: int, literals: list[str], names: list[str]) -> Iterator[str]:
    """Digits beside the number would let two series write the same: A1 + 0001 and A + 10001."""
    before, after = literals[at], literals[at + 1]
    beside = (names[at - 1] if at and not before else "", names[at + 1] if at + 1 < len(names) and not after else "")
    if "shop" in beside or before[-1:].isdigit() or after[:1].isdigit():
        yield said("must not have a digit or {shop} right beside {number}: two series could write the same number.")


def _too_long(number_format: str, shop: str, reset: str, start_month: int, max_length: int) -> Iterator[str]:
    period = period_of(date(2026, 11, 15), reset=reset, fiscal_year_start_month=start_month)
    written = format_of_period(number_format, shop=shop, period=period)
    first = series_of("", tenant="", shop=shop, period=period.label, number_format=written).format(1)
    if len(first) > max_length:
        yield said(
            "is too long: {first} has {length} characters, max_length is {most}.",
            first=first,
            length=len(first),
            most=max_length,
        )


def _month_after(first_day: date) -> date:
    return (first_day + timedelta(days=31)).replace(day=1)
