"""What `scripts/repair_duplicates.py` says: of a plan, a repair, an undo, and of every run there was."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console

from finance.database import Db, Document
from finance.maintenance import cli, fences
from finance.maintenance.duplicates import find_list
from finance.maintenance.lease import find_holder
from finance.maintenance.repair import runs, undo
from finance.maintenance.repair.apply import Repair
from finance.maintenance.repair.plan import Planned
from finance.maintenance.target import Target

ROWS_MAX = 20


def show_plan(target: Target, counts: Mapping[str, int], first: Sequence[Planned], out: Console) -> None:
    out.print(
        f"{_name(target)}: {counts['groups']:,} duplicate groups, {counts['renumber']:,} documents to renumber, "
        f"{counts['leave']:,} that can't be renumbered."
    )
    if not first:
        return
    total = counts["renumber"] + counts["leave"]
    title = f"the first {len(first)} of {total:,}" if total > len(first) else None
    table = cli.table("scope", "number", "id", "kept by", "why", title=title)
    for planned in first:
        values = map(cli.shown, (planned.number, planned.document_id, planned.kept_id))
        why = f"stays: {planned.obstacle}" if planned.obstacle else planned.why
        table.add_row(", ".join(map(cli.shown, planned.scope)), *values, why)
    out.print(table)
    out.print("Nothing was changed. --apply repairs this, --report FILE writes the whole plan.")


def show_unfinished(unfinished: Sequence[str], out: Console) -> None:
    """Name the last run that was killed, and how many were before it."""
    if unfinished:
        earlier = f" ({len(unfinished) - 1:,} earlier ones neither: --list-runs)" if len(unfinished) > 1 else ""
        out.print(f"Run {unfinished[0]} did not finish{earlier}; what it did stays, and the rest is found again.")


def show_repair(target: Target, result: Repair, out: Console) -> None:
    out.print(
        f"{_name(target)}: {result.groups:,} duplicate groups, {result.renumbered:,} documents renumbered, "
        f"{result.again:,} looked at again because they changed meanwhile."
    )
    if result.obstacles:
        out.print(f"{result.obstacles:,} documents can't be renumbered and stay as they are; a look lists them.")
    if not result.is_unique and (document := find_list(target)) is not None:
        named = f"{target.number_field} of {cli.shown(document['_id'])}"
        out.print(f"The {named} is a list: each of its members counts in a unique index. Correct it by hand.")
    index = fences.find_standing(target.db, target.unique_index)[0]
    out.print(_standing(target, index, result.standing))


def show_undo(target: Target, result: undo.Undo, out: Console) -> None:
    out.print(
        f"{result.put_back:,} documents have their old numbers back; the numbers taken from them are recorded as gaps "
        f"({undo.REASON_UNDONE}) and never given again. {result.nothing_to_do:,} had nothing to put back."
    )
    _show_left(result, out)
    out.print(_standing(target, result.index, result.standing))


def show_preview(result: undo.Undo, out: Console) -> None:
    out.print(
        f"{result.put_back:,} documents would get their old numbers back. {result.nothing_to_do:,} have nothing to "
        "put back. Nothing was changed."
    )
    _show_left(result, out)


def _show_left(result: undo.Undo, out: Console) -> None:
    for reason, count in result.left_by_reason.items():
        out.print(f"{count:,} left as they are: {reason}.")
    if result.left:
        left = cli.table("id", "number", "why", title="left (the first ones)")
        for document in result.left[:ROWS_MAX]:
            left.add_row(cli.shown(document["id"]), cli.shown(document["number"]), document["why"])
        out.print(left)


def show_runs(db: Db, out: Console) -> tuple[int, Document]:
    """Show every run, the last one first, and return it all for JSON."""
    listed = [_run_json(db, run) for run in runs.list_runs(db)]
    for run in listed:
        did = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in run["did"].items() if count)
        out.print(f"{run['run']}  {run['what']}  {run['collection']}  {run['state']}", markup=False)
        out.print(f"    {run['started_at']:%Y-%m-%d %H:%M:%S} UTC by {run['by']}: {did or 'nothing'}", markup=False)
        if run["can_be_undone"]:
            out.print(f"    {run['can_be_undone']:,} can be undone: --undo {run['run']}", markup=False)
    if not listed:
        out.print("There were no runs.")
    return cli.RIGHT, {"runs": listed}


def _run_json(db: Db, run: Document) -> Document:
    """Return a run as it is listed. What can be undone is looked at now; what it did is known once it has ended."""
    undoes, result = run.get("undoes"), run.get("result", {})
    did = {name: result[name] for name in ("renumbered", "obstacles", "put_back") if name in result}
    if not result:
        did = _done_so_far(db, run)
    elif undoes:
        did["left"] = sum(result.get("left_by_reason", {}).values())
    return {
        "run": run["_id"],
        "started_at": run["started_at"],
        "finished_at": run.get("finished_at"),
        "by": run.get("by"),
        "what": f"repair, keep {run.get('keep')}" if undoes is None else f"undo of {undoes}",
        "collection": run["collection"],
        "state": _state(db, run),
        "did": did,
        "can_be_undone": None if undoes else _can_be_undone(db, run["_id"]),
    }


def _done_so_far(db: Db, run: Document) -> dict[str, int]:
    """Return what is known of a run that is at work, or was killed: its result was not stored."""
    if "undoes" not in run:
        return {"planned": runs.count_changes(db, run["_id"])}
    undone = run["undoes"]
    return {"put_back_by_now": undo.count_put_back(runs.target_of_run(db, undone), undone=undone)}


def _state(db: Db, run: Document) -> str:
    if run["state"] != "running":
        return str(run["state"])
    holder = find_holder(db, run["collection"])
    return "at work" if holder is not None and holder["doing"].endswith(run["_id"]) else "did not finish"


def _can_be_undone(db: Db, run: str) -> int:
    return undo.preview(runs.target_of_run(db, run), undone=run).put_back


def planned_json(planned: Planned) -> Document:
    """Return what a report says of it, for people: nothing that could be a PAN or an account."""
    texts = {"scope": list(map(cli.shown, planned.scope)), "old_number": cli.shown(planned.number)}
    return planned.as_json() | texts


def undo_json(result: undo.Undo) -> Document:
    return asdict(result) | {"left": [{**left, "number": cli.shown(left["number"])} for left in result.left]}


def _standing(target: Target, index: str, standing: fences.Standing) -> str:
    name = f"{target.collection_name}.{index}"
    if standing == "unique" and index == fences.undone_index(target.unique_index).name:
        return (
            f"The index {name} refuses new duplicates (read back from the server); a repair makes the numbers unique."
        )
    return {
        "unique": f"The index {name} is unique (read back from the server).",
        "prepared": f"The index {name} refuses new duplicates; it is not unique while old ones stand.",
        "plain": f"The index {name} is not unique: nothing refuses new duplicates.",
        "missing": f"There is no index {name}: nothing refuses new duplicates.",
    }[standing]


def _name(target: Target) -> str:
    return f"{target.db.name}.{target.collection_name}"
