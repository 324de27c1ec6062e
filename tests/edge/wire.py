"""Connections on which a test says every byte itself, and reads what comes back."""

import socket
from dataclasses import dataclass

from tests.conftest import Api

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Answer:
    """One answer: `head` as it came, `headers` by their names in small letters."""

    status: int
    head: bytes
    headers: dict[str, str]
    body: bytes


def connect(api: Api, *, timeout_s: float = PATIENCE_S) -> socket.socket:
    host, port = api.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=timeout_s)


def read_answer(connection: socket.socket) -> Answer | None:
    """Return the next answer, all of its Content-Length and not a byte more; None where the connection ends instead."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            assert head == b"", head
            return None
        head += byte
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while len(body) < int(headers["content-length"]):
        part = connection.recv(int(headers["content-length"]) - len(body))
        assert part, "The answer ended too early."
        body += part
    return Answer(int(first.split()[1]), head, headers, body)
