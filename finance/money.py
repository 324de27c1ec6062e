"""Exact amounts: a decimal string outside, an integer of minor units inside. Never a float.

The minor units of a currency are those of ISO 4217, from the package iso4217 (the standard's own list one).
"""

import re

from iso4217 import Currency

from finance.errors import Invalid

MAJOR_DIGITS_MAX = 13

# Codes without minor units in ISO 4217 (gold, test codes, units of account) are not money that one pays with.
DECIMALS_BY_CURRENCY: dict[str, int] = {c.code: c.exponent for c in Currency if c.exponent is not None}

# re.ASCII and fullmatch: "١٢٣" and "12\n" are digits and matches otherwise.
_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)


def require_currency(currency: str) -> str:
    """Return `currency` if it is an ISO 4217 code with minor units, otherwise raise Invalid."""
    if currency not in DECIMALS_BY_CURRENCY:
        raise Invalid.field("currency", "must be an ISO 4217 code in capitals, such as EUR.")
    return currency


def parse_amount(text: str, currency: str, *, name: str = "amount", zero_allowed: bool = False) -> int:
    """Return the minor units that `text` ("1250.50") is in `currency`; "1250.50" EUR is 125050.

    Raises Invalid (pointing at `name`) unless it is plain digits, above zero (or `zero_allowed`), with at most 13
    digits before the point and no more decimals than the currency has.
    """
    decimals = DECIMALS_BY_CURRENCY[require_currency(currency)]
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Invalid.field(name, 'must be a decimal number written in digits, such as "1250.50".')
    major, minor = match[1].lstrip("0"), match[2] or ""
    if len(major) > MAJOR_DIGITS_MAX:
        raise Invalid.field(name, f"must have at most {MAJOR_DIGITS_MAX} digits before the point.")
    if len(minor) > decimals:
        raise Invalid.field(name, f"must have at most {decimals} decimals: {currency} has no smaller unit.")
    amount_minor = int(major + minor.ljust(decimals, "0") or "0")
    if amount_minor == 0 and not zero_allowed:
        raise Invalid.field(name, "must be greater than zero.")
    return amount_minor


def format_amount(amount_minor: int, currency: str) -> str:
    """Return the decimal string of `amount_minor` with exactly the currency's decimals; 125050 EUR is "1250.50"."""
    decimals = DECIMALS_BY_CURRENCY[currency]
    if decimals == 0:
        return str(amount_minor)
    sign, digits = ("-", str(-amount_minor)) if amount_minor < 0 else ("", str(amount_minor))
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
