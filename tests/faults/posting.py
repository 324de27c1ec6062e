"""Clients that post payments and write down every attempt, as history.py wants to see it."""

import http.client
import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.clients import BASE, poll
from tests.documented import assert_documented
from tests.faults.history import Attempt

PATH = f"{BASE}/payments"
YEARS = (2021, 2022)  # two series
TOLD = ("code", "payment_number", "id")
CLIENTS = 12
PER_SECOND_MIN = 5
IDLE_S_MAX = 2.0  # the API keeps a connection for 5 s without a request; who uses it just then may meet its end
ANSWER_TIMEOUT_S = 25.0  # the API answers within 10 s
RETRY_PAUSE_S = 0.1
RETRIES_MAX = 600
WITHIN_S = 120.0  # for as many as are acknowledged in seconds


@dataclass(frozen=True)
class Habits:
    """How many of a hundred requests are sent in which way; all others once, with a key, until they are answered.

    `double`: twice at the same time. `again`: once more after they were answered. `keyless`: without a key, so an
    unknown outcome stays unknown. `gives_up`: with a key, and not again after a refusal. `invalid`: can't be taken.
    """

    double: int = 5
    again: int = 5
    keyless: int = 5
    gives_up: int = 5
    invalid: int = 3

    def choose(self, chance: random.Random) -> str:
        return chance.choices(
            ("double", "again", "keyless", "gives_up", "invalid", "patient"),
            (*(rest := (self.double, self.again, self.keyless, self.gives_up, self.invalid)), 100 - sum(rest)),
        )[0]


class Connection:
    """One client's kept-alive connection, which is opened again after whatever ended it."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {**headers, "Content-Type": "application/json"}
        self._http: http.client.HTTPConnection | None = None
        self._used_s = 0.0

    def attempt(self, request: str, key: str | None, posted: Mapping[str, Any], *, is_valid: bool = True) -> Attempt:
        """Post once; whatever comes of it is the attempt that is returned."""
        began_s, was_sent = time.monotonic(), False
        answered: dict[str, Any] = {}
        try:
            connection = self._connected()
            was_sent = True
            answered = self._post(connection, key, posted)
        except (OSError, http.client.HTTPException):
            self.close()
        ended_s = time.monotonic()
        return Attempt(request, key, posted, began_s, ended_s, was_sent=was_sent, is_valid=is_valid, **answered)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _connected(self) -> http.client.HTTPConnection:
        if time.monotonic() - self._used_s > IDLE_S_MAX:
            self.close()
        if self._http is None:
            connection = http.client.HTTPConnection(self._address, timeout=ANSWER_TIMEOUT_S)
            connection.connect()
            assert connection.sock is not None
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._http = connection
        return self._http

    def _post(
        self, connection: http.client.HTTPConnection, key: str | None, posted: Mapping[str, Any]
    ) -> dict[str, Any]:
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        connection.request("POST", PATH, body=json.dumps(posted), headers=headers)
        reply = connection.getresponse()
        body = json.loads(reply.read())
        if reply.status >= 400:
            assert_documented("POST", PATH, status=reply.status, headers=reply.headers, problem=body)
        self._used_s = time.monotonic()
        if reply.will_close:
            self.close()
        told = {name: body.get(name) for name in (*TOLD, *posted)}  # the rest would be hundreds of megabytes
        return {"status": reply.status, "answer": told, "replayed": reply.headers.get("Idempotent-Replayed") == "true"}


class Posting:
    """Clients that share `requests` payments among themselves, or post until they are stopped where that is None."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        requests: int | None,
        clients: int = CLIENTS,
        habits: Habits | None = None,
        first: int = 0,
    ) -> None:
        self.history: list[Attempt] = []
        self._answered: set[str] = set()
        self._url, self._headers, self._habits = url, headers, habits or Habits()
        self._positions: Iterator[int] = (
            itertools.count(first) if requests is None else iter(range(first, first + requests))
        )
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _client in range(clients)]

    @contextmanager
    def running(self) -> Iterator["Posting"]:
        """Post meanwhile; at the end wait until every request is answered."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        except BaseException:
            self._stop.set()
            raise
        finally:
            self.finish()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def stop(self) -> None:
        """Begin no further request; those that were begun are still repeated until they are answered."""
        self._stop.set()

    @property
    def acknowledged(self) -> int:
        """How many payments are known to be stored."""
        return len(self._answered)

    def wait_for(self, more: int) -> None:
        """Wait until so many more are acknowledged, or all clients are done."""
        target = self.acknowledged + more
        within_s = max(WITHIN_S, more / PER_SECOND_MIN)
        poll(lambda: self.acknowledged >= target or not self.is_running, within_s=within_s)

    @property
    def is_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        connections = [Connection(self._url, self._headers) for _connection in range(2)]
        try:
            while not self._stop.is_set():
                with self._lock:
                    position = next(self._positions, None)
                if position is None:
                    return
                self._do(position, *connections)
        except BaseException as failure:  # noqa: BLE001  raised again where the clients are waited for
            self._failures.append(failure)
        finally:
            for connection in connections:
                connection.close()

    def _do(self, position: int, connection: Connection, other: Connection) -> None:
        way = self._habits.choose(random.Random(position))
        request, posted = f"r{position}", _payment(position)
        if way == "invalid":
            self._until(request, f"k-{request}", posted | {"amount": "-1.00"}, connection, is_valid=False)
        elif way == "keyless":
            self._note(connection.attempt(request, None, posted))
        elif way == "double":
            click = threading.Thread(target=self._until, args=(request, f"k-{request}", posted, other))
            click.start()
            self._until(request, f"k-{request}", posted, connection)
            click.join()
            other.close()
        else:
            self._until(request, f"k-{request}", posted, connection, gives_up=way == "gives_up")
            if way == "again":
                self._until(request, f"k-{request}", posted, connection)

    def _until(
        self,
        request: str,
        key: str,
        posted: Mapping[str, Any],
        connection: Connection,
        *,
        is_valid: bool = True,
        gives_up: bool = False,
    ) -> None:
        """Send it with its key until it is answered."""
        may_be_stored = False
        for _retry in range(RETRIES_MAX):
            attempt = self._note(connection.attempt(request, key, posted, is_valid=is_valid))
            may_be_stored |= attempt.is_unknown
            if attempt.status is not None and attempt.status < 500:
                return
            if gives_up and not may_be_stored:
                return
            time.sleep(RETRY_PAUSE_S)

    def _note(self, attempt: Attempt) -> Attempt:
        with self._lock:
            self.history.append(attempt)
            if attempt.is_success:
                self._answered.add(attempt.request)
        return attempt


def _payment(position: int) -> dict[str, Any]:
    """Return a payment that no other request posts."""
    return {
        "amount": f"{position + 1}.{position % 100:02d}",
        "currency": ("EUR", "USD")[position % 2],
        "payer": f"Ada {position}",
        "method": "card",
        "paid_on": f"{YEARS[position % len(YEARS)]}-03-01",
        "reference": f"r{position}",
    }


def write_history(history: Collection[Attempt], write_line: Callable[[str], object]) -> None:
    """Write one line of JSON for each attempt."""
    for attempt in history:
        write_line(json.dumps(vars(attempt), default=str) + "\n")
