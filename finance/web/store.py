"""The collection `sessions`: who is signed in to the pages. `_id` is the SHA-256 of what the cookie holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict, cast

from pymongo.collection import Collection

from finance.database import Db

LISTED_MAX = 200


class Session(TypedDict):
    """A stored session; MongoDB removes it at `expires_at`. `data` is what the pages keep in it."""

    _id: str
    tenant: str
    key_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    data: NotRequired[dict[str, Any]]


def insert_session(db: Db, session: Session) -> None:
    _sessions(db).insert_one(session)


def find_session(db: Db, session_id: str) -> Session | None:
    """Return a session by its id alone: this is the question that tells which tenant it is."""
    return _sessions(db).find_one({"_id": session_id})


def set_seen(db: Db, session: Session, *, seen_at: datetime, expires_at: datetime) -> None:
    """Move the end of a session; never to an earlier instant, and never one that was ended meanwhile."""
    _sessions(db).update_one(_this(session), {"$max": {"seen_at": seen_at, "expires_at": expires_at}})


def set_data(db: Db, session: Session, values: Mapping[str, Any]) -> None:
    """Store what the pages keep under these names; None removes it. Two pages at once keep what is theirs."""
    present = {f"data.{name}": value for name, value in values.items() if value is not None}
    absent = {f"data.{name}": "" for name, value in values.items() if value is None}
    change = ({"$set": present} if present else {}) | ({"$unset": absent} if absent else {})
    if change:
        _sessions(db).update_one(_this(session), change)


def delete_session(db: Db, session: Session) -> None:
    _sessions(db).delete_one(_this(session))


def list_of_key(db: Db, *, tenant: str, key_id: str) -> list[Session]:
    """Return the newest sessions of a key."""
    found = _sessions(db).find({"tenant": tenant, "key_id": key_id}, {"data": False})
    return list(found.sort("created_at", -1).limit(LISTED_MAX))


def delete_of_key(db: Db, *, tenant: str, key_id: str) -> int:
    """End every session of a key, and return how many there were."""
    return _sessions(db).delete_many({"tenant": tenant, "key_id": key_id}).deleted_count


def _this(session: Session) -> dict[str, Any]:
    return {"_id": session["_id"], "tenant": session["tenant"]}


def _sessions(db: Db) -> Collection[Session]:
    return cast("Collection[Session]", db.sessions)
