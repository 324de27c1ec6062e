"""`scripts/migrate_indexes.py`: the expected indexes against those that stand, and the way from one to the other."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from finance.database import Db, require_ours
from finance.events import EVERY_TENANT, Action, record_event
from finance.maintenance import cli, fences
from finance.maintenance.migrate import indexes, replacement, takeover, words
from finance.maintenance.migrate.replacement import Replacement
from finance.numbering.series import require_slug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments))


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name="migrate_indexes.py",
        about="Compare the expected indexes of every collection with those that stand, and build what is missing.",
        reads="the list of indexes of each collection, and the documents of payments and customers; for --right also\n"
        "        those of the collection, by index in its order.",
        writes="nothing, unless --apply: indexes are built, then wrong ones dropped, then payments and customers that\n"
        "        an older version stored get the words of their names. With --keep-max, documents\n"
        "        equal on the right fields are moved to <collection>_replaced, and the one that stays may be raised.",
        undo="a dropped index is built again with createIndex (each one is named with its fields); moved documents\n"
        "        are in <collection>_replaced as they were, and fit back once the right index is dropped.",
    )
    mode = made.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only look (this is the default)")
    mode.add_argument("--apply", action="store_true", help="build what is missing, then drop what is wrong")
    other = made.add_argument_group("a collection that other software filled")
    other.add_argument("--collection", metavar="NAME", help="the collection with the wrong unique index")
    other.add_argument("--wrong", type=cli.names, metavar="FIELDS", help="the fields of the wrong index, as: shop")
    other.add_argument("--right", type=cli.names, metavar="FIELDS", help="what must be unique, as: shop,year,month")
    other.add_argument("--keep-max", metavar="FIELD", help="of equal documents, the one with the largest FIELD stays")
    other.add_argument("--data-collection", metavar="NAME", help="what those documents count, with the same fields")
    other.add_argument(
        "--take-over",
        metavar="TENANT",
        help="with --right SHOP,YEAR,MONTH and --keep-max FIELD: invoices of this tenant go on after these numbers",
    )
    other.add_argument("--data-field", metavar="FIELD", help="its number: no kept FIELD may be below the largest one")
    return made


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    foreign = (arguments.collection, arguments.wrong, arguments.right)
    if not any(foreign):
        return _migrate(arguments, db, out)
    if not all(foreign):
        raise cli.Stopped("Name all of --collection, --wrong and --right.")
    if bool(arguments.data_collection) != bool(arguments.data_field):
        raise cli.Stopped("Name both of --data-collection and --data-field.")
    if arguments.take_over and not (arguments.keep_max and len(arguments.right) == 3):
        raise cli.Stopped("--take-over needs --right with the fields of shop, year and month, and --keep-max.")
    asked = Replacement(
        db=db,
        collection=arguments.collection,
        wrong=arguments.wrong,
        right=arguments.right,
        keep_max=arguments.keep_max,
        data_collection=arguments.data_collection,
        data_field=arguments.data_field,
    )
    code = _replace(asked, out) if arguments.apply else _look(asked, out)
    if arguments.take_over and code == cli.RIGHT:
        return _take_over(arguments, db, out)
    return code


def _take_over(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    fields = (*arguments.right, arguments.keep_max)
    tenant = require_slug(arguments.take_over)
    now = cli.server_clock(db)()
    refused = []
    sequences = list(takeover.read_sequences(db, collection=arguments.collection, fields=fields, tenant=tenant))
    if arguments.apply:
        about = {"sequences": sum(sequence.series is not None for sequence in sequences)}
        _tell(db, "sequences_taken_over", of=("collection", arguments.collection), tenant=tenant, about=about)
    for sequence in sequences:
        if sequence.series is None:
            refused.append(sequence)
            continue
        if arguments.apply:
            takeover.take_over(db, sequence.series, sequence.last, now=now)
        done = "go on" if arguments.apply else "would go on"
        out.print(f"{sequence.series.counter_id} {done} after {sequence.last:,}", markup=False)
    for sequence in refused:
        out.print(f"not taken over: {sequence.document}: {sequence.problem}", markup=False)
    return cli.FOUND if refused or not arguments.apply else cli.RIGHT


def _migrate(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    require_ours(db)
    findings = indexes.check(db)
    wrong = [finding for finding in findings if finding.state != "right"]
    if arguments.apply and wrong:
        about = {"indexes": [f"{finding.state}: {finding.collection}.{finding.name}" for finding in wrong]}
        _tell(db, "indexes_migrated", of=("database", db.name), about=about)
        indexes.migrate(db, findings, say=lambda line: out.print(line, markup=False))
        findings = indexes.check(db)
    for finding in findings:
        out.print(f"{finding.state:<16} {finding.collection}.{finding.name}  {finding.detail}", markup=False)
    wrong = [finding for finding in findings if finding.state != "right"]
    out.print(f"{len(findings)} indexes, {len(wrong)} not as they should be.")
    left = _look_at_words(arguments, db, out)
    return cli.FOUND if wrong or left else cli.RIGHT


def _look_at_words(arguments: argparse.Namespace, db: Db, out: Console) -> bool:
    """Say of how many names the words are not stored, or store them; return whether some are left."""
    left = False
    for name in words.NAMES:
        if arguments.apply:
            stored = words.store_words(db, name)
            if stored:
                out.print(f"{name.collection}: stored the words of {stored:,} names.", markup=False)
        elif count := words.count_without_words(db, name):
            left = True
            out.print(f"{name.collection}: {count:,} names without their words, found by their beginning only.")
    return left


def _look(asked: Replacement, out: Console) -> int:
    found = replacement.look(asked)
    right = ", ".join(asked.right)
    for name in found.wrong:
        out.print(f"in the way       {asked.collection}.{name}  unique on {', '.join(asked.wrong)}", markup=False)
    out.print(f"{_STATES[found.right]:<16} {asked.collection}.{asked.index.name}  unique on {right}", markup=False)
    if found.groups:
        out.print(f"{found.groups:,} groups of {found.documents:,} documents are equal on {right}.")
        table = cli.table(*asked.right, "documents")
        for group in found.first:
            table.add_row(*map(cli.shown, (*group.scope, group.number)), f"{group.documents:,}")
        out.print(table)
        if not asked.keep_max:
            out.print("Name --keep-max FIELD: of equal documents the one with the largest FIELD stays.")
    return cli.RIGHT if found.is_right else cli.FOUND


def _replace(asked: Replacement, out: Console) -> int:
    about = {"wrong": asked.wrong, "right": asked.right, "keep_max": asked.keep_max}
    _tell(asked.db, "indexes_migrated", of=("collection", asked.collection), about=about)
    done = replacement.replace_index(asked)
    if done.moved:
        out.print(f"{done.moved:,} documents moved to {asked.db.name}.{asked.backup}.", markup=False)
    if done.raised:
        out.print(f"{done.raised:,} documents were behind {asked.data_collection} and were raised to it.", markup=False)
    if done.standing != "unique":
        out.print("Equal documents stand: the right index refuses new ones, and the wrong one was not dropped.")
    for name in done.dropped:
        fields = ", ".join(asked.wrong)
        out.print(
            f"dropped {asked.collection}.{name} (it was unique on {fields}) after the right one stood", markup=False
        )
    return _look(asked, out)


def _tell(db: Db, action: Action, *, of: tuple[str, str], about: Mapping[str, Any], tenant: str = EVERY_TENANT) -> None:
    asked = cli.asked_by("migrate_indexes.py", tenant=tenant, now=cli.server_clock(db)())
    record_event(db, asked, action=action, of=of, details=about)


_STATES: dict[fences.Standing, str] = {
    "unique": "right",
    "prepared": "not unique",
    "plain": "not unique",
    "missing": "missing",
}
