"""`scripts/audit_numbers.py`: is every number accounted for?"""

import argparse
import json
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from finance.database import Db, Document, require_ours
from finance.events import EVERY_TENANT, Action, record_event
from finance.maintenance import cli
from finance.maintenance.audit import checks, record
from finance.maintenance.audit.checks import Finding
from finance.maintenance.audit.series import GRACE_S, SeriesAudit, audit
from finance.maintenance.series import sync_counters

RANGES_PRINTED_MAX = 5
COLUMNS = (
    *("kind", "tenant", "scope", "period", "first", "newest", "count", "voided", "gaps"),
    *("unexplained", "on their way", "late", "duplicates", "counter"),
)
IN_COLUMNS = (checks.UNEXPLAINED, checks.ON_THEIR_WAY, checks.RECORDED_AND_STORED, checks.DUPLICATES)
NOT_LISTED = {checks.ON_THEIR_WAY, checks.RECORDED_AND_STORED, checks.DUPLICATES, checks.COUNTER_BEHIND}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments))


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name="audit_numbers.py",
        about="Account for every number: per tenant, kind and period, what is stored, explained, on its way or lost.",
        reads="the numbers of every kind by index, number_gaps and counters.",
        writes="nothing, unless --record-gaps (number_gaps: new entries, and late ones removed) or\n"
        "        --sync-counters (counters: raised, never lowered).",
        undo="an entry recorded by mistake is removed by the next --record-gaps once its document is there;\n"
        "        a raised counter stays raised, which costs nothing but unused numbers.",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    made.add_argument("--record-gaps", action="store_true", help="record unexplained numbers as gaps, with the reason")
    made.add_argument("--sync-counters", action="store_true", help="raise counters that are behind the data")
    made.add_argument(
        "--grace-seconds",
        type=float,
        default=GRACE_S,
        metavar="S",
        help="a number reserved within the last S seconds may be on its way (60); not below 10 while clients post",
    )
    return made


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    require_ours(db)
    clock = cli.server_clock(db)
    said = []
    if arguments.record_gaps:
        _tell(db, "gaps_recorded", now=clock())
        recording = record.record_gaps(db, now=clock(), grace_s=arguments.grace_seconds)
        said += _recording_lines(recording)
    if arguments.sync_counters:
        _tell(db, "counters_raised", now=clock())
        raised = sync_counters(db)
        said += [f"Counter {one.counter_id} raised from {before:,} to {after:,}." for one, before, after in raised]
        said.append(f"{len(raised):,} counters were behind.")
    found = list(audit(db, now=clock(), grace_s=arguments.grace_seconds))
    right = all(series.is_accounted_for for series in found)
    if arguments.json:
        body = {"accounted_for": right, "done": said, "series": [as_json(series) for series in found]}
        out.print(json.dumps(body, indent=1), markup=False, soft_wrap=True)
    else:
        _print(out, said, found)
    return cli.RIGHT if right else cli.FOUND


def _tell(db: Db, action: Action, *, now: datetime) -> None:
    asked = cli.asked_by("audit_numbers.py", tenant=EVERY_TENANT, now=now)
    record_event(db, asked, action=action, of=("database", db.name))


def as_json(found: SeriesAudit) -> Document:
    """Return what was found in one series; what none of these names comes at the end."""
    series = found.series
    return {
        "kind": found.kind,
        "tenant": series.tenant,
        "scope": series.scope,
        "period": series.period,
        "first": found.first,
        "newest": found.newest,
        "documents": found.documents,
        "voided": found.voided,
        "recorded_gaps": found.recorded_gaps,
        checks.UNEXPLAINED: 0,
        "unexplained_ranges": [[missing.first, missing.last] for missing in found.findings.get(checks.UNEXPLAINED, [])],
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


def _recording_lines(recording: record.Recording) -> list[str]:
    lines = [f"{recording.recorded:,} gaps recorded, {recording.corrected:,} taken back because a document has come."]
    lines += [
        f"Not recorded: {leap.count:,} numbers from {leap.first} to {leap.last} are a leap of the counter, not lost "
        f"requests ({checks.LEAP_MIN:,} or more side by side)."
        for leap in recording.leaps
    ]
    if recording.beyond_limit:
        lines.append(f"Stopped at {record.RECORDED_MAX:,} gaps in one series; run this again to go on.")
    return lines


def _print(out: Console, said: list[str], found: list[SeriesAudit]) -> None:
    for line in said:
        out.print(line, markup=False)
    made = cli.table(*COLUMNS)
    for series in found:
        counts = [series.documents, series.voided, series.recorded_gaps, *(series.counts[what] for what in IN_COLUMNS)]
        of = series.series
        made.add_row(
            series.kind,
            of.tenant,
            *(str(value or "") for value in (of.scope, of.period, series.first, series.newest)),
            *(f"{count:,}" for count in counts),
            _counter(series),
            style=None if series.is_accounted_for else "bold red",
        )
    if found:
        out.print(made)
    for series in found:
        for what in sorted(series.findings.keys() - NOT_LISTED):
            _print_ranges(out, series, what)
    wrong = sum(not series.is_accounted_for for series in found)
    out.print(f"{len(found):,} series, {wrong:,} with numbers that are not accounted for.")


def _print_ranges(out: Console, found: SeriesAudit, what: str) -> None:
    printed = found.findings[what][:RANGES_PRINTED_MAX]
    for finding in printed:
        out.print(f"{what}: {_range(found, finding)}", markup=False)
    more = found.counts[what] - sum(finding.count for finding in printed)
    if more:
        out.print(f"{what}: {more:,} more of {found.series.counter_id}", markup=False)


def _range(found: SeriesAudit, finding: Finding) -> str:
    first, last = (found.series.format(number_seq) for number_seq in (finding.first, finding.last))
    tenant = found.series.tenant
    return f"{tenant} {first}" if finding.count == 1 else f"{tenant} {first} to {last} ({finding.count:,} numbers)"


def _counter(found: SeriesAudit) -> str:
    behind = found.counts[checks.COUNTER_BEHIND]
    if behind:
        return f"{found.counter:,} ({behind:,} behind)"
    return f"{found.counter:,} ({found.counter_ahead:,} ahead)" if found.counter_ahead else f"{found.counter:,}"
