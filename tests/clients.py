"""Many clients at once, each on a kept-alive connection of its own, as frontends and load balancers have them."""

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

CLIENTS = 32
ANSWER_TIMEOUT_S = 60.0
UNANSWERED = (OSError, http.client.HTTPException)  # no reply, or half of one: whether it took effect isn't known
RETRY_FOR_S = 90.0
RETRY_PAUSE_S = 0.05

Item = TypeVar("Item")
Result = TypeVar("Result")


class Address(Protocol):
    url: str


@dataclass(frozen=True)
class Reply:
    """What came back; `raw` are the bytes of the body. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"


class Client:
    """One connection, for one thread at a time; opened again after it broke. `headers` go with every request."""

    def __init__(self, api: Address, headers: Mapping[str, str] | None = None) -> None:
        address = urlsplit(api.url)
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=ANSWER_TIMEOUT_S)
        self._headers = dict(headers or {})
        self.unavailable: list[Reply] = []  # the 503s that post_until_answered met

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return the reply; raises one of UNANSWERED where there is none. `key` is the Idempotency-Key."""
        headers = {**self._headers, **(headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            self._connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            raw = response.read()
        except UNANSWERED:
            self._connection.close()
            raise
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)

    def get(self, path: str, **query: Any) -> Reply:
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Reply:
        return self.ask("POST", path, body, key=key)

    def post_until_answered(self, path: str, body: Any, *, key: str) -> Reply:
        """Send it with the same Idempotency-Key until a reply comes that isn't a 503, as a careful client does."""
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                reply = self.post(path, body, key=key)
                if reply.status != 503:
                    return reply
                self.unavailable.append(reply)
            except UNANSWERED:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"No answer to {key} within {RETRY_FOR_S:.0f} s.")
            time.sleep(RETRY_PAUSE_S)

    def walk(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every row of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, **query, **cursor)
            assert page.status == 200, page.raw
            yield from page.body["data"]
            if not page.body["has_more"]:
                return
            cursor = {"cursor": page.body["next_cursor"]}

    def close(self) -> None:
        self._connection.close()


def a_payment(**changes: Any) -> dict[str, Any]:
    """Return a payment as it is posted, of a year that no other test of the tenant needs."""
    return {"amount": "12.50", "currency": "EUR", "payer": "Ada", "method": "card", "paid_on": "2021-03-01"} | changes


def at_once(count: int, act: Callable[[int], Result]) -> list[Result]:
    """Run act(0) … act(count - 1) in threads that are let go together, and return the results in that order."""
    barrier = threading.Barrier(count)

    def run(position: int) -> Result:
        barrier.wait()
        return act(position)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def share(
    items: Iterable[Item], act: Callable[[Client, Item], Result], connect: Callable[[], Client], clients: int = CLIENTS
) -> list[Result]:
    """Let `clients` clients work off the items at the same time, and return the results in the items' order."""
    waiting: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    for numbered_item in enumerate(items):
        waiting.put(numbered_item)
    results: dict[int, Result] = {}

    def work(_position: int) -> None:
        client = connect()
        while True:
            try:
                position, item = waiting.get_nowait()
            except queue.Empty:
                return client.close()
            results[position] = act(client, item)

    at_once(clients, work)
    return [results[position] for position in sorted(results)]


def workers_seen(log: str) -> set[int]:
    """Return the process ids of the workers that have answered anything, from an API's log."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}"))
    return {line["process"] for line in lines if line["logger"] == "finance.access"}


def poll(condition: Callable[[], Result], *, within_s: float, every_s: float = 0.02) -> Result:
    """Return the first true value of `condition`; raises TimeoutError where there is none in time."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {within_s:.0f} s: {condition}")
        time.sleep(every_s)
    return value
