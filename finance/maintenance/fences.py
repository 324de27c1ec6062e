"""Unique indexes over data that still holds duplicates: fence first, convert at the end.

`prepareUnique` (MongoDB 6.0) refuses new duplicates over old ones; `collMod` makes such an index unique once the old
ones are gone. An index that is unique can't be made plain again (collMod: "Cannot make index non-unique"), so numbers
that an undo puts back stand under a wider one; see `let_numbers_back`.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

from finance.database import DUPLICATE_KEY, INDEX_CONFLICTS, UNDONE, UNDONE_FIELD, Db, standing_indexes
from finance.errors import Unavailable
from finance.indexes import Index
from finance.maintenance.target import Target

Standing = Literal["unique", "prepared", "plain", "missing"]

PREPARE_UNIQUE_SINCE = [6, 0]
FENCE_ATTEMPTS_MAX = 1_200  # ten minutes of another's build
FENCE_PAUSE_S = 0.5
CANNOT_CONVERT = 359  # CannotConvertIndexToUnique: duplicates are left
INDEX_NOT_FOUND = 27
PROTECTING: tuple[Standing, ...] = ("unique", "prepared")
UNMARK_BATCH = 1_000
_OF_EARLIER_VERSIONS = ("_untouched", "_beside")  # what their undoes put in the place of the index


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


def let_numbers_back(target: Target) -> None:
    """Have the numbers that a run took away come back, protected all the while.

    A wider unique index counts the mark that a document gets with its old number (`UNDONE_FIELD`), so it refuses what
    the number's own index refuses, and no document that comes back. That index is dropped only once this one stands.
    Safe to end anywhere and to repeat. Raises CannotProtect, with nothing dropped.
    """
    wider = undone_index(target.unique_index)
    make_unique(target.db, wider)
    if find_standing(target.db, wider)[1] not in PROTECTING:
        raise CannotProtect(
            f"{target.collection_name} holds duplicates that no repair renumbered, and this MongoDB can't refuse new "
            "ones over them (it needs 6.0). Nothing was changed."
        )
    _unmark_lone(target)
    give_way(target)


def give_way(target: Target) -> None:
    """Drop the number's own index where the wider one protects."""
    if find_standing(target.db, undone_index(target.unique_index))[1] not in PROTECTING:
        return
    name, state = find_standing(target.db, target.unique_index)
    for given in ([name] if state in PROTECTING else []) + _find_earlier(target, undone=False):
        _drop(target, given)


def drop_replaced(target: Target) -> None:
    """Drop what undoes and earlier versions built, once the number's own index is unique: no mark is left then."""
    if find_standing(target.db, target.unique_index)[1] != "unique":
        return
    wider, state = find_standing(target.db, undone_index(target.unique_index))
    of_undo = [*([wider] if state != "missing" else []), *_find_earlier(target, undone=True)]
    if of_undo:
        _unmark_lone(target)
    own = [target.unique_index, *([target.earlier_index] if target.earlier_index else [])]
    left = [name for name in standing_indexes(target.db, target.collection_name) if is_left_by_undo(name, own)]
    for name in (*of_undo, *_find_earlier(target, undone=False), *left):
        _drop(target, name)


def _find_earlier(target: Target, *, undone: bool) -> list[str]:
    """Return the index that earlier versions built, by its name too: another software may have one just like it."""
    if target.earlier_index is None:
        return []
    index = undone_index(target.earlier_index) if undone else target.earlier_index
    found = standing_indexes(target.db, target.collection_name).get(index.name)
    return [index.name] if found is not None and is_equivalent(found, index) else []


def undone_index(index: Index) -> Index:
    """Return the wider index under which numbers that were put back may stand beside those that hold them."""
    keys = (*index.keys, (UNDONE_FIELD, 1))
    return Index(index.collection, index.name + UNDONE, keys, unique=True, partial=index.partial)


def is_left_by_undo(name: str, indexes: Iterable[Index]) -> bool:
    """Return whether an undo of an earlier version left an index of this name."""
    return any(name == index.name + end for index in indexes if index.unique for end in _OF_EARLIER_VERSIONS)


def _unmark_lone(target: Target) -> None:
    """Take the mark from documents that are the only ones with their number, so that no other can come to have it."""
    marked = target.collection.find({UNDONE_FIELD: {"$exists": True}}, {"_id": True})
    while batch := [document["_id"] for document in islice(marked, UNMARK_BATCH)]:
        unmarked = [UpdateOne({"_id": id_}, {"$unset": {UNDONE_FIELD: True}}) for id_ in batch]
        update_each(target, unmarked)


def update_each(target: Target, updates: Sequence[UpdateOne]) -> set[int]:
    """Apply all updates, and return the positions of those that a unique index refuses."""
    if not updates:
        return set()
    try:
        target.collection.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if error.details.get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in failed):
            raise
        return {one["index"] for one in failed}
    return set()


def _drop(target: Target, name: str) -> None:
    """Drop an index; one that somebody else has just dropped is dropped."""
    try:
        target.collection.drop_index(name)
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:
            raise


def _build_unique(db: Db, index: Index) -> bool:
    try:
        db[index.collection].create_indexes([index.as_model()])
    except OperationFailure as error:
        if error.code != DUPLICATE_KEY:
            raise
        return False
    return True
