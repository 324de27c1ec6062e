"""Giving a part of a stored source to sinks: reserve it, claim, decide, and let the sinks follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol, cast
from uuid import uuid4

from finance.allocations import claiming, entries, store
from finance.allocations.following import is_abandoned, settle_as
from finance.allocations.legacy import filled_in
from finance.allocations.model import (
    ENTRIES_MAX,
    PAUSE_S,
    PAYMENT,
    WAIT_S,
    AllocationsFull,
    AllocationWithdrawn,
    Entry,
    Follow,
    InvoiceBusy,
    MoneyKind,
    MoreThanUnallocated,
    Part,
    Place,
    SameAllocationUnderWay,
    Stored,
)
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import FinanceError, Unavailable
from finance.history import changed
from finance.money import format_amount, whole_of
from finance.once import Answer, IdempotencyKeyReused, first_result, request_hash, require_same_request
from finance.said import said


@dataclass(frozen=True)
class Source:
    """A stored document that gives, as its domain looks at it.

    `number` is the one that it is asked for by; `find` reads it or raises that there is none; `require_open` raises
    where its domain refuses to change it; `busy` is raised where others keep changing it.
    """

    kind: MoneyKind
    number: str
    find: Callable[[], Mapping[str, Any]]
    require_open: Callable[[Mapping[str, Any]], None]
    busy: type[Unavailable]

    def require_is(self, found: Stored) -> None:
        """Raise IdempotencyKeyReused where a key is that of another document; a repair may have renumbered this one."""
        if self.number not in (found[self.kind.number_field], *(found.get("previous_numbers") or ())):
            self.find()  # a number that isn't there is told so
            raise IdempotencyKeyReused


class RequireCustomers(Protocol):
    """Raises where a source may not give to the customers of these sinks."""

    def __call__(self, document: Stored, *, sinks: Sequence[Stored]) -> None: ...


def give(
    db: Db,
    asked: Asked,
    source: Source,
    *,
    parts: Sequence[Part],
    require_customers: RequireCustomers,
    follow: Follow,
    condition: Condition = ALWAYS,
) -> Answer[Stored]:
    """Allocate these parts of a source, all of them or none.

    Raises what `source` and `require_customers` do, Invalid, MoreThanUnallocated, what claim_parts does,
    IdempotencyKeyReused, PreconditionFailed, or Unavailable with nothing allocated.
    """
    asked_hash = _hash(parts)
    repeat = partial(_find_repeat, db, asked, source, asked_hash)
    # A twin of this request may succeed while this one looks: what it is refused for then is what that one did.
    require = partial(_require, require_customers, condition)
    attempt = partial(_give, db, asked, source, parts, require, follow, asked_hash)
    repeated = repeat()
    return first_result(attempt, repeat) if repeated is None else repeated


def _give(
    db: Db,
    asked: Asked,
    source: Source,
    parts: Sequence[Part],
    require_customers: RequireCustomers,
    follow: Follow,
    asked_hash: str,
) -> Answer[Stored]:
    document = dict(source.find())
    source.require_open(document)
    document = filled_in(db, document, source.kind)
    sinks = claiming.look_at_sinks(db, tenant=asked.tenant, currency=document.get("currency", ""), parts=parts)
    require_customers(document, sinks=sinks)
    new = _new_entries(asked, document, source.kind, parts, sinks, asked_hash)
    repeated = _reserve(db, asked, source, document, new, asked_hash)
    if repeated is not None:
        return repeated
    claim = new[0]["claim"]
    try:
        claiming.claim_parts(db, document, source.kind, claim=claim, parts=parts, sinks=sinks, follow=follow)
        require = partial(require_customers, sinks=sinks)
        decided = _decide(db, asked, source, document, claim=claim, parts=parts, sinks=sinks, require=require)
    except FinanceError:
        store.withdraw(db, document, source.kind, claim=claim)
        claiming.drop_claims(db, claim=claim, parts=parts)
        raise
    settle_parts(db, decided, source.kind, claim=claim, sinks=[part.sink for part in parts])
    return Answer(decided)


def settle_parts(db: Db, source: Stored, kind: MoneyKind, *, claim: str, sinks: Sequence[Place]) -> None:
    """Let sinks follow a source of which it is known what it decided; whoever is late changes nothing."""
    for sink in sinks:
        for entry in entries.entries_of(store.find(db, sink) or {}):
            if entry.get("claim") == claim and entry.get("state") == "claimed":
                settle_as(db, sink, entry, source, kind)


def _new_entries(
    asked: Asked, document: Stored, kind: MoneyKind, parts: Sequence[Part], sinks: Sequence[Stored], asked_hash: str
) -> list[Entry]:
    known: Stored = {"claim": uuid4().hex, "state": "claimed", "reserved_at": asked.now}
    if asked.key is not None:
        known |= {"idempotency_key": asked.key, "request_hash": asked_hash}
    return [cast(Entry, known | entry) for entry in entries.given(document, kind, parts, sinks)]


def _reserve(
    db: Db, asked: Asked, source: Source, document: Stored, new: Sequence[Entry], asked_hash: str
) -> Answer[Stored] | None:
    """Reserve the sum on the source; returns the first result where an earlier request with this key has done it."""
    waits_until = monotonic() + WAIT_S
    while not _is_reserved(db, document, source.kind, new, asked.key):
        repeated = _find_repeat(db, asked, source, asked_hash, waits=monotonic() < waits_until)
        if repeated is not None:
            return repeated
        now = store.find_again(db, document, source.kind)
        source.require_open(now)
        _require_possible(now, source.kind, new)
        if monotonic() > waits_until:
            raise InvoiceBusy
        for entry in entries.entries_of(now):
            claim = entry.get("claim")
            is_ours = "reserved_at" in entry  # a refund that claims a credit note is decided elsewhere
            if is_ours and entry.get("state") == "claimed" and claim is not None and is_abandoned(entry, asked.now):
                store.withdraw(db, now, source.kind, claim=claim)
        sleep(PAUSE_S)
    return None


def _is_reserved(db: Db, document: Stored, kind: MoneyKind, new: Sequence[Entry], key: str | None) -> bool:
    try:
        return store.reserve(db, document, kind, entries=new, key=key)
    except store.KeyTaken:
        return False


def _require_possible(document: Stored, kind: MoneyKind, new: Sequence[Entry]) -> None:
    """Raise why this can't be reserved, unless that may change by what becomes of what others have reserved."""
    wanted_minor = sum(entry["amount_minor"] for entry in new)
    left_minor = entries.unallocated_minor(document) or 0
    if left_minor < wanted_minor:
        left, number = format_amount(left_minor, document["currency"]), document[kind.number_field]
        raise MoreThanUnallocated(
            said(
                "{number} has {left} {currency} unallocated, less than was to be allocated.",
                number=number,
                left=left,
                currency=document["currency"],
            ),
            extra={"unallocated": left},
        )
    if len(documents_in(document.get("allocations"))) + len(new) > ENTRIES_MAX:
        raise AllocationsFull(said("{number} can't have any more allocations.", number=document[kind.number_field]))


def _decide(
    db: Db,
    asked: Asked,
    source: Source,
    document: Stored,
    *,
    claim: str,
    parts: Sequence[Part],
    sinks: Sequence[Stored],
    require: Callable[[Stored], None],
) -> Stored:
    """Turn what is claimed on the source to settled, for good; raises AllocationWithdrawn where it isn't any more."""

    def decide() -> Stored | None:
        now = store.find_again(db, document, source.kind)
        source.require_open(now)
        claimed = [
            own for own in entries.entries_of(now) if own.get("claim") == claim and own.get("state") == "claimed"
        ]
        if not claimed:
            raise AllocationWithdrawn
        require(now)  # another one may have given it a customer meanwhile
        code = entries.taken_over(now, sinks) if source.kind is PAYMENT else None
        values: Stored = {} if code is None else {"customer_code": code}
        told = _told(asked, now, values, claimed)
        since = len(documents_in(now.get("history"))) + 1
        fresh = entries.given(now | values, source.kind, parts, sinks)
        bare = {
            name: value for name, value in claimed[0].items() if name not in ("customer_code", *entries.NUMBER_FIELDS)
        }
        settled = [cast(Entry, {**bare, **entry, "state": "settled", "since": since}) for entry in fresh]
        return store.replace(
            db, now, source.kind, claims=[claim], state="claimed", entries=settled, values=values, told=told
        )

    return until_unchanged_meanwhile(decide, busy=source.busy)


def _require(
    require_customers: RequireCustomers, condition: Condition, document: Stored, *, sinks: Sequence[Stored]
) -> None:
    require_customers(document, sinks=sinks)
    condition.require(document)


def _told(asked: Asked, document: Stored, values: Stored, given: Sequence[Entry]) -> Stored:
    """Return the source's history entry of what is given."""
    before = entries.allocated_minor(document) or 0
    changes: Stored = {"allocated_minor": {"from": before, "to": before + entries.live_minor(given)}}
    changes |= {name: {"from": document.get(name), "to": value} for name, value in values.items()}
    return {
        **changed(asked, action="allocated", changes=changes),
        "claim": given[0]["claim"],
        "allocations": [entries.told_of(entry) for entry in given],
    }


def _find_repeat(db: Db, asked: Asked, source: Source, asked_hash: str, *, waits: bool = True) -> Answer[Stored] | None:
    """Return the first result of an earlier request with this key; None where there is none, or not yet."""
    if asked.key is None:
        return None
    found = store.find_by_key(db, tenant=asked.tenant, kind=source.kind, field="idempotency_key", key=asked.key)
    if found is None:
        return None
    source.require_is(found)
    made = next(entry for entry in entries.entries_of(found) if entry.get("idempotency_key") == asked.key)
    require_same_request(made.get("request_hash"), asked_hash)
    if made.get("state") == "claimed":
        if not waits:
            raise SameAllocationUnderWay
        return None
    return Answer(entries.source_as_of(found, history_length=whole_of(made.get("since"))), replayed=True)


def _hash(parts: Sequence[Part]) -> str:
    given = [{part.sink.kind.number_field: part.sink.number, "amount_minor": part.amount_minor} for part in parts]
    return request_hash({"allocations": given})
