"""The collections `exports` and `export_chunks`. All times that leases go by are the server's."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.collection import Collection

from finance.database import Db, Document
from finance.files.model import ATTEMPTS_MAX, DEAD_AFTER_S, UNFINISHED, Chunk, Export
from finance.said import said

_IS_FREE: Document = {
    "$or": [
        {"$eq": ["$status", "waiting"]},
        {"$lt": ["$alive_at", {"$subtract": ["$$NOW", int(DEAD_AFTER_S * 1000)]}]},
    ]
}


def _exports(db: Db) -> Collection[Export]:
    return cast("Collection[Export]", db.exports)


def _chunks(db: Db) -> Collection[Chunk]:
    return cast("Collection[Chunk]", db.export_chunks)


def insert_export(db: Db, export: Export) -> None:
    _exports(db).insert_one(export)


def find_export(db: Db, *, tenant: str, export_id: str) -> Export | None:
    return _exports(db).find_one({"tenant": tenant, "_id": export_id})


def count_exports(db: Db, *, tenant: str, statuses: tuple[str, ...], at_most: int) -> int:
    """Return how many files of a tenant have one of these statuses; it isn't counted beyond `at_most`."""
    wanted = {"tenant": tenant, "status": {"$in": list(statuses)}}
    return len(list(_exports(db).find(wanted, {"_id": True}).limit(at_most)))


def claim_export(db: Db, *, holder: str) -> Export | None:
    """Take a file whose holder is dead, or the oldest that waits, in one operation; None where there is none."""
    taken = {
        "status": "making",
        "holder": holder,
        "alive_at": "$$NOW",
        "rows": 0,
        "attempts": {"$add": ["$attempts", 1]},
    }
    return _exports(db).find_one_and_update(
        {"status": {"$in": list(UNFINISHED)}, "attempts": {"$lt": ATTEMPTS_MAX}, "$expr": _IS_FREE},
        [{"$set": taken}],
        sort=[("status", 1), ("created_at", 1)],  # what was begun already comes first
        return_document=ReturnDocument.AFTER,
    )


def give_up_dead(db: Db) -> None:
    """Mark as failed what killed its process as often as it may."""
    failed = {
        "status": "failed",
        "finished_at": "$$NOW",
        "failure": said("It ended before it was done, several times."),
    }
    _exports(db).update_many(
        {"status": {"$in": list(UNFINISHED)}, "attempts": {"$gte": ATTEMPTS_MAX}, "$expr": _IS_FREE}, [{"$set": failed}]
    )


def show_life(db: Db, *, export_id: str, holder: str, rows: int) -> bool:
    """Show a sign of life and how far it is; False where another has taken it over."""
    mine = {"_id": export_id, "holder": holder, "status": "making"}
    change = {"$set": {"rows": rows}, "$currentDate": {"alive_at": True}}
    return bool(_exports(db).update_one(mine, change).matched_count)


def finish(db: Db, *, export_id: str, holder: str, values: Mapping[str, Any]) -> bool:
    """Set how it ended; False where another has taken it over."""
    mine = {"_id": export_id, "holder": holder, "status": "making"}
    change = {"$set": dict(values), "$currentDate": {"finished_at": True}}
    return bool(_exports(db).update_one(mine, change).matched_count)


def insert_chunk(db: Db, chunk: Chunk) -> None:
    _chunks(db).insert_one(chunk)


def drop_chunks(db: Db, *, tenant: str, files_id: str) -> None:
    _chunks(db).delete_many({"tenant": tenant, "files_id": files_id})


def each_chunk(db: Db, *, tenant: str, files_id: str, count: int) -> Iterator[bytes | None]:
    """Yield the parts of a file in order; None in the place of one that isn't there."""
    for n in range(count):
        chunk = _chunks(db).find_one({"tenant": tenant, "files_id": files_id, "n": n}, {"_id": False, "data": True})
        yield None if chunk is None else chunk["data"]
