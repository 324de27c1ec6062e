"""The collection `api_keys`."""

from datetime import datetime
from typing import cast

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.auth.model import ApiKey
from finance.database import Db

LISTED_MAX = 1_000


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


def list_keys(db: Db, *, tenant: str | None) -> list[ApiKey]:
    """Return the newest keys of one tenant, or of all for the operator's scripts."""
    wanted = {} if tenant is None else {"tenant": tenant}
    order = [("_id", 1)] if tenant is None else [("created_at", -1)]
    return list(_keys(db).find(wanted, {"key_hash": False}).sort(order).limit(LISTED_MAX))


def revoke_key(db: Db, *, tenant: str | None, key_id: str, revoked_at: datetime) -> bool:
    """Mark a key as revoked, keeping the time of an earlier revocation; False where there is no such key."""
    wanted = {"_id": key_id} if tenant is None else {"_id": key_id, "tenant": tenant}
    if _keys(db).update_one({**wanted, "revoked_at": None}, {"$set": {"revoked_at": revoked_at}}).matched_count:
        return True
    return _keys(db).find_one(wanted, {"_id": True}) is not None


def _keys(db: Db) -> Collection[ApiKey]:
    return cast("Collection[ApiKey]", db.api_keys)
