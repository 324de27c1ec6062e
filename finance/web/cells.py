"""The rows of a table and what stands in their cells, written here: a list of 50 has 300 cells, and macros are slow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from finance.web.words import status_word

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


def status_cell(name: str, detail: str = "") -> Markup:
    """Return a status: a word, with the glyph and the colour that the style sheet gives it."""
    said = f"{status_word(name)} {detail}" if detail else status_word(name)
    return Markup(f'<span class="status is-{escape(name)}">{escape(said)}</span>')


def text_cell(value: Any) -> Markup:
    """Return what people have typed: in its own direction, wrapped where it is long."""
    return Markup(f'<span class="free" dir="auto">{escape(value)}</span>') if value else Markup("–")


def _begin_of(column: Column, *, is_first: bool, fold: str) -> str:
    place = column.get("place")
    classes = " ".join(filter(None, (column.get("kind"), f"p-{place}" if place else None)))
    shown = f' class="{escape(classes)}"' if classes else ""
    if is_first:
        return f'<th scope="row" role="rowheader"{shown}>'
    # A card says what a cell is only where it has no place of its own in it.
    label = "" if fold == "cards" and place else f' data-label="{escape(column["title"])}"'
    return f'<td role="cell"{shown}{label}>'
