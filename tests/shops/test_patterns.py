"""Which ways of writing numbers can meet in one text."""

import pytest

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
