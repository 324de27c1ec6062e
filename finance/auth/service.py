"""Making, listing, revoking and recognising API keys."""

import hmac
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from finance.auth import store
from finance.auth.model import ApiKey, Caller, NewKey, Role, hash_key, key_id_of, make_key
from finance.database import Db
from finance.errors import Conflict, NotFound, Unauthenticated
from finance.numbering.series import require_slug

CACHED_CALLERS_MAX = 10_000


class ApiKeyNotFound(NotFound):
    detail_default = "There is no API key with this id; GET /api/v1/keys lists them."


class ApiKeyAlreadyShown(Conflict):
    detail_default = (
        "A key was already made with this Idempotency-Key, and a key is shown only once. "
        "If it was lost, revoke it and make another."
    )


def create_key(db: Db, *, tenant: str, role: Role, now: datetime, idempotency_key: str | None = None) -> NewKey:
    """Make and store a key. The answer holds the key itself, which can't be had again; only its hash is stored."""
    tenant = require_slug(tenant)
    key_id, key = make_key()
    document: ApiKey = {
        "_id": key_id,
        "tenant": tenant,
        "role": role,
        "key_hash": hash_key(key),
        "created_at": now,
        "revoked_at": None,
    }
    if idempotency_key is not None:
        document["idempotency_key"] = idempotency_key
    if not store.insert_key(db, document):
        raise ApiKeyAlreadyShown
    return NewKey(key_id=key_id, key=key, tenant=tenant, role=role)


def list_keys(db: Db, *, tenant: str | None) -> list[ApiKey]:
    """Return the keys of a tenant (of all tenants for None), without their hashes."""
    return store.list_keys(db, tenant=tenant)


def revoke_key(db: Db, *, tenant: str | None, key_id: str, now: datetime) -> None:
    """Revoke a key; every worker refuses it within `Config.key_cache_s`. Raises ApiKeyNotFound."""
    if not store.revoke_key(db, tenant=tenant, key_id=key_id, revoked_at=now):
        raise ApiKeyNotFound


class KeyRing:
    """Recognises callers by their keys. Each is remembered for `cache_s` seconds: so long a revoked key may work."""

    def __init__(self, db: Db, *, cache_s: float, clock_s: Callable[[], float] = monotonic) -> None:
        self._db = db
        self._cache_s = cache_s
        self._clock_s = clock_s
        self._callers: dict[str, tuple[Caller, float]] = {}

    def get_caller(self, key: str) -> Caller:
        """Return whose key this is; raises Unauthenticated where it is none of ours, or revoked."""
        key_hash = hash_key(key)
        now_s = self._clock_s()
        known = self._callers.get(key_hash)
        if known is not None and known[1] > now_s:
            return known[0]
        caller = self._look_up(key, key_hash)
        if len(self._callers) >= CACHED_CALLERS_MAX:
            self._callers.clear()
        self._callers[key_hash] = (caller, now_s + self._cache_s)
        return caller

    def _look_up(self, key: str, key_hash: str) -> Caller:
        key_id = key_id_of(key)
        document = store.find_key(self._db, key_id=key_id) if key_id else None
        if document is None or document.get("revoked_at") or not hmac.compare_digest(document["key_hash"], key_hash):
            raise Unauthenticated
        return Caller(tenant=document["tenant"], role=document["role"], key_id=document["_id"])
