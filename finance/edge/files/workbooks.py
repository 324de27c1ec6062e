"""XLSX: the evidence on the first sheet, the rows on the second, totals on the third; written row by row to disk."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any

import xlsxwriter

from finance.edge.cells import NUMBER, local_text, text_of
from finance.edge.files.csv_files import Texts, canonical
from finance.edge.files.options import FileOptions
from finance.edge.files.pausing import Pausing, PausingSheet
from finance.edge.files.tables import WORKBOOK_SLICE_ROWS, Columns, Table, in_slices
from finance.edge.files.totals import Totals
from finance.errors import Invalid
from finance.said import said
from finance.wording import column_title, say, sheet_title

ROWS_MAX = 1_048_575  # of a sheet, below its header
TEXT_LENGTH_MAX = 32_767  # of a cell
DIGITS_EXACT = 15  # as many as a spreadsheet keeps of a number; longer amounts stay text
_CUT = "…"
_WIDTH_MIN, _WIDTH_MAX = 9, 48
_LOOKED_AT = 1_000  # rows whose texts say how wide a column is
_DAY = re.compile(r"(19|[2-9]\d)\d{2}-\d{2}-\d{2}", re.ASCII)
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001  a spreadsheet knows no zones; exact from 1900-03-01 on


@dataclass(frozen=True)
class Evidence:
    """What the first sheet says of where the rows are from. `by` is a key as people know it."""

    tenant: str
    by: str
    filters: Mapping[str, str]
    clock: Callable[[], datetime]
    told: Callable[[int], None] = lambda rows: None  # how far it is, now and then


def write_workbook(
    file: IO[bytes],
    table: Table,
    dump: Callable[[Any], Mapping[str, Any]],
    pages: Iterable[Sequence[Any]],
    *,
    options: FileOptions,
    evidence: Evidence,
) -> int:
    """Write an XLSX file and return its rows; raises Invalid where a sheet is too small for them."""
    settings = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(Pausing(file), settings)
    try:
        formats = _Formats(book)
        about, rows_sheet = (
            book.add_worksheet(title, worksheet_class=PausingSheet)
            for title in (say("about", options.language), sheet_title(table.name, options.language))
        )
        begun_at = evidence.clock()
        data = _Data(rows_sheet, table, dump, options, formats)
        data.write(pages, evidence.told)
        rows_sheet.activate()
        if table.totals_by:
            _write_totals(book.add_worksheet(say("totals", options.language)), data.totals, table, options, formats)
        _write_about(about, data, evidence, begun_at, options, formats)
    finally:
        book.close()  # also of what failed: it has temporary files
    return data.rows


class _Formats:
    """The formats of one workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._amounts: dict[int, Any] = {}
        self.bold = book.add_format({"bold": True})
        self.header = book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEEEEE", "text_wrap": True})
        self.day = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self.instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def amount(self, text: str) -> Any:
        """Return the format of an amount, with as many decimals as it is written with: those of its currency."""
        decimals = len(text.partition(".")[2])
        if decimals not in self._amounts:
            places = f".{'0' * decimals}" if decimals else ""
            self._amounts[decimals] = self._book.add_format({"num_format": f"#,##0{places}"})
        return self._amounts[decimals]


class _Data:
    """The sheet of the rows, and what is known of them once they are written."""

    def __init__(self, sheet: Any, table: Table, dump: Any, options: FileOptions, formats: _Formats) -> None:
        self.table, self.rows, self.long_amounts, self.cut_texts = table, 0, 0, 0
        self.digest = hashlib.sha256()
        self.totals = Totals(table)
        self._sheet, self._options, self._formats = sheet, options, formats
        self._columns = Columns(table, dump)
        self._texts = Texts(table, options.zone)
        self._serials: dict[str, float | None] = {}
        kinds = {"amount": self._amount, "day": self._day, "instant": self._instant, "text": self._text}
        self._writers = [kinds[table.kind_of(name)] for name in table.columns]
        self._widths = [_WIDTH_MIN] * len(table.columns)

    def write(self, pages: Iterable[Sequence[Any]], told: Callable[[int], None]) -> None:
        titles = _titles(self.table, self._options)
        for column, title in enumerate(titles):
            self._sheet.write_string(0, column, title, self._formats.header)
            self._widths[column] = max(_WIDTH_MIN, min(len(title) + 3, _WIDTH_MAX // 2))  # the filter's button
        for documents in in_slices(pages, size=WORKBOOK_SLICE_ROWS):
            self._write_rows(self._columns.read(documents))
            told(self.rows)
        self._sheet.freeze_panes(1, 1)
        self._sheet.autofilter(0, 0, max(self.rows, 1), len(titles) - 1)
        self._sheet.repeat_rows(0)
        for column, width in enumerate(self._widths):
            self._sheet.set_column(column, column, width)

    def _write_rows(self, columns: list[list[Any]]) -> None:
        texts = [self._within_bounds(row) for row in self._texts.rows(columns)]
        self.totals.add(columns)
        for values, row in zip(zip(*columns, strict=True), texts, strict=True):
            self.rows += 1
            if self.rows > ROWS_MAX:
                raise Invalid(
                    said("A sheet holds {rows_max} rows: narrow the filters, or take export.csv.", rows_max=ROWS_MAX)
                )
            self.digest.update(canonical(row))
            if self.rows <= _LOOKED_AT:
                self._widths = [
                    min(max(width, len(text) + 2), _WIDTH_MAX) for width, text in zip(self._widths, row, strict=True)
                ]
            for column, (write, value, text) in enumerate(zip(self._writers, values, row, strict=True)):
                if text:
                    write(self.rows, column, value, text)

    def _within_bounds(self, row: Sequence[str]) -> Sequence[str]:
        if all(len(text) <= TEXT_LENGTH_MAX for text in row):
            return row
        self.cut_texts += sum(len(text) > TEXT_LENGTH_MAX for text in row)
        return [t if len(t) <= TEXT_LENGTH_MAX else t[: TEXT_LENGTH_MAX - 1] + _CUT for t in row]

    def _text(self, row: int, column: int, _value: Any, text: str) -> None:
        self._sheet.write_string(row, column, text)

    def _amount(self, row: int, column: int, value: Any, text: str) -> None:
        if type(value) is not str or NUMBER.fullmatch(text) is None:
            self._sheet.write_string(row, column, text)
        elif is_exact(text):
            self._sheet.write_number(row, column, float(text), self._formats.amount(text))
        else:
            self.long_amounts += 1
            self._sheet.write_string(row, column, text)

    def _day(self, row: int, column: int, _value: Any, text: str) -> None:
        if text not in self._serials:
            self._serials[text] = _serial_of_day(text)
        serial = self._serials[text]
        if serial is None:
            self._sheet.write_string(row, column, text)
        else:
            self._sheet.write_number(row, column, serial, self._formats.day)

    def _instant(self, row: int, column: int, value: Any, text: str) -> None:
        if not isinstance(value, datetime) or _DAY.match(text) is None:
            self._sheet.write_string(row, column, text)
            return
        since = datetime.fromisoformat(text) - _FIRST_DAY
        self._sheet.write_number(row, column, since.days + since.seconds / 86_400, self._formats.instant)


def is_exact(amount: str) -> bool:
    """Return whether a spreadsheet keeps all digits of an amount."""
    return len(amount) <= DIGITS_EXACT or len(re.sub(r"\D", "", amount)) <= DIGITS_EXACT


def _serial_of_day(text: str) -> float | None:
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return float(date.fromisoformat(text).toordinal() - _FIRST_DAY.toordinal())
    except ValueError:
        return None


def _titles(table: Table, options: FileOptions) -> list[str]:
    return [
        column_title(name, options.language) + (f" ({options.zone.key})" if table.kind_of(name) == "instant" else "")
        for name in table.columns
    ]


def _write_totals(sheet: Any, totals: Totals, table: Table, options: FileOptions, formats: _Formats) -> None:
    language = options.language
    heads = [column_title(name, language) for name in table.totals_by]
    heads += [say("count", language), *(column_title(name, language) for name in totals.amounts)]
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, formats.header)
        sheet.set_column(column, column, max(len(head) + 3, 18))
    for row, (group, count, sums) in enumerate(totals.groups(), start=1):
        for column, text in enumerate(group):
            sheet.write_string(row, column, text)
        sheet.write_number(row, len(group), count)
        for column, amount in enumerate(sums, start=len(group) + 1):
            _write_amount(sheet, row, column, amount, formats)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(totals), 1), len(heads) - 1)


def _write_amount(sheet: Any, row: int, column: int, amount: str, formats: _Formats) -> None:
    if is_exact(amount):
        sheet.write_number(row, column, float(amount), formats.amount(amount))
    else:
        sheet.write_string(row, column, amount)


def _write_about(
    sheet: Any, data: _Data, evidence: Evidence, begun_at: datetime, options: FileOptions, formats: _Formats
) -> None:
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 72)
    for row, (label, value) in enumerate(_facts(data, evidence, begun_at, options)):
        sheet.write_string(row, 0, label, formats.bold)
        if isinstance(value, int):
            sheet.write_number(row, 1, value, formats.wrapped)
        elif NUMBER.fullmatch(value) and is_exact(value):
            sheet.write_number(row, 1, float(value), formats.amount(value))
        else:
            sheet.write_string(row, 1, value, formats.wrapped)


def _facts(
    data: _Data, evidence: Evidence, begun_at: datetime, options: FileOptions
) -> Iterator[tuple[str, str | int]]:
    language, zone = options.language, options.zone
    order = evidence.filters.get("sort")
    filters = {name: value for name, value in evidence.filters.items() if name != "sort"}
    said = "; ".join(f"{column_title(name, language)}: {value}" for name, value in filters.items())
    yield say("table", language), column_title(data.table.name, language)
    yield say("tenant", language), evidence.tenant
    yield say("by", language), evidence.by
    yield say("as_of", language), f"{local_text(begun_at, zone)} ({zone.key})"
    yield say("read_until", language), f"{local_text(evidence.clock(), zone)} ({zone.key})"
    yield say("filter", language), text_of(said or say("no_filter", language))
    if order:
        way = "descending" if order.startswith("-") else "ascending"
        yield say("sort", language), say(way, language, name=column_title(order.removeprefix("-"), language))
    yield say("zone", language), zone.key
    yield say("rows", language), data.rows
    for currency, name, amount in data.totals.of_currencies():
        yield say("total_of", language, column=column_title(name, language), currency=currency), amount
    if data.long_amounts:
        yield say("long_amounts", language), data.long_amounts
    if data.cut_texts:
        yield say("cut_texts", language), data.cut_texts
    yield say("sha256", language), data.digest.hexdigest()
    yield say("check", language), say("check_how", language)
