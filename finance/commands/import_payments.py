"""`scripts/import_payments.py`: payments of another system are taken over, with their numbers."""

import argparse
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from finance import database
from finance.asked import Asked
from finance.commands import tenants
from finance.commands.import_payments_pairs import limits, pairs, values
from finance.commands.import_payments_told import tell_fields, tell_rows, tell_series, tell_values_unmet
from finance.config import Config
from finance.database import Db
from finance.events import Action, record_event
from finance.maintenance import cli
from finance.maintenance.gaps import explain_missing
from finance.maintenance.kinds import KINDS
from finance.maintenance.lease import Lease, held
from finance.numbering.reasons import ISSUED_BY_OLDER_SYSTEM
from finance.numbering.series import require_slug
from finance.payments.foreign_rows import Import, Tenants
from finance.payments.imports import go_on_after, import_rows, survey_of
from finance.payments.mapping import FieldMap
from finance.payments.model import KIND, payment_series
from finance.payments.sources import Source, of_collection, of_file
from finance.payments.survey import SeriesFound, Survey

HOLES_MAX = 1_000_000  # each is recorded as a gap
OF_FILES = "payments"  # the name under which rows of a file are known again
PAYMENTS = next(kind for kind in KINDS if kind.numbered.name == KIND)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments), may_begin=True)


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name="import_payments.py",
        about="Take over the payments of another system: with their numbers, each once, and a verdict for every row.\n"
        "A run that was killed is run again; what is stored already is left as it is. docs/import.md has the story.",
        reads="a CSV, XLSX or JSONL file, or a collection on the same server (never written); customers, payments.",
        writes="nothing, unless --apply: payments, counters (raised to the last number taken over, never lowered),\n"
        "        number_gaps (the numbers that nothing has, as issued_by_older_system), audit_events.",
        undo="an import isn't taken back: rehearse it with --database COPY. A payment that is wrong is voided.",
    )
    made.add_argument("file", nargs="?", type=Path, metavar="FILE", help="CSV or XLSX with a line of names, or JSONL")
    made.add_argument("--from-collection", metavar="NAME", help="instead of a file: a collection on the same server")
    made.add_argument(
        "--from-database", type=cli.given, metavar="NAME", help="in which database it is (that of --database)"
    )
    made.add_argument("--apply", action="store_true", help="store them; without it nothing is written")
    made.add_argument("--all", action="store_true", help="print the rows that are simply taken or unchanged, too")
    whose = made.add_argument_group("whose payments they are")
    whose.add_argument("--tenant", metavar="T", help="all of this tenant")
    whose.add_argument("--tenants-from", metavar="FIELD", help="each of the tenant that the map has for this field")
    whose.add_argument("--tenant-map", type=Path, metavar="FILE", help="a line for each value of it: theirs=ours")
    what = made.add_argument_group("what their fields are")
    _add_pairs(what, "--field", "OURS=THEIRS", "ours is read from theirs (of their field of the same name); '' leaves")
    _add_pairs(what, "--value", "FIELD:THEIRS=OURS", "what one of their values is in our field, as method:CASH=cash")
    _add_pairs(what, "--set", "OURS=VALUE", "the same for every row, as currency=EUR")
    what.add_argument("--row-key", metavar="FIELD", help="by which a row is known again (_id, else payment_number)")
    what.add_argument("--source-name", metavar="NAME", help="the name that goes before it (the collection's)")
    _add_pairs(
        what, "--last-number", "NUMBER", "the last number of its year that was counted: a clock made those beyond"
    )
    return made


def _add_pairs(group: argparse._ArgumentGroup, option: str, metavar: str, said: str) -> None:
    group.add_argument(option, action="append", default=[], metavar=metavar, help=said)


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    _require_not_into_itself(arguments, db)
    database.require_ours(db)
    run = _import_of(arguments, db)
    if run.tenants.tenant:
        tenants.warn_of_new(db, run.tenants.tenant)
    if not arguments.apply:
        return _look(arguments, run, out)
    database.protect(db)
    doing = f"an import from {run.source.described}"
    with held(db, PAYMENTS.numbered.collection, doing=doing, by=run.asked.by_name or "") as lease:
        return _apply(arguments, run, lease, out)


def _look(arguments: argparse.Namespace, run: Import, out: Console) -> int:
    survey, _series = _survey(arguments, run, out)
    counts = _rows(arguments, run, survey, out)
    code = _end(counts, out, imported="would be imported")
    print("Nothing was written. Add --apply to store this.", file=sys.stderr)
    return code


def _apply(arguments: argparse.Namespace, run: Import, lease: Lease, out: Console) -> int:
    survey, series = _survey(arguments, run, out)
    event = f"{run.asked.now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    about = {"source": run.source.described, "rows": survey.rows}
    _tell(run.db, run.asked, "imported", event, survey.tenants(), about)
    go_on_after(run, series)
    counts = _rows(arguments, run, survey, out, lease=lease)
    _explain_holes(run, series, out)
    finished = replace(run.asked, now=cli.server_clock(run.db)())
    _tell(run.db, finished, "import_finished", event, survey.tenants(), about | dict(counts))
    return _end(counts, out, imported="imported")


def _survey(arguments: argparse.Namespace, run: Import, out: Console) -> tuple[Survey, list[SeriesFound]]:
    """Read the source once, and say what is in it."""
    with _bar("Reading", run.source.total) as progress:
        survey, series = survey_of(run, limits=limits(arguments.last_number, today=run.today), progress=progress)
    out.print(f"{run.source.described}: {survey.rows:,} rows, into the database {run.db.name}.", markup=False)
    tell_fields(out, run, survey, named=_named(arguments))
    tell_series(out, run.db, series)
    _require_few_holes(series)
    return survey, series


def _rows(
    arguments: argparse.Namespace, run: Import, survey: Survey, out: Console, *, lease: Lease | None = None
) -> Counter[str]:
    """Go through the rows, storing them where there is a lease, and return how many have which verdict."""
    counts: Counter[str] = Counter()
    with _bar("Importing" if lease else "Checking", survey.rows) as progress:
        for verdicts in import_rows(run, survey, apply=lease is not None):
            counts.update(verdict.verdict for verdict in verdicts)
            tell_rows(out, verdicts, applied=lease is not None, all_of_them=arguments.all)
            progress(counts.total())
            if lease is not None:
                lease.require()
    tell_values_unmet(out, run.fields)
    return counts


def _end(counts: Counter[str], out: Console, *, imported: str) -> int:
    words = {"imported": imported}
    said = ", ".join(f"{count:,} {words.get(verdict, verdict)}" for verdict, count in sorted(counts.items()))
    out.print(said or "0 rows")
    return cli.FOUND if set(counts) - {"imported", "unchanged"} else cli.RIGHT


def _bar(what: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
    return cli.progress_bar(Console(stderr=True), what, total)


# --- What is asked for -------------------------------------------------------------------------------------------


def _import_of(arguments: argparse.Namespace, db: Db) -> Import:
    timezone, now = Config.from_env().timezone, cli.server_clock(db)()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    whose = _tenants(arguments)
    fields = FieldMap(
        timezone=timezone,
        fields=pairs("--field", arguments.field),
        values=values(arguments.value),
        constants=pairs("--set", arguments.set),
        row_key=arguments.row_key,
    )
    twice = sorted(set(fields.fields) & set(fields.constants))
    if twice:
        raise cli.Stopped(f"{twice[0]} can't be both of --field and of --set.")
    asked = cli.asked_by("import_payments.py", tenant=whose.tenant or "", now=now)
    return Import(db, asked, _source(arguments, db), whose, fields, now.astimezone(timezone).date())


def _source(arguments: argparse.Namespace, db: Db) -> Source:
    if (arguments.file is None) == (arguments.from_collection is None):
        raise cli.Stopped("Name either a FILE or --from-collection.")
    if arguments.file is not None and arguments.from_database is not None:
        raise cli.Stopped("--from-database belongs to --from-collection: a FILE is in no database.")
    if arguments.file is not None:
        return of_file(arguments.file, name=arguments.source_name or OF_FILES)
    place = arguments.from_database or db.name
    name = arguments.source_name or arguments.from_collection
    source = of_collection(db, database=place, collection=arguments.from_collection, name=name)
    if not source.total:
        there = ", ".join(sorted(db.client[place].list_collection_names())) or "nothing"
        raise cli.Stopped(f"{source.described} has no documents; in {place} there is: {there}.")
    return source


def _tenants(arguments: argparse.Namespace) -> Tenants:
    if (arguments.tenant is None) == (arguments.tenants_from is None):
        raise cli.Stopped("Name either --tenant, or --tenants-from with its --tenant-map.")
    if arguments.tenant is not None:
        return Tenants(_slug("--tenant", arguments.tenant))
    if arguments.tenant_map is None:
        raise cli.Stopped("--tenants-from needs a --tenant-map: a file with a line theirs=ours for each value.")
    by_value: dict[str, str] = {}
    for line in _lines_of(arguments.tenant_map):
        theirs, equals, ours = line.rpartition("=")
        if not (equals and theirs.strip()):
            raise cli.Stopped(f"{arguments.tenant_map}: each line must be theirs=ours, as 6=dakar.")
        by_value[theirs.strip()] = _slug("--tenant-map:", ours.strip())
    return Tenants(theirs=arguments.tenants_from, by_value=by_value)


def _lines_of(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise cli.Stopped(f"{path} must be text in UTF-8.") from None
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _slug(option: str, text: str) -> str:
    try:
        return require_slug(text)
    except ValueError as error:
        raise cli.Stopped(f"{option} {error}") from None


def _named(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the fields of theirs that options name, each with its option."""
    named = [("--field", theirs) for theirs in pairs("--field", arguments.field).values()]
    named += [("--row-key", arguments.row_key or ""), ("--tenants-from", arguments.tenants_from or "")]
    return [(option, theirs) for option, theirs in named if theirs]


# --- What must not be --------------------------------------------------------------------------------------------


def _require_not_into_itself(arguments: argparse.Namespace, db: Db) -> None:
    if arguments.from_collection == PAYMENTS.numbered.collection and arguments.from_database in (None, db.name):
        raise cli.Stopped(
            f"{db.name}.{arguments.from_collection} would be read and be written: ours are in a database of their own. "
            "Name it in FINANCE_DATABASE or --database, and the old one in --from-database."
        )


def _require_few_holes(series: Sequence[SeriesFound]) -> None:
    for one in series:
        if one.holes > HOLES_MAX:
            written = payment_series(one.tenant, one.year).format
            raise cli.Stopped(
                f"{one.holes:,} numbers up to {written(one.last)} have no payment: "
                "a clock made that one, or --last-number is too high."
            )


# --- Beside the payments -----------------------------------------------------------------------------------------


def _explain_holes(run: Import, series: Sequence[SeriesFound], out: Console) -> None:
    """Record why nothing has the numbers that nothing has, so that the audit accounts for them."""
    explain = partial(explain_missing, run.db, PAYMENTS, reason=ISSUED_BY_OLDER_SYSTEM, now=run.asked.now)
    for one in series:
        with _bar("Explaining", one.holes) as progress:
            recorded = explain(payment_series(one.tenant, one.year), last=one.last, progress=progress)
        if recorded:
            out.print(f"{one.tenant} {one.year}: {recorded:,} numbers without a payment are explained.")


def _tell(db: Db, asked: Asked, action: Action, event: str, of: Sequence[str], about: dict[str, object]) -> None:
    for tenant in of:
        record_event(db, replace(asked, tenant=tenant), action=action, of=("import", event), details=about)
