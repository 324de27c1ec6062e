"""CSV: texts in quotes, numbers without, column by column and then line by line.

Half of the time that a line once took went into looking at each text; nearly all of them were seen before, or plain.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from finance.edge.cells import NUMBER, PLAIN, exact_text, guarded, local_text, loses_its_form, text_of
from finance.edge.files.options import FileOptions
from finance.edge.files.tables import Columns, Table, in_slices
from finance.wording import column_title, say

CHUNK_BYTES = 64 * 1024  # what a slow client has to take in the worker's SEND_TIMEOUT_S
_BOM = "\ufeff"
_END = "\r\n"
_REMEMBERED_MAX = 20_000  # texts of a column: a few megabytes


class CsvFile:
    """One CSV file being written. `rows` counts those that were."""

    def __init__(self, table: Table, dump: Callable[[Any], Mapping[str, Any]], options: FileOptions) -> None:
        self.rows = 0
        self._table = table
        self._options = options
        self._columns = Columns(table, dump)
        self._writers = [writer_of(table, name, options) for name in table.columns]
        self._texts = Texts(table, options.zone)
        self._digest = hashlib.sha256() if options.closing_line else None

    def chunks(self, pages: Iterable[Sequence[Any]]) -> Iterator[bytes]:
        """Yield the file in pieces. Where a page can't be read the last line says so, and then the failure is raised.

        It ends the connection without the last chunk, so that a client knows too. Before anything was sent the failure
        is the answer.
        """
        is_begun = False
        waiting = io.BytesIO()
        waiting.write((_BOM + self._header()).encode())
        try:
            for documents in in_slices(pages):
                waiting.write(self._lines(documents).encode())
                if waiting.tell() >= CHUNK_BYTES:
                    is_begun = True
                    yield from _taken(waiting)
        except Exception:
            if is_begun:
                yield (waiting.getvalue().decode() + self._last_line("broken", rows=self.rows)).encode()
            raise
        if self._digest is not None:
            waiting.write(self._closing_line(self._digest.hexdigest()).encode())
        yield waiting.getvalue()

    def _header(self) -> str:
        return self._options.delimiter.join(quoted(title) for title in titles(self._table, self._options)) + _END

    def _lines(self, documents: Sequence[Any]) -> str:
        columns = self._columns.read(documents)
        self.rows += len(documents)
        if self._digest is not None:
            for row in self._texts.rows(columns):
                self._digest.update(canonical(row))
        cells = [write(values) for write, values in zip(self._writers, columns, strict=True)]
        lines = map(self._options.delimiter.join, zip(*cells, strict=True))
        return _END.join(lines) + _END

    def _last_line(self, key: str, **values: object) -> str:
        return quoted(say(key, self._options.language, **values)) + _END

    def _closing_line(self, digest: str) -> str:
        language = self._options.language
        said = (say("end", language), f"{say('rows', language)}: {self.rows}", f"SHA-256: {digest}")
        return self._options.delimiter.join(map(quoted, said)) + _END


class Texts:
    """The rows of a file as their texts, as both formats show them: what their SHA-256 is made of."""

    def __init__(self, table: Table, zone: ZoneInfo) -> None:
        self._as_texts = [
            (lambda value: local_text(value, zone)) if table.kind_of(name) == "instant" else text_of
            for name in table.columns
        ]

    def rows(self, columns: Sequence[Sequence[Any]]) -> Iterator[tuple[str, ...]]:
        texts = [map(as_text, values) for as_text, values in zip(self._as_texts, columns, strict=True)]
        return zip(*texts, strict=True)


def canonical(row: Sequence[str]) -> bytes:
    """Return a row as it goes into the SHA-256: a JSON list of its texts, in UTF-8, and a line feed."""
    return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def titles(table: Table, options: FileOptions) -> list[str]:
    """Return the titles of the columns; of instants they name the zone."""
    language = options.named_language
    shown = [name if language is None else column_title(name, language) for name in table.columns]
    return [
        f"{title} ({options.zone.key})" if table.kind_of(name) == "instant" else title
        for name, title in zip(table.columns, shown, strict=True)
    ]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def writer_of(table: Table, name: str, options: FileOptions) -> Callable[[Sequence[Any]], list[str]]:
    """Return what writes the cells of one column."""
    kind = table.kind_of(name)
    texts = _Seen(options)
    if kind == "amount":
        return lambda values: [_amount_cell(value, texts, options) for value in values]
    if kind == "instant":
        zone = options.zone
        shown = local_text if options.for_excel else exact_text
        return lambda values: [
            f'"{shown(v, zone)}"' if isinstance(v, datetime) else '""' if v is None else texts.cell(v) for v in values
        ]
    return texts.cells


class _Seen(dict[Any, str]):
    """The cells of the texts that a column had already."""

    def __init__(self, options: FileOptions) -> None:
        self._for_excel = options.for_excel
        self._behind_commas = options.delimiter != ","

    def cells(self, values: Sequence[Any]) -> list[str]:
        try:
            return list(map(self.__getitem__, values))
        except TypeError:  # a list or an object in its place
            return list(map(self.cell, values))

    def __missing__(self, value: Any) -> str:
        cell = self.cell(value)
        if type(value) is str:  # 1, True and 1.0 are the same key
            if len(self) >= _REMEMBERED_MAX:
                self.clear()
            self[value] = cell
        elif value is None:
            self[value] = cell
        return cell

    def cell(self, value: Any) -> str:
        text = text_of(value)
        if self._for_excel and loses_its_form(text):
            return quoted(f'="{text}"')
        if PLAIN.fullmatch(text):
            return f'"{text}"'
        return quoted(guarded(text, behind_commas=self._behind_commas))


def _amount_cell(value: Any, texts: _Seen, options: FileOptions) -> str:
    if type(value) is not str or NUMBER.fullmatch(value) is None:
        return texts.cell(value)
    if options.decimal == ".":
        return value
    number = value.replace(".", ",")
    return f'"{number}"' if options.delimiter == "," else number


def _taken(waiting: io.BytesIO) -> Iterator[bytes]:
    data = waiting.getvalue()
    waiting.seek(0)
    waiting.truncate()
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]
