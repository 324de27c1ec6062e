"""The collections `imports`, `import_chunks` and `import_rows`. All times that leases go by are the server's."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pymongo import ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document
from finance.imports.model import (
    ATTEMPTS_MAX,
    BEFORE_STORING,
    DEAD_AFTER_S,
    UNFINISHED,
    WORKING,
    Import,
    ImportChunk,
    ImportRow,
    Status,
)
from finance.imports.texts import dump_said, load_said
from finance.said import said

_IS_DEAD: Document = {"$lt": ["$alive_at", {"$subtract": ["$$NOW", int(DEAD_AFTER_S * 1000)]}]}
_IS_FREE: Document = {"$or": [{"$in": ["$status", list(WORKING)]}, _IS_DEAD]}
_GIVEN_UP = said("It ended before it was done, several times.")


def _imports(db: Db) -> Collection[Import]:
    return cast("Collection[Import]", db.imports)


def _chunks(db: Db) -> Collection[ImportChunk]:
    return cast("Collection[ImportChunk]", db.import_chunks)


def _rows(db: Db) -> Collection[ImportRow]:
    return cast("Collection[ImportRow]", db.import_rows)


# --- Uploads -----------------------------------------------------------------------------------------------------


def insert_import(db: Db, upload: Import) -> bool:
    """Store an upload; False where the tenant has this file already."""
    try:
        _imports(db).insert_one(upload)
    except DuplicateKeyError:
        return False
    return True


def find_import(db: Db, *, tenant: str, import_id: str) -> Import | None:
    found = _imports(db).find_one({"tenant": tenant, "_id": import_id})
    return None if found is None else _with_failure(found)


def _with_failure(upload: Import) -> Import:
    return {**upload, "failure": load_said(upload.get("failure"))}


def find_same_file(db: Db, *, tenant: str, kind: str, sha256: str) -> Import | None:
    return _imports(db).find_one({"tenant": tenant, "kind": kind, "sha256": sha256})


def list_imports(db: Db, *, tenant: str, at_most: int) -> list[Import]:
    """Return the newest uploads of a tenant."""
    found = _imports(db).find({"tenant": tenant}, sort=[("created_at", -1), ("_id", -1)], limit=at_most)
    return [_with_failure(upload) for upload in found]


def count_imports(db: Db, *, tenant: str, statuses: Sequence[Status] | None, at_most: int) -> int:
    """Return how many uploads a tenant has, of all or of these statuses; it isn't counted beyond `at_most`."""
    wanted: Document = {"tenant": tenant} | ({} if statuses is None else {"status": {"$in": list(statuses)}})
    return len(list(_imports(db).find(wanted, {"_id": True}).limit(at_most)))


def change_status(
    db: Db, *, tenant: str, import_id: str, of: Sequence[Status], values: Mapping[str, Any]
) -> Import | None:
    """Set `values` where it has one of these statuses, and return it as it is then; None where it hasn't."""
    change: Document = {"$set": dict(values), "$unset": {"holder": "", "alive_at": ""}}
    return _imports(db).find_one_and_update(
        {"tenant": tenant, "_id": import_id, "status": {"$in": list(of)}}, change, return_document=ReturnDocument.AFTER
    )


def ask_to_stop(db: Db, *, tenant: str, import_id: str) -> None:
    wanted = {"tenant": tenant, "_id": import_id, "status": {"$in": ["to_store", "storing"]}}
    _imports(db).update_one(wanted, {"$set": {"stop_asked": True}})


def remove_import(db: Db, *, tenant: str, import_id: str) -> Import | None:
    """Remove an upload of which nothing was stored, and return it; None where there is none such."""
    return _imports(db).find_one_and_delete(
        {"tenant": tenant, "_id": import_id, "status": {"$in": list(BEFORE_STORING)}}
    )


def keep_until(db: Db, upload: Import, expires_at: datetime) -> None:
    """Keep the file, its rows and the upload itself until then."""
    change = {"$set": {"expires_at": expires_at}}
    _chunks(db).update_many({"tenant": upload["tenant"], "files_id": upload["chunks_of"]}, change)
    if "rows_of" in upload:
        _rows(db).update_many({"tenant": upload["tenant"], "rows_of": upload["rows_of"]}, change)
    _imports(db).update_one({"tenant": upload["tenant"], "_id": upload["_id"]}, change)


# --- Who works on it ---------------------------------------------------------------------------------------------


def claim_import(db: Db, *, holder: str) -> Import | None:
    """Take an upload whose holder is dead, or the oldest that waits, in one operation; None where there is none."""
    working = {"$cond": [{"$in": ["$status", ["waiting", "checking"]]}, "checking", "storing"]}
    taken = {"status": working, "holder": holder, "alive_at": "$$NOW", "attempts": {"$add": ["$attempts", 1]}}
    return _imports(db).find_one_and_update(
        {"status": {"$in": list(UNFINISHED)}, "attempts": {"$lt": ATTEMPTS_MAX}, "$expr": _IS_FREE},
        [{"$set": taken}],
        sort=[("status", 1), ("created_at", 1)],
        return_document=ReturnDocument.AFTER,
    )


def give_up_dead(db: Db) -> None:
    """Mark as failed what killed its process as often as it may."""
    ended = {"$cond": [{"$in": ["$status", ["waiting", "checking"]]}, "refused", "stopped"]}
    _imports(db).update_many(
        {"status": {"$in": list(UNFINISHED)}, "attempts": {"$gte": ATTEMPTS_MAX}, "$expr": _IS_FREE},
        [{"$set": {"status": ended, "failure": {"$literal": dump_said(_GIVEN_UP)}}}],
    )


def show_life(db: Db, upload: Import, *, done: int) -> Import | None:
    """Show a sign of life and how far it is, and return the upload; None where another has taken it over."""
    change = {"$set": {"done": done}, "$currentDate": {"alive_at": True}}
    return _imports(db).find_one_and_update(_mine(upload), change, return_document=ReturnDocument.AFTER)


def note(db: Db, upload: Import, values: Mapping[str, Any]) -> bool:
    """Set values of an upload that is worked on; False where another has taken it over."""
    change = {"$set": dict(values), "$currentDate": {"alive_at": True}}
    return bool(_imports(db).update_one(_mine(upload), change).matched_count)


def _mine(upload: Import) -> Document:
    return {"_id": upload["_id"], "holder": upload["holder"], "status": {"$in": list(WORKING.values())}}


# --- Chunks ------------------------------------------------------------------------------------------------------


def insert_chunk(db: Db, chunk: ImportChunk) -> None:
    _chunks(db).insert_one(chunk)


def drop_chunks(db: Db, *, tenant: str, files_id: str) -> None:
    _chunks(db).delete_many({"tenant": tenant, "files_id": files_id})


def find_chunk(db: Db, *, tenant: str, files_id: str, n: int) -> ImportChunk | None:
    return _chunks(db).find_one({"tenant": tenant, "files_id": files_id, "n": n})


# --- Rows --------------------------------------------------------------------------------------------------------


def insert_rows(db: Db, rows: Sequence[ImportRow]) -> None:
    if rows:
        _rows(db).insert_many([cast(ImportRow, _as_stored(row)) for row in rows], ordered=False)


def _as_stored(row: Mapping[str, Any]) -> Document:
    """Return a row whose problems keep what they were made of, for readers of every language."""
    told = {"problems": [dump_said(problem) for problem in row["problems"]]} if "problems" in row else {}
    return {**row, **told}


def _as_read(row: ImportRow) -> ImportRow:
    return {**row, "problems": [load_said(problem) for problem in row.get("problems", [])]}


def drop_rows(db: Db, *, tenant: str, rows_of: str) -> None:
    _rows(db).delete_many({"tenant": tenant, "rows_of": rows_of})


def list_rows(
    db: Db,
    *,
    tenant: str,
    rows_of: str,
    verdicts: Sequence[str] | None = None,
    after: int = 0,
    up_to: int | None = None,
    at_most: int,
) -> list[ImportRow]:
    """Return the rows of these verdicts (of all) after a line, in their order."""
    lines = {"$gt": after} | ({} if up_to is None else {"$lte": up_to})
    wanted: Document = {"tenant": tenant, "rows_of": rows_of, "line": lines}
    if verdicts is not None:
        wanted["verdict"] = {"$in": list(verdicts)}
    found = _rows(db).find(wanted, {"_id": False}, sort=[("line", 1)], limit=at_most)
    return [_as_read(row) for row in found]


def find_rows(db: Db, *, tenant: str, rows_of: str, lines: Sequence[int]) -> list[ImportRow]:
    """Return the rows of these lines."""
    wanted = {"tenant": tenant, "rows_of": rows_of, "line": {"$in": list(lines)}}
    return list(_rows(db).find(wanted, {"_id": False}))


def set_verdicts(db: Db, *, tenant: str, rows_of: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set what is now known of rows: each with its `line`, its `verdict`, and a number or problems.

    What is stored stays so, whatever somebody says who was taken for dead and woke up.
    """
    changes = [
        UpdateOne(
            {"tenant": tenant, "rows_of": rows_of, "line": row["line"], "verdict": {"$ne": "stored"}},
            {"$set": {name: value for name, value in _as_stored(row).items() if name != "line"}},
        )
        for row in rows
    ]
    if changes:
        _rows(db).bulk_write(changes, ordered=False)


def count_verdicts(db: Db, *, tenant: str, rows_of: str) -> dict[str, int]:
    """Return how many rows have which verdict, from the keys of an index."""
    wanted = {"tenant": tenant, "rows_of": rows_of}
    groups = _rows(db).aggregate(
        [{"$match": wanted}, {"$group": {"_id": "$verdict", "rows": {"$sum": 1}}}], hint="verdict"
    )
    return {group["_id"]: int(group["rows"]) for group in cast("Iterator[Document]", groups)}


def each_line(db: Db, *, tenant: str, rows_of: str, verdicts: Sequence[str], after: int = 0) -> Iterator[int]:
    """Yield the lines of these verdicts; ROWS_MAX bounds them."""
    wanted = {"tenant": tenant, "rows_of": rows_of, "verdict": {"$in": list(verdicts)}, "line": {"$gt": after}}
    for row in _rows(db).find(wanted, {"_id": False, "line": True}).hint("verdict"):
        yield row["line"]
