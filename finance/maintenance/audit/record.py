"""What is done about numbers that are missing: each is recorded as a gap, with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from finance.database import Db
from finance.maintenance.audit.checks import RECORDED_AND_STORED, UNEXPLAINED, Finding, check
from finance.maintenance.audit.series import GRACE_S
from finance.maintenance.audit.walk import Walk
from finance.maintenance.kinds import KINDS, MaintainedKind
from finance.maintenance.series import find_series, stored_in
from finance.numbering import counters

RECORDED_MAX = 1_000_000  # numbers recorded as gaps in one series by one run; the next run goes on
RECORD_BATCH = 1_000
REASON_LOST = "lost"  # reserved, and no document has it: its process was killed, or the document was deleted since


@dataclass
class Recording:
    """What `record_gaps` changed, and what it left: leaps, and numbers beyond RECORDED_MAX."""

    recorded: int = 0
    corrected: int = 0
    leaps: list[Finding] = field(default_factory=list)
    beyond_limit: bool = False


def record_gaps(
    db: Db, *, now: datetime, grace_s: float = GRACE_S, kinds: Iterable[MaintainedKind] = KINDS
) -> Recording:
    """Record every unexplained number as a gap, take back gaps whose documents arrived, and say what was done.

    Safe to end at any moment and to run twice at once.
    """
    recording = Recording()
    for kind in kinds:
        for series in find_series(db, kind):
            walk = Walk(db, kind, series, old_before=now - timedelta(seconds=grace_s))
            _record_series_gaps(walk, recording, now=now)
    return recording


def _record_series_gaps(walk: Walk, recording: Recording, *, now: datetime) -> None:
    lost: list[int] = []
    left = RECORDED_MAX
    for finding in (finding for step in walk.steps() for finding in check(walk, step)):
        if finding.what == RECORDED_AND_STORED:
            recording.corrected += counters.forget_gap(walk.db, walk.series, finding.first)
        elif finding.is_leap:
            recording.leaps.append(finding)
        elif finding.what == UNEXPLAINED:
            recording.beyond_limit |= finding.count > left
            lost.extend(range(finding.first, finding.first + min(finding.count, left)))
            left -= min(finding.count, left)
        while len(lost) >= RECORD_BATCH:
            recording.recorded += _record(walk, lost[:RECORD_BATCH], now)
            del lost[:RECORD_BATCH]
    recording.recorded += _record(walk, lost, now)


def _record(walk: Walk, number_seqs: list[int], now: datetime) -> int:
    """Record the numbers that still have no document, and return how many were new."""
    wanted = stored_in(walk.series) | {"number_seq": {"$in": number_seqs}}
    arrived = set(walk.db[walk.kind.numbered.collection].distinct("number_seq", wanted))
    gaps = ((walk.series, number_seq) for number_seq in number_seqs if number_seq not in arrived)
    return counters.record_gaps(walk.db, gaps, reason=REASON_LOST, recorded_at=now)
