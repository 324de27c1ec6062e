"""The collection `api_keys`."""

from datetime import datetime
from typing import cast

from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.asked import Asked
from finance.auth.model import ApiKey
from finance.database import Db, deadline
from finance.numbering.documents import read_back

LISTED_MAX = 1_000
NOTE_USE_S = 0.2  # what a note of the last use may cost the request that it is made for

_HASHES = {"key_hash": False, "request_hash": False}


def insert_key(db: Db, document: ApiKey) -> bool:
    """Store a key; False where another has the same Idempotency-Key."""
    try:
        _keys(db).insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def find_key(db: Db, *, key_id: str) -> ApiKey | None:
    """Find by id alone: this is the question that tells which tenant it is."""
    return _keys(db).find_one({"_id": key_id})


def find_key_by_idempotency_key(db: Db, *, tenant: str, idempotency_key: str) -> ApiKey | None:
    return _keys(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def read_key_by_idempotency_key(db: Db, *, tenant: str, idempotency_key: str) -> ApiKey | None:
    """Return the key that another process has stored under this Idempotency-Key just now."""
    return cast("ApiKey | None", read_back(db.api_keys, {"tenant": tenant, "idempotency_key": idempotency_key}))


def list_keys(db: Db, *, tenant: str | None) -> list[ApiKey]:
    """Return the newest keys of one tenant, or of all for the operator's scripts."""
    wanted = {} if tenant is None else {"tenant": tenant}
    order = [("_id", 1)] if tenant is None else [("created_at", -1)]
    return list(_keys(db).find(wanted, _HASHES).sort(order).limit(LISTED_MAX))


def revoke_key(db: Db, asked: Asked, *, key_id: str) -> None:
    """Mark a key of the tenant as revoked; an earlier revocation stays as it is."""
    revoked = {"revoked_at": asked.now, "revoked_by": asked.by, "revoked_by_name": asked.by_name}
    _keys(db).update_one({"_id": key_id, "tenant": asked.tenant, "revoked_at": None}, {"$set": revoked})


def note_use(db: Db, *, key_id: str, hour: datetime) -> None:
    """Store the hour of a use, never an earlier one. It needn't survive a failover, so no majority is waited for."""
    keys = _keys(db).with_options(write_concern=WriteConcern(w=1, j=False))
    with deadline(NOTE_USE_S):
        keys.update_one({"_id": key_id}, {"$max": {"last_used_at": hour}})


def _keys(db: Db) -> Collection[ApiKey]:
    return cast("Collection[ApiKey]", db.api_keys)
