"""The guard on routes: `@requires("accountant")` lets in callers of that role and above, and sets `caller()`."""

import functools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request
from flask_smorest.utils import deepupdate

from finance.asked import Asked
from finance.auth.model import ROLES, Caller, Role, hash_key, key_id_of
from finance.auth.service import KeyRing
from finance.context import parts
from finance.edge import headers
from finance.edge.failures import fails
from finance.edge.frames import client_address
from finance.edge.limits import FailedKeys, RequestsPerKey, TooManyFailedKeys
from finance.errors import Forbidden, TooBusy, TooManyRequests, Unauthenticated
from finance.once import NothingStored
from finance.said import said

EXTENSION = "finance-guard"


API = "/api/v1"
WITHOUT_A_KEY = frozenset(
    {API, f"{API}/", f"{API}/openapi.json", f"{API}/docs", f"{API}/docs/start.js", f"{API}/docs/<name>"}
)


class RouteWithoutRole(RuntimeError):
    """A route that anybody could ask, without being one of those meant for everybody."""


@dataclass(frozen=True)
class Guard:
    """What the guard of one app asks: who has this key, and whether there were too many."""

    key_ring: KeyRing
    failed_keys: FailedKeys
    requests_per_key: RequestsPerKey


def requires(role: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for a view: no key or a bad one is 401, a key of a lesser role is 403."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            guard: Guard = current_app.extensions[EXTENSION]
            acting: Caller | None = g.get("acting")  # for whom a file is made that was asked for with a key
            g.caller = found = acting or get_caller(guard, _bearer_key())
            if acting is None:
                guard.requests_per_key.count(found.key_id)
            if not found.may(role):
                raise Forbidden(
                    said("This needs a key with the role '{role}'; yours is '{own}'.", role=role, own=found.role)
                )
            return view(*args, **kwargs)

        documented: dict[str, Any] = {"security": [{"apiKey": []}], "x-role": role}
        guarded.role = role  # type: ignore[attr-defined]  # what wraps it keeps this
        guarded._apidoc = deepupdate(deepcopy(getattr(view, "_apidoc", {})), {"manual_doc": documented})  # type: ignore[attr-defined]
        refusals = (Unauthenticated, TooManyFailedKeys, TooManyRequests, TooBusy, NothingStored)
        return fails(*refusals, *(() if role == ROLES[0] else (Forbidden,)))(guarded)

    return decorate


def require_roles(app: Flask) -> None:
    """Raise RouteWithoutRole where a route of the API has no `@requires` and is not one of `WITHOUT_A_KEY`."""
    for rule in app.url_map.iter_rules():
        is_ours = rule.rule == API or rule.rule.startswith(f"{API}/")
        if is_ours and rule.rule not in WITHOUT_A_KEY and role_of(app, rule.endpoint) is None:
            raise RouteWithoutRole(f"{rule.rule} has no role: put @requires(…) on its view, {rule.endpoint}.")


def role_of(app: Flask, endpoint: str) -> Role | None:
    """Return the role that a route asks for, None where it asks for no key."""
    return getattr(app.view_functions[endpoint], "role", None)


def caller() -> Caller:
    """Return who is asking; only behind `requires`."""
    found: Caller = g.caller
    return found


def asked() -> Asked:
    """Return what the caller asks for now: tenant, key id and name, instant, Idempotency-Key; only behind `requires`.

    Only a POST has such a key: the other methods have the same effect however often they are sent (RFC 9110, 9.2.2).
    """
    key = headers.idempotency_key() if request.method == "POST" else None
    who = caller()
    now, address = parts().clock(), client_address()
    return Asked(who.tenant, who.key_id, now, key, by_name=who.name, address=address, role=who.role)


def get_caller(guard: Guard, key: str) -> Caller:
    """Return whose key this is; raises TooManyFailedKeys where an address has sent too many that aren't.

    A key that was found here before is looked up all the same: who shares an address with a flood goes on working. One
    that is new here is too, as far as `edge/look_ups.py` lets it.
    """
    address, key_id = client_address(), key_id_of(key)
    key_hash = hash_key(key) if key_id else None
    try:
        if not guard.key_ring.knows(key):
            guard.failed_keys.require_look_up(address, key_hash)
        return guard.key_ring.get_caller(key)
    except (Unauthenticated, TooManyFailedKeys) as refusal:
        g.claimed_key_id = key_id
        is_guess = isinstance(refusal, Unauthenticated) and not refusal.was_known
        if is_guess and key_hash is not None:  # what isn't even a key was not looked up
            guard.failed_keys.count(address, key_hash)
        raise


def _bearer_key() -> str:
    scheme, _, key = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not key.isascii():
        raise Unauthenticated
    return key.strip()
