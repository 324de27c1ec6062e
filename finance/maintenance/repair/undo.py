"""Taking a repair back: documents get the numbers that a run took from them, where nothing was built on it since.

No number is given twice by it. A number that the run gave and that is taken away again is recorded as a gap, and
counters are never lowered. The duplicates come back with the old numbers: `fences.let_numbers_back` says how numbers
are protected from then on. The first document that comes back to a number which nobody holds any more holds it; the
others stand beside it, each with its mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from finance.database import Db, Document
from finance.maintenance import fences
from finance.maintenance.lease import Lease
from finance.maintenance.repair import runs
from finance.maintenance.repair.changes import BATCH, Change, author, documents_now, id_key, renumbering
from finance.maintenance.target import PREVIOUS_FIELD, Clock, Progress, Target, value_at
from finance.numbering import counters

REASON_UNDONE = "repair_undone"
ATTEMPTS_MAX = 5
LEFT_SHOWN_MAX = 1_000


@dataclass
class Undo:
    """What was put back, and what was left and why. `left` holds the first ones, `left_by_reason` counts all."""

    put_back: int = 0  # of a preview: what would be
    nothing_to_do: int = 0  # never changed (the run was killed before), or put back already
    left: list[Document] = field(default_factory=list)
    left_by_reason: dict[str, int] = field(default_factory=dict)
    index: str = ""
    standing: fences.Standing = "missing"

    def leave(self, change: Change, reason: str) -> None:
        self.left_by_reason[reason] = self.left_by_reason.get(reason, 0) + 1
        if len(self.left) < LEFT_SHOWN_MAX:
            self.left.append({"id": change.document_id, "number": change.new_number, "why": reason})


@dataclass(frozen=True)
class _Work:
    """An undo at work: `run` puts back what `undone` changed."""

    target: Target
    undone: str
    run: str
    lease: Lease
    clock: Clock


def undo(
    target: Target, *, undone: str, run: str, lease: Lease, clock: Clock, progress: Progress = lambda done: None
) -> Undo:
    """Put back what the run `undone` changed; `run` is the id of this one. Safe to kill and to run again."""
    work, result = _Work(target, undone, run, lease, clock), Undo()
    fences.let_numbers_back(target)
    told: set[str] = set()
    for batch in _batches(target.db, undone, progress):
        lease.require()
        runs.tell_tenants(target, run, [change.scope for change in batch], told=told, now=clock())
        _put_back(work, list(_ready(target, batch, result, undone=undone)), result)
    result.index, result.standing = fences.find_standing(target.db, fences.undone_index(target.unique_index))
    return result


def preview(target: Target, *, undone: str, progress: Progress = lambda done: None) -> Undo:
    """Return what `undo` would do now. Changes nothing."""
    result = Undo()
    for batch in _batches(target.db, undone, progress):
        result.put_back += sum(1 for _ready_one in _ready(target, batch, result, undone=undone))
    return result


def count_put_back(target: Target, *, undone: str) -> int:
    """Return how many documents lost the number that the run `undone` gave them, as those that are put back do."""
    count = 0
    for batch in _batches(target.db, undone, lambda done: None):
        documents = documents_now(target, [change.document_id for change in batch])
        for change in batch:
            previous = documents.get(id_key(change.document_id), {}).get(PREVIOUS_FIELD)
            count += isinstance(previous, list) and change.new_number in previous
    return count


def _batches(db: Db, undone: str, progress: Progress) -> Iterator[list[Change]]:
    remaining = runs.changes_of(db, undone)
    seen = 0
    while batch := list(islice(remaining, BATCH)):
        yield batch
        seen += len(batch)
        progress(seen)


def _ready(target: Target, batch: Sequence[Change], result: Undo, *, undone: str) -> Iterator[tuple[Change, Document]]:
    """Yield what may be put back, with its document; note the rest and why."""
    documents = documents_now(target, [change.document_id for change in batch])
    for change in batch:
        document = documents.get(id_key(change.document_id))
        number = None if document is None else value_at(document, target.number_field)
        if document is None:
            result.leave(change, "it was deleted since")
        elif number == change.old_number:
            result.nothing_to_do += 1
        elif number != change.new_number:
            result.leave(change, "it has another number since")
        elif reason := _obstacle(target, document, undone):
            result.leave(change, reason)
        else:
            yield change, document


def _obstacle(target: Target, document: Mapping[str, object], undone: str) -> str | None:
    """Return why a document that still has its fresh number stays as it is, None where it need not."""
    if not isinstance(document.get(PREVIOUS_FIELD), list):
        return f"its {PREVIOUS_FIELD} is damaged: it is not a list"
    if not target.is_ours:
        return None
    history = document.get("history")
    last = history[-1] if isinstance(history, list) and history else None
    if not isinstance(last, Mapping):
        return "its history is damaged: it doesn't tell of the repair"
    return None if last.get("by") == author(undone) else "it was changed since"


def _put_back(work: _Work, ready: Sequence[tuple[Change, Document]], result: Undo) -> None:
    """Put the old numbers back, and note what was changed in this very moment."""
    target, now = work.target, work.clock()
    # Recorded first, so that each number is accounted for at every moment.
    gaps = [(change.series, change.new_seq) for change, _document in ready]
    counters.record_gaps(target.db, gaps, reason=REASON_UNDONE, recorded_at=now)
    refused = {id_key(change.document_id) for change in _update(work, ready, now)}
    documents = documents_now(target, [change.document_id for change, _document in ready])
    for change, _document in ready:
        key = id_key(change.document_id)
        if value_at(documents.get(key, {}), target.number_field) == change.old_number:
            result.put_back += 1
            continue
        counters.forget_gap(target.db, change.series, change.new_seq)
        result.leave(change, "a unique index of somebody else refuses it" if key in refused else "it was changed since")


def _update(work: _Work, ready: Sequence[tuple[Change, Document]], now: datetime) -> list[Change]:
    """Give the documents their old numbers back, beside those that hold them; return those that are refused.

    A worker of the API that starts at this moment may build the narrower index again: let it give way, and go on.
    """
    waiting = list(ready)
    for attempt in range(ATTEMPTS_MAX):
        updates = [
            renumbering(work.target, change, run=work.run, now=now, back_from=document, beside_another=attempt > 0)
            for change, document in waiting
        ]
        collided = fences.update_each(work.target, updates)
        waiting = [waiting[position] for position in sorted(collided)]
        if not waiting:
            break
        if attempt > 0:
            fences.give_way(work.target)
    return [change for change, _document in waiting]
