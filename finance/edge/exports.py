"""Lists as files for accountants: CSV, streamed, and XLSX. No cell of them is one that a spreadsheet would execute."""

import contextvars
import functools
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, current_app, g, request

from finance import database
from finance.edge.blueprints import Blueprint
from finance.edge.failures import fails
from finance.edge.files.csv_files import CHUNK_BYTES, CsvFile
from finance.edge.files.later import EXAMPLE, ExportSchema
from finance.edge.files.options import SCHEMA_BY_FORMAT, FileOptions, filters_said, leave_options, load_options
from finance.edge.files.tables import Columns, Table
from finance.edge.files.workbooks import ROWS_MAX, Evidence, write_workbook
from finance.edge.openapi import LOCATION
from finance.errors import TooManyRequests
from finance.events import NotRecorded
from finance.said import said

__all__ = ["Columns", "Export", "Exports", "FileOptions", "Slots", "Table", "TooManyExports", "exported"]

EXTENSION = "finance-exports"
RETRY_AFTER_S = 5
LATER_S = 2.0  # to have a file made in the background

XLSX_ROWS_MAX = ROWS_MAX
XLSX_DIRECT_ROWS_MAX = 50_000  # seconds of work; a larger one is made in the background
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CONTENT_TYPES = {"csv": "text/csv", "xlsx": XLSX_TYPE}


class TooManyExports(TooManyRequests):
    detail_default = said("Too many files are being written now. Wait for those that you asked for, then try again.")


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


@dataclass(frozen=True)
class Exports:
    """What all exports of an app share.

    `slots` are for files that are written now, `record` records that a table is taken away in a format, `timezone` is
    the service's own, `later` has a workbook made in the background and answers where it will be.
    """

    slots: Slots
    record: Callable[[str, str], None]
    timezone: ZoneInfo
    clock: Callable[[], datetime]
    later: Callable[[], Response] | None = None


@dataclass(frozen=True)
class Export:
    """A view whose pages are served as files: what each of its addresses has for who writes them elsewhere."""

    view: Callable[..., Iterator[list[Any]]]
    table: Table
    dump: Callable[[Any], Mapping[str, Any]]

    def write(self, file: IO[bytes], *, pages: Iterable[Sequence[Any]], told: Callable[[int], None]) -> int:
        """Write the workbook that this request asks for, and return its rows; only behind the guard."""
        options = load_options("xlsx", zone=self._zone())
        evidence = Evidence(
            tenant=g.caller.tenant,
            by=f"{g.caller.name} ({g.caller.key_id})" if g.caller.name else g.caller.key_id,
            filters=filters_said(),
            clock=_exports().clock,
            told=told,
        )
        return write_workbook(file, self.table, self.dump, pages, options=options, evidence=evidence)

    def make(self, file: IO[bytes], *, told: Callable[[int], None], deadline_s: float) -> int:
        """Write the workbook of a request that was answered long ago, and return its rows; see finance/files."""
        leave_options("xlsx")
        pages = each_in_time(self.view(**(request.view_args or {})), deadline_s=deadline_s)
        return self.write(file, pages=pages, told=told)

    def csv_reply(self, pages: Iterator[list[Any]]) -> Response:
        """Return a response that streams CSV: UTF-8 with the mark that Excel wants.

        The first rows are read now, so that a database that is away is a 503.
        """
        written = CsvFile(self.table, self.dump, load_options("csv", zone=self._zone()))
        chunks = written.chunks(pages)
        first = next(chunks)
        filename = f"{self.table.name}.csv"
        return file_reply(itertools.chain([first], chunks), content_type="text/csv; charset=utf-8", filename=filename)

    def xlsx_reply(self, pages: Iterator[list[Any]]) -> Response:
        """Return a response with a workbook, or with the address of one that is made in the background.

        Raises Invalid where a sheet is too small.
        """
        later = _exports().later
        if later is not None and _prefers_async():
            self._refuse_wrong_options("xlsx")
            return later()
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed when it has been sent
        try:
            self.write(file, pages=pages, told=_nothing if later is None else _stay_small)
        except _GrowsLarge:
            file.close()
            assert later is not None
            g.frame.extend(LATER_S)  # the rows that it was written for may have taken all of the request's time
            return later()
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file_reply(_chunks_of(file), content_type=XLSX_TYPE, filename=f"{self.table.name}.xlsx")

    def _refuse_wrong_options(self, file_format: str) -> None:
        load_options(file_format, zone=_exports().timezone)

    def _zone(self) -> ZoneInfo:
        own = self.table.zone_of(filters_said()) if self.table.zone_of else None
        return own or _exports().timezone


def export_at(app: Flask) -> Export:
    """Return the export that the address of this request serves."""
    view: Any = app.view_functions[request.endpoint or ""]
    found: Export = view.export
    return found


def exported(
    blueprint: Blueprint, path: str, table: Table, dump: Callable[[Any], Mapping[str, Any]], **documented: Any
) -> Callable[[Callable[..., Iterator[list[Any]]]], None]:
    """Return a decorator that serves what a view yields, page by page, as `path`.csv, streamed, and as `path`.xlsx.

    `documented` is what a route takes, as `tags`. Beside the filters of the view both take what says how the file is
    wanted: see edge/files/options.py.
    """

    def decorate(view: Callable[..., Iterator[list[Any]]]) -> None:
        export = Export(view, table, dump)
        for suffix, content_type in CONTENT_TYPES.items():
            served = functools.wraps(view)(_serving(export, suffix))
            served.__name__ = f"{view.__name__}_{suffix}"
            served.__doc__ = f"{view.__doc__} as {suffix.upper()}"
            served.export = export  # type: ignore[attr-defined]  # for who makes it in the background
            described = _described(blueprint, served, suffix, content_type)
            blueprint.route(f"{path}.{suffix}", methods=["GET"], **documented)(described)

    return decorate


def _described(blueprint: Blueprint, served: Callable[..., Response], suffix: str, content_type: str) -> Any:
    """Return a view with what the OpenAPI document says of it."""
    shape = {"type": "string", "format": "binary", "contentMediaType": content_type}
    served = _with_options(blueprint, suffix)(served)
    served = blueprint.response(200, schema=shape, content_type=content_type)(served)
    if suffix == "xlsx":
        served = blueprint.alt_response(
            202, schema=ExportSchema(), example=EXAMPLE, description="Made in the background", headers=LOCATION
        )(served)
    return fails(TooManyExports, NotRecorded)(served)


def _with_options(blueprint: Blueprint, suffix: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that documents the options of a format; they are loaded where the file is written."""

    def decorate(view: Callable[..., Any]) -> Any:
        described = blueprint.arguments(SCHEMA_BY_FORMAT[suffix], location="query")(view)
        view._apidoc = described._apidoc  # type: ignore[attr-defined]
        return view

    return decorate


def _serving(export: Export, file_format: str) -> Callable[..., Response]:
    def serve(*args: Any, **kwargs: Any) -> Response:
        leave_options(file_format)
        pages = each_in_time(export.view(*args, **kwargs), deadline_s=g.frame.deadline_s)
        exports = _exports()
        give_back = exports.slots.take(g.caller.tenant)  # the guard around the view has set who asks
        try:
            # Allowed and understood by now, and not a row read yet.
            load_options(file_format, zone=exports.timezone)
            exports.record(export.table.name, file_format)
            answer = export.csv_reply(pages) if file_format == "csv" else export.xlsx_reply(pages)
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


def file_reply(body: Iterable[bytes], *, content_type: str, filename: str) -> Response:
    """Return a response that is a file to be kept."""
    disposition = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(body, content_type=content_type, headers=disposition)


class _GrowsLarge(Exception):
    """A workbook has more rows than a request should wait for."""


def _stay_small(rows: int) -> None:
    if rows > XLSX_DIRECT_ROWS_MAX:
        raise _GrowsLarge


def _nothing(rows: int) -> None:
    """Tell nobody how far it is."""


def _prefers_async() -> bool:
    """Return whether the request has `Prefer: respond-async` (RFC 7240)."""
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return "respond-async" in (preference.partition(";")[0].strip() for preference in preferences)


def _exports() -> Exports:
    found: Exports = current_app.extensions[EXTENSION]
    return found


def _next_in_time(pages: Iterator[list[Any]], deadline_s: float) -> list[Any] | None:
    with database.deadline(deadline_s):
        return next(pages, None)


def _chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
