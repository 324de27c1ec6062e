"""Exact amounts: a decimal string outside, an integer of minor units inside. Never a float.

The minor units of a currency are those of ISO 4217, from the package iso4217 (the standard's own list one).
"""

import re
import unicodedata
from typing import TypeGuard

from iso4217 import Currency

from finance.errors import Invalid
from finance.said import said

MAJOR_DIGITS_MAX = 13
_EXPLAINED_MAX = 60

# Codes without minor units in ISO 4217 (gold, test codes, units of account) are not money that one pays with.
DECIMALS_BY_CURRENCY: dict[str, int] = {c.code: c.exponent for c in Currency if c.exponent is not None}

MINUS_SIGNS = ("-", "\u2212")

_TOO_MANY_DECIMALS = said(
    "must have at most {decimals} decimals: {currency} has no smaller unit; a point stands before decimals alone."
)
_NO_DECIMALS = said("must have no decimals: {currency} has no smaller unit; a point stands before decimals alone.")

# re.ASCII and fullmatch: "١٢٣" and "12\n" are digits and matches otherwise.
_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)
_SEPARATED = re.compile(r"\d+([.,'’ _\u00a0\u202f]\d+)+", re.ASCII)
_EXPONENT = re.compile(r"\d+(\.\d+)?[eE][+-]?\d+", re.ASCII)


def require_currency(currency: object) -> str:
    """Return `currency` if it is an ISO 4217 code with minor units, otherwise raise Invalid."""
    if not isinstance(currency, str) or currency not in DECIMALS_BY_CURRENCY:
        raise Invalid.field("currency", said("must be an ISO 4217 code in capitals, such as EUR."))
    return currency


def parse_amount(text: str, currency: str, *, name: str = "amount", zero_allowed: bool = False) -> int:
    """Return the minor units that `text` ("1250.50") is in `currency`; "1250.50" EUR is 125050.

    Raises Invalid (pointing at `name`) unless it is plain digits, above zero (or `zero_allowed`), with at most 13
    digits before the point and no more decimals than the currency has.
    """
    decimals = DECIMALS_BY_CURRENCY[require_currency(currency)]
    match = _AMOUNT.fullmatch(text)
    if match is None:
        negative = said("must not be negative.") if zero_allowed else said("must be greater than zero.")
        raise Invalid.field(name, negative if text.startswith(MINUS_SIGNS) else why_no_number(text))
    major, minor = match[1].lstrip("0"), match[2] or ""
    if len(major) > MAJOR_DIGITS_MAX:
        raise Invalid.field(name, said("must have at most {digits} digits before the point.", digits=MAJOR_DIGITS_MAX))
    if len(minor) > decimals:
        too_many = _TOO_MANY_DECIMALS if decimals else _NO_DECIMALS
        raise Invalid.field(name, too_many.format(decimals=decimals, currency=currency))
    amount_minor = int(major + minor.ljust(decimals, "0") or "0")
    if amount_minor == 0 and not zero_allowed:
        raise Invalid.field(name, said("must be greater than zero."))
    return amount_minor


def format_amount(amount_minor: int, currency: str) -> str:
    """Return the decimal string of `amount_minor` with exactly the currency's decimals; 125050 EUR is "1250.50"."""
    decimals = DECIMALS_BY_CURRENCY[currency]
    if decimals == 0:
        return str(amount_minor)
    sign, digits = ("-", str(-amount_minor)) if amount_minor < 0 else ("", str(amount_minor))
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def shown_amount(amount_minor: object, currency: object) -> str | None:
    """Return what `format_amount` does, None where a document that is damaged has no such amount."""
    if not is_whole(amount_minor) or not isinstance(currency, str) or currency not in DECIMALS_BY_CURRENCY:
        return None
    return format_amount(amount_minor, currency)


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a stored value is a whole number, as minor units are."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole_of(value: object, otherwise: int = 0) -> int:
    """Return a stored whole number; `otherwise` where a document that is damaged has none."""
    return value if is_whole(value) else otherwise


def why_no_number(text: str, *, example: str = "1250.50") -> str:
    """Return what would be right where `text` isn't a number as we read it; nothing of it is repeated."""
    text = text[:_EXPLAINED_MAX].strip()
    written = said('must be digits with a point before the decimals, such as "{example}"', example=example)
    if _SEPARATED.fullmatch(text):
        return said("{right}; no comma, and nothing between thousands.", right=written)
    if _EXPONENT.fullmatch(text):
        return said("{right}; not with an exponent.", right=written)
    if text.endswith("%"):
        return said("{right}; without %.", right=written)
    has_digits = any(character.isdigit() for character in text)
    if has_digits and any(character.isalpha() or unicodedata.category(character) == "Sc" for character in text):
        return said("{right}; the currency has a field of its own.", right=written)
    return said("{right}.", right=written)
