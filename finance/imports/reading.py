"""The file of an upload as a table: its bytes in a temporary file, read within the limits of an upload."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from finance.database import Db
from finance.encryption import FieldCipher
from finance.imports import receiving
from finance.imports.columns import Columns, columns_of
from finance.imports.model import FILE_BYTES_MAX, LIMITS, ROWS_MAX, Import
from finance.payments.sources import SourceRow, in_zone
from finance.said import Said, said
from finance.tables.cells import Cell, TooLargeTable, UnreadableTable
from finance.tables.reading import Row, Table, read_table

ROWS_AT_ONCE = 25
_SUFFIX_LENGTH_MAX = 8
PAUSE_S = 0.001  # after so many rows: a request has several steps, and waits for some rows at each otherwise
# A comma with one or two digits after it, and spaces between groups of three, can mean one thing only.
_COMMA = re.compile(r"(\d+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+)(?:[.,](\d{1,2}))?", re.ASCII)


@dataclass(frozen=True)
class File:
    """An upload that can be read, as often as needed."""

    table: Table
    columns: Columns
    tell: Callable[[int], None]

    def rows(self) -> Iterator[Row]:
        """Yield the rows with their columns by our names, without those that aren't read."""
        ours = self.columns.ours
        for place, row in enumerate(self.table.rows()):
            if place % ROWS_AT_ONCE == 0:
                time.sleep(PAUSE_S)
            self.tell(place)
            yield replace(
                row, cells={ours[name]: in_zone(name, cell) for name, cell in row.cells.items() if name in ours}
            )

    def payments(self) -> Iterator[SourceRow]:
        """Yield the rows as those of payments."""
        for row in self.rows():
            yield SourceRow(f"line {row.line}", _with_amount(row.cells), row.problem)


@contextmanager
def opened(db: Db, upload: Import, *, cipher: FieldCipher, tell: Callable[[int], None]) -> Iterator[File]:
    """Give the file of an upload; raises UnreadableTable, in whose words it has the name that people gave it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{_suffix(upload['name'])}"
        with path.open("wb") as written:
            for piece in receiving.pieces_of(db, upload, cipher=cipher):
                written.write(piece)
        try:
            table = read_table(path, LIMITS)
            yield File(table, columns_of(upload["kind"], table.columns), tell)
        except TooLargeTable as large:
            raise UnreadableTable(
                said(
                    "{problem} A file of more than {megabytes} MB or {rows} rows is imported by whoever runs the "
                    "service: {command}",
                    problem=_named(large, path, upload),
                    megabytes=FILE_BYTES_MAX // 1024 // 1024,
                    rows=f"{ROWS_MAX:,}",
                    command=receiving.command(upload),
                )
            ) from large
        except UnreadableTable as refused:
            raise UnreadableTable(_named(refused, path, upload)) from refused


def line_of(place: str) -> int:
    """Return the number of the line at a place."""
    return int(place.rpartition(" ")[2])


def _suffix(name: str) -> str:
    suffix = Path(name).suffix
    return suffix if len(suffix) <= _SUFFIX_LENGTH_MAX and suffix.isascii() else ""


def _named(refused: UnreadableTable, path: Path, upload: Import) -> str:
    """Return what is wrong, with the name of the file in the place of where it is here."""
    detail = refused.detail
    if not isinstance(detail, Said):
        return detail.replace(str(path), upload["name"])
    return Said(
        detail.template,
        {name: upload["name"] if value in (path, str(path)) else value for name, value in detail.values.items()},
    )


def _with_amount(cells: Mapping[str, Cell]) -> Mapping[str, Cell]:
    """Return the cells, an amount as the API writes it where it is clear what it means: "1 250,50" is 1250.50."""
    amount = cells.get("amount")
    meant = _COMMA.fullmatch(amount.text.strip()) if amount is not None and amount.kind == "text" else None
    if meant is None:
        return cells
    whole = re.sub(r"\D", "", meant[1], flags=re.ASCII)
    return {**cells, "amount": Cell(f"{whole}.{meant[2]}" if meant[2] else whole)}
