"""XLSX files, row by row: the first sheet that is shown, with the kind of each of its cells.

openpyxl reads the cells. What it leaves out is added here: that a cell holds a formula which was never calculated (it
would pass as empty), that it is formatted as a percentage, and which cells are merged.
"""

import re
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element, iterparse
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.worksheet._reader import DATA_TAG, FORMULA_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser

from finance.said import said
from finance.tables.cells import (
    COLUMNS_MAX,
    EMPTY,
    ORDINARY,
    SAVE_AS,
    Cell,
    Kind,
    Limits,
    Line,
    TooLargeTable,
    UnreadableTable,
    cell_of_text,
)
from finance.tables.pausing import PausingZip
from finance.wording import LANGUAGES, say

SHEET_ROWS = 1_048_576  # a file may claim to have any number of rows
ELEMENTS_MAX = 200_000  # of one row, or before the first: what is unpacked is bounded, what it becomes in memory isn't
EXCEL_DIGITS_MAX = 15  # beyond these a cell that holds a number has lost digits
_CHUNK = 1024 * 1024
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
_MERGED_LENGTH_MAX = 200
_TAGS_MIN = 8  # in a whole chunk: a cell has 32,767 characters at most
_NO_CODE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')  # of a number format: what is shown as it stands
_SHEETS = "xl/worksheets/"
_NOT_READ = (_SHEETS, "xl/pivotCache/", "xl/media/", "xl/drawings/", "xl/charts/", "xl/calcChain.xml")


def workbook_lines(file: IO[bytes], path: Path, limits: Limits = ORDINARY) -> Iterator[Line]:
    _require_workbook(file, path, limits)
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and extensions, which say nothing of the cells
            sheet = _sheet_of(_loaded(file))
            _require_unmerged(sheet, path)
            yield from _lines_of(sheet, path)
    except UnreadableTable:
        raise
    except Exception as error:
        # openpyxl has no error of its own: on a damaged file it fails in as many ways as there are files.
        raise UnreadableTable(
            said("{path} can't be read as a workbook: {remedy}.", path=path, remedy=SAVE_AS)
        ) from error


def _loaded(file: IO[bytes]) -> Any:
    """Return the workbook, as openpyxl's load_workbook does, while others run."""
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = PausingZip(file)
    reader.read()
    return reader.wb


def _sheet_of(workbook: Any) -> Any:
    """Return the first sheet that is shown; in a file of ours, whose first sheet tells about it, the one after."""
    shown = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    is_ours = len(shown) > 1 and shown[0].title in [say("about", language) for language in LANGUAGES]
    return shown[1 if is_ours else 0]


def _require_workbook(file: IO[bytes], path: Path, limits: Limits) -> None:
    """Raise UnreadableTable unless the ZIP file is a workbook of a bounded size. No more than it says is unpacked."""
    try:
        with ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
    except (BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise UnreadableTable(said("{path} is damaged: {remedy}.", path=path, remedy=SAVE_AS)) from error
    if "mimetype" in members:
        raise UnreadableTable(
            said("{path} is an OpenDocument file (.ods), whatever its name: {remedy}.", path=path, remedy=SAVE_AS)
        )
    if "xl/workbook.xml" not in members:
        raise UnreadableTable(
            said("{path} is not an Excel workbook (.xlsx), whatever its name: {remedy}.", path=path, remedy=SAVE_AS)
        )
    _require_bounded(members, path, limits)
    try:
        with ZipFile(file) as archive:
            _require_few_tags(archive, members, path, limits)
    except (BadZipFile, ValueError, NotImplementedError, EOFError, zlib.error) as error:
        raise UnreadableTable(said("{path} is damaged: {remedy}.", path=path, remedy=SAVE_AS)) from error


def _require_bounded(members: Mapping[str, ZipInfo], path: Path, limits: Limits) -> None:
    held = sum(member.file_size for name, member in members.items() if not name.startswith(_NOT_READ))
    for size, size_max in (
        (sum(m.file_size for m in members.values()), limits.unpacked_bytes),
        (held, limits.held_bytes),
    ):
        if size > size_max:
            raise TooLargeTable(
                said(
                    "{path} unpacks to more than {most} bytes: save its columns as CSV UTF-8.", path=path, most=size_max
                )
            )


def _require_few_tags(archive: ZipFile, members: Mapping[str, ZipInfo], path: Path, limits: Limits) -> None:
    """Raise TooLargeTable where what is held would be many small things: each takes far more than it has bytes."""
    others = 0
    for name in members:
        is_sheet = name.startswith(_SHEETS) and name.endswith(".xml")
        if name.startswith(_NOT_READ) and not is_sheet:
            continue
        tags = _count_tags(archive, name, until=b"sheetData" if is_sheet else None)
        is_texts = "sharedstrings" in name.lower()
        others += 0 if is_texts else tags
        if (is_texts and tags > limits.tags) or others > limits.tags // 10:
            raise TooLargeTable(said("{path} has too many texts or styles: save its columns as CSV UTF-8.", path=path))


def _count_tags(archive: ZipFile, name: str, *, until: bytes | None) -> int:
    """Return how many tags a part has, or how many come before `until`: rows are forgotten as they are read."""
    count = 0
    with archive.open(name) as member:
        while chunk := member.read(_CHUNK):
            count += chunk.partition(until)[0].count(b"<") if until else chunk.count(b"<")
            if until and until in chunk:
                break
            time.sleep(0)  # lets others run
    return count


def _require_unmerged(sheet: Any, path: Path) -> None:
    """Raise UnreadableTable where cells are merged: all but one of them are empty, and what they mean is a guess."""
    with sheet._get_source() as source:
        before = b""
        while chunk := source.read(_CHUNK):
            time.sleep(0)  # lets others run
            if len(chunk) == _CHUNK and chunk.count(b"<") < _TAGS_MIN:
                raise UnreadableTable(
                    said(
                        "{path} has a cell with more characters than a cell can have: {remedy}.",
                        path=path,
                        remedy=SAVE_AS,
                    )
                )
            found = _MERGED.search(before + chunk)
            if found:
                cells = found[1].decode()
                raise UnreadableTable(
                    said(
                        "{path}: the cells {cells} are merged; unmerge them and fill in each of them.",
                        path=path,
                        cells=cells,
                    )
                )
            before = chunk[-_MERGED_LENGTH_MAX:]


def _lines_of(sheet: Any, path: Path) -> Iterator[Line]:
    workbook = sheet.parent
    percent_styles = _percent_styles(workbook)
    with sheet._get_source() as source:
        parser = _Parser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,
            timedelta_formats=workbook._timedelta_formats,
        )
        for row in _rows_of(source, path):
            number, cells = parser.parse_row(row)
            if number > SHEET_ROWS:
                return
            held = [cell for cell in cells if cell["value"] is not None or cell["data_type"] == "f"]
            if held:
                yield Line(number, _placed(held, percent_styles, path, number), row.get("hidden") in ("1", "true"))


def _rows_of(source: IO[bytes], path: Path) -> Iterator[Element]:
    """Yield each row of a sheet, and forget it afterwards; what follows the rows isn't read."""
    data: Element | None = None
    begun = 0
    for event, element in iterparse(source, ("start", "end")):
        begun += event == "start"
        if begun > ELEMENTS_MAX:
            raise UnreadableTable(
                said(
                    "{path} has a row of more than {most} columns: {remedy}.",
                    path=path,
                    most=COLUMNS_MAX,
                    remedy=SAVE_AS,
                )
            )
        if element.tag == DATA_TAG:
            if event == "end":
                return
            data = element
        elif element.tag == ROW_TAG and event == "end":
            yield element
            begun = 0
            if data is not None:
                data.clear()


class _Parser(WorkSheetParser):
    def parse_cell(self, element: Element) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and element.find(FORMULA_TAG) is not None:
            is_empty_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
            cell["data_type"] = "s" if is_empty_text else "f"
        return cell


def _placed(cells: list[dict[str, Any]], percent_styles: set[int], path: Path, number: int) -> list[Cell]:
    width = max(cell["column"] for cell in cells)
    if width > COLUMNS_MAX:
        raise UnreadableTable(
            said("{path}: line {number} has more than {most} columns.", path=path, number=number, most=COLUMNS_MAX)
        )
    placed = [EMPTY] * width
    for cell in cells:
        placed[cell["column"] - 1] = _cell(cell, is_percent=int(cell["style_id"] or 0) in percent_styles)
    return placed


def _cell(cell: dict[str, Any], *, is_percent: bool) -> Cell:
    value = cell["value"]
    if cell["data_type"] == "f":
        return Cell("", "formula")
    if cell["data_type"] == "e":
        return Cell(str(value), "error")
    if isinstance(value, bool):
        return Cell("true" if value else "false", "flag")
    if isinstance(value, int | float):
        return _number(value, "percent" if is_percent else "number")
    if cell["data_type"] == "d":
        return Cell(_date_text(value), "date")
    text = str(value)
    return cell_of_text(text) if text[:1] == "#" else Cell(text)  # a text that begins with = is no formula here


def _number(value: float, kind: Kind) -> Cell:
    """Return a number with the fewest digits that mean it. A long whole number has lost digits in the spreadsheet."""
    if not isfinite(value):
        return Cell(str(value), "error")
    exact = Decimal(repr(value))
    whole = exact == exact.to_integral_value()
    text = f"{exact:f}"
    if whole:
        text = text.split(".")[0]
        if len(text.lstrip("-")) > EXCEL_DIGITS_MAX:
            return Cell(text, "rounded")
    return Cell(text, kind)


def _date_text(value: object) -> str:
    if isinstance(value, datetime) and (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0):
        value = value.date()
    return value.isoformat() if isinstance(value, date) else str(value)


def _percent_styles(workbook: Any) -> set[int]:
    """Return which styles of cells show 0.18 as 18 %."""
    formats = [_format_of(workbook, style.numFmtId) for style in workbook._cell_styles]
    return {style for style, shown in enumerate(formats) if "%" in _NO_CODE.sub("", shown)}


def _format_of(workbook: Any, number: int) -> str:
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return str(BUILTIN_FORMATS.get(number, "General"))
    return str(workbook._number_formats[number - BUILTIN_FORMATS_MAX_SIZE])
