"""The application of a plan: give fresh numbers to all but one document of each group, then make the index unique.

A renumbering is one atomic update with compare-and-set on id and old number. So a repair may be killed at any moment:
what it did is found by its stored changes, what it did not do is found again by the next run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import bson
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from finance.database import DUPLICATE_KEY, Document
from finance.history import changed
from finance.maintenance import fences
from finance.maintenance.duplicates import Group, find_groups
from finance.maintenance.gaps import insert_gaps
from finance.maintenance.repair import runs
from finance.maintenance.repair.plan import Keep, Planned, plan
from finance.maintenance.series import sync_counters
from finance.maintenance.target import PREVIOUS_FIELD, Progress, Target, newest_number, value_at
from finance.numbering import counters
from finance.numbering.series import Series

BATCH = 200  # documents renumbered together: one reservation a series, one insert of changes, one bulk write
PASSES_MAX = 50  # each finds again what changed during the one before
REASON_UNUSED = "repair_unused"  # reserved by a repair, and the document changed meanwhile

Clock = Callable[[], datetime]
Report = Callable[[Planned, str | None], None]  # a planned change, and the number that the document got
Given = tuple[Planned, Series, int]


@dataclass
class Repair:
    """What one run did. `obstacles` counts documents that can't be renumbered; `standing` was read back."""

    groups: int = 0
    renumbered: int = 0
    again: int = 0  # changed meanwhile, and looked at again
    obstacles: int = 0
    unused: int = 0
    passes: int = 0
    standing: fences.Standing = "missing"

    @property
    def is_unique(self) -> bool:
        return self.standing == "unique"


def repair(
    target: Target,
    *,
    run: str,
    keep: Keep,
    clock: Clock,
    progress: Progress | None = None,
    report: Report | None = None,
) -> Repair:
    """Renumber all but one document of each group, make the index unique, and return what was done.

    Live posting goes on: new duplicates are refused before the first document is changed (where the server can), and
    every number comes from the counter that requests use.
    """
    result = Repair()
    raised: set[Series] = set()
    if target.maintained is not None:
        sync_counters(target.db, kinds=[target.maintained])  # those of series without duplicates too
    fences.fence(target.db, target.unique_index)
    for _pass in range(PASSES_MAX):
        result.passes += 1
        left = _pass_once(target, run, keep, result, raised=raised, clock=clock, progress=progress, report=report)
        if left is not None and left > 0:
            continue
        if fences.make_unique(target.db, target.unique_index) or left is None:
            break
    result.standing = fences.find_standing(target.db, target.unique_index)[1]
    fences.drop_leftovers(target)
    return result


def _pass_once(
    target: Target,
    run: str,
    keep: Keep,
    result: Repair,
    *,
    raised: set[Series],
    clock: Clock,
    progress: Progress | None,
    report: Report | None,
) -> int | None:
    """Go through the collection once; return how many documents must be looked at again, None where there were none."""
    first = result.passes == 1
    result.obstacles = tried = left = 0
    planned_all = plan(target, _counted(find_groups(target, progress=progress), result, count=first), keep=keep)
    while batch := list(islice(planned_all, BATCH)):
        possible = [(planned, planned.series) for planned in batch if planned.series is not None]
        result.obstacles += len(batch) - len(possible)
        if first and report is not None:
            for planned in batch:
                if planned.series is None:
                    report(planned, None)
        if possible:
            tried += len(possible)
            left += _renumber(target, run, possible, result, raised=raised, now=clock(), report=report)
    return left if tried else None


def _counted(groups: Iterable[Group], result: Repair, *, count: bool) -> Iterator[Group]:
    for group in groups:
        result.groups += count
        yield group


def _renumber(
    target: Target,
    run: str,
    batch: Sequence[tuple[Planned, Series]],
    result: Repair,
    *,
    raised: set[Series],
    now: datetime,
    report: Report | None,
) -> int:
    """Give fresh numbers to the documents of a batch that still have their old ones; return how many had not."""
    given = list(_with_fresh_numbers(target, batch, raised))
    runs.write_changes(target, run, given, at=now)
    updates = [
        UpdateOne(_unchanged(target, planned), _renumbering(target, run, planned, series, number_seq, now))
        for planned, series, number_seq in given
    ]
    collided = bulk_update(target, updates)
    have = numbers_now(target, [planned.document_id for planned, _series, _number_seq in given])
    left = 0
    for position, (planned, series, number_seq) in enumerate(given):
        number = series.format(number_seq)
        if have.get(id_key(planned.document_id)) == number:
            result.renumbered += 1
            if report is not None:
                report(planned, number)
            continue
        left += 1
        if position in collided:  # another document has the number: the counter was behind once more
            raised.discard(series)
        else:
            result.unused += insert_gaps(target.db, series, [number_seq], reason=REASON_UNUSED, recorded_at=now)
    result.again += left
    return left


def _with_fresh_numbers(
    target: Target, batch: Sequence[tuple[Planned, Series]], raised: set[Series]
) -> Iterator[Given]:
    """Yield each document with a number of its series; the counter is raised to the data before the first one."""
    by_series: dict[Series, list[Planned]] = {}
    for planned, series in batch:
        by_series.setdefault(series, []).append(planned)
    for series, group in by_series.items():
        if series not in raised:
            counters.raise_to(target.db, series, newest_number(target, series))
            raised.add(series)
        for planned, number_seq in zip(group, counters.reserve(target.db, series, len(group)), strict=True):
            yield planned, series, number_seq


def _unchanged(target: Target, planned: Planned) -> Document:
    scope = dict(zip(target.scope_fields, planned.scope, strict=True))
    return {"_id": planned.document_id, **scope, target.number_field: planned.number}


def _renumbering(
    target: Target, run: str, planned: Planned, series: Series, number_seq: int, now: datetime
) -> Document:
    numbers = {"from": planned.number, "to": series.format(number_seq)}
    return number_change(target, run, numbers=numbers, seqs={"from": planned.number_seq, "to": number_seq}, now=now)


def number_change(
    target: Target, run: str, *, numbers: Mapping[str, Any], seqs: Mapping[str, Any], now: datetime
) -> Document:
    """Return the one update that takes a document from one number to another and leaves the trace of it.

    A foreign document's `history`, if it has one, is of a shape that we don't know: there the stored run is the trace.
    """
    update: Document = {"$set": {target.number_field: numbers["to"]}}
    if numbers["from"] is not None:
        update["$addToSet"] = {PREVIOUS_FIELD: numbers["from"]}
    if target.is_ours:
        update["$set"]["number_seq"] = seqs["to"]
        changes = {target.number_field: dict(numbers), "number_seq": dict(seqs)}
        update["$push"] = {"history": changed(now, by=runs.author(run), action="renumbered", changes=changes)}
    return update


def bulk_update(target: Target, updates: Sequence[UpdateOne]) -> set[int]:
    """Apply all updates, and return the positions of those whose number another document has."""
    try:
        target.collection.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        details: Document = dict(error.details or {})
        failed = details["writeErrors"]
        if details.get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in failed):
            raise
        return {one["index"] for one in failed}
    return set()


def numbers_now(target: Target, document_ids: Sequence[Any]) -> dict[bytes, Any]:
    """Return the numbers that these documents have now, by `id_key`."""
    latest = target.collection.with_options(read_concern=ReadConcern("local"))
    found = latest.find({"_id": {"$in": list(document_ids)}}, {target.number_field: True})
    return {id_key(document["_id"]): value_at(document, target.number_field) for document in found}


def id_key(document_id: Any) -> bytes:
    """Return what identifies an id of any BSON type in a dict; not every one is hashable."""
    return bson.encode({"": document_id})
