"""The rows of a table and what stands in their cells, written here: a list of 50 has 300 cells, and macros are slow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from finance.web.formats import day, instant, money
from finance.web.languages import _
from finance.web.words import direction_word, method_word, status_word

Row = Mapping[str, Any]
Column = Mapping[str, Any]  # {name, title, kind, place, address, order}, as in parts/table.html


def table_rows(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], fold: str) -> Markup:
    """Return the rows of a table; the first cell of each is its header. Roles are said: grid takes them away."""
    begins = [_begin_of(column, is_first=place == 0, fold=fold) for place, column in enumerate(columns)]
    ends = ["</th>", *["</td>"] * len(columns)]
    written = []
    for row in rows:
        kind = row.get("class")
        written.append(f'<tr role="row" class="{escape(kind)}">' if kind else '<tr role="row">')
        for begin, cell, end in zip(begins, row["cells"], ends, strict=False):
            written.append(f"{begin}{escape(cell)}{end}")
        written.append("</tr>\n")
    return Markup("".join(written))


def status_cell(name: Any, detail: str = "") -> Markup:
    """Return a status: a word, with the glyph and the colour that the style sheet gives it."""
    said = f"{status_word(name)} {detail}" if detail else status_word(name)
    return Markup(f'<span class="status is-{escape(name)}">{escape(said)}</span>')


def text_cell(value: Any) -> Markup:
    """Return what people have typed: in its own direction, wrapped where it is long."""
    return Markup(f'<span class="free" dir="auto">{escape(value)}</span>') if value else Markup("–")


def rows_of(rows: Iterable[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a list with their cells; those of what was voided or cancelled are struck through."""
    cells = [_CELLS.get(name) or _text_of(name) for name in names]
    return [
        {"cells": [cell(row) for cell in cells], "class": "is-struck" if row.get("status") in _STRUCK else None}
        for row in rows
    ]


def _text_of(name: str) -> Callable[[Row], Markup]:
    return lambda row: text_cell(row.get(name))


def _amount(row: Row) -> Markup:
    shown = money(row.get("amount"), row.get("currency"))
    return Markup(f'<span class="out">{_("out")}</span> {shown}') if row.get("direction") == "outgoing" else shown


def _link_to(folder: str, name: str) -> Callable[[Row], Markup]:
    def link(row: Row) -> Markup:
        number = row.get(name)
        if not isinstance(number, str) or not number:
            return text_cell(number)
        return Markup(f'<a href="{folder}/{escape(quote(number, safe=""))}" class="code">{escape(number)}</a>')

    return link


# What stands in a column of this name, in every list; in the others it is text.
_CELLS: Mapping[str, Callable[[Row], Any]] = {
    "payment_number": _link_to("/payments", "payment_number"),
    "customer_code": _link_to("/customers", "customer_code"),
    "paid_on": lambda row: day(row.get("paid_on")),
    "created_at": lambda row: instant(row.get("created_at")),
    "amount": _amount,
    "unallocated": lambda row: money(row.get("unallocated"), row.get("currency")),
    "method": lambda row: method_word(row.get("method")),
    "direction": lambda row: direction_word(row.get("direction")),
    "status": lambda row: status_cell(row.get("status")),
}
_STRUCK = ("voided", "cancelled")


def _begin_of(column: Column, *, is_first: bool, fold: str) -> str:
    place = column.get("place")
    classes = " ".join(filter(None, (column.get("kind"), f"p-{place}" if place else None)))
    shown = f' class="{escape(classes)}"' if classes else ""
    if is_first:
        return f'<th scope="row" role="rowheader"{shown}>'
    # A card says what a cell is only where it has no place of its own in it.
    label = "" if "cards" in fold and place else f' data-label="{escape(column["title"])}"'
    return f'<td role="cell"{shown}{label}>'
