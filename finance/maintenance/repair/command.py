"""`scripts/repair_duplicates.py`: looks by default, repairs with --apply, takes a repair back with --undo."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

from bson import json_util
from rich.console import Console

from finance.database import Db, Document
from finance.maintenance import cli, fences, sight
from finance.maintenance.duplicates import Group, find_groups, find_walk_index
from finance.maintenance.kinds import KINDS
from finance.maintenance.lease import held
from finance.maintenance.repair import apply, listing, runs, undo
from finance.maintenance.repair.plan import Planned, plan
from finance.maintenance.target import Progress, Target, named, ours


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_run, cli.parse(_parser(), arguments))


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        name="repair_duplicates.py",
        about="Find numbers that several documents carry, and give all but one of each a fresh one.",
        reads="the collection, by index in its order; memory stays the same for any number of documents.",
        writes="nothing, unless --apply or --undo. --apply: the number (and previous_numbers, history) of documents\n"
        "        to renumber, counters, number_repairs, number_repair_changes, number_gaps, maintenance_leases, and\n"
        "        the unique index. --undo: the same; numbers put back stand under a unique index of their own.",
        undo="scripts/repair_duplicates.py --undo RUN; every --apply prints its RUN first.",
    )
    made.add_argument("--apply", action="store_true", help="repair; without it nothing is changed")
    made.add_argument(
        "--undo", type=cli.given, metavar="RUN", help="put back what this run changed, where nothing was built on it"
    )
    made.add_argument("--preview", action="store_true", help="with --undo: only say what would be put back")
    made.add_argument("--list-runs", action="store_true", help="every run: by whom, what it did, what can be undone")
    made.add_argument("--keep", choices=("oldest", "newest"), default="oldest", help="who keeps the number (oldest)")
    made.add_argument("--json", action="store_true", help="print the result as JSON, and all else on stderr")
    made.add_argument("--report", metavar="FILE", type=Path, help="write one JSON line for each document to renumber")
    made.add_argument("--by", metavar="NAME", help="who does this, as it is stored with the run (user@host)")
    other = made.add_argument_group("a collection that other software filled")
    other.add_argument("--collection", default="payments", metavar="NAME", help="(payments)")
    other.add_argument(
        "--number-field", type=cli.name, metavar="FIELD", help="the field of the number, such as paymentNumber"
    )
    other.add_argument("--scope", type=cli.names, metavar="FIELDS", help="numbers are unique within these, as: user")
    other.add_argument(
        "--created-field", type=cli.name, default="createdAt", metavar="FIELD", help="when it was made (createdAt)"
    )
    return made


def _run(arguments: argparse.Namespace, db: Db, out: Console) -> int:
    if arguments.preview and not arguments.undo:
        raise cli.Stopped("--preview is for --undo RUN; a repair is previewed where --apply is left out.")
    if arguments.json:
        out = Console(stderr=True, highlight=False, soft_wrap=True)
    if arguments.list_runs:
        code, result = listing.show_runs(db, out)
    elif arguments.undo:
        code, result = (_preview if arguments.preview else _undo)(arguments, db, out)
    else:
        code, result = (_apply if arguments.apply else _look)(arguments, _shown(_target(arguments, db), out), out)
    if arguments.json:
        said = json_util.dumps(
            {"sight": sight.look(db).as_json(), **result},
            json_options=json_util.RELAXED_JSON_OPTIONS,
            ensure_ascii=False,
        )
        cli.console().print(said, markup=False, soft_wrap=True)
    return code


def _shown(target: Target, out: Console) -> Target:
    """Return the target, and print how many documents have the fields that were named."""
    if target.coverage is not None:
        out.print(target.coverage.in_words(), markup=False)
    return target


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


def _look(arguments: argparse.Namespace, target: Target, out: Console) -> tuple[int, Document]:
    counts = {"groups": 0, "renumber": 0, "leave": 0}
    first: list[Planned] = []

    def counted(groups: Iterator[Group]) -> Iterator[Group]:
        for group in groups:
            counts["groups"] += 1
            yield group

    if find_walk_index(target) is None:
        out.print("No index has the numbers in order: MongoDB sorts them on its disk.")
    with _scanning(target, out) as progress, _reporting(arguments.report) as report:
        for planned in plan(target, counted(find_groups(target, progress=progress)), keep=arguments.keep):
            counts["leave" if planned.obstacle else "renumber"] += 1
            report(planned, None)
            if len(first) < listing.ROWS_MAX:
                first.append(planned)
    listing.show_plan(target, counts, first, out)
    code = cli.FOUND if counts["groups"] else cli.RIGHT
    return code, {**target.as_document(), **counts, "first": [listing.planned_json(planned) for planned in first]}


def _apply(arguments: argparse.Namespace, target: Target, out: Console) -> tuple[int, Document]:
    db, clock, by = target.db, cli.server_clock(target.db), arguments.by or cli.whoami()
    if target.is_ours:
        cli.require_in_use(db, "--apply")
    _require_renumberable(target)
    run = runs.new_run(clock())
    with held(db, target.collection_name, doing=f"scripts/repair_duplicates.py --apply, run {run}", by=by) as lease:
        listing.show_unfinished(runs.find_unfinished(target), out)
        runs.begin_run(target, run, by=by, now=clock(), about={"keep": arguments.keep})
        where = f" --database {db.name}" if arguments.database is not None else ""
        out.print(f"Run {run} (to take it back: {cli.program('repair_duplicates.py')}{where} --undo {run})")
        _prepare(target, out)
        with _scanning(target, out) as progress, _reporting(arguments.report) as report:
            result = apply.repair(
                target, run=run, lease=lease, keep=arguments.keep, clock=clock, progress=progress, report=report
            )
        runs.finish_run(db, run, now=clock(), result=result)
    listing.show_repair(target, result, out)
    code = cli.RIGHT if result.is_unique and not result.obstacles else cli.FOUND
    return code, {"run": run, **target.as_document(), **asdict(result)}


def _prepare(target: Target, out: Console) -> None:
    """Have an index in whose order the numbers of another software's collection are read; ours is built next."""
    if find_walk_index(target) is None and not target.is_ours:
        out.print("No index has the numbers in order: building a plain one first.")
        fields = (*target.scope_fields, target.number_field)
        target.collection.create_index([(field, 1) for field in fields], name=f"{target.unique_index.name}_walk")
    if not fences.supports_prepare_unique(target.db):
        out.print("This MongoDB has no prepareUnique: new duplicates can't be refused before the old ones are gone.")


def _undo(arguments: argparse.Namespace, db: Db, out: Console) -> tuple[int, Document]:
    clock, by, undone = cli.server_clock(db), arguments.by or cli.whoami(), arguments.undo
    target, run = runs.target_of_run(db, undone), runs.new_run(clock())
    doing = f"scripts/repair_duplicates.py --undo {undone}, run {run}"
    with held(db, target.collection_name, doing=doing, by=by) as lease:
        runs.begin_run(target, run, by=by, now=clock(), about={"undoes": undone})
        out.print(f"Run {run} takes back run {undone}.")
        with cli.progress_bar(out, "putting back", runs.count_changes(db, undone)) as progress:
            result = undo.undo(target, undone=undone, run=run, lease=lease, clock=clock, progress=progress)
        runs.finish_run(db, run, now=clock(), result=result)
    listing.show_undo(target, result, out)
    return cli.FOUND if result.left_by_reason else cli.RIGHT, {
        "run": run,
        "undoes": undone,
        **listing.undo_json(result),
    }


def _preview(arguments: argparse.Namespace, db: Db, out: Console) -> tuple[int, Document]:
    target = runs.target_of_run(db, arguments.undo)
    with cli.progress_bar(out, "looking", runs.count_changes(db, arguments.undo)) as progress:
        result = undo.preview(target, undone=arguments.undo, progress=progress)
    listing.show_preview(result, out)
    found = result.put_back or result.left_by_reason
    return cli.FOUND if found else cli.RIGHT, {"preview": True, "undoes": arguments.undo, **listing.undo_json(result)}


def _require_renumberable(target: Target) -> None:
    if target.maintained is not None and not target.maintained.renumberable:
        raise cli.Stopped(
            f"{target.collection_name} can be looked at, not renumbered: other documents and people's papers name "
            f"each {target.number_field}. Correct these by hand."
        )


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
