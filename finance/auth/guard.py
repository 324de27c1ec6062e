"""The guard on routes: `@requires("accountant")` lets in callers of that role and above, and sets `caller()`."""

import functools
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from flask import current_app, g, request
from flask_smorest.utils import deepupdate

from finance.asked import Asked
from finance.auth.model import ROLES, Caller, Role
from finance.auth.service import KeyRing
from finance.context import parts
from finance.edge import headers
from finance.edge.failures import fails
from finance.errors import Forbidden, Unauthenticated

EXTENSION = "finance-key-ring"


def requires(role: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for a view: no key or a bad one is 401, a key of a lesser role is 403."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            key_ring: KeyRing = current_app.extensions[EXTENSION]
            g.caller = found = key_ring.get_caller(_bearer_key())
            if not found.may(role):
                raise Forbidden(f"This needs a key with the role '{role}'; yours is '{found.role}'.")
            return view(*args, **kwargs)

        documented: dict[str, Any] = {"security": [{"apiKey": []}], "x-role": role}
        guarded._apidoc = deepupdate(deepcopy(getattr(view, "_apidoc", {})), {"manual_doc": documented})  # type: ignore[attr-defined]
        refused = (Unauthenticated,) if role == ROLES[0] else (Unauthenticated, Forbidden)
        return fails(*refused)(guarded)

    return decorate


def caller() -> Caller:
    """Return who is asking; only behind `requires`."""
    found: Caller = g.caller
    return found


def asked() -> Asked:
    """Return what the caller asks for now: tenant, key id, instant and Idempotency-Key; only behind `requires`.

    Only a POST has such a key: the other methods have the same effect however often they are sent (RFC 9110, 9.2.2).
    """
    key = headers.idempotency_key() if request.method == "POST" else None
    return Asked(caller().tenant, caller().key_id, parts().clock(), key)


def _bearer_key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.isascii():
        raise Unauthenticated
    return key.strip()
