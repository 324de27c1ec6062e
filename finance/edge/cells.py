"""The cells of files for accountants: none of them is one that a spreadsheet would execute."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from finance.damaged import as_text
from finance.edge.characters import UNSEEN
from finance.edge.replies import as_json

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
# The same for a file with another separator, which somebody may open as if it were one with commas.
_SPLIT_BY_COMMAS = re.compile(r"[,;\t\n\r\x0b\x0c\x85\u2028\u2029]")
_BEFORE_WITH_COMMA = rf"{_BEFORE},"
_GOES_ON_BEHIND_A_COMMA = re.compile(rf"(?<![{_BEFORE_WITH_COMMA}])[{_BEFORE_WITH_COMMA}]++(?=[{_FORMULA}])")
# Nothing in it to look at, as in nearly all texts: it begins with what is seen, and nothing splits it.
PLAIN = re.compile(r"[0-9A-Za-zÀ-ɏ][\w ./#()&-]*")
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)  # what an older system left in the place of an amount is text
# What a spreadsheet makes a number or a day of, though it is a text: zeros in front, long numbers, 1E5, 1-2, 3/4.
_MADE_SOMETHING_ELSE = re.compile(r"0\d+|\d{12,}|\d+[eE]\d+|\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?", re.ASCII)


def text_of(value: Any) -> str:
    """Return a value as the text that a cell of it shows."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return as_json(value).decode() if value else ""
    if isinstance(value, list):
        return ", ".join(map(as_text, value))
    return as_text(value)


def guarded(text: str, *, behind_commas: bool = False) -> str:
    """Return a text that no spreadsheet executes, whatever it splits the file by."""
    goes_on = _GOES_ON_BEHIND_A_COMMA if behind_commas else _GOES_ON_LIKE_A_FORMULA
    split = _SPLIT_BY_COMMAS if behind_commas else _SPLIT
    text = goes_on.sub(lambda gap: f"{gap[0]}'" if split.search(gap[0]) else gap[0], text)
    return f"'{text}" if _BEGINS_LIKE_A_FORMULA.match(text) else text


def loses_its_form(text: str) -> bool:
    """Return whether a spreadsheet that opens a CSV file would show another text: 00123 as 123."""
    return _MADE_SOMETHING_ELSE.fullmatch(text) is not None


def exact_text(value: datetime, zone: ZoneInfo) -> str:
    """Return an instant as a zone's clocks show it, with their offset and all digits: 2026-11-20T13:00:00.250+01:00."""
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone).isoformat()
    except OverflowError:
        return value.isoformat()


def local_text(value: Any, zone: ZoneInfo) -> str:
    """Return an instant as the clocks of a zone show it, to the second: 2026-11-20 13:00:00."""
    if not isinstance(value, datetime):
        return text_of(value)
    try:
        local = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone)
    except OverflowError:  # at the first and the last day that there are
        return value.isoformat()
    return local.isoformat(" ", "seconds")[:19]
