"""The entries on payments, invoices and credit notes. One question or one atomic change of one document each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.allocations.derived import ENTRIES, free_of, only, stages_of
from finance.allocations.model import (
    ACTION_BY_KEY,
    ENTRIES_MAX,
    HISTORY_MAX_BY_KIND,
    PAYMENT,
    Entry,
    MoneyKind,
    Place,
    Stored,
)
from finance.database import Db
from finance.once import RefusedByForeignIndex

_HISTORY = {"$cond": [{"$isArray": "$history"}, "$history", []]}
# What changes of a sink are told by: its sums, on an invoice, and on a credit note.
_TOLD = ("paid_minor", "credited_minor", "allocated_minor")


class KeyTaken(Exception):
    """Another document has this Idempotency-Key."""


def _of(db: Db, kind: MoneyKind) -> Collection[Stored]:
    return db[kind.collection]


def find(db: Db, place: Place) -> Stored | None:
    return _of(db, place.kind).find_one(_at(place))


def find_again(db: Db, document: Stored, kind: MoneyKind) -> Stored:
    """Return a document that was read before, as it is now; these are never deleted."""
    return _of(db, kind).find_one({"tenant": document["tenant"], "_id": document["_id"]}) or document


def find_all(db: Db, *, tenant: str, kind: MoneyKind, numbers: Sequence[str]) -> dict[str, Stored]:
    """Return the documents of these numbers, by number."""
    found = _of(db, kind).find({"tenant": tenant, kind.number_field: {"$in": list(numbers)}})
    return {document[kind.number_field]: document for document in found}


def find_by_claim(db: Db, *, tenant: str, kind: MoneyKind, claim: str) -> Stored | None:
    """Return the source that has this claim; a payment of an earlier version has it beside its entries alone."""
    for field in ("allocations.claim", "claim") if kind is PAYMENT else ("allocations.claim",):
        found = _of(db, kind).find_one({"tenant": tenant, field: claim})
        if found is not None:
            return found
    return None


def find_by_key(db: Db, *, tenant: str, kind: MoneyKind, field: str, key: str) -> Stored | None:
    """Return the source with an entry that was made (idempotency_key) or released (release_key) under this key."""
    return _of(db, kind).find_one({"tenant": tenant, "allocation_keys": f"{ACTION_BY_KEY[field]}{key}"})


# --- Of a source --------------------------------------------------------------------------------------------------


def reserve(db: Db, source: Stored, kind: MoneyKind, *, entries: Sequence[Entry], key: str | None) -> bool:
    """Add claimed entries where their sum isn't allocated yet; False where less is left, or the source isn't as it
    must be. Raises KeyTaken.
    """
    wanted_minor = sum(entry["amount_minor"] for entry in entries)
    wanted: Stored = {
        "tenant": source["tenant"],
        "_id": source["_id"],
        "status": {"$ne": "voided"},
        f"allocations.{ENTRIES_MAX - len(entries)}": {"$exists": False},
        "$expr": {"$gte": [free_of(kind), wanted_minor]},
    }
    if key is not None:
        wanted["allocation_keys"] = {"$ne": f"{ACTION_BY_KEY['idempotency_key']}{key}"}
    change = [{"$set": {"allocations": {"$concatArrays": [ENTRIES, {"$literal": list(entries)}]}}}, *stages_of(kind)]
    try:
        return _of(db, kind).update_one(wanted, change).matched_count == 1
    except DuplicateKeyError as error:
        raise _key_taken(error, kind) from error


def withdraw(db: Db, source: Stored, kind: MoneyKind, *, claim: str) -> bool:
    """Remove what is claimed under this claim, so that it can't be decided any more; False where nothing was."""
    wanted = {"tenant": source["tenant"], "_id": source["_id"], "allocations": _has(claim, ["claimed"])}
    is_other = {"$not": [{"$and": [_is_of(claim), {"$eq": ["$$this.state", "claimed"]}]}]}
    change = [{"$set": {"allocations": only(is_other)}}, *stages_of(kind)]
    return _of(db, kind).update_one(wanted, change).matched_count == 1


def replace(
    db: Db,
    source: Stored,
    kind: MoneyKind,
    *,
    claims: Sequence[str],
    state: str,
    entries: Sequence[Entry],
    values: Mapping[str, Any],
    told: Mapping[str, Any],
) -> Stored | None:
    """Put `entries` in the place of all that these claims have, and return the source as it is then.

    Returns None where it changed since it was read, or not all of the claims have an entry in this state. Raises
    KeyTaken.
    """
    wanted = unchanged(source) | {
        "status": {"$ne": "voided"},
        "$and": [{"allocations": _has(claim, [state])} for claim in claims],
    }
    kept = only({"$not": [{"$in": ["$$this.claim", {"$literal": list(claims)}]}]})
    change = [
        {
            "$set": {
                **{name: {"$literal": value} for name, value in values.items()},
                "allocations": {"$concatArrays": [kept, {"$literal": list(entries)}]},
                "revision": {"$add": [{"$ifNull": ["$revision", 0]}, 1]},
                "history": {"$concatArrays": [_HISTORY, [{"$literal": dict(told)}]]},
            }
        },
        *stages_of(kind),
    ]
    try:
        return _of(db, kind).find_one_and_update(wanted, change, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError as error:
        raise _key_taken(error, kind) from error


def fill_in(db: Db, document: Stored, kind: MoneyKind, *, entries: Sequence[Entry]) -> Stored | None:
    """Give the entries that an earlier version stored what they have today; None where others changed them."""
    wanted = unchanged(document) | {"allocations": document["allocations"]}
    change = [{"$set": {"allocations": {"$literal": list(entries)}}}, *stages_of(kind)]
    return _of(db, kind).find_one_and_update(wanted, change, return_document=ReturnDocument.AFTER)


def bump(db: Db, source: Stored, kind: MoneyKind) -> bool:
    """Make whoever decides on a source as it was read until now fail, and read it again; False where it changed."""
    changed = _of(db, kind).update_one(unchanged(source), {"$inc": {"revision": 1}})
    return changed.modified_count == 1


def unchanged(source: Stored) -> Stored:
    """Return the filter for a source on which nobody decided anything since it was read."""
    stored = source.get("history")
    return {
        "tenant": source["tenant"],
        "_id": source["_id"],
        "revision": source.get("revision"),  # None finds those without
        "history": {"$size": len(stored)} if isinstance(stored, list) else {"$eq": stored},
    }


# --- Of a sink ----------------------------------------------------------------------------------------------------


def claim(db: Db, sink: Place, *, currency: str, entry: Entry) -> bool:
    """Claim a part of what is free on a sink; False where that much isn't free (or the claim stands already)."""
    wanted = _at(sink) | {
        "currency": currency,
        "status": {"$ne": "cancelled"},
        "allocations": {"$type": "array"},
        "allocations.claim": {"$ne": entry["claim"]},
        f"allocations.{ENTRIES_MAX - 1}": {"$exists": False},
        f"history.{HISTORY_MAX_BY_KIND[sink.kind.name] - 1}": {"$exists": False},
        "$expr": {"$gte": [free_of(sink.kind), entry["amount_minor"]]},
    }
    change = [{"$set": {"allocations": {"$concatArrays": [ENTRIES, [{"$literal": entry}]]}}}, *stages_of(sink.kind)]
    return _of(db, sink.kind).update_one(wanted, change).matched_count == 1


def mark_returning(db: Db, sink: Place, *, claim: str, mark: str, at: datetime) -> None:
    """Note that a claim may be about to be taken back, so that readers look at its source, and nobody settles it."""
    wanted = _at(sink) | {"allocations": _has(claim, ["claimed", "settled", "returning"])}
    _change_entry(db, sink, wanted, claim=claim, to=_merged({"state": "returning", "mark": mark, "marked_at": at}))


def mark_found(db: Db, sink: Place, *, claim: str, mark: str, at: datetime) -> None:
    """Give a mark to what an earlier version left behind on its way back, without one."""
    wanted = _at(sink) | {"allocations": {"$elemMatch": {"claim": claim, "state": "returning", "mark": None}}}
    _change_entry(db, sink, wanted, claim=claim, to=_merged({"mark": mark, "marked_at": at}))


def change_entry(db: Db, sink: Place, entry: Entry, *, to: Entry | None, told: Mapping[str, Any] | None) -> None:
    """Put another entry in the place of a sink's, or none, only where that still is as it was read.

    `told` is added to the history, with what the sums were before and are now.
    """
    seen = {name: entry.get(name) for name in ("claim", "state", "mark", "amount_minor")}
    wanted = _at(sink) | {"allocations": {"$elemMatch": seen}}
    _change_entry(db, sink, wanted, claim=entry["claim"], to=None if to is None else {"$literal": to}, told=told)


def _merged(values: Mapping[str, Any]) -> Stored:
    return {"$mergeObjects": ["$$this", {"$literal": dict(values)}]}


def _change_entry(
    db: Db,
    sink: Place,
    wanted: Stored,
    *,
    claim: str,
    to: Stored | None,
    told: Mapping[str, Any] | None = None,
) -> None:
    if to is None:
        entries: Stored = only({"$not": [_is_of(claim)]})
    else:
        entries = {"$map": {"input": ENTRIES, "in": {"$cond": [_is_of(claim), to, "$$this"]}}}
    before = {name: {"$ifNull": [f"${name}", 0]} for name in _TOLD}
    stages = [{"$set": {"_before": before, "allocations": entries}}, *stages_of(sink.kind)]
    if told is not None:
        stages.append({"$set": {"history": {"$concatArrays": [_HISTORY, [_with_changes(told)]]}}})
    _of(db, sink.kind).update_one(wanted, [*stages, {"$unset": "_before"}])


def _with_changes(told: Mapping[str, Any]) -> Stored:
    """Return the history entry with the sums that changed."""
    literal = {name: {"$literal": value} for name, value in told.items()}
    changed = [
        {
            "$cond": [
                {"$eq": [f"$_before.{name}", {"$ifNull": [f"${name}", 0]}]},
                {},
                {name: {"from": f"$_before.{name}", "to": f"${name}"}},
            ]
        }
        for name in _TOLD
    ]
    return {**literal, "changes": {"$mergeObjects": changed}}


def _at(place: Place) -> Stored:
    return {"tenant": place.tenant, place.kind.number_field: place.number}


def _has(claim: str, states: Sequence[str]) -> Stored:
    return {"$elemMatch": {"claim": claim, "state": {"$in": list(states)}}}


def _is_of(claim: str) -> Stored:
    return {"$eq": ["$$this.claim", {"$literal": claim}]}


def _key_taken(error: DuplicateKeyError, kind: MoneyKind) -> Exception:
    fields = (error.details or {}).get("keyPattern", {})
    if "allocation_keys" in fields:
        return KeyTaken()
    return RefusedByForeignIndex.on(kind.collection, fields)
