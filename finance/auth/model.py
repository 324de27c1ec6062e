"""What an API key is: `fin_<key id>_<secret>`, of one tenant and one role."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NotRequired, TypedDict, get_args

Role = Literal["client", "accountant", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may

_KEY = re.compile(r"fin_([0-9a-f]{16})_[0-9a-f]{64}")


class ApiKey(TypedDict):
    """A stored key; `_id` is its key id. Lists come without the hash."""

    _id: str
    tenant: str
    role: Role
    key_hash: NotRequired[str]
    created_at: datetime
    revoked_at: datetime | None
    idempotency_key: NotRequired[str]


@dataclass(frozen=True)
class Caller:
    """Who is asking. `key_id` names the key in histories and logs; it is no secret."""

    tenant: str
    role: Role
    key_id: str

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class NewKey:
    """A key just made. `key` is shown once: only its hash is stored."""

    key_id: str
    key: str
    tenant: str
    role: Role


def make_key() -> tuple[str, str]:
    """Return a fresh key id and the whole key, with 256 random bits."""
    key_id = secrets.token_hex(8)
    return key_id, f"fin_{key_id}_{secrets.token_hex(32)}"


def key_id_of(key: str) -> str | None:
    """Return the id inside a key, None where it isn't a key of ours."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key; with 256 random bits in it, no slower hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
