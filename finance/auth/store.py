"""The collection `api_keys`: `{_id: key id, tenant, role, key_hash, created_at, revoked_at}`."""

from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from finance.database import Db, Document

LISTED_MAX = 1_000


def insert_key(db: Db, document: Document) -> bool:
    """Store a key; False where another has the same Idempotency-Key."""
    try:
        db.api_keys.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def find_key(db: Db, *, key_id: str) -> Document | None:
    """Find by id alone: this is the question that tells which tenant it is."""
    return db.api_keys.find_one({"_id": key_id})


def list_keys(db: Db, *, tenant: str | None) -> list[Document]:
    """Return the newest keys of one tenant, or of all for the operator's scripts."""
    wanted: dict[str, Any] = {} if tenant is None else {"tenant": tenant}
    order = [("_id", 1)] if tenant is None else [("created_at", -1)]
    return list(db.api_keys.find(wanted, {"key_hash": False}).sort(order).limit(LISTED_MAX))


def revoke_key(db: Db, *, tenant: str | None, key_id: str, revoked_at: datetime) -> bool:
    """Mark a key as revoked, keeping the time of an earlier revocation; False where there is no such key."""
    wanted = {"_id": key_id} if tenant is None else {"_id": key_id, "tenant": tenant}
    if db.api_keys.update_one({**wanted, "revoked_at": None}, {"$set": {"revoked_at": revoked_at}}).matched_count:
        return True
    return db.api_keys.find_one(wanted, {"_id": True}) is not None
