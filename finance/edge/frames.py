"""What surrounds each request: its id, its deadline for MongoDB, its log line and its place in the metrics."""

import logging
import random
import re
from time import perf_counter

from flask import Flask, Response, g, request

from finance import database, logs, metrics
from finance.config import IpNetwork
from finance.edge import addresses
from finance.edge.replies import Reply
from finance.errors import TooBusy

access_log = logging.getLogger("finance.access")

API = "/api/"
WAITING_MAX = 950  # of the 1,000 connections of a worker

_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))  # a label must not grow without end
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def frame_requests(app: Flask, *, database_deadline_s: float, trusted_proxies: tuple[IpNetwork, ...]) -> None:
    """Give every request an id, a deadline for what it asks of MongoDB, a log line and its place in the metrics."""

    waiting = _Waiting()

    @app.before_request
    def begin() -> None:
        asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
        environ = asked.environ
        sent = environ.get("HTTP_X_REQUEST_ID")
        # Not a secret, so the quick generator will do; gunicorn seeds it in each worker.
        request_id = sent if sent and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        peer, forwarded_for = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        address = addresses.client_address(peer, forwarded_for, trusted_proxies)
        frame = g.frame = _Frame(request_id, address, database_deadline_s)
        if asked.path.startswith(API):
            waiting.enter()
            frame.waiting = waiting

    @app.after_request
    def finish(response: Response) -> Response:
        frame: _Frame = g.frame
        asked = request._get_current_object()  # type: ignore[attr-defined]
        headers = response.headers
        headers.add("X-Request-Id", frame.request_id)
        add = headers.add if isinstance(response, Reply) else headers.setdefault  # ours has neither of them yet
        add("X-Content-Type-Options", "nosniff")
        add("Cache-Control", "no-store")
        seconds = perf_counter() - frame.began_s
        route = asked.url_rule.rule if asked.url_rule else "unknown"
        method = asked.method if asked.method in _METHODS else "other"
        answered, answered_seconds = metrics.of_route(method, route, response.status_code)
        answered.inc()
        answered_seconds.observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            _log_access(method, route, response.status_code, seconds)
        return response

    @app.teardown_request
    def leave(error: BaseException | None) -> None:
        frame: _Frame | None = g.pop("frame", None)
        if frame is not None:
            frame.close()


def client_address() -> str | None:
    """Return the address that this request comes from; None where it isn't known."""
    frame: _Frame = g.frame
    return frame.address


class receiving:  # noqa: N801  read as `with receiving():`
    """Not to count a request as waiting while its body arrives: gunicorn's worker ends what takes too long."""

    __slots__ = ("_waiting",)

    def __enter__(self) -> None:
        frame: _Frame | None = g.get("frame")
        self._waiting = None if frame is None else frame.waiting
        if self._waiting is not None:
            self._waiting.leave()

    def __exit__(self, *error: object) -> None:
        if self._waiting is not None:
            self._waiting.again()


class _Waiting:
    """How many requests of the API this worker has not answered yet; the probes are not among them."""

    def __init__(self) -> None:
        self._count = 0

    def enter(self) -> None:
        """Count one more; raises TooBusy where there are so many that a probe might find no connection free."""
        if self._count >= WAITING_MAX:
            raise TooBusy
        self._count += 1

    def again(self) -> None:
        """Count one that was counted before."""
        self._count += 1

    def leave(self) -> None:
        self._count -= 1


class _Frame:
    """What surrounds one request: its id, whose address it comes from, its deadline, and when it began."""

    __slots__ = ("address", "began_s", "deadline", "deadline_s", "request_id", "token", "waiting")

    def __init__(self, request_id: str, address: str | None, deadline_s: float) -> None:
        self.request_id = request_id
        self.address = address
        self.token = logs.request_id_now.set(request_id)
        self.waiting: _Waiting | None = None
        self.deadline_s = deadline_s
        self.deadline = database.deadline(deadline_s)
        self.deadline.__enter__()
        self.began_s = perf_counter()

    def close(self) -> None:
        if self.waiting is not None:
            self.waiting.leave()
        self.deadline.__exit__(None, None, None)
        logs.request_id_now.reset(self.token)


def _log_access(method: str, route: str, status: int, seconds: float) -> None:
    """Log a request by its route: a path can hold whatever somebody took for a number of ours."""
    here = g._get_current_object()
    fields = {
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "address": here.frame.address,
    }
    caller = here.get("caller")  # set by the guard, above this layer
    if caller is not None:
        fields["tenant"] = caller.tenant
        fields["key_id"] = caller.key_id
    elif here.get("claimed_key_id") is not None:  # of a key that was refused
        fields["claimed_key_id"] = here.claimed_key_id
    logs.write_access(access_log.name, f"{method} {route} {status}", fields)
