"""Rows of customers, by the same code as `scripts/import_customers.py`."""

from collections.abc import Iterator, Mapping
from typing import Any

from finance.asked import Asked
from finance.customers.columns import parse_columns
from finance.customers.imports import RowVerdict, import_rows
from finance.customers.model import Book
from finance.imports.model import Verdict
from finance.imports.reading import File
from finance.said import said
from finance.tables.reading import Row
from finance.text import without_private

_VERDICTS: Mapping[str, Verdict] = {
    "created": "new",
    "updated": "changed",
    "unchanged": "unchanged",
    "refused": "refused",
}
_SHOWN_MAX = 200


def require_columns(file: File) -> None:
    """Raise UnreadableTable where the columns aren't of customers."""
    parse_columns([*file.columns.ours.values()])


def judge(book: Book, asked: Asked, file: File) -> Iterator[dict[str, Any]]:
    """Yield each row with its verdict; nothing is stored."""
    shown: dict[int, dict[str, str]] = {}

    def rows() -> Iterator[Row]:
        for row in file.rows():
            shown[row.line] = _shown(row)
            yield row

    for verdict in _import(book, asked, file, rows(), apply=False):
        yield _row(verdict, _VERDICTS[verdict.verdict]) | {"shown": shown.pop(verdict.line, {})}


def store(book: Book, asked: Asked, file: File, lines: set[int]) -> Iterator[dict[str, Any]]:
    """Store the rows of these lines, and yield what became of each."""
    rows = (row for row in file.rows() if row.line in lines)
    for verdict in _import(book, asked, file, rows, apply=True):
        yield _row(verdict, "refused" if verdict.verdict == "refused" else "stored")


def _import(book: Book, asked: Asked, file: File, rows: Iterator[Row], *, apply: bool) -> Iterator[RowVerdict]:
    columns = parse_columns([*file.columns.ours.values()])
    return import_rows(book, asked, rows=rows, columns=columns, apply=apply, confirmed=False)


def _row(verdict: RowVerdict, judged: Verdict) -> dict[str, Any]:
    told = [_without_private(text) for text in (*verdict.problems, *verdict.notes)]
    if verdict.changed:
        told.insert(0, said("Changes {names}.", names=", ".join(verdict.changed)))
    row: dict[str, Any] = {"line": verdict.line, "verdict": judged, "problems": told}
    return row | ({"number": verdict.customer_code} if verdict.customer_code else {})


def _without_private(text: str) -> str:
    """Return a text as it is, unless a number that is secret stands in it."""
    shown = without_private(text)
    return text if shown == text else shown


def _shown(row: Row) -> dict[str, str]:
    """Return what people know a customer by; numbers that are secret aren't shown."""
    names = ("customer_name", "customer_code")
    return {name: row.cells[name].text[:_SHOWN_MAX] for name in names if name in row.cells and row.cells[name].text}
