"""Why numbers of one series have no document: its recorded gaps in their order, page by page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bson import Decimal128

from finance.database import Db, Document
from finance.numbering.series import NUMBER_SEQ_MAX, Series

PAGE_SIZE = 50
READ_MAX = 5_000  # gaps read for one page: many thousands side by side are a few lines, and end it early


@dataclass(frozen=True)
class Gap:
    """Numbers side by side that have no document, for the same reason; `recorded_at` is when that of the first was."""

    first: str
    last: str
    first_seq: int
    last_seq: int
    reason: str
    recorded_at: datetime | None

    @property
    def count(self) -> int:
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True)
class GapsPage:
    """Gaps in the order of their numbers; the next page begins after the number `position`, None at the end."""

    rows: list[Gap]
    position: int | None


def list_gaps(db: Db, series: Series, *, after: int = 0, limit: int = PAGE_SIZE) -> GapsPage:
    """Return the recorded gaps after a number. One index answers, and no more than READ_MAX entries are read.

    What has no whole number there, as another system left it, is none of this series.
    """
    wanted = {**series.identity, "number_seq": {"$gt": after, "$lte": NUMBER_SEQ_MAX}}
    fields = {"_id": False, "number_seq": True, "reason": True, "recorded_at": True}
    read = list(db.number_gaps.find(wanted, fields).sort("number_seq", 1).limit(READ_MAX + 1))
    rows: list[Gap] = []
    for gap in _side_by_side(series, read[:READ_MAX]):
        if len(rows) == limit:
            return GapsPage(rows, rows[-1].last_seq)
        rows.append(gap)
    return GapsPage(rows, rows[-1].last_seq if len(read) > READ_MAX else None)


def _side_by_side(series: Series, gaps: Iterable[Document]) -> Iterator[Gap]:
    run: Gap | None = None
    for document in gaps:
        number_seq, reason = _whole(document["number_seq"]), str(document.get("reason"))
        if number_seq is None:
            continue
        number = series.format(number_seq)
        if run is not None and run.last_seq + 1 == number_seq and run.reason == reason:
            run = replace(run, last=number, last_seq=number_seq)
            continue
        if run is not None:
            yield run
        recorded_at = document.get("recorded_at")
        recorded_at = recorded_at if isinstance(recorded_at, datetime) else None
        run = Gap(number, number, number_seq, number_seq, reason, recorded_at)
    if run is not None:
        yield run


def _whole(stored: object) -> int | None:
    """Return a number of a series, however a whole one is stored; None where it is none."""
    number = stored.to_decimal() if isinstance(stored, Decimal128) else stored
    return int(number) if isinstance(number, (int, float, Decimal)) and number == int(number) else None
