"""Tables as people save them from a spreadsheet: CSV and XLSX, known by what is in the file, whatever its name.

What can't be read is refused in one sentence that says what to do. No file is guessed at: cp1252 read as another code
page gives names that look right in one country and wrong in the next.
"""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook

from finance.errors import Invalid

FILE_BYTES_MAX = 64 * 1024 * 1024
UNPACKED_BYTES_MAX = 128 * 1024 * 1024  # an XLSX is a ZIP; 100,000 customers unpack to about 90 MB
ROWS_MAX = 100_000
SHEET_ROWS = 1_048_576  # a file may claim to have any number of rows
COLUMNS_MAX = 1_000
EXCEL_DIGITS_MAX = 15  # beyond these a cell that holds a number has lost digits
ROUNDED = "\0rounded"

_SAVE_AS = "open it in your spreadsheet and save it as 'CSV UTF-8' or as .xlsx"
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream of [MS-OFFCRYPTO] in which the workbook is
_SEPARATOR_LINE = re.compile(r"sep=([^\r\n])\r?\n", re.IGNORECASE)  # Excel's own first line
_CSV_PROBLEMS = {
    "field larger": "a cell has more than 131072 characters; is a double quote before it not closed?",
    "unexpected end": "a double quote is opened and never closed.",
    "expected after": "a double quote within a cell has to be doubled, and the cell to stand in quotes.",
}


class UnreadableTable(Invalid):
    pass


def read_lines(path: Path) -> list[list[str]]:
    """Return the cells of each line of a CSV file (UTF-8, or UTF-16 with its mark) or of an XLSX file's first sheet.

    Raises UnreadableTable.
    """
    try:
        with _opened(path) as file:
            lines = list(_bounded(_lines_of(file, path), path))
    except OSError as error:
        raise UnreadableTable(f"{path} can't be read: {error.strerror or type(error).__name__}.") from error
    if not any(lines):
        raise UnreadableTable(f"{path} is empty: its first line must name the columns.")
    return lines


def _opened(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():
        raise UnreadableTable(f"{path} is not a file: name the CSV or XLSX file itself.")
    if path.exists() and path.stat().st_size > FILE_BYTES_MAX:
        raise UnreadableTable(f"{path} has more than {FILE_BYTES_MAX} bytes: split it into several files.")
    return path.open("rb")


def _lines_of(file: IO[bytes], path: Path) -> Iterator[list[str]]:
    raw = file.read()
    if raw.startswith(_ZIP):
        _require_workbook(file, path)
        return _xlsx_lines(file, path)
    if raw.startswith(_OLE):
        if _ENCRYPTED in raw:
            raise UnreadableTable(f"{path} is protected by a password: save it again without one.")
        raise UnreadableTable(f"{path} is an old Excel workbook (.xls), whatever its name: {_SAVE_AS}.")
    if raw.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        raise UnreadableTable(f"{path} is a web page or XML, whatever its name: {_SAVE_AS}.")
    if raw and path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise UnreadableTable(f"{path} is not the workbook that its name says: {_SAVE_AS}.")
    return _csv_lines(_decoded(raw, path), path)


def _bounded(lines: Iterable[list[str]], path: Path) -> Iterator[list[str]]:
    rows = 0
    for number, cells in enumerate(lines, start=1):
        rows += bool(cells)  # a sheet that is formatted to its end has a million rows without a cell
        if rows > ROWS_MAX + 1:
            raise UnreadableTable(f"{path} has more than {ROWS_MAX} rows: split it into several files.")
        if len(cells) > COLUMNS_MAX:
            raise UnreadableTable(f"{path}: line {number} has more than {COLUMNS_MAX} columns.")
        yield cells


# --- CSV ---------------------------------------------------------------------------------------------------------


def _decoded(raw: bytes, path: Path) -> str:
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    is_utf_16 = raw.startswith(marks) and not raw.startswith(codecs.BOM_UTF32_LE)
    if b"\0" in raw and not is_utf_16:
        raise UnreadableTable(f"{path} holds NUL characters, so it is no text in UTF-8: {_SAVE_AS}.")
    try:
        return raw.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableTable(f"{path} is not in UTF-8 (line {line}): {_SAVE_AS}.") from error


def _csv_lines(text: str, path: Path) -> Iterator[list[str]]:
    named = _SEPARATOR_LINE.match(text)
    text = text[named.end() :] if named else text
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    delimiter = named[1] if named else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        words = next((words for part, words in _CSV_PROBLEMS.items() if part in str(error)), f"{error}.")
        raise UnreadableTable(f"{path}: line {reader.line_num} can't be read as CSV: {words}") from error


# --- XLSX --------------------------------------------------------------------------------------------------------


def _require_workbook(file: IO[bytes], path: Path) -> None:
    """Raise UnreadableTable unless the ZIP file is a workbook of a bounded size. No more than it says is unpacked."""
    try:
        with ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
    except (BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise UnreadableTable(f"{path} is damaged: {_SAVE_AS}.") from error
    if "mimetype" in members:
        raise UnreadableTable(f"{path} is an OpenDocument file (.ods), whatever its name: {_SAVE_AS}.")
    if "xl/workbook.xml" not in members:
        raise UnreadableTable(f"{path} is not an Excel workbook (.xlsx), whatever its name: {_SAVE_AS}.")
    if sum(member.file_size for member in members.values()) > UNPACKED_BYTES_MAX:
        raise UnreadableTable(f"{path} unpacks to more than {UNPACKED_BYTES_MAX} bytes: save its columns as CSV UTF-8.")


def _xlsx_lines(file: IO[bytes], path: Path) -> Iterator[list[str]]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and extensions, which say nothing of the cells
            workbook = load_workbook(file, read_only=True, data_only=True)
            for row in workbook.worksheets[0].iter_rows(values_only=True, max_row=SHEET_ROWS, max_col=COLUMNS_MAX + 1):
                yield _without_end(row)
    except UnreadableTable:
        raise
    except Exception as error:
        # openpyxl has no error of its own: on a damaged file it fails in as many ways as there are files.
        raise UnreadableTable(f"{path} can't be read as a workbook ({type(error).__name__}): {_SAVE_AS}.") from error


def _without_end(row: tuple[Any, ...]) -> list[str]:
    """Return the cells of a row up to its last one that isn't empty."""
    if row.count(None) == len(row):
        return []
    width = next(place for place in range(len(row), 0, -1) if row[place - 1] is not None)
    return [_text_of_cell(value) for value in row[:width]]


def _text_of_cell(value: Any) -> str:
    """Return what a cell shows. A long number that isn't text has lost digits in Excel: it must not pass as whole."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and len(str(abs(value))) > EXCEL_DIGITS_MAX:
        return ROUNDED
    return str(value)
