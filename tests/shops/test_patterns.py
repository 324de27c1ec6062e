"""Which ways of writing numbers can meet in one text."""

import random
from datetime import date
from itertools import combinations

import pytest

from finance.shops.model import format_of_period, period_of, series_of
from finance.shops.patterns import can_meet, pattern_of, shape_of


def pattern(number_format: str, shop: str = "a", start_month: int = 1) -> str:
    return pattern_of(number_format, shop=shop, fiscal_year_start_month=start_month)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("{shop}-B-{year}{month}-{number:04}", "a"), ("{shop}-{year}{month}-{number:04}", "a-b")),
        (("F-{year}{month}-{number:04}", "a"), ("F-{year}{month}-{number:4}", "b")),
        (("F-{year}{month}-{number:04}", "a"), ("F-{year}{month}-{number}", "b")),
        (("F{year}{number:04}", "a"), ("F{year}{month}{number:04}", "a")),  # F2026 + 110001
        (("F-{number}-{year}", "a"), ("F-{year}-{number}", "a")),  # F-2026-2026
        (("{number:04}{year}", "a"), ("{year}{number:04}", "b")),
        (("F-{fiscal_year}-{number:04}", "a"), ("F-{year}-{number:04}", "b")),
        (("F-2026{month}-{number}", "a"), ("F-{year}{month}-{number}", "b")),
        (("{shop}-{year}{month}-{number}", "f-2026"), ("F-2026-{year}{month}-{number}", "b")),
        (("F-{number:02}", "a"), ("F-{number:12}", "a")),
    ],
)
def test_these_meet(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert can_meet(pattern(*one), pattern(*other))
    assert can_meet(pattern(*other), pattern(*one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("FAC-{shop}-{year}{month}-{number:04}", "a"), ("AV-{shop}-{year}{month}-{number:04}", "a")),
        (("FAC-{shop}-{year}{month}-{number:04}", "a1"), ("FAC-{shop}-{year}{month}-{number:04}", "a2")),
        (("F-{year}-{number:04}", "a"), ("F-{year}{month}-{number:04}", "a")),  # four digits, six digits
        (("F-{fiscal_year}-{number:04}", "a", 4), ("F-{year}-{number:04}", "a", 4)),
        (("F-9{month}-{number}", "a"), ("F-9{month}0-{number}", "a")),
        (("F-13-{number}", "a"), ("F-{month}-{number}", "a")),
        (("F-{number:03}", "a"), ("F-00{number:03}", "b")),  # 00001 would be padded to three digits only
    ],
)
def test_these_do_not(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    assert not can_meet(pattern(*one), pattern(*other))
    assert not can_meet(pattern(*other), pattern(*one))


def test_a_shape_is_what_all_numbers_of_a_pattern_have_in_common() -> None:
    assert shape_of(pattern("{shop}-B-{year}{month}-{number:04}", "a")) == "A-B-#-#"
    assert shape_of(pattern("{shop}-{year}{month}-{number}", "a-b")) == "A-B-#-#"
    assert shape_of(pattern("{fiscal_year}.{number:04}{month}", start_month=4)) == "#-#.#"


PARTS = ("{year}", "{month}", "{shop}", "{fiscal_year}", "-", "-", "1", "11", "2026", "A")
NUMBERS = (*range(1, 14), 26, 99, 100, 1101, 1111, 2026, 2611, 10001, 110001)


def random_format(choose: random.Random) -> str:
    parts = choose.choices(PARTS, k=choose.randint(1, 3))
    parts.insert(choose.randint(0, len(parts)), choose.choice(("{number}", "{number:02}", "{number:04}")))
    return "".join(parts)


def numbers_of(number_format: str, shop: str, start_month: int) -> set[str]:
    months = [date(2026 + month // 12, month % 12 + 1, 1) for month in range(9, 25)]
    periods = [period_of(day, reset="month", fiscal_year_start_month=start_month) for day in months]
    written = [format_of_period(number_format, shop=shop, period=period) for period in periods]
    series = [series_of("", tenant="", shop=shop, period="", number_format=one) for one in written]
    return {one.format(number_seq) for one in series for number_seq in NUMBERS}


def test_no_two_formats_that_write_the_same_number_are_told_apart() -> None:
    """Of formats made at random, each pair that shares a number is found to; most others are told apart."""
    choose = random.Random(12)
    made = [(random_format(choose), choose.choice(("a", "a-1", "2026")), choose.choice((1, 4))) for _ in range(150)]
    known = [(pattern(*one), numbers_of(*one)) for one in made]
    pairs = list(combinations(known, 2))

    sharing = [(one, other) for (one, numbers), (other, others) in pairs if numbers & others]
    meeting = {(one, other) for (one, _numbers), (other, _others) in pairs if can_meet(one, other)}

    assert len(sharing) > 100
    assert [pair for pair in sharing if pair not in meeting] == []
    assert len(meeting) < len(pairs) / 5
