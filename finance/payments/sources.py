"""Where payments of another system are read from: a table, a file of JSON lines, or a collection.

Each is read from its beginning as often as it is asked for, a row at a time, and nothing is ever written into it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from finance.database import Db
from finance.payments import store
from finance.said import said
from finance.tables.cells import Cell, UnreadableTable
from finance.tables.reading import Table, read_table

LINE_BYTES_MAX = 1024 * 1024
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_IN_A_ZONE = re.compile(r" \(([a-z0-9/_+-]+)\)$")  # as our own files name the zone of an instant, which says its offset
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SourceRow:
    """A row of theirs: where it stands, its values by their names, and why it can't be read where that is so."""

    place: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Source:
    """`name` is what its rows are known under when they come again; `read` begins anew at the first row."""

    name: str
    described: str
    read: Callable[[], Iterator[SourceRow]]
    total: int | None = None
    is_file: bool = False


def of_file(path: Path, *, name: str) -> Source:
    """Return the rows of a CSV, XLSX or JSONL file; raises UnreadableTable."""
    if path.suffix.lower() in JSON_SUFFIXES:
        return Source(name, path.name, lambda: _json_rows(path), is_file=True)
    table = read_table(path)
    return Source(name, path.name, lambda: _table_rows(table), table.rows_count, is_file=True)


def of_collection(db: Db, *, database: str, collection: str, name: str) -> Source:
    """Return the documents of a collection on the same server."""

    def read() -> Iterator[SourceRow]:
        for document in store.each_foreign(db, database=database, collection=collection):
            yield SourceRow(f"_id {_shown(document.get('_id'))}", document)

    total = store.count_foreign(db, database=database, collection=collection)
    return Source(name, f"{database}.{collection}", read, total)


def _shown(row_id: Any) -> str:
    """Return an _id as people write it; the text "5" is another than the number 5."""
    shown = repr(row_id) if isinstance(row_id, str) and row_id.isdigit() else str(row_id)
    return shown.encode(errors="backslashreplace").decode()


# --- Tables ------------------------------------------------------------------------------------------------------


def without_zone(name: str) -> str:
    """Return the name of a column without the zone of its instants, as our own files name it there."""
    return _IN_A_ZONE.sub("", name)


def in_zone(name: str, cell: Cell) -> Cell:
    """Return a cell, an instant of a workbook with the offset of the zone that the name of its column says."""
    named = _IN_A_ZONE.search(name)
    zone = _zone(named[1]) if named and cell.kind == "date" and "T" in cell.text else None
    if zone is None:
        return cell
    return Cell(datetime.fromisoformat(cell.text).replace(tzinfo=zone).isoformat(), "date")


@cache
def _zones() -> Mapping[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _zone(name: str) -> ZoneInfo | None:
    """Return the zone of a name in small letters, as columns are; None where there is none."""
    known = _zones().get(name)
    return None if known is None else ZoneInfo(known)


def _table_rows(table: Table) -> Iterator[SourceRow]:
    for row in table.rows():
        values = {without_zone(name): in_zone(name, cell) for name, cell in row.cells.items()}
        yield SourceRow(f"line {row.line}", values, row.problem)


# --- JSON lines --------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[SourceRow]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES_MAX):
                number += 1
                if line.strip():
                    yield _json_row(f"line {number}", line)
    except OSError as error:
        raise UnreadableTable(
            said("{path} can't be read: {reason}.", path=path, reason=error.strerror or type(error).__name__)
        ) from error


def _json_row(place: str, line: bytes) -> SourceRow:
    if line.lstrip()[:1] == b"[":
        return SourceRow(place, problem=said("is a list: one object a line is read (mongoexport without --jsonArray)."))
    if len(line) == LINE_BYTES_MAX:
        return SourceRow(place, problem=said("has more than {most} bytes.", most=LINE_BYTES_MAX))
    try:
        row = json.loads(
            line.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, ArithmeticError, OverflowError, TypeError, RecursionError):
        return SourceRow(place, problem=said("is no JSON object in UTF-8, with each name once."))
    return SourceRow(place, row) if isinstance(row, Mapping) else SourceRow(place, problem=said("is no JSON object."))


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _object(members: list[tuple[str, Any]]) -> Any:
    """Return an object, or what it stands for in MongoDB's extended JSON; raises ValueError."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a name stands twice")
    if len(found) == 1:
        name, value = members[0]
        if name in _EXTENDED:
            return _EXTENDED[name](value)
    return found


def _date(value: Any) -> datetime:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("an instant without a time zone")
        return moment
    return _EPOCH + timedelta(milliseconds=int(value))


_EXTENDED: Mapping[str, Callable[[Any], Any]] = {
    "$oid": str,
    "$date": _date,
    "$numberInt": int,
    "$numberLong": int,
    "$numberDouble": float,
    "$numberDecimal": Decimal,
}
