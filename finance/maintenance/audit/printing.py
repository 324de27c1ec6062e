"""What an audit found, as a table for people and as one JSON object for programs."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from finance.database import Document
from finance.maintenance import cli
from finance.maintenance.audit import checks, record, verdict
from finance.maintenance.audit.checks import Finding
from finance.maintenance.audit.series import SeriesAudit
from finance.maintenance.sight import Sight

RANGES_PRINTED_MAX = 5
COLUMNS = ("series", "newest", "stored", "voided", "gaps", "lost", "counter")  # 80 columns, with usual names
# What is told line by line below the table, and in which words.
LINES = {
    checks.UNEXPLAINED: "newly lost",
    checks.ON_THEIR_WAY: "on their way",
    checks.RECORDED_AND_STORED: "gap, but stored",
    checks.DUPLICATES: "duplicates",
    checks.COUNTER_BEHIND: "counter behind",
}


def print_json(
    out: Console,
    found: Sequence[SeriesAudit],
    *,
    seen: Sight,
    failures: Sequence[str],
    said: Sequence[str],
    lost_max: int,
) -> None:
    """Print one object. `passed` is what the exit code says, `accounted_for` how the numbers stand after this run."""
    body = {
        "sight": seen.as_json(),
        "passed": not failures,
        "failures": list(failures),
        "accounted_for": all(series.is_accounted_for for series in found),
        "max_lost": lost_max,
        "counts": verdict.counts_by_finding(found),
        "gaps_by_cause": verdict.gaps_by_cause(found),
        "done": list(said),
        "series": [as_json(series) for series in found],
    }
    out.print(json.dumps(body, indent=1), markup=False, soft_wrap=True)


def as_json(found: SeriesAudit) -> Document:
    """Return what was found in one series; what none of these names comes at the end."""
    series = found.series
    lost = found.findings.get(checks.UNEXPLAINED, [])
    left = [one for one in lost if one.is_leap] if found.recorded_now else lost
    return {
        "kind": found.kind,
        "tenant": series.tenant,
        "scope": series.scope,
        "period": series.period,
        "first": found.first,
        "newest": found.newest,
        "documents": found.documents,
        "voided": found.voided,
        "unused_codes": found.unused_codes,
        "beyond_counter": found.beyond_counter,
        "recorded_gaps": found.recorded_gaps,
        "gaps_by_cause": dict(found.gaps_by_cause.most_common()),
        "newly_lost": found.newly_lost,
        "newly_lost_ranges": [[one.first, one.last] for one in lost],
        "recorded_now": found.recorded_now,
        checks.UNEXPLAINED: 0,
        "unexplained_ranges": [[one.first, one.last] for one in left],
        "in_leaps": found.leap_count,
        checks.ON_THEIR_WAY: 0,
        checks.RECORDED_AND_STORED: 0,
        checks.DUPLICATES: 0,
        "counter": found.counter,
        checks.COUNTER_BEHIND: 0,
        "counter_ahead": found.counter_ahead,
        "accounted_for": found.is_accounted_for,
        **found.counts,
    }


def recording_lines(recording: record.Recording) -> list[str]:
    lines = [f"{recording.recorded:,} gaps recorded, {recording.corrected:,} taken back because a document has come."]
    lines += [
        f"Not recorded: {leap.count:,} numbers from {leap.first} to {leap.last} are a leap of the counter, not lost "
        f"requests ({checks.LEAP_MIN:,} or more side by side)."
        for leap in recording.leaps
    ]
    if recording.beyond_limit:
        lines.append(f"Stopped at {record.RECORDED_MAX:,} gaps in one series; run this again to go on.")
    return lines


def print_table(out: Console, found: Sequence[SeriesAudit], *, failures: Sequence[str], said: Sequence[str]) -> None:
    """Print a row a series, what was found line by line, and last the verdict."""
    for line in said:
        out.print(line, markup=False)
    if found:
        out.print(_table(found))
    for series in found:
        for what in (each for each in LINES if each in series.findings):
            _print_ranges(out, series, what)
    for cause, count in verdict.gaps_by_cause(found).items():
        out.print(f"recorded gaps: {count:,} {cause}", markup=False)
    wrong = sum(not series.is_accounted_for for series in found)
    out.print(f"{len(found):,} series, {wrong:,} with numbers that are not accounted for.")
    for failure in failures:
        out.print(f"FAILED: {failure}", markup=False)


def _table(found: Sequence[SeriesAudit]) -> Table:
    made = cli.table(*COLUMNS)
    for series in found:
        counts = (series.documents, series.voided, series.recorded_gaps, series.newly_lost)
        made.add_row(
            cli.shown(_name(series)),
            "" if series.newest is None else str(series.newest),
            *(f"{count:,}" for count in counts),
            _counter(series),
            style="bold red" if series.newly_lost or not series.is_accounted_for else None,
        )
    return made


def _name(found: SeriesAudit) -> str:
    return found.series.counter_id


def _print_ranges(out: Console, found: SeriesAudit, what: str) -> None:
    printed = found.findings[what][:RANGES_PRINTED_MAX]
    for finding in printed:
        out.print(f"{LINES[what]}: {_range(found, finding)}", markup=False)
    total = found.newly_lost if what == checks.UNEXPLAINED else found.counts[what]
    more = total - sum(finding.count for finding in printed)
    if more > 0:
        out.print(f"{LINES[what]}: {more:,} more of {_name(found)}", markup=False)


def _range(found: SeriesAudit, finding: Finding) -> str:
    first, last = (found.series.format(number_seq) for number_seq in (finding.first, finding.last))
    tenant = cli.shown(found.series.tenant)
    if finding.first == finding.last:
        return f"{tenant} {first}"
    if finding.count <= finding.last - finding.first:  # which of them isn't kept; a repair's look lists them
        return f"{tenant} {finding.count:,} among {first} to {last}"
    return f"{tenant} {first} to {last} ({finding.count:,} numbers)"


def _counter(found: SeriesAudit) -> str:
    behind = found.counts[checks.COUNTER_BEHIND]
    if behind:
        return f"{found.counter:,} (-{behind:,})"
    return f"{found.counter:,} (+{found.counter_ahead:,})" if found.counter_ahead else f"{found.counter:,}"
