"""Files read back as a spreadsheet, or a program, reads them."""

import csv
import hashlib
import io
import json
from datetime import date, datetime
from typing import Any

import openpyxl
from openpyxl.utils.escape import unescape

CSV_BOM = b"\xef\xbb\xbf"


def csv_rows(answer: Any, *, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a CSV file by their titles."""
    assert answer.status_code == 200, answer.text
    assert answer.data.startswith(CSV_BOM)
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def workbook(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return openpyxl.load_workbook(io.BytesIO(answer.data))


def sheet_rows(sheet: Any) -> list[dict[str, Any]]:
    """Return the cells of a sheet by its titles."""
    header, *rows = sheet.iter_rows()
    return [dict(zip([cell.value for cell in header], row, strict=True)) for row in rows]


def about(book: Any) -> dict[str, Any]:
    """Return what the first sheet says."""
    return {label.value: value.value for label, value in book.worksheets[0].iter_rows(max_col=2)}


def sha256_of(sheet: Any) -> str:
    """Return the SHA-256 of a sheet's rows, made of nothing but its cells: as docs/exports.md has it."""
    digest = hashlib.sha256()
    for row in sheet.iter_rows(min_row=2):
        texts = [_text_of(cell) for cell in row]
        digest.update((json.dumps(texts, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    return digest.hexdigest()


def _text_of(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S" if "hh" in cell.number_format else "%Y-%m-%d")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return f"{value:.{len(cell.number_format.partition('.')[2])}f}"
    return str(unescape(value)) if isinstance(value, str) else str(value)
