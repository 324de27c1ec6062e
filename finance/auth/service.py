"""Making, listing, revoking and recognising API keys."""

import hmac
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from finance.asked import Asked
from finance.auth import store
from finance.auth.model import ApiKey, Caller, NewKey, WantedKey, hash_key, key_id_of, new_key
from finance.database import Db, DriverError, before_writing, remaining_s
from finance.errors import Conflict, FinanceError, Invalid, NotFound, Unauthenticated, own
from finance.events import record_event
from finance.numbering.series import require_slug
from finance.once import IdempotencyKeyReused, NothingStored
from finance.said import said

CACHED_CALLERS_MAX = 10_000

log = logging.getLogger(__name__)


class ApiKeyNotFound(NotFound):
    detail_default = said("There is no API key with this id; GET /api/v1/keys lists them.")


class ApiKeyAlreadyShown(Conflict):
    detail_default = said(
        "A key was already made with this Idempotency-Key, and a key is shown only once. If it "
        "was lost, revoke it and make another."
    )
    extra_members = {"key_id": "The id of that key, by which it can be revoked."}

    def __init__(self, key_id: str) -> None:
        super().__init__(extra={"key_id": key_id})


def create_key(db: Db, asked: Asked, wanted: WantedKey) -> NewKey:
    """Make and store a key of the tenant that asks. It is in the answer and can't be had again.

    Raises Invalid where its end isn't in the future, ApiKeyAlreadyShown, IdempotencyKeyReused.
    """
    asked = replace(asked, tenant=require_slug(asked.tenant))
    if asked.key is not None:
        _require_none(store.find_key_by_idempotency_key(db, tenant=asked.tenant, idempotency_key=asked.key), wanted)
    if wanted.expires_at is not None and wanted.expires_at <= asked.now:
        raise Invalid.field("expires_at", said("must be in the future."))
    made = new_key(asked, wanted)
    about = {"role": wanted.role, "name": wanted.name, "expires_at": wanted.expires_at}
    record_event(db, asked, action="key_created", of=("key", made.key_id), details=about, once=asked.key)
    if not store.insert_key(db, made.document):  # the other request of a double click was faster
        if asked.key is not None:
            _require_none(store.read_key_by_idempotency_key(db, tenant=asked.tenant, idempotency_key=asked.key), wanted)
        raise ApiKeyAlreadyShown(made.key_id)
    return made


def list_keys(db: Db, *, tenant: str | None) -> list[ApiKey]:
    """Return the keys of a tenant (of all tenants for None), without their hashes."""
    return store.list_keys(db, tenant=tenant)


def get_key(db: Db, *, tenant: str | None, key_id: str) -> ApiKey:
    """Return a key of the tenant (of any for None); raises ApiKeyNotFound."""
    found = store.find_key(db, key_id=key_id)
    if found is None or (tenant is not None and found["tenant"] != tenant):
        raise ApiKeyNotFound
    return found


def revoke_key(db: Db, asked: Asked, *, key_id: str) -> None:
    """Revoke a key; every worker refuses it within `Config.key_cache_s`. Who did it first stays. Raises ApiKeyNotFound.

    Of two that do it at once both are recorded as having asked for it; one stands at the key.
    """
    key = get_key(db, tenant=asked.tenant, key_id=key_id)
    if key.get("revoked_at") is not None:
        return
    about = {"role": key["role"], "name": key.get("name")}
    record_event(db, asked, action="key_revoked", of=("key", key_id), details=about, once="revoke")
    store.revoke_key(db, asked, key_id=key_id)


def _require_none(made: ApiKey | None, wanted: WantedKey) -> None:
    """Raise what a repeat of the request that made this key is answered with: a key is shown once."""
    if made is None:
        return
    # One of an earlier version doesn't tell what was asked for.
    if made.get("request_hash", wanted.hash()) != wanted.hash():
        raise IdempotencyKeyReused
    raise ApiKeyAlreadyShown(made["_id"])


class KeyRing:
    """Recognises callers by their keys. Each is remembered for `cache_s` seconds: so long a revoked key may work."""

    def __init__(
        self, db: Db, *, cache_s: float, clock: Callable[[], datetime], clock_s: Callable[[], float] = monotonic
    ) -> None:
        self._db = db
        self._cache_s = cache_s
        self._clock = clock
        self._clock_s = clock_s
        self._callers: dict[str, tuple[Caller, float]] = {}
        self._by_id: dict[str, tuple[Caller, float]] = {}  # those of the pages, by key id
        self._no_longer_valid: dict[str, float] = {}  # until when that isn't asked again, by hash
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Caller]] = {}  # look-ups, by hash
        self._used: dict[str, datetime] = {}  # the hour that was noted last, by key id

    def get_caller(self, key: str) -> Caller:
        """Return whose key this is; raises Unauthenticated where it is none of ours, or no longer."""
        key_hash = hash_key(key)
        now_s = self._clock_s()
        known = self._callers.get(key_hash)
        if known is not None and known[1] > now_s:
            return known[0]
        if self._no_longer_valid.get(key_hash, 0.0) > now_s:
            raise Unauthenticated(was_known=True)
        with self._lock:
            under_way = self._under_way.get(key_hash)
            if under_way is None:
                self._under_way[key_hash] = Future()
        return self._recognise(key, key_hash, now_s) if under_way is None else _result_of(under_way)

    def get_caller_of(self, key_id: str) -> Caller:
        """Return whose key has this id, for those who proved before that it is theirs; raises Unauthenticated."""
        now_s = self._clock_s()
        known = self._by_id.get(key_id)
        if known is None or known[1] <= now_s:
            document = before_writing(partial(store.find_key, self._db, key_id=key_id))()
            if document is None or document.get("revoked_at"):
                self._by_id.pop(key_id, None)
                raise Unauthenticated(was_known=document is not None)
            left_s = self._left_s(document, self._clock())
            _make_room(self._by_id)
            known = self._by_id[key_id] = (_caller_of(document), now_s + left_s)
            self._note_use(document, self._clock())
        return known[0]

    def knows(self, key: str) -> bool:
        """Return whether this key was found when it was last looked up here, be it one that is no longer valid."""
        key_hash = hash_key(key)
        return key_hash in self._callers or key_hash in self._no_longer_valid

    def _recognise(self, key: str, key_hash: str, now_s: float) -> Caller:
        """Look a key up, for all who ask with it meanwhile: a thousand requests at once are one question."""
        answered = self._under_way[key_hash]
        try:
            caller = self._find_caller(key, key_hash, now_s)
        except BaseException as error:
            answered.set_exception(error)
            raise
        else:
            answered.set_result(caller)
            return caller
        finally:
            with self._lock:
                del self._under_way[key_hash]

    def _find_caller(self, key: str, key_hash: str, now_s: float) -> Caller:
        try:
            document = before_writing(partial(self._look_up, key, key_hash))()
            now = self._clock()
            left_s = self._left_s(document, now)
        except Unauthenticated as refusal:
            self._callers.pop(key_hash, None)
            self._no_longer_valid.pop(key_hash, None)
            if refusal.was_known:
                _make_room(self._no_longer_valid)
                self._no_longer_valid[key_hash] = now_s + self._cache_s
            raise
        caller = _caller_of(document)
        self._remember(key_hash, caller, now_s + left_s)
        self._note_use(document, now)
        return caller

    def _left_s(self, document: ApiKey, now: datetime) -> float:
        """Return for how long the key may be remembered: not beyond its end."""
        ends = document.get("expires_at")
        if ends is None:
            return self._cache_s
        if ends <= now:
            raise Unauthenticated(was_known=True)
        return min(self._cache_s, (ends - now).total_seconds())

    def _remember(self, key_hash: str, caller: Caller, until_s: float) -> None:
        self._callers.pop(key_hash, None)  # so that it becomes the newest
        while len(self._callers) >= CACHED_CALLERS_MAX:
            oldest, _until_s = self._callers.pop(next(iter(self._callers)))
            self._used.pop(oldest.key_id, None)
        self._callers[key_hash] = (caller, until_s)

    def _look_up(self, key: str, key_hash: str) -> ApiKey:
        key_id = key_id_of(key)
        document = store.find_key(self._db, key_id=key_id) if key_id else None
        if document is None or not hmac.compare_digest(document["key_hash"], key_hash):
            raise Unauthenticated
        if document.get("revoked_at"):
            raise Unauthenticated(was_known=True)
        return document

    def _note_use(self, document: ApiKey, now: datetime) -> None:
        """Store the hour of this use, once an hour; a failure costs the request a moment and is tried an hour later."""
        hour, key_id = now.replace(minute=0, second=0, microsecond=0), document["_id"]
        if self._used.get(key_id) == hour:
            return
        self._used[key_id] = hour
        noted = document.get("last_used_at")
        if noted is not None and noted >= hour:
            return  # another process has
        try:
            store.note_use(self._db, key_id=key_id, hour=hour)
        except DriverError as error:
            log.warning("The last use of key %s could not be stored: %s", key_id, type(error).__name__)


def _caller_of(document: ApiKey) -> Caller:
    return Caller(document["tenant"], document["role"], document["_id"], document.get("name"))


def _make_room(remembered: dict[str, Any]) -> None:
    while len(remembered) >= CACHED_CALLERS_MAX:
        remembered.pop(next(iter(remembered)), None)


def _result_of(under_way: Future[Caller]) -> Caller:
    """Return what another request's look-up finds, or raise its failure as one of this request."""
    try:
        return under_way.result(timeout=remaining_s())
    except FutureTimeoutError as late:
        raise NothingStored from late
    except FinanceError as error:
        raise own(error) from error.__cause__
