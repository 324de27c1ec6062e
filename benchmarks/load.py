"""A load generator that costs little: raw sockets, one thread, requests built beforehand.

Client and server share the machine's cores here, so what the client takes is missing in what is measured.
"""

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

IDLE_S = 3.0  # the server closes a connection that is idle for 5
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """What a run gave; a dropped request got no answer. Times are in seconds, of requests answered 2xx alone."""

    answered: int
    refused: int
    dropped: int
    seconds: float
    p50_s: float
    p99_s: float

    @property
    def rate(self) -> float:
        """Requests answered 2xx a second."""
        return (self.answered - self.refused) / self.seconds


def request(method: str, path: str, *, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of one HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def run(
    url: str,
    make_request: Callable[[int], bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
    retry_after_s: float = 0.0,
) -> Result:
    """Keep `connections` requests under way for `seconds`, and wait for the last answers.

    With a `rate` no more than that are sent a second, by connections that have nothing under way. One that was refused
    sends nothing for `retry_after_s`.
    """
    where = urlsplit(url)
    address = (where.hostname or "127.0.0.1", where.port or 80)
    selector = selectors.DefaultSelector()
    clients = [_Client(address, selector) for _ in range(connections)]
    times: list[float] = []
    sent = answered = refused = dropped = 0
    idle = list(clients)
    resting: deque[_Client] = deque()
    began = time.perf_counter()
    while True:
        now = time.perf_counter()
        while resting and now - resting[0].used_at >= retry_after_s:
            idle.append(resting.popleft())
        if now < began + seconds:
            due = len(idle) if rate is None else min(len(idle), int((now - began) * rate) - sent)
            for _ in range(due):
                idle.pop().send(make_request(sent))
                sent += 1
        elif len(idle) + len(resting) == connections:
            break
        for key, _events in selector.select(timeout=0.005 if rate or resting else 15):
            client = key.data
            if not client.receive():
                continue
            if client.is_dropped:
                dropped += 1
                idle.append(client)
                continue
            answered += 1
            if client.is_accepted:
                times.append(time.perf_counter() - client.sent_at)
                idle.append(client)
            else:
                refused += 1
                resting.append(client)
    taken = time.perf_counter() - began
    for client in clients:
        client.close()
    times.sort()
    return Result(answered, refused, dropped, taken, _share(times, 0.5), _share(times, 0.99))


class _Client:
    """A connection, with at most one request under way."""

    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self._address, self._selector = address, selector
        self.sent_at = 0.0
        self.is_dropped = False
        self._received = b""
        self._connect()

    def send(self, request: bytes) -> None:
        now = time.perf_counter()
        if now - self.used_at > IDLE_S:
            self.close()
            self._connect()
        self.sent_at, self.is_dropped, self._received = now, False, b""
        self._connection.sendall(request)

    def receive(self) -> bool:
        """Read what has come, and return whether the request is over: answered, or dropped by the server."""
        data = self._connection.recv(262_144)
        if not data:
            was_under_way = self.used_at <= self.sent_at
            self.close()
            self._connect()
            self.is_dropped = was_under_way
            return was_under_way
        self._received += data
        self.used_at = time.perf_counter()
        return _is_complete(self._received)

    def close(self) -> None:
        self._selector.unregister(self._connection)
        self._connection.close()

    def _connect(self) -> None:
        self._connection = socket.create_connection(self._address)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._connection, selectors.EVENT_READ, self)
        self.used_at = time.perf_counter()

    @property
    def is_accepted(self) -> bool:
        return self._received.startswith(b"HTTP/1.1 2")


def _is_complete(data: bytes) -> bool:
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _LENGTH.search(data, 0, head_end)
    return len(data) - head_end - 4 >= int(length[1]) if length else True


def _share(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")
