"""The numbers of a collection that other software filled: which series they are of, and which numbers are missing.

The documents are read once, in the order of their scope and number. Texts of one width are in the order of their
numbers, and widths lead from one to the next as 9999 leads to 10000, so a series needs no more memory than its widths.
Nothing is on its way here: other software doesn't say what it has reserved.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import merge
from typing import Any

from bson import Decimal128

from finance.database import Document
from finance.maintenance.audit.checks import DUPLICATES, UNEXPLAINED, Finding
from finance.maintenance.audit.series import Progress, SeriesAudit, count_causes
from finance.maintenance.duplicates import PROGRESS_STEP, WALK_BATCH, find_walk_index
from finance.maintenance.target import (
    FOREIGN_DIGITS_MAX,
    FOREIGN_DIGITS_MIN,
    SEQUENCE_LEAP_MAX,
    Target,
    scope_of,
    series_or_obstacle,
    value_at,
)
from finance.numbering.series import Series

FOREIGN_SEQ_MAX = 10**15
_DIGITS_MAX = 14  # behind a year


@dataclass
class Seen:
    """What was read, beside the series: how many documents have a number that could not be counted."""

    uncounted: int = 0


@dataclass
class _Width:
    """Numbers that are written with as many digits: from `first` to `last`, and what is missing between them."""

    first: int
    last: int
    documents: int = 1
    duplicates: int = 0
    missing: "array[int]" = field(default_factory=lambda: array("q"))  # first, last, first, last, …

    def add(self, number_seq: int) -> None:
        self.documents += 1
        if number_seq == self.last:
            self.duplicates += 1
        elif number_seq > self.last + 1:
            self.missing.extend((self.last + 1, number_seq - 1))
        self.last = number_seq

    def joined(self, other: "_Width") -> "_Width":
        """Return what both have together. A number that stands in both is told as a duplicate."""
        (first, last), *following = merge(self._present(), other._present())
        both = _Width(first, last, self.documents + other.documents, self.duplicates + other.duplicates)
        for first, last in following:
            both.duplicates += max(0, min(last, both.last) - first + 1)
            if first > both.last + 1:
                both.missing.extend((both.last + 1, first - 1))
            both.last = max(both.last, last)
        return both

    def _present(self) -> Iterator[tuple[int, int]]:
        first = self.first
        for gap_first, gap_last in zip(self.missing[::2], self.missing[1::2], strict=True):
            yield first, gap_first - 1
            first = gap_last + 1
        yield first, self.last


@dataclass
class _Counted:
    """One series as it is read. `beside` are its numbers that are no texts: MongoDB has them before all texts."""

    series: Series
    is_text: bool
    beside: "_Counted | None" = None
    widths: dict[int, _Width] = field(default_factory=dict)
    outside: int = 0
    prefix: str = field(init=False)
    prefix_length: int = field(init=False)

    def __post_init__(self) -> None:
        self.prefix, self.prefix_length = self.series.prefix, len(self.series.prefix)

    def add(self, digits: str) -> None:
        number_seq, size = int(digits), len(digits)
        width = self.widths.get(size)
        if size > self.series.digits_min:
            reached = width.last if width is not None else 10 ** (size - 1) - 1
            if self.beside is not None and size in self.beside.widths:
                reached = max(reached, self.beside.widths[size].last)
            if number_seq - reached > SEQUENCE_LEAP_MAX:
                self.outside += 1
                return
        if width is None:
            self.widths[size] = _Width(number_seq, number_seq)
        else:
            width.add(number_seq)

    def whole(self) -> "_Counted":
        """Return the series with what is beside it."""
        if self.beside is not None:
            self.outside += self.beside.outside
            for size, width in self.beside.widths.items():
                own = self.widths.get(size)
                self.widths[size] = own.joined(width) if own is not None else width
            self.beside = None
        return self

    def follows(self, number: Any) -> bool:
        """Count a number that is the next one of its width, as nearly all are; return whether it was."""
        if not self.is_text or type(number) is not str or not number.startswith(self.prefix):
            return False
        digits = number[self.prefix_length :]
        width = self.widths.get(len(digits))
        if width is None or not (digits.isascii() and digits.isdecimal()) or int(digits) != width.last + 1:
            return False
        width.last += 1
        width.documents += 1
        return True

    def digits_of(self, number: Any) -> str:
        """Return the digits of a number of this series, told without looking at its shape; "" where it isn't clear."""
        prefix = self.prefix
        if not self.is_text or type(number) is not str or not number.startswith(prefix):
            return ""
        digits = number[self.prefix_length :]
        if not (digits.isdigit() and digits.isascii()):
            return ""
        if prefix[-1:].isdigit():  # it ends in the year
            return digits if FOREIGN_DIGITS_MIN <= len(digits) <= _DIGITS_MAX else ""
        return digits if len(digits) <= FOREIGN_DIGITS_MAX and digits[:2] not in ("19", "20") else ""


def audit_foreign(target: Target, seen: Seen, *, progress: Progress = lambda read: None) -> Iterator[SeriesAudit]:
    """Yield what stands in each series of the target, scope after scope; `seen` counts what is in none."""
    explains = target.db.number_gaps.find_one({"kind": target.numbered.name}, {"_id": True}) is not None
    scope: Document = {}
    counted: dict[tuple[bool, str], _Counted] = {}
    newest: _Counted | None = None
    name = target.number_field
    plain = "." not in "".join((*target.scope_fields, name))
    for read, document in enumerate(_in_order(target), start=1):
        if not read % PROGRESS_STEP:
            progress(PROGRESS_STEP)
        number = document.pop(name, None) if plain else value_at(document, name)
        here = document if plain else dict(zip(target.scope_fields, scope_of(target, document), strict=True))
        if here != scope:
            yield from _finish(target, counted, explains=explains)
            scope, counted, newest = here, {}, None
        elif newest is not None and newest.follows(number):
            continue
        digits = newest.digits_of(number) if newest is not None else ""
        if newest is None or not digits:
            series = _series(target, scope, number)
            if series is None:
                seen.uncounted += number is not None
                continue
            is_text = type(number) is str
            beside = None if series.prefix else counted.get((False, ""))
            new = _Counted(series, is_text, beside if is_text else None)
            newest = counted.setdefault((is_text, series.prefix), new)
            digits = number[len(series.prefix) :] if is_text else _whole(number) or ""
        newest.add(digits)
    yield from _finish(target, counted, explains=explains)


def _in_order(target: Target) -> Iterable[Document]:
    """Return all documents in the order of scope and number, by an index where one has that order."""
    fields = (*target.scope_fields, target.number_field)
    cursor = target.collection.find({}, {"_id": False, **dict.fromkeys(fields, True)}).batch_size(WALK_BATCH)
    name = find_walk_index(target)
    keys = list(target.collection.index_information()[name]["key"]) if name else []
    if name is None or keys[len(fields) - 1] != (target.number_field, 1):
        return cursor.sort([(each, 1) for each in fields]).allow_disk_use(True)
    return cursor.sort(keys).hint(name)


def _series(target: Target, scope: Document, number: Any) -> Series | None:
    """Return the series of a number, also of one that is written in digits alone; None where it can't be counted."""
    if type(number) is str:
        document = _nested({**scope, target.number_field: number})
        found = series_or_obstacle(target, document)
        if isinstance(found, Series):
            return found
    digits = number if isinstance(number, str) else _whole(number)
    if not (digits and digits.isascii() and digits.isdigit() and 0 < int(digits) <= FOREIGN_SEQ_MAX):
        return None
    return Series(_words(scope), target.numbered.name, prefix="", digits_min=1, period="")


def _nested(fields: Document) -> Document:
    """Return a document that has these values at these dotted paths."""
    made: Document = {}
    for path, value in fields.items():
        *outer, last = path.split(".")
        inside = made
        for name in outer:
            inside = inside.setdefault(name, {})
        inside[last] = value
    return made


def _whole(number: Any) -> str | None:
    """Return the digits of a whole number, of whichever type it is stored; None of anything else."""
    if isinstance(number, Decimal128):
        number = number.to_decimal()
        if not number.is_finite():
            return None
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return None
    # Compared first: a Decimal128 may have six thousand digits.
    if not 0 < number <= FOREIGN_SEQ_MAX or number != int(number):
        return None
    return str(int(number))


def _words(scope: Document) -> str:
    return ",".join(map(str, scope.values())) or "*"


def _finish(target: Target, counted: Mapping[tuple[bool, str], _Counted], *, explains: bool) -> Iterator[SeriesAudit]:
    within = {id(one.beside) for one in counted.values()}
    for one in (each.whole() for each in counted.values() if id(each) not in within):
        found = SeriesAudit(kind=target.numbered.name, series=one.series, beyond_counter=one.outside)
        missing = list(_missing(one, found))
        gaps = _recorded(target, one.series, last=found.newest or 0) if explains else iter(())
        for first, last in _unexplained(missing, gaps, found):
            found.add(Finding(UNEXPLAINED, first, last, last - first + 1))
        found.newest_accounted = found.counter = found.newest or 0
        if explains:
            count_causes(target.db, found)
        yield found


def _missing(one: _Counted, found: SeriesAudit) -> Iterator[tuple[int, int]]:
    """Yield what is missing in each width and before it, counting what is there; widths lead from one to the next."""
    before = 0
    for size, width in sorted(one.widths.items()):
        if size > one.series.digits_min and before + SEQUENCE_LEAP_MAX < 10 ** (size - 1):
            found.beyond_counter += width.documents  # nothing leads there: they were made from a clock
            continue
        if before + 1 < width.first:
            yield before + 1, width.first - 1
        yield from zip(width.missing[::2], width.missing[1::2], strict=True)
        found.documents += width.documents
        found.first, found.newest = found.first or width.first, width.last
        if width.duplicates:
            found.add(Finding(DUPLICATES, width.first, width.last, width.duplicates))
        before = width.last


def _recorded(target: Target, series: Series, *, last: int) -> Iterator[int]:
    up_to = {**series.identity, "number_seq": {"$gte": 1, "$lte": last}}
    gaps = target.db.number_gaps.find(up_to, {"_id": False, "number_seq": True}).sort("number_seq", 1)
    return (int(gap["number_seq"]) for gap in gaps)


def _unexplained(
    missing: Iterable[tuple[int, int]], gaps: Iterator[int], found: SeriesAudit
) -> Iterator[tuple[int, int]]:
    """Yield what is left of the missing ranges without the recorded gaps, both in their order."""
    gap = next(gaps, None)
    for first, last in missing:
        begin = first
        while gap is not None and gap <= last:
            if gap >= begin:
                if begin < gap:
                    yield begin, gap - 1
                begin = gap + 1
                found.recorded_gaps += 1
            gap = next(gaps, None)
        if begin <= last:
            yield begin, last
