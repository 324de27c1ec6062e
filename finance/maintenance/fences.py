"""Unique indexes over data that still holds duplicates: fence first, convert at the end, open only to undo.

`prepareUnique` (MongoDB 6.0) refuses new duplicates over old ones; `collMod` makes such an index unique once the old
ones are gone. An index that is unique can't be made plain again (collMod: "Cannot make index non-unique"), so an undo
builds others beside it and drops it; see `open_for_undo`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from pymongo.errors import OperationFailure

from finance.database import DUPLICATE_KEY, INDEX_CONFLICTS, UNTOUCHED, Db, Document, standing_indexes
from finance.errors import Unavailable
from finance.indexes import Index
from finance.maintenance.target import PREVIOUS_FIELD, Target

Standing = Literal["unique", "prepared", "plain", "missing"]

PREPARE_UNIQUE_SINCE = [6, 0]
FENCE_ATTEMPTS_MAX = 1_200  # ten minutes of another's build
FENCE_PAUSE_S = 0.5
CANNOT_CONVERT = 359  # CannotConvertIndexToUnique: duplicates are left
INDEX_NOT_FOUND = 27


_BESIDE = "_beside"


class CannotProtect(Unavailable):
    """There would be a moment in which duplicates could be stored."""


def supports_prepare_unique(db: Db) -> bool:
    return db.client.server_info()["versionArray"][:2] >= PREPARE_UNIQUE_SINCE


def find_standing(db: Db, index: Index) -> tuple[str, Standing]:
    """Return the name and the state of the index on these keys and documents, whatever it is called."""
    best: tuple[str, Standing] = (index.name, "missing")
    for name, found in standing_indexes(db, index.collection).items():
        if is_equivalent(found, index):
            state = standing_of(found)
            if best[1] == "missing" or state == "unique":
                best = (name, state)
    return best


def is_equivalent(found: Mapping[str, Any], index: Index) -> bool:
    """Return whether a standing index is on the keys and the documents of `index`."""
    partial = found.get("partialFilterExpression")
    same_documents = (dict(partial) if partial else None) == (dict(index.partial) if index.partial else None)
    plain_order = not any(found.get(option) for option in ("sparse", "collation"))
    return list(found["key"]) == list(index.keys) and same_documents and plain_order


def standing_of(found: Mapping[str, Any]) -> Standing:
    if found.get("unique"):
        return "unique"
    return "prepared" if found.get("prepareUnique") else "plain"


def fence(db: Db, index: Index) -> Standing:
    """Make the index refuse new duplicates from now on, over old ones, and return how it stands then.

    On a server without prepareUnique it stays as it is: "plain" or "missing". Workers of the API may build the same
    index at the same time, and MongoDB then refuses one of two builds, or says that all went well where it did not.
    """
    for _attempt in range(FENCE_ATTEMPTS_MAX):
        name, state = find_standing(db, index)
        if state in ("unique", "prepared") or not supports_prepare_unique(db):
            return state
        try:
            if state == "plain":
                db.command("collMod", index.collection, index={"name": name, "prepareUnique": True})
            else:
                db[index.collection].create_indexes([index.as_model(prepareUnique=True)])
        except OperationFailure as error:
            if error.code not in (*INDEX_CONFLICTS, INDEX_NOT_FOUND) or name in standing_indexes(db, index.collection):
                raise
            time.sleep(FENCE_PAUSE_S)
    raise CannotProtect(f"{index.collection}.{index.name} can't be built: others keep building it. Try again.")


def make_unique(db: Db, index: Index) -> bool:
    """Make the index unique and return whether it is, read back from the server; False where duplicates are left."""
    name, state = find_standing(db, index)
    try:
        if state in ("missing", "plain") and not supports_prepare_unique(db):
            _build_unique(db, index)
        elif state != "unique":
            if state != "prepared":
                fence(db, index)
            db.command("collMod", index.collection, index={"name": name, "unique": True})
    except OperationFailure as error:
        if error.code not in (CANNOT_CONVERT, INDEX_NOT_FOUND):
            raise
    return find_standing(db, index)[1] == "unique"


def open_for_undo(target: Target) -> bool:
    """Let the numbers that a run took away come back: drop the unique index, but first build what stands in for it.

    Documents that no repair ever touched (`previous_numbers` is empty), and so all that are posted now, stay under a
    unique index of their own. Returns False where that can't be: a run left duplicates among them that it could not
    renumber. A plain index serves the readers. Safe to repeat.
    """
    target.collection.create_indexes([_beside(target).as_model()])
    protected = _build_unique(target.db, _untouched(target))
    name, state = find_standing(target.db, target.unique_index)
    with _gone_is_done():
        if state == "unique":
            target.collection.drop_index(name)
        elif state == "prepared":
            target.db.command("collMod", target.collection_name, index={"name": name, "prepareUnique": False})
    return protected


def close_after_undo(target: Target) -> Standing:
    """Fence again, make unique where no duplicate came back, drop what stood in, and return how the index stands."""
    fence(target.db, target.unique_index)
    make_unique(target.db, target.unique_index)
    drop_leftovers(target)
    return find_standing(target.db, target.unique_index)[1]


def drop_leftovers(target: Target) -> None:
    """Drop what an undo left that was killed, once the index itself protects again."""
    if find_standing(target.db, target.unique_index)[1] in ("unique", "prepared"):
        for index in (_untouched(target), _beside(target)):
            with _gone_is_done():
                target.collection.drop_index(index.name)


@contextmanager
def _gone_is_done() -> Iterator[None]:
    """Take it as done where an index is to go, or to be opened, that another undo has dropped since we looked."""
    try:
        yield
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:
            raise


def is_undo_stand_in(name: str, indexes: Iterable[Index]) -> bool:
    return any(name in (f"{index.name}{UNTOUCHED}", f"{index.name}{_BESIDE}") for index in indexes if index.unique)


def _build_unique(db: Db, index: Index) -> bool:
    try:
        db[index.collection].create_indexes([index.as_model()])
    except OperationFailure as error:
        if error.code != DUPLICATE_KEY:
            raise
        return False
    return True


def _untouched(target: Target) -> Index:
    index = target.unique_index
    untouched: Document = {PREVIOUS_FIELD: [] if target.is_ours else None, **(index.partial or {})}
    return Index(index.collection, index.name + UNTOUCHED, index.keys, unique=True, partial=untouched)


def _beside(target: Target) -> Index:
    """Return an index for readers; its filter holds for every text, and lets it stand beside one on the same keys."""
    index = target.unique_index
    return Index(index.collection, index.name + _BESIDE, index.keys, partial={target.number_field: {"$gt": ""}})
