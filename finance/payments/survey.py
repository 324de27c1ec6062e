"""What stands in a source before anything of it is taken: which numbers, how far they count, what is there twice.

It is kept in a temporary file of SQLite, which goes when the process ends: memory stays the same for a thousand rows
and for millions.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from finance.errors import Invalid
from finance.numbering.series import NO_PLACE
from finance.payments.model import NUMBER_DIGITS_MIN, PAID_ON_MIN, payment_series
from finance.said import said

# A number wider than the series' own width is one of it only where the numbers lead there without a larger leap:
# PAY2026123456 among three hundred payments is a time of day. The repair of duplicates
# tells them apart in this way too.
LEAP_MAX = 1_000
COUNTED_DIGITS_MAX = 9  # longer ones are clocks
SHOWN_MAX = 3
FIELD_NAMES_MAX = 1_000

_YEAR_AND_DIGITS = re.compile(rf"PAY(\d{{4}})(\d{{{NUMBER_DIGITS_MIN},{COUNTED_DIGITS_MAX}}})", re.ASCII)
# What can stand in an address, and can't be mistaken for a part of one: there is /payments/summary.
_NUMBER = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class Place:
    """The year and the place in its series that a number names, if it is counted at all."""

    year: int
    number_seq: int


@dataclass(frozen=True)
class SeriesFound:
    """The numbers of one series in the source. `last` is the newest that was counted; `clocks` are beyond it."""

    tenant: str
    year: int
    first: int
    last: int
    counted: int
    clocks: int
    clocks_shown: tuple[str, ...]

    @property
    def holes(self) -> int:
        return self.last - self.counted


def require_number(number: str) -> str:
    """Return a payment number that can be kept: ours, or another one that can stand in an address. Raises Invalid."""
    if _NUMBER.fullmatch(number) is None:
        raise Invalid.field("payment_number", said("must be 1 to 40 of A-Z, a-z, 0-9, '.', '_' and '-', with a digit."))
    return number


def place_of(number: str, *, today: date) -> Place | None:
    """Return the place that a number such as PAY20260006 names; None where it is no number of a year's series."""
    match = _YEAR_AND_DIGITS.fullmatch(number)
    if match is None or not PAID_ON_MIN.year <= int(match[1]) <= today.year + 1:
        return None
    number_seq = payment_series("any", int(match[1])).parse(number)
    return None if number_seq is None else Place(int(match[1]), number_seq)


class Survey:
    """What one reading of the source has found."""

    def __init__(self, *, today: date, limits: Mapping[int, int] | None = None) -> None:
        self._today = today
        self._limits = dict(limits or {})
        self._last: dict[tuple[str, int], int] = {}
        self.rows = 0
        self.theirs: Counter[str] = Counter()
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE rows (tenant, number, year, number_seq, row_key, place)")
        self._file.execute("BEGIN")

    def count_fields(self, names: Iterable[str]) -> None:
        """Count a row, and which of their fields it has."""
        self.rows += 1
        self.theirs.update(name for name in names if name in self.theirs or len(self.theirs) < FIELD_NAMES_MAX)

    def add(self, *, tenant: str, number: str, row_key: str, place: str) -> None:
        found = place_of(number, today=self._today)
        year, number_seq = (found.year, found.number_seq) if found else (None, None)
        values = (tenant, number, year, number_seq, row_key, place)
        self._file.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", values)

    def close(self, taken_over: Mapping[tuple[str, int], int] | None = None) -> list[SeriesFound]:
        """End the reading, and return the series; `taken_over` is how far earlier imports said that they go."""
        for columns in ("tenant, number, place", "tenant, row_key, place", "tenant, year, number_seq"):
            self._file.execute(f"CREATE INDEX [{columns}] ON rows ({columns})")
        self._file.execute("COMMIT")
        found = [self._series(tenant, year, (taken_over or {}).get((tenant, year), 0)) for tenant, year in self.years()]
        self._last = {(series.tenant, series.year): series.last for series in found}
        return found

    def years(self) -> list[tuple[str, int]]:
        rows = self._file.execute("SELECT DISTINCT tenant, year FROM rows WHERE year NOTNULL ORDER BY tenant, year")
        return list(rows)

    def tenants(self) -> list[str]:
        return [tenant for (tenant,) in self._file.execute("SELECT DISTINCT tenant FROM rows ORDER BY tenant")]

    def number_seq_of(self, tenant: str, place: Place | None) -> int:
        """Return the place in the series of a number that was counted, and NO_PLACE of one from a clock."""
        if place is None or place.number_seq > self._last.get((tenant, place.year), 0):
            return NO_PLACE
        return place.number_seq

    def has(self, *, tenant: str, number: str, place: str) -> bool:
        """Return whether this row was there, with this number, when the source was surveyed."""
        wanted = "SELECT 1 FROM rows WHERE tenant = ? AND number = ? AND place = ?"
        return self._file.execute(wanted, (tenant, number, place)).fetchone() is not None

    def other_with_number(self, *, tenant: str, number: str, place: str) -> str | None:
        """Return the place of another row with this number."""
        return self._other("number", tenant, number, place)

    def other_with_key(self, *, tenant: str, row_key: str, place: str) -> str | None:
        """Return the place of another row that is known by this key."""
        return self._other("row_key", tenant, row_key, place)

    def _other(self, column: str, tenant: str, value: str, place: str) -> str | None:
        wanted = f"SELECT place FROM rows WHERE tenant = ? AND {column} = ? AND place <> ? LIMIT 1"
        found = self._file.execute(wanted, (tenant, value, place)).fetchone()
        return found[0] if found else None

    def _series(self, tenant: str, year: int, taken_over: int) -> SeriesFound:
        limit = self._limits.get(year)
        first, last, counted, clocks = 0, taken_over, 0, 0
        shown: list[str] = []
        for number_seq in self._number_seqs(tenant, year):
            if clocks or not _is_counted(number_seq, last, limit):
                clocks += 1
                shown += [payment_series(tenant, year).format(number_seq)] if len(shown) < SHOWN_MAX else []
                continue
            first, last, counted = first or number_seq, max(last, number_seq), counted + 1
        return SeriesFound(tenant, year, first, last, counted, clocks, tuple(shown))

    def _number_seqs(self, tenant: str, year: int) -> Iterator[int]:
        wanted = "SELECT DISTINCT number_seq FROM rows WHERE tenant = ? AND year = ? ORDER BY number_seq"
        return (number_seq for (number_seq,) in self._file.execute(wanted, (tenant, year)))


def _is_counted(number_seq: int, before: int, limit: int | None) -> bool:
    if limit is not None:
        return number_seq <= limit
    return number_seq < 10**NUMBER_DIGITS_MIN or number_seq - before <= LEAP_MAX
