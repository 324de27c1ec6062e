"""Exact amounts, by the minor units of ISO 4217."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finance.errors import Invalid
from finance.money import DECIMALS_BY_CURRENCY, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1250.50", "EUR", 125050),
        ("1250", "JPY", 1250),
        ("0.001", "KWD", 1),
        ("1.2345", "CLF", 12345),
        ("9999999999999.9999", "CLF", 99999999999999999),
        ("0000000000000001", "EUR", 100),
    ],
)
def test_a_decimal_string_is_minor_units(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    "text", ["0", "0.00", "-1", "1.005", "10000000000000", "1e3", "1_000", "١٢", "1\n", "1.", ".1", "", "NaN", "0x10"]
)
def test_what_is_not_plain_digits_worth_something_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount(text, "EUR", name="unit_price")

    assert refused.value.errors[0].pointer == "/unit_price"


@given(st.sampled_from(sorted(DECIMALS_BY_CURRENCY)), st.integers(min_value=1, max_value=10**13 - 1))
def test_what_is_formatted_is_parsed_to_the_same(currency: str, minor: int) -> None:
    assert parse_amount(format_amount(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(5, "EUR", "0.05"), (-5, "EUR", "-0.05"), (0, "EUR", "0.00"), (7, "JPY", "7")]
)
def test_an_amount_is_shown_with_exactly_its_currencys_decimals(minor: int, currency: str, text: str) -> None:
    assert format_amount(minor, currency) == text


def test_currencies_without_minor_units_are_no_money() -> None:
    for code in ("XAU", "XXX", "XTS", "XDR"):
        assert code not in DECIMALS_BY_CURRENCY
    assert (DECIMALS_BY_CURRENCY["EUR"], DECIMALS_BY_CURRENCY["JPY"], DECIMALS_BY_CURRENCY["BHD"]) == (2, 0, 3)
