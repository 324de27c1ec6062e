"""The two clients that tests send with, one in this process and one over HTTP; and many of them at once.

Both take paths below /api/v1 (or with it, as in a Location), send as an accountant unless told otherwise, and answer
with what their library answers: `answer.json` in this process, `answer.json()` over HTTP.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import requests
from requests.adapters import HTTPAdapter

from finance.app import create_app
from finance.asked import Asked
from finance.auth import store as key_store
from finance.auth.model import NewKey, Role, WantedKey, new_key
from finance.config import Config
from finance.context import utc_now
from finance.database import Db
from tests.documented import assert_documented

ENCRYPTION_KEY = b"only for tests! " * 6
NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)  # for tests that set the clock
BASE = "/api/v1"
CLIENTS = 32
CONNECTIONS_MAX = 256
ANSWER_TIMEOUT_S = 60.0
UNANSWERED = requests.RequestException  # no reply, or half of one: whether it took effect isn't known
RETRY_FOR_S = 90.0
RETRY_PAUSE_S = 0.05
LINES = [{"description": "Work", "quantity": "1", "unit_price": "1000.00", "tax_rate": "0"}]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Api(Protocol):
    """What is known of a served API; see conftest.Api."""

    url: str
    tenant: str
    db: Db

    def headers(self, role: str = "client", tenant: str | None = None) -> dict[str, str]: ...


class Verbs:
    """What both clients can do."""

    def call(self, method: str, path: str, role: str | None = None, key: str | None = None, **options: Any) -> Any:
        """Send a request as `role`, with `key` as its Idempotency-Key."""
        raise NotImplementedError

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.call("POST", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        return self.call("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        return self.call("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.call("DELETE", path, **options)

    def put_shop(self, shop: str = "par", **settings: Any) -> Any:
        body = {"name": shop, "timezone": "Europe/Paris", "currency": "EUR", **settings}
        return self.put(f"/shops/{shop}", role="admin", json=body)

    def issue(self, shop: str = "par", *, key: str | None = None, role: str = "client", **invoice: Any) -> Any:
        """Issue an invoice over 1000.00."""
        body = {"shop": shop, "customer_name": "Zoë", "lines": LINES, **invoice}
        return self.post("/invoices", role=role, key=key, json=body)

    def pay(self, amount: str, *, key: str | None = None, **payment: Any) -> Any:
        body = {"amount": amount, "currency": "EUR", "payer": "Zoë", "method": "card", **payment}
        return self.post("/payments", role="client", key=key, json=body)

    def pay_invoices(self, invoice_numbers: list[str], amount: str, *, key: str | None = None, **payment: Any) -> Any:
        """Pay `amount` of each of the invoices, in one payment."""
        allocations = [{"invoice_number": number, "amount": amount} for number in invoice_numbers]
        total = f"{Decimal(amount) * len(allocations):.2f}"
        return self.pay(total, key=key, allocations=allocations, **payment)

    def invoice(self, invoice_number: str) -> Any:
        """Return an invoice as it is shown."""
        answer = self.get(f"/invoices/{invoice_number}", role="client")
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)


class Client(Verbs):
    """The app in this process, on a database of its own. `now` is what its clock shows; None for the real time."""

    def __init__(self, db: Db, config: Config | None = None, *, now: datetime | None = None) -> None:
        self.db = db
        self.now = now
        config = config or Config(encryption_keys=(ENCRYPTION_KEY,))
        self.app = create_app(config, db=db, clock=lambda: self.now or utc_now())
        self._keys: dict[tuple[str, str], str] = {}

    def key(self, role: Role = "accountant", tenant: str = "acme") -> str:
        """Return the API key of this role and tenant, made once."""
        if (role, tenant) not in self._keys:
            self._keys[role, tenant] = make_key(self.db, role, tenant=tenant).key
        return self._keys[role, tenant]

    def call(
        self,
        method: str,
        path: str,
        role: str | None = None,
        key: str | None = None,
        *,
        tenant: str = "acme",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        sent = {"Authorization": f"Bearer {self.key(role or 'accountant', tenant)}"}
        sent |= _with_key(headers, key)
        options.setdefault("buffered", True)  # the whole answer, and closed, as a server leaves it
        answer = self.app.test_client().open(_whole(path), method=method, headers=sent, **options)
        return _documented(method, path, answer, lambda: answer.json)

    def later(self, **delta: float) -> None:
        """Put the clock forward."""
        assert self.now is not None
        self.now += timedelta(**delta)


class HttpClient(Verbs):
    """One tenant of a served API. Used by one thread at a time it has one kept-alive connection, as a browser has.

    `role` is as what it sends unless told otherwise; None for without a key. Raises UNANSWERED where there is no reply.
    """

    def __init__(
        self,
        api: Api,
        tenant: str | None = None,
        *,
        role: str | None = "accountant",
        headers_by_role: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.api = api
        self.tenant = tenant or api.tenant
        self.unavailable: list[requests.Response] = []  # the 503s that post_until_answered met
        self._role = role
        self._headers_by_role: dict[str, dict[str, str]] = {} if headers_by_role is None else headers_by_role
        if role is not None:
            self.headers(role)  # before there are threads that would make one each
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy of whoever runs the tests
        self._session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS_MAX))

    def another(self) -> "HttpClient":
        """Return a client with the same API keys on a connection of its own."""
        return HttpClient(self.api, self.tenant, role=self._role, headers_by_role=self._headers_by_role)

    def headers(self, role: str) -> dict[str, str]:
        """Return the header that carries the API key of this role, made once."""
        if role not in self._headers_by_role:
            self._headers_by_role[role] = self.api.headers(role, self.tenant)
        return self._headers_by_role[role]

    def call(
        self,
        method: str,
        path: str,
        role: str | None = None,
        key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        role = role or self._role
        sent = {**(self.headers(role) if role else {}), **_with_key(headers, key)}
        url = f"{self.api.url}{_whole(path)}"
        answer = self._session.request(method, url, headers=sent, timeout=ANSWER_TIMEOUT_S, **options)
        return _documented(method, path, answer, answer.json)

    def post_until_answered(self, path: str, *, key: str, **options: Any) -> requests.Response:
        """Send it with the same Idempotency-Key until a reply comes that isn't a 503, as a careful client does."""
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                answer = self.post(path, key=key, **options)
                if answer.status_code != 503:
                    return answer
                self.unavailable.append(answer)
            except UNANSWERED:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"No answer to {key} within {RETRY_FOR_S:.0f} s.")
            time.sleep(RETRY_PAUSE_S)

    def walk(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every row of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            answer = self.get(path, params={**query, **cursor})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    def close(self) -> None:
        self._session.close()


def make_key(
    db: Db, role: Role = "client", *, tenant: str = "acme", name: str | None = None, expires_at: datetime | None = None
) -> NewKey:
    """Make an API key of which no event tells, so that tests find the events of what they do themselves."""
    made = new_key(Asked(tenant, "tests", utc_now()), WantedKey(role, name, expires_at))
    assert key_store.insert_key(db, made.document)
    return made


def is_replayed(answer: Any) -> bool:
    """Return whether an answer is the first result of an earlier request."""
    return answer.headers.get("Idempotent-Replayed") == "true"


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
    items: Iterable[Item], act: Callable[[HttpClient, Item], Result], of: HttpClient, clients: int = CLIENTS
) -> list[Result]:
    """Let `clients` clients like `of` work off the items at the same time, and return the results in their order."""
    waiting: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    for numbered_item in enumerate(items):
        waiting.put(numbered_item)
    results: dict[int, Result] = {}
    each = [of.another() for _client in range(clients)]

    def work(client: int) -> None:
        while True:
            try:
                position, item = waiting.get_nowait()
            except queue.Empty:
                return each[client].close()
            results[position] = act(each[client], item)

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


def _whole(path: str) -> str:
    return path if path.startswith(f"{BASE}/") else f"{BASE}{path}"


def _documented(method: str, path: str, answer: Any, problem: Callable[[], Any]) -> Any:
    """Return an answer that is as the OpenAPI document says."""
    status = answer.status_code
    shown = problem() if status >= 400 else None
    assert_documented(method, _whole(path), status=status, headers=answer.headers, problem=shown)
    return answer


def _with_key(headers: Mapping[str, str] | None, key: str | None) -> dict[str, str]:
    return dict(headers or {}) | ({} if key is None else {"Idempotency-Key": key})
