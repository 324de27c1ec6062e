"""`scripts/migrate_indexes.py`: the expected indexes against those that stand, and the way from one to the other."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from finance.database import Db, Document, require_ours
from finance.events import EVERY_TENANT, record_event
from finance.maintenance import cli, sight
from finance.maintenance.migrate import adopting, indexes, sequences, words
from finance.numbering.series import require_slug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments), may_begin=True)


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name=adopting.SCRIPT,
        about="Compare the expected indexes of every collection with those that stand, and build what is missing.",
        reads="the list of indexes of each collection, and the documents of payments and customers; for --right also\n"
        "        those of the collection, by index in its order.",
        writes="nothing, unless --apply: indexes are built, then wrong ones dropped, then payments and customers that\n"
        "        an older version stored get the words of their names. With --keep-max, documents\n"
        "        equal on the right fields are moved to <collection>_replaced, and the one that stays may be raised.\n"
        "        With --take-over, counters and number_gaps of --into-database.",
        undo="a dropped index is built again with createIndex (each one is named with its fields); moved documents\n"
        "        are in <collection>_replaced as they were, and fit back once the right index is dropped.",
    )
    mode = made.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only look (this is the default)")
    mode.add_argument("--apply", action="store_true", help="build what is missing, then drop what is wrong")
    made.add_argument("--all", action="store_true", help="show what is right too")
    made.add_argument("--json", action="store_true", help="print one JSON object instead")
    made.add_argument(
        "--withdraw",
        action="store_true",
        help="take indexes of ours off collections of another software, where an earlier version built them",
    )
    other = made.add_argument_group("a collection that other software filled")
    other.add_argument("--collection", metavar="NAME", help="the collection with the wrong unique index")
    other.add_argument("--wrong", type=cli.names, metavar="FIELDS", help="the fields of the wrong index, as: shop")
    other.add_argument("--right", type=cli.names, metavar="FIELDS", help="what must be unique, as: shop,year,month")
    other.add_argument(
        "--keep-max", type=cli.name, metavar="FIELD", help="of equal documents, the one with the largest FIELD stays"
    )
    other.add_argument("--data-collection", metavar="NAME", help="what those documents count, with the same fields")
    other.add_argument(
        "--data-field", type=cli.name, metavar="FIELD", help="its number: no kept FIELD may be below the largest one"
    )
    over = made.add_argument_group("invoices that go on after an older system's numbers")
    over.add_argument(
        "--take-over",
        type=_slug,
        metavar="TENANT",
        help="with --right SHOP,YEAR,MONTH and --keep-max FIELD: invoices of this tenant go on after these numbers",
    )
    over.add_argument("--csv", type=Path, metavar="FILE", help="read them from a table that MySQL wrote")
    over.add_argument(
        "--into-database", type=cli.given, metavar="NAME", help="where they go on, if not in the database itself"
    )
    over.add_argument("--shop-map", type=_shop_map, metavar="MAP", default={}, help="names here, as: 6=dkr1,7=abj")
    return made


def _slug(text: str) -> str:
    try:
        return require_slug(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _shop_map(text: str) -> dict[str, str]:
    try:
        return sequences.parse_shop_map(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    adopting.require_whole(arguments)
    said = Console(quiet=True) if arguments.json else out
    report: Document = {"sight": sight.look(db).as_json()} if arguments.json else {}
    if arguments.withdraw:
        code = _withdraw(arguments, db, said, report)
    elif arguments.collection or arguments.csv:
        code = adopting.adopt(arguments, db, said, report)
    else:
        code = _migrate(arguments, db, said, report)
    if arguments.json:
        out.print(json.dumps(report | {"right": code == cli.RIGHT}, indent=1, default=str), markup=False)
    return code


def _migrate(arguments: argparse.Namespace, db: Db, out: Console, report: Document) -> int:
    require_ours(db)
    findings = indexes.check(db)
    wrong = [finding for finding in findings if finding.state != "right"]
    done: list[str] = []

    def say(line: str) -> None:
        done.append(line)
        out.print(line, markup=False)

    if arguments.apply:
        concerned = {finding.collection for finding in wrong} | {name.collection for name in words.NAMES}
        with adopting.held(arguments, db, *concerned, doing="migrating indexes"):
            if wrong:
                about = {"indexes": [f"{finding.state}: {finding.collection}.{finding.name}" for finding in wrong]}
                asked = cli.asked_by(adopting.SCRIPT, tenant=EVERY_TENANT, now=cli.server_clock(db)())
                record_event(db, asked, action="indexes_migrated", of=("database", db.name), details=about)
            indexes.migrate(db, findings, say=say)
            _store_words(db, say)
        findings = indexes.check(db)
        wrong = [finding for finding in findings if finding.state != "right"]
    for finding in findings if arguments.all else wrong:
        cli.print_state(out, finding.state, f"{finding.collection}.{finding.name}", finding.detail)
    out.print(f"{len(findings)} indexes, {len(wrong)} not as they should be.")
    left = {} if arguments.apply else {name.collection: words.count_without_words(db, name) for name in words.NAMES}
    for collection, count in left.items():
        if count:
            out.print(f"{collection}: {count:,} names without their words, found by their beginning only.")
    report |= {"indexes": [finding.as_json() for finding in (findings if arguments.all else wrong)], "done": done}
    report["names_without_words"] = left
    return cli.FOUND if wrong or any(left.values()) else cli.RIGHT


def _store_words(db: Db, say: indexes.Say) -> None:
    for name in words.NAMES:
        stored = words.store_words(db, name)
        if stored:
            say(f"{name.collection}: stored the words of {stored:,} names.")


def _withdraw(arguments: argparse.Namespace, db: Db, out: Console, report: Document) -> int:
    """Take off what an earlier version built beside another software's documents, which refuses their inserts."""
    ours = indexes.find_misplaced(db)
    for finding in ours:
        if arguments.apply:
            db[finding.collection].drop_index(finding.name)
        state = "dropped" if arguments.apply else "would be dropped"
        cli.print_state(out, state, f"{finding.collection}.{finding.name}", finding.detail)
    report["indexes"] = [finding.as_json() for finding in ours]
    if not ours:
        out.print("No index of ours stands on documents of another software.")
    return cli.FOUND if ours and not arguments.apply else cli.RIGHT
