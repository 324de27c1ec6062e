"""Numbers of other software, whatever type they are stored as: 12, 12.0, "12" and NumberDecimal("12") are the same.

By BSON's order every text comes after every number, and "9" after "10".
"""

import re
from decimal import Decimal
from typing import Any

from bson import Decimal128

from finance.database import Document

_TEXT = r"\s*[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?\s*"
_KINDS = ["int", "long", "double", "decimal"]


def as_number(expression: Any) -> Document:
    """Return the expression that is a decimal where `expression` is a number or the text of one, and null elsewhere."""
    is_text = {"$eq": [{"$type": expression}, "string"]}
    shaped = {"$regexMatch": {"input": expression, "regex": f"^{_TEXT}$"}}
    is_number = {"$cond": [is_text, shaped, {"$in": [{"$type": expression}, _KINDS]}]}
    convert = {"input": {"$trim": {"input": {"$toString": expression}}}, "to": "decimal", "onError": None}
    return {"$cond": [is_number, {"$convert": convert}, None]}


def number_of(value: Any) -> Decimal | None:
    """Return a stored number, or the text of one, as a number; None for anything else."""
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, str):
        value = Decimal(value.strip()) if re.fullmatch(_TEXT, value, re.ASCII) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def whole(value: Any) -> int | None:
    """Return a whole number, None where it isn't one."""
    number = number_of(value)
    return int(number) if number is not None and number == number.to_integral_value() else None
