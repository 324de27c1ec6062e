"""How a sink learns what became of a claim on it: it asks the source, which decides.

Whoever meets a claim that isn't settled does this, the request that made it too. Each change is made only where the
claim still is as it was read, so that it doesn't matter who is late: docs/decisions/0007 goes through the cases.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from finance.allocations import store
from finance.allocations.entries import claim_of, entries_of, is_settled, settled_for
from finance.allocations.legacy import filled_in, sink_entry
from finance.allocations.model import SOURCES, TAKE_OVER_AFTER, Entry, MoneyKind, Place, Stored
from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import Db
from finance.history import changed
from finance.money import whole_of

# Asks the payments, which this can't import, for one that is on its way: it is stored or withdrawn where its request is
# gone. Returns whether it has to be waited for.
FinishUnstored = Callable[[str, str], bool]

ACTION_BY_KIND = {"payment": "paid", "credit_note": "credited"}


def follow(
    db: Db, sink: Place, claim: str, *, finish_unstored: FinishUnstored, now: datetime, given_up: str | None = None
) -> None:
    """Settle a claim as its source has it, or drop it, unless its request may still be at work on it.

    `given_up` is the mark of whoever was about to take it back, and won't.
    """
    document = store.find(db, sink)
    entry = None if document is None else _entry_of(document, claim)
    if document is None or entry is None or is_settled(entry):
        return
    document = filled_in(db, document, sink.kind)
    found = find_source(db, sink, claim)
    if found is None:
        _follow_none(db, sink, document, entry, finish_unstored=finish_unstored)
    elif entry["state"] == "claimed":
        _follow_claimed(db, sink, entry, *found, now=now)
    else:
        _follow_returning(db, sink, entry, *found, now=now, given_up=given_up)


def find_source(db: Db, sink: Place, claim: str) -> tuple[Stored, MoneyKind] | None:
    """Return the document that gives under this claim, and its kind; None where none is stored."""
    for kind in SOURCES[sink.kind]:
        found = store.find_by_claim(db, tenant=sink.tenant, kind=kind, claim=claim)
        if found is not None:
            return found, kind
    return None


def settle_as(db: Db, sink: Place, entry: Entry, source: Stored, kind: MoneyKind) -> None:
    """Make a sink's entry what its source holds for it, and nothing more to be learnt."""
    document = store.find(db, sink) or {}
    amount_minor = settled_for(source, sink, entry["claim"])
    told = _told(source, kind, entry, is_back=amount_minor == 0 or entry["state"] == "returning")
    if amount_minor == 0:
        return store.change_entry(db, sink, entry, to=None, told=told if entry["state"] != "claimed" else None)
    bare = {name: value for name, value in entry.items() if name not in ("mark", "marked_at")}
    settled = cast(Entry, bare | {"state": "settled", "amount_minor": amount_minor})
    unchanged = entry["state"] == "returning" and amount_minor == entry.get("amount_minor")
    to = sink_entry(settled, source, kind, document, sink.kind)
    return store.change_entry(db, sink, entry, to=to, told=None if unchanged else told)


def _follow_none(db: Db, sink: Place, document: Stored, entry: Entry, *, finish_unstored: FinishUnstored) -> None:
    """Drop a claim of which no source is stored, unless one is on its way."""
    claim = entry["claim"]
    if any(credit.get("claim") == claim for credit in documents_in(document.get("credits"))):
        return  # the sink decided itself that there will be this credit note
    if finish_unstored(sink.tenant, claim) or find_source(db, sink, claim) is not None:
        return
    # Never stored, or withdrawn. Had it been completed since we looked, its claims would be settled, and stay so.
    store.change_entry(db, sink, entry, to=None, told=None)


def _follow_claimed(db: Db, sink: Place, entry: Entry, source: Stored, kind: MoneyKind, *, now: datetime) -> None:
    """Settle a claim that its source has decided; where nobody will decide it any more, withdraw it."""
    claim = entry["claim"]
    undecided = [own for own in entries_of(source) if own.get("claim") == claim and own.get("state") == "claimed"]
    if not undecided or source.get("status") == "voided":
        settle_as(db, sink, entry, source, kind)
    elif is_abandoned(undecided[0], now) and store.withdraw(db, source, kind, claim=claim):
        store.change_entry(db, sink, entry, to=None, told=None)


def _follow_returning(
    db: Db, sink: Place, entry: Entry, source: Stored, kind: MoneyKind, *, now: datetime, given_up: str | None
) -> None:
    """Take back what the source has decided to; where nobody will decide it any more, count it as before."""
    claim, mark = entry["claim"], entry.get("mark")
    marks = {own.get("mark") for own in entries_of(source) if claim_of(source, own) == claim}
    if settled_for(source, sink, claim) == 0 or (mark is not None and mark in marks):
        settle_as(db, sink, entry, source, kind)
    elif mark is None:
        store.mark_found(db, sink, claim=claim, mark=uuid4().hex, at=now)
    elif (mark == given_up or is_long_ago(entry.get("marked_at"), now)) and store.bump(db, source, kind):
        # Whoever set the mark, and was only slow, has read the source as it no longer is, and begins again.
        settle_as(db, sink, entry, source, kind)
    elif settled_for(source, sink, claim) < whole_of(entry.get("amount_minor")):
        # Another one took a part back before: that is decided, though this isn't.
        less = cast(Entry, {**entry, "amount_minor": settled_for(source, sink, claim)})
        store.change_entry(db, sink, entry, to=less, told=_told(source, kind, entry, is_back=True))


def is_abandoned(entry: Entry, now: datetime) -> bool:
    """Return whether the request that reserved this is surely gone."""
    return is_long_ago(entry.get("reserved_at"), now)


def is_long_ago(at: object, now: datetime) -> bool:
    """Return whether no request that began then can still be at work; so it is where a damaged document has no time."""
    return not isinstance(at, datetime) or now - at > TAKE_OVER_AFTER


def _entry_of(document: Mapping[str, Any], claim: str) -> Entry | None:
    return next((entry for entry in entries_of(document) if entry.get("claim") == claim), None)


def _told(source: Stored, kind: MoneyKind, entry: Entry, *, is_back: bool) -> Mapping[str, Any]:
    """Return the sink's history entry: who gave, or took back, as the source tells."""
    action = "given_back" if is_back else ACTION_BY_KIND[kind.name]
    told: dict[str, Any] = dict(changed(_who(source, entry, is_back=is_back), action=action, changes={}))
    if source.get(kind.number_field) is not None:
        told[kind.number_field] = source[kind.number_field]
    return told


def _who(source: Stored, entry: Entry, *, is_back: bool) -> Asked:
    """Return who decided what a sink follows: the one that voided, released, allocated or recorded it."""
    history = documents_in(source.get("history"))
    if is_back:
        actions = ("voided",) if source.get("status") == "voided" else ("released",)
        told = next((past for past in reversed(history) if past.get("action") in actions), None)
    else:
        told = next((past for past in history if past.get("claim") == entry["claim"]), None)
    if told is None:
        return Asked(
            source["tenant"], source.get("created_by", ""), source["created_at"], by_name=source.get("created_by_name")
        )
    return Asked(source["tenant"], told.get("by", ""), told["at"], by_name=told.get("by_name"))
