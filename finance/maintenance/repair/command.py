"""`scripts/repair_duplicates.py`: looks by default, repairs with --apply, takes a repair back with --undo."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bson import json_util
from rich.console import Console
from rich.table import Table

from finance.database import Db
from finance.maintenance import cli, fences
from finance.maintenance.duplicates import Group, find_groups, find_walk_index
from finance.maintenance.kinds import KINDS
from finance.maintenance.repair import apply, runs, undo
from finance.maintenance.repair.plan import Planned, plan
from finance.maintenance.target import Progress, Target, named, ours

ROWS_MAX = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments))


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name="repair_duplicates.py",
        about="Find numbers that several documents carry, and give all but one of each a fresh one.",
        reads="the collection, by index in its order; memory stays the same for any number of documents.",
        writes="nothing, unless --apply or --undo. --apply: the number (and previous_numbers, history) of documents\n"
        "        to renumber, counters, number_repairs, number_repair_changes, number_gaps, and the unique index.",
        undo="scripts/repair_duplicates.py --undo RUN; every --apply prints its RUN first.",
    )
    made.add_argument("--apply", action="store_true", help="repair; without it nothing is changed")
    made.add_argument("--undo", metavar="RUN", help="put back what this run changed, where nothing was built on it")
    made.add_argument("--keep", choices=("oldest", "newest"), default="oldest", help="who keeps the number (oldest)")
    made.add_argument("--report", metavar="FILE", type=Path, help="write one JSON line for each document to renumber")
    made.add_argument("--by", metavar="NAME", help="who does this, as it is stored with the run (user@host)")
    other = made.add_argument_group("a collection that other software filled")
    other.add_argument("--collection", default="payments", metavar="NAME", help="(payments)")
    other.add_argument("--number-field", metavar="FIELD", help="the field of the number, such as paymentNumber")
    other.add_argument("--scope", type=cli.names, metavar="FIELDS", help="numbers are unique within these, as: user")
    other.add_argument("--created-field", default="createdAt", metavar="FIELD", help="when it was made (createdAt)")
    return made


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    if arguments.undo:
        return _undo(arguments, db, out)
    target = _target(arguments, db)
    if target.coverage is not None:
        out.print(target.coverage.in_words(), markup=False)
    index = find_walk_index(target)
    if index is None and not arguments.apply:
        out.print("No index has the numbers in order: MongoDB sorts them on its disk. --apply builds one first.")
    return _apply(arguments, target, out, index) if arguments.apply else _look(arguments, target, out)


def _target(arguments: argparse.Namespace, db: Db) -> Target:
    if arguments.number_field:
        return named(
            db,
            collection=arguments.collection,
            number_field=arguments.number_field,
            scope_fields=arguments.scope or (),
            created_field=arguments.created_field,
        )
    if arguments.scope:
        raise cli.Stopped("--scope is for a collection of other software: name its --number-field too.")
    for kind in KINDS:
        if kind.numbered.collection == arguments.collection:
            return ours(db, kind)
    raise cli.Stopped(f"{arguments.collection} is none of our collections: name its --number-field and --scope.")


def _look(arguments: argparse.Namespace, target: Target, out: Console) -> int:
    counts = {"groups": 0, "renumber": 0, "leave": 0}
    first: list[Planned] = []

    def counted(groups: Iterator[Group]) -> Iterator[Group]:
        for group in groups:
            counts["groups"] += 1
            yield group

    with _scanning(target, out) as progress, _reporting(arguments.report) as report:
        for planned in plan(target, counted(find_groups(target, progress=progress)), keep=arguments.keep):
            counts["leave" if planned.obstacle else "renumber"] += 1
            report(planned, None)
            if len(first) < ROWS_MAX:
                first.append(planned)
    out.print(
        f"{_name(target)}: {counts['groups']:,} duplicate groups, {counts['renumber']:,} documents to renumber, "
        f"{counts['leave']:,} that can't be renumbered."
    )
    if first:
        out.print(_table(first, counts["renumber"] + counts["leave"]))
        out.print("Nothing was changed. --apply repairs this, --report FILE writes the whole plan.")
    return cli.FOUND if counts["groups"] else cli.RIGHT


def _apply(arguments: argparse.Namespace, target: Target, out: Console, index: str | None) -> int:
    clock = cli.server_clock(target.db)
    _require_renumberable(target)
    for unfinished in runs.find_unfinished(target):
        out.print(f"Run {unfinished} did not finish; what it did stays, and the rest is found again.")
    run = runs.begin_run(target, by=arguments.by, now=clock(), about={"keep": arguments.keep})
    out.print(f"Run {run} (to take it back: scripts/repair_duplicates.py --undo {run})")
    if index is None and not target.is_ours:
        out.print("No index has the numbers in order: building a plain one first.")
        fields = (*target.scope_fields, target.number_field)
        target.collection.create_index([(field, 1) for field in fields], name=f"{target.unique_index.name}_walk")
    if not fences.supports_prepare_unique(target.db):
        out.print("This MongoDB has no prepareUnique: new duplicates can't be refused before the old ones are gone.")
    with _scanning(target, out) as progress, _reporting(arguments.report) as report:
        result = apply.repair(target, run=run, keep=arguments.keep, clock=clock, progress=progress, report=report)
    runs.finish_run(target.db, run, now=clock(), result=result)
    out.print(
        f"{_name(target)}: {result.groups:,} duplicate groups, {result.renumbered:,} documents renumbered, "
        f"{result.again:,} looked at again because they changed meanwhile."
    )
    if result.obstacles:
        out.print(f"{result.obstacles:,} documents can't be renumbered and stay as they are; a look lists them.")
    out.print(_standing(target, result.standing))
    return cli.RIGHT if result.is_unique and not result.obstacles else cli.FOUND


def _undo(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    clock = cli.server_clock(db)
    target = runs.target_of_run(db, arguments.undo)
    run = runs.begin_run(target, by=arguments.by, now=clock(), about={"undoes": arguments.undo})
    out.print(f"Run {run} takes back run {arguments.undo}.")
    out.print(
        f"The duplicates come back, so {target.unique_index.name} is dropped until this ends; documents that no repair "
        "touched, new ones too, stay under a unique index of their own."
    )
    total = db.number_repair_changes.count_documents({"run": arguments.undo})
    with cli.progress_bar(out, "putting back", total) as progress:
        result = undo.undo(target, undone=arguments.undo, run=run, clock=clock, progress=progress)
    runs.finish_run(db, run, now=clock(), result=result)
    if not result.protected:
        out.print("Duplicates stood that no repair could renumber, so there was no unique index meanwhile.")
    out.print(
        f"{result.put_back:,} documents have their old numbers back; the numbers taken from them are recorded as gaps "
        f"({undo.REASON_UNDONE}) and never given again. {result.nothing_to_do:,} had nothing to put back."
    )
    for reason, count in result.left_by_reason.items():
        out.print(f"{count:,} left as they are: {reason}.")
    if result.left:
        left = cli.table("id", "number", "why", title="left (the first ones)")
        for document in result.left[:ROWS_MAX]:
            left.add_row(cli.shown(document["id"]), cli.shown(document["number"]), document["why"])
        out.print(left)
    out.print(_standing(target, result.standing))
    return cli.FOUND if result.left_by_reason else cli.RIGHT


def _require_renumberable(target: Target) -> None:
    if target.maintained is not None and not target.maintained.renumberable:
        raise cli.Stopped(
            f"{target.collection_name} can be looked at, not renumbered: other documents and people's papers name "
            f"each {target.number_field}. Correct these by hand."
        )


def _standing(target: Target, standing: fences.Standing) -> str:
    name = f"{target.collection_name}.{fences.find_standing(target.db, target.unique_index)[0]}"
    return {
        "unique": f"The index {name} is unique (read back from the server).",
        "prepared": f"The index {name} refuses new duplicates; it is not unique while old ones stand.",
        "plain": f"The index {name} is not unique: nothing refuses new duplicates.",
        "missing": f"There is no index {name}: nothing refuses new duplicates.",
    }[standing]


def _table(first: list[Planned], total: int) -> Table:
    title = f"the first {len(first)} of {total:,}" if total > len(first) else None
    made = cli.table("scope", "number", "id", "kept by", "why", title=title)
    for planned in first:
        values = map(cli.shown, (planned.number, planned.document_id, planned.kept_id))
        why = f"stays: {planned.obstacle}" if planned.obstacle else planned.why
        made.add_row(", ".join(map(cli.shown, planned.scope)), *values, why)
    return made


def _name(target: Target) -> str:
    return f"{target.db.name}.{target.collection_name}"


def _scanning(target: Target, out: Console) -> AbstractContextManager[Progress]:
    return cli.progress_bar(out, "reading numbers", target.collection.estimated_document_count())


@contextmanager
def _reporting(path: Path | None) -> Iterator[Callable[[Planned, str | None], None]]:
    """Give a function that writes a line of the report; it does nothing where no report is asked for."""
    if path is None:
        yield lambda planned, number: None
        return
    with path.open("w", encoding="utf-8") as file:

        def write(planned: Planned, number: str | None) -> None:
            line = planned.as_json() | ({"new_number": number} if number is not None else {})
            file.write(json_util.dumps(line, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False) + "\n")

        yield write
