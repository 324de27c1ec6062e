"""What surrounds each request: its id, its deadline for MongoDB, its log line and its place in the metrics."""

import logging
import random
import re
import string
from time import monotonic, perf_counter
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

from flask import Flask, Response, g, request

from finance import database, logs, metrics
from finance.config import IpNetwork
from finance.edge import addresses
from finance.edge.problems import problem_of
from finance.edge.replies import Reply
from finance.edge.waiting import ANONYMOUS, LEAVE, REFUSALS_MAX, Place, Waiting
from finance.errors import TooBusy

access_log = logging.getLogger("finance.access")

PROBES = frozenset(("/healthz", "/readyz", "/metrics"))  # answered however many wait

_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))  # a label must not grow without end
_SESSION = re.compile(r"__Host-finance=([0-9a-f]{64})", re.ASCII)  # of the pages: web/sessions.py
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def frame_requests(app: Flask, *, database_deadline_s: float, trusted_proxies: tuple[IpNetwork, ...]) -> None:
    """Give every request an id, a deadline for what it asks of MongoDB, a log line and its place in the metrics."""

    waiting = Waiting()

    @app.before_request
    def begin() -> Response | None:
        asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
        environ = asked.environ
        sent = environ.get("HTTP_X_REQUEST_ID")
        # Not a secret, so the quick generator will do; gunicorn seeds it in each worker.
        request_id = sent if sent and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        peer, forwarded_for = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        address = addresses.client_address(peer, forwarded_for, trusted_proxies)
        frame = g.frame = _Frame(request_id, address, database_deadline_s)
        if asked.path in PROBES:
            return None
        if not asked.query_string.isascii():  # bytes as they are: read as if they had been quoted
            asked.query_string = quote(asked.query_string, safe=string.printable).encode()
        place = Place(waiting, _who(environ, address, waiting))
        if not place.is_free():
            return _refuse(environ, waiting)
        place.take()
        frame.place = g.place = place
        return None

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


def extend_deadline(seconds: float) -> None:
    """Let this request take longer than others, as one does that brings a file."""
    frame: _Frame = g.frame
    frame.extend(seconds)


def client_address() -> str | None:
    """Return the address that this request comes from; None where it isn't known."""
    frame: _Frame = g.frame
    return frame.address


def _who(environ: WSGIEnvironment, address: str | None, waiting: Waiting) -> str:
    """Return by what the requests that wait are counted: a key, a session that is somebody's, else the address."""
    key: str = environ.get("HTTP_AUTHORIZATION", "").rpartition(" ")[2]
    if key:
        return key
    session = _SESSION.search(environ.get("HTTP_COOKIE", ""))
    if session is not None and session[1] in waiting.sessions:
        return session[1]
    return ANONYMOUS + addresses.neighbourhood(address or "")


def _refuse(environ: WSGIEnvironment, waiting: Waiting) -> Response:
    """Answer one request too many, and where refusing is a load itself, have the connection's next one read later."""
    pauses = waiting.count_refusal(monotonic()) > REFUSALS_MAX
    leave = environ.get(LEAVE)
    if leave is not None:
        leave(pauses=pauses)
    return problem_of(TooBusy())


class _Frame:
    """What surrounds one request: its id, whose address it comes from, its deadline, and when it began."""

    __slots__ = ("address", "began_s", "deadline", "deadline_s", "place", "request_id", "token")

    def __init__(self, request_id: str, address: str | None, deadline_s: float) -> None:
        self.request_id = request_id
        self.address = address
        self.token = logs.request_id_now.set(request_id)
        self.place: Place | None = None
        self.deadline_s = deadline_s
        self.deadline = database.deadline(deadline_s)
        self.deadline.__enter__()
        self.began_s = perf_counter()

    def extend(self, seconds: float) -> None:
        """Give the request so much time from now on; each question to MongoDB then needs a deadline of its own."""
        self.deadline.__exit__(None, None, None)
        self.deadline = database.deadline(seconds)
        self.deadline.__enter__()

    def close(self) -> None:
        if self.place is not None:
            self.place.leave()
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
