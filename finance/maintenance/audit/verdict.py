"""What the findings of a whole audit mean: whether it fails, in words, as JSON and as metrics for Prometheus.

It fails on each of these, and on nothing else:

    newly lost            numbers that this run found to have neither document nor reason, recorded by it or not,
                          beyond the tolerated ones (of invoices and credit notes none is tolerated)
    duplicates            documents whose number another one has
    recorded_and_stored   gaps whose document has come, and that were not taken back by this run
    counter_behind        numbers in use that the counter would give again, and that was not raised by this run
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from finance.database import Document
from finance.maintenance.audit import checks
from finance.maintenance.audit.series import SeriesAudit

_WORDS = {
    checks.DUPLICATES: "{count:,} documents with a number that another one has",
    checks.RECORDED_AND_STORED: "{count:,} recorded gaps whose document has come (--record-gaps)",
    checks.COUNTER_BEHIND: "{count:,} numbers that a counter would give again (--sync-counters)",
}
FINDINGS = (checks.UNEXPLAINED, checks.ON_THEIR_WAY, *_WORDS)
STATES = ("documents", "voided", "unused_codes", "recorded_gaps", "beyond_counter")


def failures(found: Iterable[SeriesAudit], *, lost_max: int = 0) -> list[str]:
    """Return why the audit fails, a sentence each; none where it is passed."""
    counts: Counter[str] = Counter()
    tolerable = never = 0
    for series in found:
        counts.update(+series.counts)
        tolerable += series.newly_lost if series.has_gaps else 0
        never += 0 if series.has_gaps else series.newly_lost
    said = [words.format(count=counts[what]) for what, words in _WORDS.items() if counts[what]]
    if never:
        said.insert(0, f"{never:,} numbers newly lost of what must have no gaps")
    if tolerable > lost_max:
        tolerated = f", where {lost_max:,} are tolerated (--max-lost)" if lost_max else ""
        said.insert(0, f"{tolerable:,} numbers newly lost{tolerated}")
    return said


def gaps_by_cause(found: Iterable[SeriesAudit]) -> Document:
    """Return how many numbers have which reason not to have a document, of all series."""
    causes: Counter[str] = Counter()
    for series in found:
        causes.update(series.gaps_by_cause)
    return dict(causes.most_common())


def counts_by_finding(found: Iterable[SeriesAudit]) -> Document:
    counts: Counter[str] = Counter(newly_lost=0, **dict.fromkeys(FINDINGS, 0))
    for series in found:
        counts.update(series.counts)
        counts["newly_lost"] += series.newly_lost
    return dict(counts)


def metrics(
    found: Sequence[SeriesAudit], *, database: str, passed: bool, finished_at: datetime, took_s: float
) -> CollectorRegistry:
    """Return the metrics of this audit, each with the database and by kind; the last run replaces the one before."""
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"finance_audit_{name}", about, ["database", *labels], registry=registry)

    gauge("passed", "Whether the last audit found nothing wrong").labels(database).set(passed)
    finished = gauge("finished_timestamp_seconds", "When the last audit ended")
    finished.labels(database).set(finished_at.timestamp())
    gauge("duration_seconds", "How long it took").labels(database).set(took_s)
    findings = gauge("findings", "Numbers by what is wrong with them", "kind", "finding")
    numbers = gauge("numbers", "Numbers by what has them", "kind", "state")
    gaps = gauge("gaps", "Recorded gaps by their reason", "kind", "cause")
    for kind in sorted({series.kind for series in found}):
        of_kind = [series for series in found if series.kind == kind]
        for finding, count in counts_by_finding(of_kind).items():
            findings.labels(database, kind, finding).set(count)
        for state in STATES:
            numbers.labels(database, kind, state).set(sum(getattr(series, state) for series in of_kind))
        for cause, count in gaps_by_cause(of_kind).items():
            gaps.labels(database, kind, cause).set(count)
    return registry
