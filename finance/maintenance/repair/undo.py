"""Taking a repair back: documents get the numbers that a run took from them, where nothing was built on it since.

No number is given twice by it. A number that the run gave and that is taken away again is recorded as a gap, and
counters are never lowered. The duplicates come back with the old numbers, so the unique index has to go while this
runs; `fences.open_for_undo` says what protects meanwhile.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from pymongo import UpdateOne

from finance.database import Document
from finance.maintenance import fences
from finance.maintenance.repair import runs
from finance.maintenance.repair.changes import BATCH, Change, author, bulk_update, documents_now, id_key, renumbering
from finance.maintenance.target import Clock, Progress, Target, value_at
from finance.numbering import counters

REASON_UNDONE = "repair_undone"
ATTEMPTS_MAX = 5
LEFT_SHOWN_MAX = 1_000


@dataclass
class Undo:
    """What was put back, and what was left and why. `left` holds the first ones, `left_by_reason` counts all."""

    put_back: int = 0
    nothing_to_do: int = 0  # never changed (the run was killed before), or put back already
    left: list[Document] = field(default_factory=list)
    left_by_reason: dict[str, int] = field(default_factory=dict)
    protected: bool = True
    standing: fences.Standing = "missing"


def undo(target: Target, *, undone: str, run: str, clock: Clock, progress: Progress = lambda done: None) -> Undo:
    """Put back what the run `undone` changed; `run` is the id of this one. Safe to kill and to run again."""
    result = Undo()
    reasons: Counter[str] = Counter()
    result.protected = fences.open_for_undo(target)
    remaining = runs.changes_of(target.db, undone)
    told: set[str] = set()
    seen = 0
    while batch := list(islice(remaining, BATCH)):
        runs.tell_tenants(target, run, [change.scope for change in batch], told=told, now=clock())
        for change, reason in _put_back(target, batch, result, undone=undone, run=run, clock=clock):
            reasons[reason] += 1
            if len(result.left) < LEFT_SHOWN_MAX:
                result.left.append({"id": change.document_id, "number": change.new_number, "why": reason})
        seen += len(batch)
        progress(seen)
    result.left_by_reason = dict(reasons)
    result.standing = fences.close_after_undo(target)
    return result


def _put_back(
    target: Target, batch: Sequence[Change], result: Undo, *, undone: str, run: str, clock: Clock
) -> list[tuple[Change, str]]:
    """Put the old numbers back where nothing stands against it, and return the rest with the reason for each."""
    documents = documents_now(target, batch)
    left: list[tuple[Change, str]] = []
    ready: list[tuple[Change, Document]] = []
    for change in batch:
        document = documents.get(id_key(change.document_id))
        reason = _reason_to_leave(target, change, document, undone)
        if reason is not None:
            left.append((change, reason))
        elif document is None or value_at(document, target.number_field) != change.new_number:
            result.nothing_to_do += 1
        else:
            ready.append((change, document))
    now = clock()
    _record_taken([change for change, _document in ready], target, now)
    _update(target, [renumbering(target, change, run=run, now=now, back_from=document) for change, document in ready])
    documents = documents_now(target, batch)
    for change, _document in ready:
        if value_at(documents.get(id_key(change.document_id), {}), target.number_field) == change.old_number:
            result.put_back += 1
        else:
            counters.forget_gap(target.db, change.series, change.new_seq)
            left.append((change, "it was changed since"))
    return left


def _record_taken(changes: Sequence[Change], target: Target, now: datetime) -> None:
    """Record the numbers that documents are about to lose, so that each is accounted for at every moment."""
    gaps = [(change.series, change.new_seq) for change in changes]
    counters.record_gaps(target.db, gaps, reason=REASON_UNDONE, recorded_at=now)


def _reason_to_leave(target: Target, change: Change, document: Document | None, undone: str) -> str | None:
    """Return why a document has to stay as it is; None where it may be put back or there is nothing to put back."""
    if document is None:
        return "it was deleted since"
    number = value_at(document, target.number_field)
    if number == change.old_number:
        return None
    if number != change.new_number:
        return "it has another number since"
    if target.is_ours and document["history"][-1].get("by") != author(undone):
        return "it was changed since"
    return None


def _update(target: Target, updates: Sequence[UpdateOne]) -> None:
    """Apply the updates. A worker of the API that starts now builds the fence again: open it, and go on."""
    waiting = list(updates)
    for _attempt in range(ATTEMPTS_MAX):
        if not waiting:
            return
        collided = bulk_update(target, waiting)
        waiting = [waiting[position] for position in sorted(collided)]
        if waiting:
            fences.open_for_undo(target)
