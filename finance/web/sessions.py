"""Who is signed in: a random id in a cookie, what belongs to it in MongoDB, bound to the key it was made with.

A session lives as long as its key does: each request asks the key ring for the key, so one that was revoked or has
ended is out in every worker as soon as it is for the API. The key itself is never stored.
"""

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Request, Response, current_app, g, request
from flask import session as flask_session
from flask.sessions import NullSession, SessionInterface, SessionMixin

from finance.auth import guard
from finance.auth.model import Caller
from finance.context import parts
from finance.database import Db, DriverError, before_writing
from finance.errors import Unauthenticated
from finance.web import store
from finance.web.store import Session

log = logging.getLogger(__name__)

COOKIE = "__Host-finance"  # Secure, of this host alone, for all its paths (RFC 6265bis, 4.1.3.2)
ID_BYTES = 32
NONCE_BYTES = 12  # as AES-GCM has it
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
SEEN_AFTER = timedelta(minutes=1)  # how exactly it is stored when somebody was seen last
_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NO_SESSION = NullSession()


class PageSession(dict[str, Any], SessionMixin):
    """What the pages keep for one who is signed in; `stored` is None for one who isn't."""

    def __init__(self, token: str | None) -> None:
        super().__init__()
        self.token = token
        self.stored: Session | None = None

    def begin(self, stored: Session) -> None:
        self.stored = stored
        self.update(stored.get("data") or {})

    def seal(self, name: str, value: Any) -> None:
        """Keep a value so that only who has the cookie can read it: what people have typed may hold account numbers."""
        if self.token is not None:
            self[name] = _sealed(self.token, value)

    def unseal(self, name: str) -> Any:
        """Return what was kept under this name, and forget it; None where it can't be read."""
        kept = self.pop(name, None)
        if kept is None or self.token is None:
            return None
        try:
            return orjson.loads(AESGCM(_key(self.token)).decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], None))
        except InvalidTag:
            return None

    def changes(self) -> dict[str, Any]:
        """Return what is other than stored, None for what is no longer there."""
        before = (self.stored.get("data") if self.stored else None) or {}
        changed = {name: value for name, value in self.items() if before.get(name) != value}
        return changed | {name: None for name in before if name not in self}


class PageSessions(SessionInterface):
    """Gives each request of a page its session, not read yet; those of the API have none and pay for none."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        if request.path.startswith("/api/"):
            return _NO_SESSION
        token = request.cookies.get(COOKIE)
        return PageSession(token if token and _ID.fullmatch(token) else None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Nothing: `save` does so where a page was made."""


def own() -> PageSession:
    """Return the session of this request, be anybody signed in or not."""
    found: Any = flask_session._get_current_object()  # type: ignore[attr-defined]
    return found


def find_caller() -> Caller | None:
    """Return who is signed in, None where nobody is (any more); the session is begun then."""
    session, now = own(), parts().clock()
    if session.token is None:
        return None
    stored = before_writing(partial(store.find_session, parts().db, _digest(session.token)))()
    if stored is None or stored["expires_at"] <= now:
        return None
    guarding: guard.Guard = current_app.extensions[guard.EXTENSION]
    try:
        caller = guarding.key_ring.get_caller_of(stored["key_id"])
    except Unauthenticated:
        before_writing(partial(store.delete_session, parts().db, stored))()
        return None
    if caller.tenant != stored["tenant"]:
        return None
    session.begin(stored)
    if "place" in g:
        g.place.remember(session.token)  # its requests wait by themselves from now on
    if now - stored["seen_at"] >= SEEN_AFTER:
        ends = min(now + IDLE, stored["created_at"] + LONGEST)
        before_writing(partial(store.set_seen, parts().db, stored, seen_at=now, expires_at=ends))()
    return caller


def start(caller: Caller, *, now: datetime, kept: Mapping[str, Any] | None = None) -> str:
    """Begin a session of its own for somebody who signs in, end the one before, and return what the cookie holds.

    `kept` is what the session keeps sealed, by its names.
    """
    end()
    token = secrets.token_hex(ID_BYTES)
    session: Session = {
        "_id": _digest(token),
        "tenant": caller.tenant,
        "key_id": caller.key_id,
        "created_at": now,
        "seen_at": now,
        "expires_at": now + IDLE,
        # Made now, so that showing the first form writes nothing; Flask-WTF makes one of its own otherwise.
        "data": {
            "csrf_token": secrets.token_hex(20),
            **{name: _sealed(token, value) for name, value in (kept or {}).items()},
        },
    }
    before_writing(partial(store.insert_session, parts().db, session))()  # one that nobody has the cookie of is lost
    return token


def end() -> None:
    """End this request's session, where there is one."""
    session = own()
    if session.token is None:
        return
    stored = session.stored or store.find_session(parts().db, _digest(session.token))
    if stored is not None:
        store.delete_session(parts().db, stored)
    session.clear()
    session.stored = session.token = None


def save() -> None:
    """Store what the page that was made has changed in its session; what was done by then stands without it."""
    session = own()
    changes = session.changes() if session.stored is not None else {}
    if session.stored is None or not changes:
        return
    try:
        store.set_data(parts().db, session.stored, changes)
    except DriverError as error:
        log.warning("What a session keeps could not be stored: %s", type(error).__name__)


def set_cookie(response: Response, token: str) -> None:
    response.set_cookie(COOKIE, token, secure=True, httponly=True, samesite="Lax", path="/")


def delete_cookie(response: Response) -> None:
    """End what the browser has: the cookie, and pages that it may keep for Back though it was told to store none."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax", path="/")
    response.headers["Clear-Site-Data"] = '"cache"'


def is_possible() -> bool:
    """Return whether the browser will keep the cookie: behind TLS, or on this very machine."""
    return request.is_secure or request.host.rsplit(":", 1)[0] in ("127.0.0.1", "localhost", "[::1]")


def list_of_key(db: Db, *, tenant: str, key_id: str) -> list[Session]:
    """Return the sessions of a key, the newest first."""
    return store.list_of_key(db, tenant=tenant, key_id=key_id)


def end_of_key(db: Db, *, tenant: str, key_id: str) -> int:
    """End every session of a key, and return how many there were."""
    return store.delete_of_key(db, tenant=tenant, key_id=key_id)


def _sealed(token: str, value: Any) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(token)).encrypt(nonce, orjson.dumps(value), None)


def _key(token: str) -> bytes:
    """Return a key that follows from what the cookie alone holds: the database has but the digest of that."""
    return hashlib.sha256(b"sealed\0" + token.encode()).digest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
