"""Is every number accounted for? Findings (`audit`), and what is done about them (`record_gaps`).

A number is accounted for if a document has it or `number_gaps` says why none does. Numbers are read by index in their
order beside the recorded gaps, so memory stays the same for a thousand numbers and for a hundred million.

A number that is missing may be on its way: it counts as unexplained only if it was reserved before the grace began.
Numbers are reserved in their order, so it is at least as old as the next number that somebody has; those above the
newest one are at least as old as the counter's `reserved_at`. A document that comes still later is no harm: the next
`record_gaps` takes its gap back.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId

from finance.database import Db, Document
from finance.maintenance.gaps import forget_gap, gap_identity, insert_gaps
from finance.maintenance.kinds import KINDS, MaintainedKind
from finance.maintenance.series import find_series
from finance.numbering import counters
from finance.numbering.series import Series

GRACE_S = 60.0
RANGES_SHOWN_MAX = 100  # of each series; the totals count all
# So many missing numbers side by side are no lost requests but a leap, as of a counter raised to a number made from a
# clock (20261234567). They are reported and never recorded one by one.
LEAP_MIN = 100_000
RECORDED_MAX = 1_000_000  # numbers recorded as gaps in one series by one run; the next run goes on
RECORD_BATCH = 1_000
REASON_LOST = "lost"  # reserved, and no document has it: its process was killed, or the document was deleted since

_STORED, _RECORDED = 0, 1
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Missing:
    """The numbers `first` to `last` have neither document nor recorded gap. `pending`: they may be on their way."""

    first: int
    last: int
    pending: bool

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    @property
    def is_leap(self) -> bool:
        return self.count >= LEAP_MIN


@dataclass(frozen=True)
class Late:
    """A number recorded as a gap that a document has."""

    number_seq: int


@dataclass
class SeriesAudit:
    """What stands in one series. `unexplained` and `late` hold the first ones, the `…_count` count all."""

    kind: str
    series: Series
    documents: int = 0
    voided: int = 0
    first: int | None = None
    newest: int | None = None
    newest_accounted: int = 0  # stored or recorded as a gap
    recorded_gaps: int = 0
    unexplained: list[Missing] = field(default_factory=list)
    unexplained_count: int = 0
    pending_count: int = 0
    leap_count: int = 0  # those of the unexplained that are in leaps
    late: list[int] = field(default_factory=list)
    late_count: int = 0
    duplicates: int = 0  # documents whose number an earlier one has
    counter: int = 0

    @property
    def counter_behind(self) -> int:
        return max(0, self.newest_accounted - self.counter)

    @property
    def counter_ahead(self) -> int:
        return max(0, self.counter - self.newest_accounted)

    @property
    def is_accounted_for(self) -> bool:
        return not (self.unexplained_count or self.late_count or self.duplicates or self.counter_behind)


@dataclass
class Recording:
    """What `record_gaps` changed, and what it left: leaps, and numbers beyond RECORDED_MAX."""

    recorded: int = 0
    corrected: int = 0
    leaps: list[Missing] = field(default_factory=list)
    beyond_limit: bool = False


def audit(
    db: Db, *, now: datetime, grace_s: float = GRACE_S, kinds: Iterable[MaintainedKind] = KINDS
) -> Iterator[SeriesAudit]:
    """Yield what stands in every series of every kind. Changes nothing; raises OrderIndexMissing."""
    for kind in kinds:
        for series in find_series(db, kind):
            yield audit_series(db, kind, series, now=now, grace_s=grace_s)


def audit_series(db: Db, kind: MaintainedKind, series: Series, *, now: datetime, grace_s: float) -> SeriesAudit:
    """Return what stands in one series."""
    found = SeriesAudit(kind=kind.numbered.name, series=series)
    for finding in _walk(db, kind, series, found, old_before=now - timedelta(seconds=grace_s)):
        if isinstance(finding, Late):
            found.late_count += 1
            _keep_first(found.late, finding.number_seq)
        elif finding.pending:
            found.pending_count += finding.count
        else:
            found.unexplained_count += finding.count
            found.leap_count += finding.count if finding.is_leap else 0
            _keep_first(found.unexplained, finding)
    of_series = {"tenant": series.tenant, **series.document_filter}
    found.voided = db[kind.numbered.collection].count_documents(
        {**of_series, **kind.voided_filter, "number_seq": {"$gte": 1}}
    )
    # Read after the documents: a number is reserved before it is stored, so a counter that is right can't be behind.
    found.counter = counters.read(db, series)
    return found


def record_gaps(
    db: Db, *, now: datetime, grace_s: float = GRACE_S, kinds: Iterable[MaintainedKind] = KINDS
) -> Recording:
    """Record every unexplained number as a gap, take back gaps whose documents arrived, and say what was done."""
    recording = Recording()
    for kind in kinds:
        for series in find_series(db, kind):
            record_series_gaps(db, kind, series, recording, now=now, grace_s=grace_s)
    return recording


def record_series_gaps(
    db: Db, kind: MaintainedKind, series: Series, recording: Recording, *, now: datetime, grace_s: float
) -> None:
    """Do the same for one series, adding to `recording`. Safe to end at any moment and to run twice at once."""
    lost: list[int] = []
    found = SeriesAudit(kind=kind.numbered.name, series=series)
    left = RECORDED_MAX
    for finding in _walk(db, kind, series, found, old_before=now - timedelta(seconds=grace_s)):
        if isinstance(finding, Late):
            recording.corrected += forget_gap(db, series, finding.number_seq)
        elif finding.pending:
            continue
        elif finding.is_leap:
            recording.leaps.append(finding)
        else:
            recording.beyond_limit |= finding.count > left
            lost.extend(range(finding.first, finding.first + min(finding.count, left)))
            left -= min(finding.count, left)
        while len(lost) >= RECORD_BATCH:
            recording.recorded += _record(db, kind, series, lost[:RECORD_BATCH], now)
            del lost[:RECORD_BATCH]
    recording.recorded += _record(db, kind, series, lost, now)


def _walk(
    db: Db, kind: MaintainedKind, series: Series, found: SeriesAudit, *, old_before: datetime
) -> Iterator[Missing | Late]:
    """Yield what is not as it should be, in the order of the numbers, and count the rest in `found`."""
    counter: Document = db.counters.find_one({"_id": series.counter_id}) or {"seq": 0}  # before the documents
    last_of = {_STORED: 0, _RECORDED: 0}
    last = late = 0
    for number_seq, source in _numbers(db, kind, series):
        if number_seq > last + 1:
            pending = _since(db, kind, series, number_seq, source) >= old_before
            yield Missing(last + 1, number_seq - 1, pending)
        if source == _STORED:
            found.documents += 1
            found.first = found.first or number_seq
            found.duplicates += number_seq == last_of[_STORED]
        else:
            found.recorded_gaps += 1
        last_of[source] = last = number_seq
        if last_of[_STORED] == last_of[_RECORDED] and number_seq != late:
            late = number_seq
            yield Late(number_seq)
    found.newest = last_of[_STORED] or None
    found.newest_accounted = last
    if counter["seq"] > last:
        yield Missing(last + 1, counter["seq"], counter.get("reserved_at", _LONG_AGO) >= old_before)


def _numbers(db: Db, kind: MaintainedKind, series: Series) -> Iterator[tuple[int, int]]:
    """Yield (number, stored or recorded) in the order of numbers, from two indexes that hold all that is asked."""
    stored = (
        db[kind.numbered.collection]
        .find(
            {"tenant": series.tenant, **series.document_filter, "number_seq": {"$gte": 1}},
            {"_id": False, "number_seq": True},
        )
        .sort("number_seq", 1)
        .hint(kind.order_index.name)
    )
    recorded = db.number_gaps.find(
        {**gap_identity(series), "number_seq": {"$gte": 1}},
        {"_id": False, "number_seq": True},
    ).sort("number_seq", 1)
    return heapq.merge(
        ((int(document["number_seq"]), _STORED) for document in stored),
        ((int(gap["number_seq"]), _RECORDED) for gap in recorded),
    )


def _since(db: Db, kind: MaintainedKind, series: Series, number_seq: int, source: int) -> datetime:
    """Return since when a number has been in use: no number before it was reserved later."""
    if source == _RECORDED:
        gap = db.number_gaps.find_one({**gap_identity(series), "number_seq": number_seq}, {"recorded_at": True})
        return gap["recorded_at"] if gap else _LONG_AGO
    document = db[kind.numbered.collection].find_one(
        {"tenant": series.tenant, **series.document_filter, "number_seq": number_seq},
        {"created_at": True, "history.action": True, "history.at": True},
    )
    return _numbered_at(document) if document else _LONG_AGO


def _numbered_at(document: Document) -> datetime:
    """Return when the document got its number: when it was made, or when a repair gave it another one."""
    entries: list[Any] = document.get("history") or []
    renumbered = [entry["at"] for entry in entries if entry.get("action") == "renumbered"]
    created_at = document.get("created_at")
    if not isinstance(created_at, datetime):
        identity = document["_id"]
        created_at = identity.generation_time if isinstance(identity, ObjectId) else _LONG_AGO
    return max([created_at, *renumbered])


def _record(db: Db, kind: MaintainedKind, series: Series, number_seqs: list[int], now: datetime) -> int:
    """Record the numbers that still have no document, and return how many were new."""
    of_series = {"tenant": series.tenant, **series.document_filter}
    arrived = set(
        db[kind.numbered.collection].distinct("number_seq", {**of_series, "number_seq": {"$in": number_seqs}})
    )
    return insert_gaps(db, series, (n for n in number_seqs if n not in arrived), reason=REASON_LOST, recorded_at=now)


def _keep_first(kept: list[Any], finding: Any) -> None:
    if len(kept) < RANGES_SHOWN_MAX:
        kept.append(finding)
