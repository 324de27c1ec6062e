"""Which ways of writing numbers are taken, which periods there are, and how numbers are read back."""

from datetime import date, timedelta
from typing import Any

import pytest

from finance.shops.model import (
    INVOICE_FORMAT,
    default_credit_note_format,
    format_of_period,
    format_problem,
    period_of,
    series_of,
)

MONTHLY = {"shop": "dkr1", "reset": "month", "fiscal_year_start_month": 1, "max_length": 20}


def series(number_format: str, day: date = date(2026, 11, 5), **settings: Any) -> Any:
    setting = {"reset": "month", "fiscal_year_start_month": 1, **settings}
    period = period_of(day, **setting)
    written = format_of_period(number_format, shop="dkr1", period=period)
    return series_of("invoice", tenant="acme", shop="dkr1", period=period.label, number_format=written)


def test_the_default_format() -> None:
    assert format_problem(INVOICE_FORMAT, **MONTHLY) is None
    found = series(INVOICE_FORMAT)
    assert found.counter_id == "invoice:acme:DKR1:2026-11"
    assert [found.format(n) for n in (1, 9999, 10000)] == [
        "FAC-DKR1-202611-0001",
        "FAC-DKR1-202611-9999",
        "FAC-DKR1-202611-10000",
    ]
    assert found.document_filter == {"shop": "dkr1", "period": "2026-11"}


@pytest.mark.parametrize("number_format", [INVOICE_FORMAT, "{year}/{month}".replace("/", "-") + "-{number:05}-{shop}"])
def test_numbers_are_read_back_exactly(number_format: str) -> None:
    found = series(number_format)
    for number_seq in (1, 9, 10, 9999, 10000, 123456789):
        assert found.parse(found.format(number_seq)) == number_seq
    for wrong in ("", found.prefix, found.prefix + found.suffix, found.format(1) + "x", "x" + found.format(1)):
        assert found.parse(wrong) is None
    assert found.parse(f"{found.prefix}001{found.suffix}") is None
    assert found.parse(f"{found.prefix}00000001{found.suffix}") is None


@pytest.mark.parametrize(
    ("number_format", "reset", "reason"),
    [
        ("FAC-{shop}", "month", "must hold {number}"),
        ("FAC-{number}-{number}-{year}{month}", "month", "exactly once"),
        ("FAC-{shop}-{number:04}", "month", "can't be unique"),
        ("FAC-{shop}-{year}-{number:04}", "month", "can't be unique"),
        ("FAC-{shop}-{month}-{number:04}", "month", "can't be unique"),
        ("FAC-{shop}-{number:04}", "year", "can't be unique"),
        ("FAC-{shop}-{year}{month}-{number:04}", "year", "must not hold {month}"),
        ("FAC-{shop}-{year}-{number:04}", "never", "must not hold {year}"),
        ("FAC {year}{month}-{number:04}", "month", "may hold letters"),
        ("FAC/{year}{month}/{number:04}", "month", "may hold letters"),
        ("FAC-{year}{month}-{number:04}é", "month", "may hold letters"),
        ("FAC-{year}{month}-{number:04", "month", "may hold letters"),
        ("FAC-{day}-{year}{month}-{number:04}", "month", "{day}"),
        ("FAC-{year}{month}-{number:99}", "month", "at most 12 digits"),
        ("{year}{month}-{shop}{number:04}", "month", "right beside"),
        ("{year}{month}-1{number:04}", "month", "right beside"),
        ("{year}{month}-{number:04}{shop}", "month", "right beside"),
        ("FACTURE-{shop}-{year}{month}-{number:04}", "month", "has 24 characters, max_length is 20"),
    ],
)
def test_a_format_that_can_not_be_is_refused_with_the_reason(number_format: str, reset: str, reason: str) -> None:
    problem = format_problem(number_format, **{**MONTHLY, "reset": reset})
    assert problem is not None
    assert reason in problem


@pytest.mark.parametrize(
    ("number_format", "reset"),
    [
        ("{shop}-{year}{month}-{number:03}", "month"),
        ("{fiscal_year}-{month}-{number}", "month"),
        ("F{year}{month}{number:04}", "month"),
        ("F-{year}-{number:06}", "year"),
        ("{number:08}", "never"),
        ("{number:04}-{shop}.{year}", "year"),
    ],
)
def test_formats_that_can_be(number_format: str, reset: str) -> None:
    assert format_problem(number_format, **{**MONTHLY, "reset": reset}) is None


def test_india_takes_sixteen_characters() -> None:
    fits = {"shop": "blr", "reset": "year", "fiscal_year_start_month": 4, "max_length": 16}
    assert format_problem("{shop}-{fiscal_year}-{number:04}", **fits) is None  # BLR-2026-27-0001
    assert "17 characters, max_length is 16" in str(format_problem("{shop}-{fiscal_year}-{number:05}", **fits))


def test_the_credit_notes_format_follows_the_invoices() -> None:
    assert default_credit_note_format(INVOICE_FORMAT, fits=MONTHLY) == "AV-{shop}-{year}{month}-{number:04}"
    fits = {**MONTHLY, "max_length": 16}
    assert (
        default_credit_note_format("{shop}{year}{month}-{number:03}", fits=fits) == "AV{shop}{year}{month}-{number:03}"
    )


def test_a_fiscal_year_from_april() -> None:
    april = {"reset": "year", "fiscal_year_start_month": 4}
    before = period_of(date(2027, 3, 31), **april)
    after = period_of(date(2027, 4, 1), **april)
    assert (before.label, before.parts["fiscal_year"]) == ("FY2026", "2026-27")
    assert (before.first_day, before.last_day) == (date(2026, 4, 1), date(2027, 3, 31))
    assert (after.label, after.parts["fiscal_year"]) == ("FY2027", "2027-28")
    assert period_of(date(2099, 12, 31), **april).parts["fiscal_year"] == "2099-00"


@pytest.mark.parametrize("reset", ["month", "year"])
@pytest.mark.parametrize("start_month", [1, 4, 12])
def test_periods_follow_each_other_without_a_day_between(reset: str, start_month: int) -> None:
    day = date(2023, 1, 1)
    period = period_of(day, reset=reset, fiscal_year_start_month=start_month)
    while day < date(2029, 1, 1):
        assert period.first_day <= day <= period.last_day
        day += timedelta(days=1)
        following = period_of(day, reset=reset, fiscal_year_start_month=start_month)
        assert (following.label == period.label) == (day <= period.last_day)
        period = following
