"""What a file shows: its columns, what kind of cells they have, and where their values come from.

A page of documents is read column by column: a list a column costs a fifth of a dict a row.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal
from zoneinfo import ZoneInfo

from finance.money import DECIMALS_BY_CURRENCY, format_amount, is_whole

Kind = Literal["text", "amount", "day", "instant"]
Read = Callable[[Sequence[Any]], list[Any]]  # the documents of a page → the values of one column

# About two milliseconds of work, after which others have their turn.
SLICE_ROWS = 200
WORKBOOK_SLICE_ROWS = 25


@dataclass(frozen=True)
class Table:
    """What a file shows: the columns in order, and which of them are amounts.

    Columns named `date` or `…_on` hold days and `…_at` instants, unless `kinds` says otherwise. `reads` are the columns
    whose values come straight from the documents; the others are those of the dump. `totals_by` are the columns by
    which a workbook adds the amounts up (none: it has no totals), `sums` the amounts whose sum per currency means
    something (default: all), `zone_of` the time zone of a request's instants where it isn't the service's own,
    and `currency` the column that says how many decimals an amount has.
    """

    name: str
    columns: Sequence[str]
    amounts: frozenset[str]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    reads: Mapping[str, Read] = field(default_factory=dict)
    totals_by: Sequence[str] = ()
    sums: Sequence[str] | None = None
    zone_of: Callable[[Mapping[str, str]], ZoneInfo | None] | None = None
    currency: str = "currency"

    def kind_of(self, column: str) -> Kind:
        if column in self.kinds:
            return self.kinds[column]
        if column in self.amounts:
            return "amount"
        return "day" if column == "date" or column.endswith("_on") else "instant" if column.endswith("_at") else "text"


class Columns:
    """Reads the columns of a table out of documents."""

    def __init__(self, table: Table, dump: Callable[[Any], Mapping[str, Any]]) -> None:
        self._reads = [(name, table.reads.get(name)) for name in table.columns]
        self._dump = dump
        self._dumps = any(read is None for _name, read in self._reads)

    def read(self, documents: Sequence[Any]) -> list[list[Any]]:
        """Return the values of each column, in the order of the documents."""
        rows = [self._dump(document) for document in documents] if self._dumps else []
        return [
            [row[name] for row in rows] if read is None else read(documents)  # a list a column
            for name, read in self._reads
        ]


def in_slices(pages: Iterable[Sequence[Any]], *, size: int = SLICE_ROWS) -> Iterator[Sequence[Any]]:
    """Yield the rows of all pages, not many at a time."""
    for page in pages:
        rows = iter(page)
        while part := list(islice(rows, size)):
            yield part
            time.sleep(0)  # lets others run


def stored(name: str) -> Read:
    """Return what reads a field as it is stored."""
    return lambda documents: [document.get(name) for document in documents]


def joined(name: str) -> Read:
    """Return what reads a list; an empty one is an empty cell."""
    return lambda documents: [document.get(name) or None for document in documents]


def minor(name: str, *, otherwise: str | None = None) -> Read:
    """Return what reads an amount in minor units; where a damaged document has none, the field `otherwise`."""
    decimals = DECIMALS_BY_CURRENCY

    def read(documents: Sequence[Any]) -> list[Any]:
        values: list[Any] = []
        for document in documents:
            value, currency = document.get(name), document.get("currency")
            if is_whole(value) and type(currency) is str and currency in decimals:
                if value >= 100 and decimals[currency] == 2:  # nearly all of them
                    digits = str(value)
                    values.append(f"{digits[:-2]}.{digits[-2:]}")
                else:
                    values.append(format_amount(value, currency))
            else:
                values.append(document.get(otherwise) if otherwise else None)
        return values

    return read
