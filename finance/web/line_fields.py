"""The lines of a form, in fields such as lines-0-description: added, removed, and read as the API takes them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from finance.invoices.schemas import LINES_MAX
from finance.web.formats import number
from finance.web.forms import MONEY, Form

FIELDS = ("description", "quantity", "unit_price", "tax_rate", "discount")
NUMBERS = MONEY | {"quantity", "tax_rate", "discount"}
ADD, REMOVE = "add", "remove-"
_FIELD = re.compile(rf"lines-(\d{{1,3}})-({'|'.join(FIELDS)})", re.ASCII)


def count_of(form: Form) -> int:
    """Return how many lines a form shows: one at least."""
    places = [int(found[1]) for name in form.values if (found := _FIELD.fullmatch(name))]
    return min(LINES_MAX, max(places, default=0) + 1)


def change(form: Form) -> bool:
    """Add or remove a line where one of these buttons was pressed; return whether it was."""
    if form.does == ADD:
        lines = _lines(form)
        _put(form, [*lines, {"quantity": "1", "tax_rate": lines[-1].get("tax_rate", "")}])
        return True
    place = form.does.removeprefix(REMOVE)
    if form.does.startswith(REMOVE) and place.isascii() and place.isdigit() and len(place) <= 3:
        _put(form, [line for at, line in enumerate(_lines(form)) if at != int(place)])
        return True
    return False


def leave_out_empty(form: Form, *, without: str = "") -> None:
    """Take away lines in which neither a description nor a price was typed, or nothing in the field `without`."""
    kept = [
        line
        for line in _lines(form)
        if (line.get("description", "").strip() or line.get("unit_price", "").strip())
        and (not without or line.get(without, "").strip())
    ]
    _put(form, kept)


def fields_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the lines of an invoice as fields of a form, in the reader's way; what is damaged stays empty."""
    return {
        f"lines-{at}-{name}": _typed(name, line[name])
        for at, line in enumerate(lines)
        for name in FIELDS
        if isinstance(line.get(name), str)
    }


def body_of(form: Form, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return what was typed as a body of the API; all numbers of lines are read as the reader writes them."""
    return form.body(without=tuple(without), money=NUMBERS)


def _typed(name: str, value: str) -> str:
    if name == "description":
        return value
    return f"{number(value[:-1])}%" if value.endswith("%") else _plain(value)


def _plain(value: str) -> str:
    """Return a number without marks between its thousands: a form is typed in, and read back exactly."""
    whole, point, rest = value.partition(".")
    return whole + (number(f"0.{rest}")[1:] if point and rest.isdigit() else "")


def _lines(form: Form) -> list[dict[str, str]]:
    return [
        {name: form[f"lines-{at}-{name}"] for name in FIELDS if f"lines-{at}-{name}" in form.values}
        for at in range(count_of(form))
    ]


def _put(form: Form, lines: list[dict[str, str]]) -> None:
    form.values = {name: value for name, value in form.values.items() if not _FIELD.fullmatch(name)}
    for at, line in enumerate(lines[:LINES_MAX]):
        form.values |= {f"lines-{at}-{name}": value for name, value in line.items()}
