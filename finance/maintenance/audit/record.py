"""What is done about numbers that are missing: each is recorded as a gap, with the reason, as it is found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from finance.database import Db
from finance.maintenance import gaps
from finance.maintenance.audit.checks import RECORDED_AND_STORED, UNEXPLAINED, Finding
from finance.maintenance.audit.series import GRACE_S, Progress, SeriesAudit, audit_series, count_causes, walks
from finance.maintenance.audit.walk import Walk
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.maintenance.series import FindSeries, find_series
from finance.numbering import counters
from finance.numbering.reasons import LOST

RECORDED_MAX = 1_000_000  # numbers recorded as gaps in one series by one run; the next run goes on
RECORD_BATCH = 1_000


@dataclass
class Recording:
    """What was changed, and what was left: leaps, and numbers beyond RECORDED_MAX."""

    now: datetime
    recorded: int = 0
    corrected: int = 0
    leaps: list[Finding] = field(default_factory=list)
    beyond_limit: bool = False


def record_gaps(
    db: Db, *, now: datetime, grace_s: float = GRACE_S, kinds: Iterable[MaintainedKind] = AUDITED
) -> Recording:
    """Record every unexplained number as a gap, take back gaps whose documents arrived, and say what was done."""
    recording = Recording(now)
    for _series in audit_and_record(db, recording, grace_s=grace_s, kinds=kinds):
        pass
    return recording


def audit_and_record(
    db: Db,
    recording: Recording,
    *,
    grace_s: float = GRACE_S,
    kinds: Iterable[MaintainedKind] = AUDITED,
    find: FindSeries = find_series,
    progress: Progress = lambda read: None,
) -> Iterator[SeriesAudit]:
    """Yield what stands in every series, each after what was found in it has been recorded, or taken back.

    Safe to end at any moment and to run twice at once.
    """
    for walk in walks(db, now=recording.now, grace_s=grace_s, kinds=kinds, find=find, progress=progress):
        recorder = _Recorder(walk, recording)
        found = audit_series(walk, recorder.take)
        recorder.finish()
        recorder.tell(found)
        count_causes(db, found)
        yield found


@dataclass
class _Recorder:
    """Takes what is found in one series as it is found, and writes it in batches."""

    walk: Walk
    recording: Recording
    lost: list[int] = field(default_factory=list)
    asked: int = 0  # numbers that had neither document nor gap when they were read
    recorded: int = 0
    corrected: int = 0

    def take(self, walk: Walk, finding: Finding) -> None:
        if finding.what == RECORDED_AND_STORED:
            for number_seq in range(finding.first, finding.last + 1):
                self.corrected += counters.forget_gap(walk.db, walk.series, number_seq)
        elif finding.is_leap:
            self.recording.leaps.append(finding)
        elif finding.what == UNEXPLAINED:
            self._lose(finding)

    def finish(self) -> None:
        numbers, self.lost = self.lost, []
        for begin in range(0, len(numbers), RECORD_BATCH):
            batch = numbers[begin : begin + RECORD_BATCH]
            walk, now = self.walk, self.recording.now
            self.recorded += gaps.record(walk.db, walk.kind, walk.series, batch, reason=LOST, now=now)

    def tell(self, found: SeriesAudit) -> None:
        """Bring what was found up to what was done about it. A document that came meanwhile was not lost."""
        found.recorded_now = self.recorded
        found.recorded_gaps += self.recorded - self.corrected
        found.newly_lost -= self.asked - self.recorded
        found.counts[UNEXPLAINED] -= self.asked
        found.counts[RECORDED_AND_STORED] -= self.corrected
        self.recording.recorded += self.recorded
        self.recording.corrected += self.corrected

    def _lose(self, finding: Finding) -> None:
        left = RECORDED_MAX - self.asked
        self.recording.beyond_limit |= finding.count > left
        taken = min(finding.count, left)
        self.asked += taken
        self.lost.extend(range(finding.first, finding.first + taken))
        if len(self.lost) >= RECORD_BATCH:
            self.finish()
