"""`scripts/audit_numbers.py`: is every number accounted for?"""

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from prometheus_client import write_to_textfile
from rich.console import Console

from finance.database import Db, require_ours
from finance.events import EVERY_TENANT, Action, record_event
from finance.maintenance import cli, sight
from finance.maintenance.audit import foreign, printing, record, stored, verdict
from finance.maintenance.audit.series import GRACE_S, SeriesAudit, audit
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.maintenance.series import FindSeries, find_one_series, find_series, sync_counters
from finance.maintenance.target import CREATED_FIELD, Progress, named, require_not_foreign

SCRIPT = "audit_numbers.py"
GRACE_S_MAX = 366 * 86_400
FAILS_ON = """It fails (exit code 1) on
  numbers newly lost: no document has them, no gap was recorded for them before, and they aren't on their way;
    also those that this very run records. --max-lost N tolerates N, but none of invoices and credit notes;
  documents whose number another one has;
  recorded gaps whose document has come, unless --record-gaps takes them back;
  counters behind numbers in use, unless --sync-counters raises them.
It doesn't fail on recorded gaps, whatever their reason, voided documents, codes that were handed out and not used,
customers' codes that somebody chose, and numbers on their way."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments))


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name=SCRIPT,
        about="Account for every number: per tenant, kind and period, what is stored, explained, on its way or lost."
        f"\n\n{FAILS_ON}",
        reads="the numbers of every kind by index, number_gaps, customer_codes and counters.",
        writes="number_checks (what was found in each series, and when: the last check, which the pages show) where\n"
        "        the database is ours; nothing at all with --no-store. --record-gaps writes number_gaps (new\n"
        "        entries, and late ones removed), --sync-counters counters (raised, never lowered),\n"
        "        --metrics-file that file.",
        undo="an entry recorded by mistake is removed by the next --record-gaps once its document is there;\n"
        "        a raised counter stays raised, which costs nothing but unused numbers.",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    made.add_argument("--record-gaps", action="store_true", help="record unexplained numbers as gaps, with the reason")
    made.add_argument("--sync-counters", action="store_true", help="raise counters that are behind the data")
    made.add_argument(
        "--series",
        type=_series,
        metavar="ID",
        help="this one alone, named as in the table: payment:acme:2026, invoice:acme:DKR1:2026-11, customer:acme",
    )
    made.add_argument("--no-store", action="store_true", help="don't store the checks: what pages show stays as it is")
    made.add_argument(
        "--max-lost", type=_count, default=0, metavar="N", help="pass where at most N numbers are newly lost (0)"
    )
    made.add_argument(
        "--metrics-file",
        type=_metrics_file,
        metavar="PATH",
        help="write metrics of this audit for node_exporter's textfile collector; its name ends in .prom",
    )
    made.add_argument(
        "--grace-seconds",
        type=_seconds,
        default=GRACE_S,
        metavar="S",
        help="a number reserved within the last S seconds may be on its way (60); not below 10 while clients post",
    )
    other = made.add_argument_group("one collection, or one that other software filled (looked at, never changed)")
    other.add_argument("--collection", metavar="NAME", help="this one alone")
    other.add_argument(
        "--number-field", type=cli.name, metavar="FIELD", help="the field of the number, such as paymentNumber"
    )
    other.add_argument("--scope", type=cli.names, metavar="FIELDS", help="numbers are counted within these, as: user")
    return made


def _series(text: str) -> tuple[str, ...]:
    kinds, parts = [kind.numbered.name for kind in AUDITED], tuple(text.split(":"))
    if parts[0] not in kinds or len(parts) < len(("customer", "acme")):
        raise argparse.ArgumentTypeError(f"must be named as payment:acme:2026 (one of {', '.join(kinds)})")
    return parts


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("must be a whole number from 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= GRACE_S_MAX:  # nan is not
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 to {GRACE_S_MAX:,} (a year)")
    return seconds


def _metrics_file(text: str) -> Path:
    if not text.endswith(".prom"):
        raise argparse.ArgumentTypeError("must end in .prom: node_exporter reads no other file")
    return Path(text)


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    began = time.monotonic()
    clock = cli.server_clock(db)
    _require_folder(arguments.metrics_file)
    if arguments.number_field:
        said, found = _look_at_foreign(arguments, db, out)
    else:
        said, found = _look(arguments, db, out, clock())
    failures = verdict.failures(found, lost_max=arguments.max_lost)
    if arguments.json:
        seen = sight.look(db)
        printing.print_json(out, found, seen=seen, failures=failures, said=said, lost_max=arguments.max_lost)
    else:
        printing.print_table(out, found, failures=failures, said=said)
    if arguments.metrics_file:
        took_s = time.monotonic() - began
        metrics = verdict.metrics(found, database=db.name, passed=not failures, finished_at=clock(), took_s=took_s)
        write_to_textfile(str(arguments.metrics_file), metrics)  # beside it first, then renamed
    return cli.FOUND if failures else cli.RIGHT


def _look(arguments: argparse.Namespace, db: Db, out: Console, now: datetime) -> tuple[list[str], list[SeriesAudit]]:
    kinds = _kinds(arguments)
    for kind in kinds:
        require_not_foreign(db, kind.numbered.collection, created=False)
    require_ours(db)
    for option in ("--record-gaps", "--sync-counters"):
        if getattr(arguments, option[2:].replace("-", "_")):
            cli.require_in_use(db, option)
    find = _finder(arguments, db, kinds)
    said = _sync(db, kinds, find, now) if arguments.sync_counters else []
    recording = record.Recording(now) if arguments.record_gaps else None
    if recording is not None:
        _tell(db, "gaps_recorded", now=now)
    asked = cli.asked_by(SCRIPT, tenant=EVERY_TENANT, now=now)
    storing = stored.Storing(db, asked, arguments.grace_seconds) if _is_stored(arguments, db) else None
    options = {"grace_s": arguments.grace_seconds, "kinds": kinds, "find": find}
    with _reading(out, db, (kind.numbered.collection for kind in kinds)) as progress:
        audited = (
            audit(db, now=now, **options, progress=progress)
            if recording is None
            else record.audit_and_record(db, recording, **options, progress=progress)
        )
        found = list(storing.through(audited) if storing else audited)
    said += printing.recording_lines(recording) if recording else []
    if storing and storing.failure:
        said.append(
            f"This check could not be stored, so pages show the one before it. {cli.in_words(storing.failure)}."
        )
    return said, found


def _sync(db: Db, kinds: tuple[MaintainedKind, ...], find: FindSeries, now: datetime) -> list[str]:
    _tell(db, "counters_raised", now=now)
    raised = sync_counters(db, kinds=kinds, find=find)
    said = [f"Counter {one.counter_id} raised from {before:,} to {after:,}." for one, before, after in raised]
    return [*said, f"{len(raised):,} counters were behind."]


def _finder(arguments: argparse.Namespace, db: Db, kinds: tuple[MaintainedKind, ...]) -> FindSeries:
    """Return what finds the series of a kind: all of them, or the one that is named; raises Stopped."""
    if not arguments.series:
        return find_series
    name, *ids = arguments.series
    one = next((find_one_series(db, kind, ids) for kind in kinds if kind.numbered.name == name), None)
    if one is None:
        raise cli.Stopped(f"--series {':'.join(arguments.series)}: no number was given in it here.")
    return lambda _db, kind: [one] if kind.numbered.name == name else []


def _is_stored(arguments: argparse.Namespace, db: Db) -> bool:
    """Return whether this check is one for the pages: never in a database that isn't ours, or isn't used."""
    return not arguments.no_store and sight.holds_ours(db)


def _kinds(arguments: argparse.Namespace) -> tuple[MaintainedKind, ...]:
    if arguments.scope:
        raise cli.Stopped("--scope is for a collection of other software: name its --number-field too.")
    kinds = tuple(kind for kind in AUDITED if arguments.collection in (None, kind.numbered.collection))
    if not kinds:
        raise cli.Stopped(f"{arguments.collection} is none of our collections: name its --number-field and --scope.")
    return kinds


def _look_at_foreign(arguments: argparse.Namespace, db: Db, out: Console) -> tuple[list[str], list[SeriesAudit]]:
    if not arguments.collection:
        raise cli.Stopped("Name the --collection whose --number-field this is.")
    if arguments.record_gaps or arguments.sync_counters:
        raise cli.Stopped("A collection of other software is only looked at: leave out --record-gaps, --sync-counters.")
    if arguments.series:
        raise cli.Stopped("--series names one of our series: leave out --number-field.")
    target = named(
        db,
        collection=arguments.collection,
        number_field=arguments.number_field,
        scope_fields=arguments.scope or (),
        created_field=CREATED_FIELD,
    )
    seen = foreign.Seen()
    with _reading(out, db, [arguments.collection]) as progress:
        found = list(foreign.audit_foreign(target, seen, progress=progress))
    said = [f"{db.name}.{arguments.collection}: {target.coverage.in_words()}."] if target.coverage else []
    if seen.uncounted:
        said.append(f"{seen.uncounted:,} have a {arguments.number_field} that doesn't end in a counted number.")
    return said, found


def _require_folder(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise cli.Stopped(f"--metrics-file: there is no folder {path.absolute().parent}.")


@contextmanager
def _reading(out: Console, db: Db, collections: Iterable[str]) -> Iterator[Progress]:
    """Give a function that is told of how many numbers more were read."""
    total = sum(db[collection].estimated_document_count() for collection in collections)
    with cli.progress_bar(out, "reading numbers", total) as show:
        done = 0

        def read(more: int) -> None:
            nonlocal done
            done += more
            show(done)

        yield read


def _tell(db: Db, action: Action, *, now: datetime) -> None:
    asked = cli.asked_by(SCRIPT, tenant=EVERY_TENANT, now=now)
    record_event(db, asked, action=action, of=("database", db.name))
