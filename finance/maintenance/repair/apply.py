"""The application of a plan: give fresh numbers to all but one document of each group, then make the index unique.

A repair may be killed at any moment: what it did is found by its stored changes, what it did not do is found again by
the next run. A number is taken from a document only while the one that keeps it has it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from finance.maintenance import fences
from finance.maintenance.duplicates import Group, comparable, find_groups
from finance.maintenance.lease import Lease
from finance.maintenance.repair import runs
from finance.maintenance.repair.changes import BATCH, Change, documents_now, id_key, renumbering
from finance.maintenance.repair.plan import Keep, Planned, plan
from finance.maintenance.series import sync_counters
from finance.maintenance.target import Clock, Progress, Target, newest_number, value_at
from finance.numbering import counters
from finance.numbering.series import Series

PASSES_MAX = 50  # each finds again what changed during the one before
REASON_UNUSED = "repair_unused"  # reserved by a repair, and the document changed meanwhile

Report = Callable[[Planned, str | None], None]  # a planned change, and the number that the document got


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


@dataclass(frozen=True)
class _Work:
    """A run at work."""

    target: Target
    run: str
    lease: Lease
    keep: Keep
    clock: Clock
    progress: Progress
    report: Report
    result: Repair = field(default_factory=Repair)
    raised: set[Series] = field(default_factory=set)  # whose counters are not behind the data
    told: set[str] = field(default_factory=set)  # tenants for whom an event tells of this run


def repair(
    target: Target,
    *,
    run: str,
    lease: Lease,
    keep: Keep,
    clock: Clock,
    progress: Progress = lambda done: None,
    report: Report = lambda planned, number: None,
) -> Repair:
    """Renumber all but one document of each group, make the index unique, and return what was done.

    Live posting goes on: new duplicates are refused before the first document is changed (where the server can), and
    every number comes from the counter that requests use.
    """
    work = _Work(target, run, lease, keep, clock, progress, report)
    if target.maintained is not None:
        sync_counters(target.db, kinds=[target.maintained])  # those of series without duplicates too
    fences.fence(target.db, target.unique_index)
    for _pass in range(PASSES_MAX):
        work.result.passes += 1
        left = _pass_once(work)
        if left is not None and left > 0:
            continue
        if fences.make_unique(target.db, target.unique_index) or left is None:
            break
    work.result.standing = fences.find_standing(target.db, target.unique_index)[1]
    fences.drop_replaced(target)
    return work.result


def _pass_once(work: _Work) -> int | None:
    """Go through the collection once; return how many documents must be looked at again, None where there were none."""
    result, first = work.result, work.result.passes == 1
    result.obstacles = tried = left = 0
    planned_all = plan(work.target, _groups(work, count=first), keep=work.keep)
    while batch := list(islice(planned_all, BATCH)):
        possible = [(planned, planned.series) for planned in batch if planned.series is not None]
        result.obstacles += len(batch) - len(possible)
        if first:
            for planned in batch:
                if planned.series is None:
                    work.report(planned, None)
        if possible:
            tried += len(possible)
            left += _renumber(work, possible)
    return left if tried else None


def _groups(work: _Work, *, count: bool) -> Iterator[Group]:
    for group in find_groups(work.target, progress=work.progress):
        work.result.groups += count
        yield group


def _renumber(work: _Work, batch: Sequence[tuple[Planned, Series]]) -> int:
    """Give fresh numbers to the documents of a batch that still have their old ones; return how many had not."""
    target, result, now = work.target, work.result, work.clock()
    runs.tell_tenants(target, work.run, [planned.scope for planned, _series in batch], told=work.told, now=now)
    given = list(_with_fresh_numbers(work, batch))
    changes = [change for _planned, change in given]
    runs.write_changes(target.db, work.run, changes, at=now)
    ready = _whose_keepers_hold(work, given)
    collided = fences.update_each(target, [renumbering(target, change, run=work.run, now=now) for change in ready])
    documents = documents_now(target, [change.document_id for change in changes])
    taken = [ready[position] for position in collided]
    left = 0
    for planned, change in given:
        if value_at(documents.get(id_key(change.document_id), {}), target.number_field) == change.new_number:
            result.renumbered += 1
            work.report(planned, change.new_number)
            continue
        left += 1
        if change in taken:  # another document has the number: the counter was behind once more
            work.raised.discard(change.series)
        else:
            unused = [(change.series, change.new_seq)]
            result.unused += counters.record_gaps(target.db, unused, reason=REASON_UNUSED, recorded_at=now)
    result.again += left
    return left


def _whose_keepers_hold(work: _Work, given: Sequence[tuple[Planned, Change]]) -> list[Change]:
    """Return what may be done: no number is taken from a document where the one that was to keep it has lost it."""
    work.lease.require()
    fields = (*work.target.scope_fields, work.target.number_field)
    kept = documents_now(work.target, [planned.kept_id for planned, _change in given])
    return [
        change
        for planned, change in given
        if comparable(kept.get(id_key(planned.kept_id), {}), fields) == planned.in_index
    ]


def _with_fresh_numbers(work: _Work, batch: Sequence[tuple[Planned, Series]]) -> Iterator[tuple[Planned, Change]]:
    """Yield each document with a number of its series; the counter is raised to the data before the first one."""
    by_series: dict[Series, list[Planned]] = {}
    for planned, series in batch:
        by_series.setdefault(series, []).append(planned)
    db = work.target.db
    for series, group in by_series.items():
        if series not in work.raised:
            counters.raise_to(db, series, newest_number(work.target, series))
            work.raised.add(series)
        for planned, number_seq in zip(group, counters.reserve(db, series, len(group)), strict=True):
            yield (
                planned,
                Change(
                    document_id=planned.document_id,
                    scope=planned.scope,
                    old_number=planned.number,
                    old_seq=planned.number_seq,
                    new_number=series.format(number_seq),
                    new_seq=number_seq,
                    series=series,
                ),
            )
