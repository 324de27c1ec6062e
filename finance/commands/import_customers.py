"""Import customers from a CSV or XLSX file, one customer a row.

    {program} --tenant acme customers.csv            show what would become of each row
    {program} --tenant acme customers.csv --apply    and store it

The columns are the fields of the form: customer_name, pan_number, …, tds.rate, terms_conditions.credit_limit, and for
the parts that may be several gst_details.1.gstin, gst_details.2.gstin, banking.1.account_number, … (docs/customers.md).
A row is known again by its customer_code, else by its pan_number, so a second run changes nothing. Each row is stored
whole or not at all. The exit code is 1 where a row was refused. What --apply does is recorded in audit_events before it
begins, with the name of the file and of whoever runs it (user@host), and again with its counts when it has ended.

MONGODB_URI, FINANCE_DATABASE and FINANCE_ENCRYPTION_KEY are those of the API; without them, those of scripts/serve.
"""

import argparse
import secrets
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from finance import database
from finance.asked import Asked
from finance.commands import ending, tenants
from finance.config import Config
from finance.context import utc_now
from finance.customers.imports import IMPORTED_BY, import_rows, read_table
from finance.customers.model import Book
from finance.encryption import FieldCipher
from finance.events import record_event
from finance.maintenance.cli import parse, program, whoami
from finance.numbering.series import require_slug

EXIT_REFUSED = 1


def main() -> int:
    called = program("import_customers.py")
    parser = argparse.ArgumentParser(
        prog=called,
        description=(__doc__ or "").format(program=called),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CSV (UTF-8; commas, semicolons or tabs) or XLSX (first sheet)"
    )
    parser.add_argument("--tenant", required=True, help="whose customers they are")
    parser.add_argument("--apply", action="store_true", help="store them; without it nothing is written")
    parser.add_argument("--confirm-duplicates", action="store_true", help="also where another has the PAN or a GSTIN")
    options = parse(parser)
    return ending.run(lambda: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        tenant = require_slug(options.tenant)
    except ValueError as error:
        parser.error(f"--tenant {error}")
    config = Config.from_env()
    rows = read_table(options.file)
    db = database.connect(config)
    database.require_ours(db)
    tenants.warn_of_new(db, tenant)
    if options.apply:
        database.protect(db)
    asked = Asked(tenant, IMPORTED_BY, utc_now(), by_name=whoami())
    run = ("import", f"{asked.now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}")
    if options.apply:
        about = {"file": options.file.name, "rows": len(rows)}
        record_event(db, asked, action="imported", of=run, details=about)
    verdicts = import_rows(
        Book(db, FieldCipher(db, master_keys=config.encryption_keys)),
        asked,
        rows=rows,
        apply=options.apply,
        confirmed=options.confirm_duplicates,
    )
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts[verdict.verdict] += 1
        print(f"line {verdict.line}: {_words(verdict.verdict, options.apply)} {verdict.customer_code or ''}".rstrip())
        for problem in verdict.problems:
            print(f"    {problem}")
    print(
        ", ".join(f"{count} {_words(verdict, options.apply)}" for verdict, count in sorted(counts.items())) or "no rows"
    )
    if options.apply:
        record_event(db, replace(asked, now=utc_now()), action="import_finished", of=run, details={**about, **counts})
    else:
        print("Nothing was written. Add --apply to store this.", file=sys.stderr)
    return EXIT_REFUSED if counts["refused"] else 0


def _words(verdict: str, applied: bool) -> str:
    return verdict if applied or verdict in ("unchanged", "refused") else f"would be {verdict}"
