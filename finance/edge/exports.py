"""Lists as files for accountants: CSV, streamed, and XLSX. No cell of them is one that a spreadsheet would execute."""

import contextvars
import csv
import functools
import io
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import xlsxwriter
from flask import Response, current_app, g

from finance import database
from finance.edge.blueprints import Blueprint
from finance.edge.cells import csv_cell, write_cell
from finance.errors import Invalid, TooManyRequests

EXTENSION = "finance-exports"
RETRY_AFTER_S = 5

XLSX_ROWS_MAX = 1_048_575  # of a sheet, below its header
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_BOM = "\ufeff"
_CHUNK_ROWS = 200
_CHUNK_BYTES = 64 * 1024


class TooManyExports(TooManyRequests):
    detail_default = "Too many files are being written now. Wait for those that you asked for, then try again."


class Slots:
    """How many files may be written at a time; of those one tenant has at most half."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._of_one_tenant_max = max(1, at_once // 2)
        self._taken: Counter[str] = Counter()

    def take(self, tenant: str) -> Callable[[], None]:
        """Take a slot and return what gives it back, once; raises TooManyExports."""
        if self._taken.total() >= self._at_once or self._taken[tenant] >= self._of_one_tenant_max:
            raise TooManyExports(retry_after_s=RETRY_AFTER_S)
        self._taken[tenant] += 1
        is_held = [True]

        def give_back() -> None:
            if is_held:
                is_held.clear()
                self._taken -= Counter({tenant: 1})  # and forgets who has none

        return give_back


class Exports:
    """What all exports of an app share: their slots, and what records that a table is taken away in a format."""

    def __init__(self, at_once: int, record: Callable[[str, str], None]) -> None:
        self.slots = Slots(at_once)
        self.record = record


@dataclass(frozen=True)
class Table:
    """What a file shows: the columns in order, and which of them are amounts."""

    name: str
    columns: Sequence[str]
    amounts: frozenset[str]


def exported(
    blueprint: Blueprint, path: str, table: Table, dump: Callable[[Any], Mapping[str, Any]]
) -> Callable[[Callable[..., Iterator[list[Any]]]], None]:
    """Return a decorator that serves what a view yields, page by page, as `path`.csv, streamed, and as `path`.xlsx."""

    def decorate(view: Callable[..., Iterator[list[Any]]]) -> None:
        for suffix, content_type, file_reply in (("csv", "text/csv", csv_reply), ("xlsx", XLSX_TYPE, xlsx_reply)):
            served = functools.wraps(view)(_serving(view, table, dump, suffix, file_reply))
            served.__name__ = f"{view.__name__}_{suffix}"
            served.__doc__ = f"{view.__doc__} as {suffix.upper()}"
            shape = {"type": "string", "contentMediaType": content_type}
            documented = blueprint.response(200, schema=shape, content_type=content_type)(served)
            blueprint.route(f"{path}.{suffix}", methods=["GET"])(documented)

    return decorate


def _serving(
    view: Callable[..., Iterator[list[Any]]],
    table: Table,
    dump: Callable[[Any], Mapping[str, Any]],
    file_format: str,
    file_reply: Callable[[Table, Iterable[Mapping[str, Any]]], Response],
) -> Callable[..., Response]:
    def serve(*args: Any, **kwargs: Any) -> Response:
        pages = each_in_time(view(*args, **kwargs), deadline_s=g.frame.deadline_s)
        exports: Exports = current_app.extensions[EXTENSION]
        give_back = exports.slots.take(g.caller.tenant)  # the guard around the view has set who asks
        try:
            # Allowed and understood by now, and not a row read yet.
            exports.record(table.name, file_format)
            answer = file_reply(table, (dump(document) for page in pages for document in page))
        except BaseException:
            give_back()
            raise
        answer.call_on_close(give_back)  # when it was sent, and when the client has left
        return answer

    return serve


def each_in_time(pages: Iterator[list[Any]], *, deadline_s: float) -> Iterator[list[Any]]:
    """Yield each page within the database's deadline, counted for that page alone.

    Each is read in a context of its own: the request's deadline is for all that it asks, and would end a long export.
    """
    while True:
        page = contextvars.Context().run(_next_in_time, pages, deadline_s)
        if page is None:
            return
        yield page


def csv_reply(table: Table, rows: Iterable[Mapping[str, Any]]) -> Response:
    """Return a response that streams CSV: UTF-8 with the mark that Excel wants.

    The first rows are read now, so that a database that is away is a 503.
    """
    chunks = _csv_chunks(table, rows)
    first = next(chunks)
    body = (chunk.encode() for chunk in itertools.chain([first], chunks))
    return _file_reply(body, content_type="text/csv; charset=utf-8", filename=f"{table.name}.csv")


def xlsx_reply(table: Table, rows: Iterable[Mapping[str, Any]]) -> Response:
    """Return a response with an XLSX file, written row by row to disk; raises Invalid where a sheet is too small."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed when it has been sent
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        sheet = workbook.add_worksheet(table.name)
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(table.columns):
            sheet.write_string(0, column, name)
        for position, row in enumerate(rows, start=1):
            if position > XLSX_ROWS_MAX:
                raise Invalid(f"A sheet holds {XLSX_ROWS_MAX} rows: narrow the filters, or take export.csv.")
            for column, name in enumerate(table.columns):
                write_cell(sheet, position, column, row[name], is_amount=name in table.amounts)
    file.seek(0)
    return _file_reply(_chunks_of(file), content_type=XLSX_TYPE, filename=f"{table.name}.xlsx")


def _next_in_time(pages: Iterator[list[Any]], deadline_s: float) -> list[Any] | None:
    with database.deadline(deadline_s):
        return next(pages, None)


def _file_reply(body: Iterable[bytes], *, content_type: str, filename: str) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(body, content_type=content_type, headers=disposition)


def _csv_chunks(table: Table, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    text = io.StringIO()
    text.write(_BOM)
    csv.writer(text).writerow(table.columns)
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    for position, row in enumerate(rows, start=1):
        writer.writerow([csv_cell(row[name], is_amount=name in table.amounts) for name in table.columns])
        if position % _CHUNK_ROWS == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> str:
    chunk = text.getvalue()
    text.seek(0)
    text.truncate()
    return chunk


def _chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
