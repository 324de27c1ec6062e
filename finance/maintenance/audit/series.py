"""What stands in each series, and whether every number of it is accounted for."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from finance.database import Db, Document
from finance.maintenance.audit.checks import ON_THEIR_WAY, UNEXPLAINED, Finding, check
from finance.maintenance.audit.walk import Step, Walk
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.maintenance.series import FindSeries, find_series, stored_in
from finance.numbering.series import NUMBER_SEQ_MAX, Series

GRACE_S = 60.0
FINDINGS_KEPT_MAX = 100  # of each sort and series; the counts are of all

Progress = Callable[[int], None]
Taking = Callable[[Walk, Finding], None]


@dataclass
class SeriesAudit:
    """What stands in one series. `counts` says how much of what was found, `findings` holds the first of each.

    It stood so at the instant `at` or later; reading it took `took_s`.
    `newly_lost` numbers were found to have neither document nor reason by this run, whether or not it recorded them
    as gaps; those that it recorded are no longer in `counts`.
    """

    kind: str
    series: Series
    has_gaps: bool = True
    documents: int = 0
    voided: int = 0
    unused_codes: int = 0  # handed out, and no document has them yet
    beyond_counter: int = 0  # documents whose number somebody chose, where people may
    first: int | None = None
    newest: int | None = None
    newest_accounted: int = 0  # stored, handed out or recorded as a gap
    recorded_gaps: int = 0
    gaps_by_cause: Counter[str] = field(default_factory=Counter)
    newly_lost: int = 0
    recorded_now: int = 0
    leap_count: int = 0  # those of the unexplained that are in leaps
    counter: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    at: datetime | None = None
    took_s: float = 0.0

    @property
    def counter_ahead(self) -> int:
        return max(0, self.counter - self.newest_accounted)

    @property
    def is_accounted_for(self) -> bool:
        return not set(+self.counts) - {ON_THEIR_WAY}

    def count(self, step: Step) -> None:
        """Count what has the numbers of this step."""
        if step.counter is not None:
            self.newest_accounted, self.counter = step.before, step.counter
            return
        if step.documents:
            self.documents += step.documents * step.numbers
            self.first = self.first or step.number_seq
            self.newest = step.end
        elif step.codes:
            self.unused_codes += step.numbers
        self.recorded_gaps += step.gaps * step.numbers

    def add(self, finding: Finding) -> None:
        self.counts[finding.what] += finding.count
        self.leap_count += finding.count if finding.is_leap else 0
        self.newly_lost += finding.count if finding.what == UNEXPLAINED else 0
        kept = self.findings.setdefault(finding.what, [])
        if len(kept) < FINDINGS_KEPT_MAX:
            kept.append(finding)


def audit(
    db: Db,
    *,
    now: datetime,
    grace_s: float = GRACE_S,
    kinds: Iterable[MaintainedKind] = AUDITED,
    find: FindSeries = find_series,
    progress: Progress = lambda read: None,
) -> Iterator[SeriesAudit]:
    """Yield what stands in every series of every kind. Changes nothing; raises OrderIndexMissing."""
    for walk in walks(db, now=now, grace_s=grace_s, kinds=kinds, find=find, progress=progress):
        found = audit_series(walk)
        count_causes(walk.db, found)
        yield found


def walks(
    db: Db,
    *,
    now: datetime,
    grace_s: float,
    kinds: Iterable[MaintainedKind],
    find: FindSeries = find_series,
    progress: Progress,
) -> Iterator[Walk]:
    """Yield the way through each series of each kind; each begins when the one before it has ended."""
    began_s, old_before = time.monotonic(), now - timedelta(seconds=grace_s)
    for kind in kinds:
        for series in find(db, kind):
            at = now + timedelta(milliseconds=int((time.monotonic() - began_s) * 1000))  # as MongoDB stores it
            yield Walk(db, kind, series, old_before=old_before, at=at, progress=progress)


def audit_series(walk: Walk, take: Taking = lambda walk, finding: None) -> SeriesAudit:
    """Return what stands in one series; `take` is given each finding as it is found."""
    began_s = time.monotonic()
    found = SeriesAudit(kind=walk.kind.numbered.name, series=walk.series, has_gaps=walk.kind.has_gaps, at=walk.at)
    for step in walk.steps():
        found.count(step)
        for finding in check(walk, step):
            found.add(finding)
            take(walk, finding)
    collection, in_series = walk.db[walk.kind.numbered.collection], stored_in(walk.series)
    found.voided = collection.count_documents(in_series | walk.kind.voided_filter)
    if walk.kind.chosen_by_hand:
        beyond = {"number_seq": {"$gt": found.counter, "$lte": NUMBER_SEQ_MAX}}
        found.beyond_counter = collection.count_documents(in_series | beyond)
    found.took_s = time.monotonic() - began_s
    return found


def count_causes(db: Db, found: SeriesAudit) -> None:
    """Count the recorded gaps by their reason."""
    groups: list[Document] = [{"$match": found.series.identity}, {"$group": {"_id": "$reason", "count": {"$sum": 1}}}]
    if found.recorded_gaps:
        found.gaps_by_cause.update({str(one["_id"]): one["count"] for one in db.number_gaps.aggregate(groups)})
