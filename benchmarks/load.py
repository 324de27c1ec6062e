"""A load generator that costs little: raw sockets, one thread, requests built beforehand.

Client and server share the machine's cores here, so what the client takes is missing in what is measured.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """What a run gave. Times are in seconds."""

    answered: int
    refused: int
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


def run(url: str, make_request: Callable[[int], bytes], *, connections: int, seconds: float) -> Result:
    """Keep `connections` requests under way for `seconds`, and wait for the last answers."""
    where = urlsplit(url)
    selector = selectors.DefaultSelector()
    sent_at: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    times: list[float] = []
    number = refused = 0
    began = time.perf_counter()
    for _ in range(connections):
        connection = socket.create_connection((where.hostname or "127.0.0.1", where.port or 80))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        sent_at[connection], received[connection] = time.perf_counter(), b""
        connection.sendall(make_request(number))
        number += 1
    ends = began + seconds
    open_connections = connections
    while open_connections:
        for key, _events in selector.select(timeout=15):
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            data = received[connection] + connection.recv(262_144)
            if not _is_complete(data):
                received[connection] = data
                continue
            now = time.perf_counter()
            times.append(now - sent_at[connection])
            refused += not data.startswith(b"HTTP/1.1 2")
            if now >= ends:
                selector.unregister(connection)
                connection.close()
                open_connections -= 1
                continue
            sent_at[connection], received[connection] = now, b""
            connection.sendall(make_request(number))
            number += 1
    times.sort()
    return Result(len(times), refused, time.perf_counter() - began, _share(times, 0.5), _share(times, 0.99))


def _is_complete(data: bytes) -> bool:
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _LENGTH.search(data, 0, head_end)
    return len(data) - head_end - 4 >= int(length[1]) if length else True


def _share(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]
