"""The cells of files for accountants: none of them is one that a spreadsheet would execute."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from finance.damaged import as_text
from finance.edge.characters import UNSEEN

# What a spreadsheet may take for the beginning of a formula: OWASP's list (CSV injection), in the wide and small forms
# of East Asian keyboards too, and whatever unseen or quotation mark stands before it. What is negative is a number.
_FORMULA = r"=+\-@＝＋－＠﹦﹢﹣﹫\u2212"
_BEFORE = rf"{UNSEEN}\x00-\x1f\x7f-\x9f\"';"
_BEGINS_LIKE_A_FORMULA = re.compile(rf"[\t\r\n]|[{_BEFORE}]*[{_FORMULA}]")
# Where the list separator of Windows is a semicolon, Excel reads our commas as text, knows no quotes in the middle of a
# cell, and so splits a text at each semicolon and line end. What follows becomes a cell of its own. (Not the comma:
# who separates by commas sees the quotes, which is why all texts are in quotes.)
_SPLIT = re.compile(r"[;\t\n\r\x0b\x0c\x85\u2028\u2029]")
_GOES_ON_LIKE_A_FORMULA = re.compile(rf"(?<![{_BEFORE}])[{_BEFORE}]++(?=[{_FORMULA}])")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)  # what an older system left in the place of an amount is text
_DIGITS_EXACT = 15  # as many as a spreadsheet keeps of a number; longer amounts stay text


def csv_cell(value: Any, *, is_amount: bool) -> str | Decimal:
    """Return an amount as a number, and everything else as a text that no spreadsheet executes."""
    text = _text(value)
    if is_amount and _NUMBER.fullmatch(text):
        return Decimal(text)
    text = _GOES_ON_LIKE_A_FORMULA.sub(lambda gap: f"{gap[0]}'" if _SPLIT.search(gap[0]) else gap[0], text)
    return f"'{text}" if _BEGINS_LIKE_A_FORMULA.match(text) else text


def write_cell(sheet: Any, row: int, column: int, value: Any, *, is_amount: bool) -> None:
    text = _text(value)
    if is_amount and _NUMBER.fullmatch(text) and len(re.sub(r"\D", "", text)) <= _DIGITS_EXACT:
        sheet.write_number(row, column, float(text))
    elif text:
        sheet.write_string(row, column, text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(as_text, value))
    return as_text(value)
