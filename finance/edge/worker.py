"""gunicorn's gevent worker, with an end to everything that a client can draw out.

Behind a proxy that buffers, none of this is ever needed. Without one, a client that sends or takes a byte a second must
not keep a connection, and what is held for it, from all others.

The master imports this before gevent has patched anything, so it imports nothing that opens sockets or threads.
"""

import contextlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gunicorn import util
from gunicorn.http import errors as unreadable
from gunicorn.workers.ggevent import GeventWorker

from finance.errors import RequestTimeout

BODY_TIMEOUT_S = 6.0  # for the whole of it: with the database's own deadline an answer comes within 10 s
LARGE_BODY_BYTES = 64 * 1024  # one that takes milliseconds to judge
SEND_TIMEOUT_S = 20.0  # for one piece of an answer, at most 64 KiB of an export
LINGER_TIMEOUT_S = 2.0
LINGER_READS_MAX = 256
LINGER_READ_BYTES = 64 * 1024
REPEATED_HEADERS = "finance.repeated_headers"  # in the environ: see edge/headers.py
LEAVE = "finance.leave"  # in the environ: see edge/waiting.py
MORE_TIME = "finance.more_time"  # in the environ: gives the body of this request so many seconds
PAUSE_S = 1.0  # what Retry-After says

# What gunicorn can't make a request of. No client's input is a 5xx, so what isn't listed here, and is gunicorn's own,
# is ours to look into.
_STATUS_BY_KIND: dict[type[Exception], tuple[int, str, str, str]] = {
    unreadable.LimitRequestHeaders: (
        431,
        "Request Header Fields Too Large",
        "request_header_fields_too_large",
        "The headers are too many or too long.",
    ),
    unreadable.LimitRequestLine: (414, "URI Too Long", "request_uri_too_large", "The address is too long."),
    unreadable.ExpectationFailed: (417, "Expectation Failed", "expectation_failed", "Expect takes 100-continue only."),
    unreadable.ParseException: (400, "Bad Request", "bad_request", "This is not a request of HTTP/1.1."),
}


class Worker(GeventWorker):
    """A gevent worker whose requests have a time to arrive and a time to be taken."""

    wsgi: Callable[..., Any]

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = _telling_repeated_headers(self.wsgi)
        # gunicorn looks a setting up thirty times a request, each time in its table: a worker's don't change any more.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        sock.settimeout(SEND_TIMEOUT_S)
        body = req.body = Body(req)
        answer = JoiningSocket(sock)
        try:
            try:
                super().handle_request(listener_name, req, answer, addr)
            finally:
                answer.flush()
        except TimeoutError:
            self.log.warning("%s did not take its answer within %d s.", addr and addr[0], SEND_TIMEOUT_S)
            raise StopIteration from None  # which closes the connection
        except StopIteration:
            if not body.is_whole:
                _linger(sock)
            raise
        if body.pauses:
            gevent.sleep(PAUSE_S)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what isn't even a request, in the shape of all our errors.

        gunicorn's own answer is a page, and its log line repeats what was sent: there may be a key in it.
        """
        for kind, (status, title, code, detail) in _STATUS_BY_KIND.items():
            if isinstance(exc, kind):
                request_id = secrets.token_hex(16)
                self.log.warning("No request: %s from %s (%s)", type(exc).__name__, addr and addr[0], request_id)
                body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
                _refuse(client, {**body, "request_id": request_id, "errors": []})
                return
        super().handle_error(req, client, addr, exc)


class Body:
    """A request's body, which has BODY_TIMEOUT_S from the first read to the last (of an upload: more).

    The connection ends with the request unless the body was read whole: what is left of it would have to be read before
    the next request, however long that takes, and by gunicorn's reader of chunks, which goes back over a line without
    end again and again.
    """

    def __init__(self, req: Any) -> None:
        self.repeated_headers = _repeated([name for name, _value in req.headers])
        self._req = req
        self._body = req.body
        self._left = self._size = _announced(req)
        self._ends_s: float | None = None
        self._timeout_s = BODY_TIMEOUT_S
        self._closes_anyway = req.must_close
        self.is_whole = self._left == 0
        self.pauses = False
        if not self.is_whole:
            req.force_close()

    def leave(self, *, pauses: bool) -> None:
        """Do without a body that has arrived, and so keep the connection; have its next request wait for PAUSE_S."""
        self.pauses = pauses
        if not self.is_whole and self._has_arrived():
            self.read()

    def give_time(self, seconds: float) -> None:
        """Let the whole of the body take so long; before the first read."""
        self._timeout_s = seconds

    def read(self, size: int | None = None) -> bytes:
        return self._in_time(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        return self._in_time(self._body.readline, size)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        return self.read().splitlines(keepends=True)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _in_time(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        """Read, and keep the connection for further requests once nothing is left. Raises RequestTimeout."""
        if self.is_whole:
            return b""
        if self._has_arrived():
            data = read(size)
        else:
            data = self._wait_for(read, size)
        if self._left is not None:
            self._left -= len(data)
            self.is_whole = self._left == 0
        if self.is_whole:
            self._req.must_close = self._closes_anyway
            if (self._size or 0) > LARGE_BODY_BYTES:
                gevent.sleep(0)  # what arrived meanwhile comes before the work on it, also where many such come at once
        return data

    def _has_arrived(self) -> bool:
        """Return whether all of it came together with the head, as most bodies do: then there is nothing to time."""
        return self._left is not None and bool(self._req.unreader.buf.tell() >= self._left)

    def _wait_for(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        if self._ends_s is None:
            self._ends_s = time.monotonic() + self._timeout_s
        with gevent.Timeout(max(self._ends_s - time.monotonic(), 0.001), RequestTimeout):
            return read(size)


class JoiningSocket:
    """A socket that sends the head of an answer together with the first piece of its body: a packet less.

    gunicorn sends the head first, by itself, as soon as there is a piece of the body or none will come.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._head: bytes | None = None
        self._is_begun = False

    def sendall(self, data: bytes) -> None:
        if not self._is_begun:
            self._is_begun, self._head = True, data
            return
        if self._head is not None:
            data, self._head = self._head + data, None
        self._sock.sendall(data)

    def flush(self) -> None:
        """Send a head that nothing followed."""
        if self._head is not None:
            head, self._head = self._head, None
            self._sock.sendall(head)

    def sendfile(self, *args: Any, **kwargs: Any) -> Any:
        self.flush()
        return self._sock.sendfile(*args, **kwargs)

    def shutdown(self, how: int) -> None:
        """End the connection of an answer that failed; what was not sent yet is not sent any more."""
        self._head = None
        self._sock.shutdown(how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _repeated(names: list[str]) -> frozenset[str]:
    once = set(names)
    return frozenset() if len(once) == len(names) else frozenset(name for name in once if names.count(name) > 1)


def _announced(req: Any) -> int | None:
    """Return how many bytes of body a request announces, None where it doesn't say (chunks)."""
    headers = dict(req.headers)
    if "TRANSFER-ENCODING" in headers:
        return None
    return int(headers.get("CONTENT-LENGTH", "0"))


def _telling_repeated_headers(app: Callable[..., Any]) -> Callable[..., Any]:
    def told(environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"]
        environ[REPEATED_HEADERS] = getattr(body, "repeated_headers", frozenset())
        environ[LEAVE] = getattr(body, "leave", None)
        environ[MORE_TIME] = getattr(body, "give_time", None)
        return app(environ, start_response)

    return told


def _refuse(client: Any, problem: dict[str, Any]) -> None:
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {problem['status']} {problem['title']}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-Id: {problem['request_id']}\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        client.settimeout(SEND_TIMEOUT_S)
        util.write(client, head.encode() + body)
        _linger(client)


def _linger(sock: Any) -> None:
    """Take what is still on its way, for a short while.

    Closing with something unread resets the connection, and the client may lose our answer to it (RFC 9112, 9.6).
    """
    with contextlib.suppress(OSError), gevent.Timeout(LINGER_TIMEOUT_S, False):
        sock.shutdown(socket.SHUT_WR)
        for _read in range(LINGER_READS_MAX):
            if not sock.recv(LINGER_READ_BYTES):
                return
            gevent.sleep(0)  # reading what is there already lets nobody else run, and no timeout end
