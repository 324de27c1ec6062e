"""What stands in each series, and whether every number of it is accounted for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from finance.database import Db
from finance.maintenance.audit.checks import ON_THEIR_WAY, Finding, check
from finance.maintenance.audit.walk import Step, Walk
from finance.maintenance.kinds import KINDS, MaintainedKind
from finance.maintenance.series import find_series, stored_in
from finance.numbering.series import Series

GRACE_S = 60.0
FINDINGS_KEPT_MAX = 100  # of each sort and series; the counts are of all


@dataclass
class SeriesAudit:
    """What stands in one series. `counts` says how much of what was found, `findings` holds the first of each."""

    kind: str
    series: Series
    documents: int = 0
    voided: int = 0
    first: int | None = None
    newest: int | None = None
    newest_accounted: int = 0  # stored or recorded as a gap
    recorded_gaps: int = 0
    leap_count: int = 0  # those of the unexplained that are in leaps
    counter: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def counter_ahead(self) -> int:
        return max(0, self.counter - self.newest_accounted)

    @property
    def is_accounted_for(self) -> bool:
        return not set(self.counts) - {ON_THEIR_WAY}

    def count(self, step: Step) -> None:
        """Count what has the number of this step."""
        if step.documents:
            self.documents += step.documents
            self.first = self.first or step.number_seq
            self.newest = step.number_seq
        self.recorded_gaps += step.gaps
        if step.counter is not None:
            self.newest_accounted, self.counter = step.before, step.counter

    def add(self, finding: Finding) -> None:
        self.counts[finding.what] += finding.count
        self.leap_count += finding.count if finding.is_leap else 0
        kept = self.findings.setdefault(finding.what, [])
        if len(kept) < FINDINGS_KEPT_MAX:
            kept.append(finding)


def audit(
    db: Db, *, now: datetime, grace_s: float = GRACE_S, kinds: Iterable[MaintainedKind] = KINDS
) -> Iterator[SeriesAudit]:
    """Yield what stands in every series of every kind. Changes nothing; raises OrderIndexMissing."""
    for kind in kinds:
        for series in find_series(db, kind):
            yield audit_series(Walk(db, kind, series, old_before=now - timedelta(seconds=grace_s)))


def audit_series(walk: Walk) -> SeriesAudit:
    """Return what stands in one series."""
    found = SeriesAudit(kind=walk.kind.numbered.name, series=walk.series)
    for step in walk.steps():
        found.count(step)
        for finding in check(walk, step):
            found.add(finding)
    voided = stored_in(walk.series) | walk.kind.voided_filter
    found.voided = walk.db[walk.kind.numbered.collection].count_documents(voided)
    return found
