"""What an API key is: `fin_<key id>_<secret>`, of one tenant and one role, until it ends or is revoked."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NotRequired, TypedDict, get_args

from finance.asked import Asked
from finance.once import request_hash

Role = Literal["client", "accountant", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
NAME_LENGTH_MAX = 100
KEY_ID_BYTES = 8

_KEY_ID = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"fin_([0-9a-f]{16})_[0-9a-f]{64}")


class ApiKey(TypedDict):
    """A stored key; `_id` is its key id. Lists come without the hashes.

    Keys of earlier versions have no name, creator or end. `last_used_at` is the hour in which the last use began.
    """

    _id: str
    tenant: str
    role: Role
    key_hash: NotRequired[str]
    created_at: datetime
    revoked_at: datetime | None
    name: NotRequired[str | None]
    created_by: NotRequired[str]
    created_by_name: NotRequired[str | None]
    expires_at: NotRequired[datetime | None]
    last_used_at: NotRequired[datetime]
    revoked_by: NotRequired[str]
    revoked_by_name: NotRequired[str | None]
    idempotency_key: NotRequired[str]
    request_hash: NotRequired[str]


@dataclass(frozen=True)
class Caller:
    """Who is asking. `key_id` names the key in histories and logs, `name` is what people call it; no secrets."""

    tenant: str
    role: Role
    key_id: str
    name: str | None = None

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class WantedKey:
    """A key as it is asked for. `expires_at` is an instant in UTC; None for no end."""

    role: Role
    name: str | None = None
    expires_at: datetime | None = None

    def hash(self) -> str:
        """Return the digest by which a repeat of this request is known."""
        return request_hash({"role": self.role, "name": self.name, "expires_at": self.expires_at})


@dataclass(frozen=True)
class NewKey:
    """A key just made. `key` is shown once: only its hash is stored, in `document`."""

    key: str
    document: ApiKey

    @property
    def key_id(self) -> str:
        return self.document["_id"]


def new_key(asked: Asked, wanted: WantedKey) -> NewKey:
    """Return a fresh key, with 256 random bits.

    Its id is random too; under an Idempotency-Key it follows from the request, so that all attempts at it speak of the
    same key.
    """
    key_id = secrets.token_hex(KEY_ID_BYTES) if asked.key is None else _key_id_of_request(asked, wanted)
    key = f"fin_{key_id}_{secrets.token_hex(32)}"
    document: ApiKey = {
        "_id": key_id,
        "tenant": asked.tenant,
        "role": wanted.role,
        "name": wanted.name,
        "key_hash": hash_key(key),
        "created_at": asked.now,
        "created_by": asked.by,
        "created_by_name": asked.by_name,
        "expires_at": wanted.expires_at,
        "revoked_at": None,
    }
    if asked.key is not None:
        document |= {"idempotency_key": asked.key, "request_hash": wanted.hash()}
    return NewKey(key, document)


def key_id_of(key: str) -> str | None:
    """Return the id inside a key, None where it isn't a key of ours."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def is_key_id(text: str) -> bool:
    return _KEY_ID.fullmatch(text) is not None


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key; with 256 random bits in it, no slower hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def _key_id_of_request(asked: Asked, wanted: WantedKey) -> str:
    parts = {"tenant": asked.tenant, "by": asked.by, "key": asked.key, "wanted": wanted.hash()}
    return request_hash(parts)[: 2 * KEY_ID_BYTES]
