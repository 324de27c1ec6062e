"""A CSV or XLSX file as a table: the names of its columns, and its rows as often as they are asked for.

What can't be read is refused in one sentence that says what to do. No file is guessed at: cp1252 read as another code
page gives names that look right in one country and wrong in the next. A file is read line by line, so however many
rows it has, no more than one of them is held (of a workbook also the texts of its cells).
"""

import codecs
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from finance.said import said
from finance.tables.cells import (
    COLUMNS_MAX,
    EMPTY,
    ORDINARY,
    SAVE_AS,
    Cell,
    Limits,
    Line,
    TooLargeTable,
    UnreadableTable,
)
from finance.tables.csv_files import csv_lines
from finance.tables.pausing import LINES_AT_ONCE, PausingFile
from finance.tables.workbooks import workbook_lines

FILE_BYTES_MAX = 512 * 1024 * 1024
_HEAD_BYTES = 4_096
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream of [MS-OFFCRYPTO] in which the workbook is


@dataclass(frozen=True)
class Row:
    """A row: its number in the file, its cells by the name of their column, and why they can't be told apart."""

    line: int
    cells: Mapping[str, Cell]
    problem: str | None = None
    is_hidden: bool = False


@dataclass(frozen=True)
class Table:
    """A file that was read to its end once: the names of its columns in small letters, how many rows it has, and how
    many of them its spreadsheet hides.
    """

    path: Path
    columns: tuple[str, ...]
    rows_count: int
    rows_hidden: int
    limits: Limits = ORDINARY

    def rows(self) -> Iterator[Row]:
        """Yield the rows that aren't empty; raises UnreadableTable."""
        with closing(_lines(self.path, self.limits)) as lines:
            yield from _rows(self.columns, _header(lines, self.path), lines)


def read_table(path: Path, limits: Limits = ORDINARY) -> Table:
    """Return the table in a CSV file (UTF-8, or UTF-16 with its mark) or an XLSX file; raises UnreadableTable.

    The whole file is read, so that one that can't be read to its end is refused before any of its rows is used.
    """
    with closing(_lines(path, limits)) as lines:
        header = _header(lines, path)
        columns, count, hidden = _columns(header), 0, 0
        for row in _rows(columns, header, lines):
            if not count:
                _require_no_second_header(row, columns)
            count += 1
            hidden += row.is_hidden
            if count > limits.rows:
                raise TooLargeTable(
                    said("{path} has more than {most} rows: split it into several files.", path=path, most=limits.rows)
                )
    return Table(path, columns, count, hidden, limits)


def _rows(columns: tuple[str, ...], header: Line, lines: Iterator[Line]) -> Iterator[Row]:
    for line in lines:
        if not _is_blank(line):
            cells = dict(zip(columns, line.cells, strict=False))
            yield Row(line.number, cells, _misfit(line, len(columns), len(header.cells)), line.is_hidden)


def _misfit(line: Line, columns: int, width: int) -> str | None:
    """Return why the cells of a line can't be told apart by the columns: one too many has moved the others."""
    if len(line.cells) <= width and all(cell == EMPTY for cell in line.cells[columns:]):
        return None
    return said(
        "has {cells} cells and the first line names {columns} columns: a cell that holds the "
        "separator has to stand in double quotes.",
        cells=len(line.cells),
        columns=columns,
    )


def _header(lines: Iterator[Line], path: Path) -> Line:
    header = next((line for line in lines if not _is_blank(line)), None)
    if header is None:
        raise UnreadableTable(said("{path} is empty: its first line must name the columns.", path=path))
    return header


def _columns(header: Line) -> tuple[str, ...]:
    columns = [cell.text.strip().lower() for cell in header.cells]
    while not columns[-1]:
        columns.pop()
    if "" in columns:
        raise UnreadableTable(
            said("Column {place} has no name: the first line must name every column.", place=columns.index("") + 1)
        )
    repeated = next((name for place, name in enumerate(columns) if name in columns[:place]), None)
    if repeated is not None:
        raise UnreadableTable(said("The column {name!r} stands twice.", name=repeated[:60]))
    return tuple(columns)


def _require_no_second_header(row: Row, columns: tuple[str, ...]) -> None:
    texts = {cell.text.strip().lower() for cell in row.cells.values()} - {""}
    if texts and texts <= {*columns}:
        raise UnreadableTable(
            said("Line {line} names the columns again: keep one line of names, the first.", line=row.line)
        )


def _is_blank(line: Line) -> bool:
    return all(cell.kind == "text" and not cell.text.strip() for cell in line.cells)


# --- Files -------------------------------------------------------------------------------------------------------


def _lines(path: Path, limits: Limits) -> Generator[Line, None, None]:
    try:
        with _opened(path) as file:
            for place, line in enumerate(_lines_of(file, path, limits)):
                if place % LINES_AT_ONCE == 0:
                    time.sleep(0)  # lets others run
                if len(line.cells) > COLUMNS_MAX:
                    raise UnreadableTable(
                        said(
                            "{path}: line {number} has more than {most} columns.",
                            path=path,
                            number=line.number,
                            most=COLUMNS_MAX,
                        )
                    )
                yield line
    except OSError as error:
        raise UnreadableTable(
            said("{path} can't be read: {reason}.", path=path, reason=error.strerror or type(error).__name__)
        ) from error


def _opened(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():
        raise UnreadableTable(said("{path} is not a file: name the CSV or XLSX file itself.", path=path))
    if path.exists() and path.stat().st_size > FILE_BYTES_MAX:
        raise UnreadableTable(
            said("{path} has more than {most} bytes: split it into several files.", path=path, most=FILE_BYTES_MAX)
        )
    return PausingFile(path)


def _lines_of(file: IO[bytes], path: Path, limits: Limits) -> Iterator[Line]:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith(_ZIP):
        return workbook_lines(file, path, limits)
    if head.startswith(_OLE):
        if _ENCRYPTED in file.read():
            raise UnreadableTable(said("{path} is protected by a password: save it again without one.", path=path))
        raise UnreadableTable(
            said("{path} is an old Excel workbook (.xls), whatever its name: {remedy}.", path=path, remedy=SAVE_AS)
        )
    if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        raise UnreadableTable(
            said("{path} is a web page or XML, whatever its name: {remedy}.", path=path, remedy=SAVE_AS)
        )
    if head and path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise UnreadableTable(
            said("{path} is not the workbook that its name says: {remedy}.", path=path, remedy=SAVE_AS)
        )
    return csv_lines(file, path)
