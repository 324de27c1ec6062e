"""Tables of customers for tests: written as CSV or XLSX, and imported."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from finance.asked import Asked
from finance.customers.columns import parse_columns
from finance.customers.imports import IMPORTED_BY, RowVerdict, import_rows
from finance.customers.model import Book
from finance.database import Db
from finance.encryption import FieldCipher
from finance.tables.reading import read_table
from tests.clients import ENCRYPTION_KEY

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def book_of(db: Db, *, has_key: bool = True) -> Book:
    return Book(db, FieldCipher(db, master_keys=(ENCRYPTION_KEY,) if has_key else ()))


def write_csv(path: Path, *rows: dict[str, Any]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_xlsx(path: Path, *rows: dict[str, Any], **formats: str) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(columns)
    for row in rows:
        sheet.append([row.get(name) for name in columns])
    for cell, shown in formats.items():
        sheet[cell].number_format = shown
    workbook.save(path)
    return path


def import_file(
    db: Db, path: Path, *, apply: bool = True, confirmed: bool = False, has_key: bool = True
) -> list[RowVerdict]:
    table = read_table(path)
    return [
        *import_rows(
            book_of(db, has_key=has_key),
            Asked("acme", IMPORTED_BY, NOW),
            rows=table.rows(),
            columns=parse_columns(table.columns),
            apply=apply,
            confirmed=confirmed,
        )
    ]
