"""Taking back what a source gave to one sink, in whole or in part."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from finance.allocations import entries, store
from finance.allocations.giving import Source
from finance.allocations.legacy import filled_in
from finance.allocations.model import ENTRIES_MAX, AllocationsFull, Entry, NothingAllocated, Place, Stored
from finance.allocations.returning import Returning
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import FinanceError, Invalid
from finance.history import changed
from finance.money import is_whole, shown_amount, whole_of
from finance.once import Answer, request_hash, require_same_request
from finance.said import said


def release(
    db: Db,
    asked: Asked,
    source: Source,
    *,
    sink: Place,
    amount_minor: int | None,
    reason: str,
    condition: Condition = ALWAYS,
) -> Answer[Stored]:
    """Take back what a source gave to one sink: so much of it, the latest first, or (None) all.

    Raises what `source` does, NothingAllocated, Invalid where less is allocated, IdempotencyKeyReused,
    PreconditionFailed.
    """
    returning = Returning(db, asked)
    take_back = partial(_take_back, db, asked, source, sink, amount_minor, reason, returning, condition)
    try:
        answer = until_unchanged_meanwhile(take_back, busy=source.busy)
    except FinanceError:
        returning.finish()
        raise
    returning.finish()
    return answer


def _take_back(
    db: Db,
    asked: Asked,
    source: Source,
    sink: Place,
    amount_minor: int | None,
    reason: str,
    returning: Returning,
    condition: Condition,
) -> Answer[Stored] | None:
    # Read first: what is decided under this key after that, on this document, makes this attempt fail.
    document = dict(source.find())
    asked_hash = _hash(sink, amount_minor, reason)
    repeated = _find_repeat(db, asked, source, asked_hash)
    if repeated is not None:
        return repeated
    source.require_open(document)
    document = filled_in(db, document, source.kind)
    given = _given_to(sink, document)
    wanted_minor = _possible_minor(document, given, amount_minor)
    condition.require(document)
    values = _released(asked, document, mark=returning.mark, reason=reason, asked_hash=asked_hash)
    changed_entries = entries.released(given, amount_minor=wanted_minor, values=values)
    claims = sorted({entry["claim"] for entry in changed_entries if entry["state"] == "released"})
    # Other entries of these claims are of other sinks, or released before; they stay as they are.
    others = [entry for entry in entries.entries_of(document) if entry not in given]
    now = [entry for entry in (*others, *changed_entries) if entry.get("claim") in claims]
    returning.begin([(sink, claim) for claim in claims])
    told = _told(asked, document, sink, wanted_minor, reason)
    try:
        decided = store.replace(
            db,
            document,
            source.kind,
            claims=claims,
            state="settled",
            entries=now,
            values={},
            told=told,
        )
    except store.KeyTaken:
        return None
    return None if decided is None else Answer(decided)


def _given_to(sink: Place, document: Stored) -> list[Entry]:
    field = sink.kind.number_field
    given = [entry for entry in entries.entries_of(document) if entry.get(field) == sink.number]
    given = [entry for entry in given if entries.is_settled(entry) and _can_be_released(entry)]
    if not given:
        raise NothingAllocated(
            said("Nothing of this is allocated to {number}, so there is nothing to release.", number=sink.number)
        )
    if len(documents_in(document.get("allocations"))) >= ENTRIES_MAX:
        raise AllocationsFull(said("This has as many allocations as it can have."))
    return given


def _can_be_released(entry: Entry) -> bool:
    return isinstance(entry.get("claim"), str) and is_whole(entry.get("amount_minor"))


def _possible_minor(document: Stored, given: Sequence[Entry], amount_minor: int | None) -> int:
    allocated_minor = entries.counted_minor(given)
    if amount_minor is not None and amount_minor > allocated_minor:
        allocated = shown_amount(allocated_minor, document.get("currency"))
        raise Invalid.field(
            "amount", said("must not be more than is allocated there, {allocated}.", allocated=allocated)
        )
    return allocated_minor if amount_minor is None else amount_minor


def _released(asked: Asked, document: Stored, *, mark: str, reason: str, asked_hash: str) -> Entry:
    values: Stored = {
        "released_at": asked.now,
        "released_by": asked.by,
        "released_by_name": asked.by_name,
        "reason": reason,
        "mark": mark,
        "until": len(documents_in(document.get("history"))) + 1,
    }
    if asked.key is not None:
        values |= {"release_key": asked.key, "release_hash": asked_hash}
    return cast(Entry, values)


def _told(asked: Asked, document: Stored, sink: Place, wanted_minor: int, reason: str) -> Stored:
    before = entries.allocated_minor(document) or 0
    changes = {"allocated_minor": {"from": before, "to": before - wanted_minor}}
    return {
        **changed(asked, action="released", changes=changes),
        "reason": reason,
        "allocations": [{sink.kind.number_field: sink.number, "amount_minor": wanted_minor}],
    }


def _find_repeat(db: Db, asked: Asked, source: Source, asked_hash: str) -> Answer[Stored] | None:
    """Return the first result of an earlier request with this key, None where there is none."""
    if asked.key is None:
        return None
    found = store.find_by_key(db, tenant=asked.tenant, kind=source.kind, field="release_key", key=asked.key)
    if found is None:
        return None
    source.require_is(found)
    made = next(entry for entry in entries.entries_of(found) if entry.get("release_key") == asked.key)
    require_same_request(made.get("release_hash"), asked_hash)
    return Answer(entries.source_as_of(found, history_length=whole_of(made.get("until"))), replayed=True)


def _hash(sink: Place, amount_minor: int | None, reason: str) -> str:
    return request_hash({sink.kind.number_field: sink.number, "amount_minor": amount_minor, "reason": reason})
