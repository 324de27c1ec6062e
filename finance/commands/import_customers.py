"""Import customers from a CSV or XLSX file, one customer a row, or from a customer master of six Django tables.

    {program} --template customers.xlsx              write a file with all columns, to be filled in
    {program} --tenant acme customers.csv            show what would become of each row
    {program} --tenant acme customers.csv --apply    and store it

The columns are the fields of the form: customer_name, pan_number, …, tds.rate, terms_conditions.credit_limit, and for
the parts that may be several gst_details.1.gstin, gst_details.2.gstin, banking.1.account_number, … (docs/customers.md).
A row is known again by its customer_code, else by its pan_number, else by its customer_name, so a second run changes
nothing, and one after a crash does what is left. What a row doesn't name stays as it is stored: a column that isn't
there, and an empty cell. "(remove)" in a cell removes. Each row is stored whole or not at all.

Of an older system with six tables, docs/customers.md has the SELECT that makes such a CSV file; the JSON file that its
`manage.py dumpdata` writes is taken as it is.

The exit code is 1 where a row was refused. What --apply does is recorded in audit_events before it begins, with the
name of the file and of whoever runs it (user@host), and again with its counts when it has ended.

MONGODB_URI, FINANCE_DATABASE and FINANCE_ENCRYPTION_KEY are those of the API; without them, those of scripts/serve.
"""

import argparse
import secrets
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from finance import database
from finance.asked import Asked
from finance.commands import ending, tenants
from finance.config import Config
from finance.context import utc_now
from finance.customers.columns import parse_columns
from finance.customers.dumps import Dump, is_dump, read_dump
from finance.customers.imports import IMPORTED_BY, RowVerdict, import_rows
from finance.customers.model import Book
from finance.customers.template import write_template
from finance.encryption import FieldCipher
from finance.events import record_event
from finance.maintenance import sight
from finance.maintenance.cli import parse, program, whoami
from finance.numbering.series import require_slug
from finance.tables.reading import Table, read_table

EXIT_REFUSED = 1


def main() -> int:
    called = program("import_customers.py")
    parser = argparse.ArgumentParser(
        prog=called,
        description=(__doc__ or "").format(program=called),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="CSV (UTF-8; commas, semicolons or tabs), XLSX (first sheet) or JSON of manage.py dumpdata",
    )
    parser.add_argument("--tenant", help="whose customers they are")
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="write an empty .csv or .xlsx and do nothing else"
    )
    parser.add_argument("--apply", action="store_true", help="store them; without it nothing is written")
    parser.add_argument("--confirm-duplicates", action="store_true", help="also where another has the PAN or a GSTIN")
    options = parse(parser)
    return ending.run(lambda: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.template:
        if options.file or options.tenant or options.apply:
            parser.error("--template writes an empty file and goes with nothing else")
        write_template(options.template)
        return 0
    if not options.file or not options.tenant:
        parser.error("--tenant and FILE are required (or --template FILE)")
    try:
        tenant = require_slug(options.tenant)
    except ValueError as error:
        parser.error(f"--tenant {error}")
    config = Config.from_env()
    table = read_dump(options.file) if is_dump(options.file) else read_table(options.file)
    columns = parse_columns(table.columns)
    _tell_of(table)
    db = database.connect(config)
    for line in sight.look(db).lines():
        print(line, file=sys.stderr)
    database.require_ours(db)
    tenants.warn_of_new(db, tenant)
    if options.apply:
        database.protect(db)
    asked = Asked(tenant, IMPORTED_BY, utc_now(), by_name=whoami())
    run = ("import", f"{asked.now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}")
    about = {"file": options.file.name, "rows": table.rows_count}
    if options.apply:
        record_event(db, asked, action="imported", of=run, details=about)
    verdicts = import_rows(
        Book(db, FieldCipher(db, master_keys=config.encryption_keys)),
        asked,
        rows=table.rows(),
        columns=columns,
        apply=options.apply,
        confirmed=options.confirm_duplicates,
    )
    counts = _show(verdicts, unit="object" if isinstance(table, Dump) else "line", applied=options.apply)
    if options.apply:
        record_event(db, replace(asked, now=utc_now()), action="import_finished", of=run, details={**about, **counts})
    else:
        print("Nothing was written. Add --apply to store this.", file=sys.stderr)
    return EXIT_REFUSED if counts["refused"] else 0


def _show(verdicts: Iterable[RowVerdict], *, unit: str, applied: bool) -> Counter[str]:
    """Print each verdict as it is given, and how many there were of each."""
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts[verdict.verdict] += 1
        said = f"{unit} {verdict.line}: {_words(verdict.verdict, applied)} {verdict.customer_code or ''}".rstrip()
        print(f"{said}: {', '.join(verdict.changed)}" if verdict.changed else said)
        for told in (*verdict.problems, *verdict.notes):
            print(f"    {told}")
    print(", ".join(f"{count} {_words(verdict, applied)}" for verdict, count in sorted(counts.items())) or "no rows")
    return counts


def _tell_of(table: Table | Dump) -> None:
    """Say on stderr what of the file might be taken for something else than it is."""
    if isinstance(table, Dump):
        for name, count in sorted(table.left_out.items()):
            print(f"Left out, as there is no place for it: {name} ({count}).", file=sys.stderr)
    elif table.rows_hidden:
        print(
            f"{table.rows_hidden} of the rows are hidden in the sheet; they are read like the others.", file=sys.stderr
        )


def _words(verdict: str, applied: bool) -> str:
    return verdict if applied or verdict in ("unchanged", "refused") else f"would be {verdict}"
