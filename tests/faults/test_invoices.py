"""Invoices under load, in many processes that are killed: each series stays 1…n, in the order of issue.

The short form is part of the normal tests. The whole one: `scripts/test -m long tests/faults/test_invoices.py`.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from finance.numbering.series import Series
from tests.clients import UNANSWERED, HttpClient

pytestmark = pytest.mark.faults

SHOPS = ("dkr", "par", "nyc")
CLIENTS = 16
REFUSED_SHARE = 0.2
BODY = {"customer_name": "Zoë", "currency": "EUR"}
LINE = {"description": "Work", "quantity": "3", "unit_price": "9.99", "tax_rate": "20"}


@dataclass(frozen=True)
class Answered:
    """One request, from when it was sent until its answer, by this process's clock."""

    sent_s: float
    answered_s: float
    shop: str
    key: str
    answer: requests.Response


class Load:
    """Sixteen clients that issue invoices in three shops over two months, and repeat what got no answer."""

    def __init__(self, client: HttpClient, invoices: int) -> None:
        self.client = client
        self.left = invoices
        self.answered: list[Answered] = []
        self.unexpected: list[str] = []
        self._lock = threading.Lock()
        self._next_month = threading.Event()
        self._half = invoices // 2
        self._days = self._two_months()

    @staticmethod
    def _two_months() -> tuple[str, str]:
        """Return two days in two months that are past in every zone."""
        first = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
        return (first.replace(day=1) - timedelta(days=1)).isoformat(), first.replace(day=1).isoformat()

    def run(self, while_running: Callable[[], None]) -> None:
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            while_running()
        for thread in threads:
            thread.join()

    def _client(self, number: int) -> None:
        choose = random.Random(number)
        client = self.client.another()
        while (position := self._take()) is not None:
            shop = choose.choice(SHOPS)
            day = self._days[position < self._half]  # counted down: the first half is in the earlier month
            body: dict[str, Any] = {**BODY, "shop": shop, "issued_on": day, "lines": [LINE]}
            if choose.random() < REFUSED_SHARE:
                body |= choose.choice(
                    [
                        {"issued_on": "2001-01-01"},  # before the newest, as the first of its month is there already
                        {"customer_code": "CUST-999999"},
                        {"total": "1.00"},
                        {"lines": []},
                    ]
                )
            self._send(client, body, shop)

    def _take(self) -> int | None:
        with self._lock:
            self.left -= 1
            return self.left if self.left >= 0 else None

    def _send(self, client: HttpClient, body: dict[str, Any], shop: str) -> None:
        """Send until there is an answer, as a frontend does: the same key, and patience."""
        key = uuid4().hex
        for _attempt in range(60):
            sent_s = time.monotonic()
            try:
                answer = client.post("/invoices", role="client", key=key, json=body)
            except UNANSWERED:
                time.sleep(0.1)
                continue
            if answer.status_code == 503:
                time.sleep(0.1)
                continue
            with self._lock:
                self.answered.append(Answered(sent_s, time.monotonic(), shop, key, answer))
                if answer.status_code not in (201, 422):
                    self.unexpected.append(answer.text)
            return
        self.unexpected.append("no answer after 60 attempts")


def kill_a_worker(api: Any, choose: random.Random) -> bool:
    """Kill one worker; False where there was none, or it ended by itself just then."""
    workers = api.worker_pids()
    try:
        os.kill(choose.choice(workers), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


def issue_under_fire(api: Any, *, invoices: int, kills: int) -> None:
    client = HttpClient(api, "acme")
    for shop in SHOPS:
        assert client.put_shop(shop, max_length=30, currency="EUR").status_code == 201
        assert client.issue(shop, issued_on="2001-01-02").status_code == 201
    load = Load(client, invoices)
    killed = 0

    def kill_one() -> None:
        nonlocal killed
        time.sleep(0.1)
        if killed < kills and len(load.answered) >= invoices * (killed + 1) // (kills + 2):
            killed += kill_a_worker(api, random.Random(killed))

    load.run(kill_one)
    assert killed == kills
    assert load.unexpected == []
    assert len(load.answered) == invoices
    statuses = Counter(answered.answer.status_code for answered in load.answered)
    assert statuses[422] > invoices * REFUSED_SHARE / 2
    require_whole_and_in_order(api, load)


def require_whole_and_in_order(api: Any, load: Load) -> None:
    issued = [answered for answered in load.answered if answered.answer.status_code == 201]
    stored = list(api.db.invoices.find({"tenant": "acme"}))
    # Each key once, and nothing that nobody asked for: three more are the first ones, of 2001.
    assert len(stored) == len(issued) + len(SHOPS)
    assert {answered.key for answered in issued} == {d["idempotency_key"] for d in stored if "idempotency_key" in d}
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for document in sorted(stored, key=lambda document: document["number_seq"]):
        series.setdefault((document["shop"], document["period"]), []).append(document)
    assert len(series) == len(SHOPS) * 3
    for (shop, period), documents in series.items():
        assert [document["number_seq"] for document in documents] == list(range(1, len(documents) + 1))
        assert [d["issued_on"] for d in documents] == sorted(d["issued_on"] for d in documents)
        prefix = f"FAC-{shop.upper()}-{period.replace('-', '')}-"
        written = Series(tenant="acme", kind="invoice", prefix=prefix, digits_min=4)
        assert [d["invoice_number"] for d in documents] == [written.format(d["number_seq"]) for d in documents]
        require_order_of_issue(documents, issued)
    for shop in SHOPS:
        sequences = load.client.call("GET", f"/shops/{shop}/sequences").json()["data"]
        assert len(sequences) == 3
        assert all(sequence["whole"] for sequence in sequences)


def require_order_of_issue(documents: list[dict[str, Any]], issued: list[Answered]) -> None:
    """An invoice that was answered before another was even sent has the lower number."""
    number_by_key = {d["idempotency_key"]: d["number_seq"] for d in documents if "idempotency_key" in d}
    ours = [answered for answered in issued if answered.key in number_by_key]
    for answered in ours:  # what the client was told is what is stored
        assert answered.answer.json()["invoice_number"].endswith(f"-{number_by_key[answered.key]:04d}")
    # Repeats may have been stored at their first attempt, so the last attempt's start is no bound for them.
    by_answer = sorted(ours, key=lambda answered: answered.answered_s)
    by_start = sorted(
        (a for a in ours if "Idempotent-Replayed" not in a.answer.headers), key=lambda answered: answered.sent_s
    )
    newest, position = 0, 0
    for answered in by_start:
        while position < len(by_answer) and by_answer[position].answered_s < answered.sent_s:
            newest = max(newest, number_by_key[by_answer[position].key])
            position += 1
        assert number_by_key[answered.key] > newest


def test_four_processes_issue_without_gaps_while_some_are_killed(serve_api: Any) -> None:
    issue_under_fire(serve_api(workers=4), invoices=400, kills=4)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_four_processes_issue_2000_invoices_while_twenty_are_killed(serve_api: Any) -> None:
    issue_under_fire(serve_api(workers=4), invoices=2_000, kills=20)


def pay_under_fire(api: Any, *, invoices: int, payers: int, kills: int) -> None:
    """Every payer pays a part of each invoice and voids some, while processes are killed; then all must agree."""
    client = HttpClient(api, "acme")
    client.put_shop()
    numbers = [client.issue().json()["invoice_number"] for _ in range(invoices)]
    done = threading.Semaphore(0)
    outcomes: Counter[int] = Counter()

    def payer(number: int) -> None:
        choose, ours = random.Random(number), client.another()
        for turn in range(invoices):
            chosen = choose.sample(numbers, choose.choice((1, 1, 2)))
            parts = [{"invoice_number": n, "amount": "150.00"} for n in chosen]
            amount = f"{150 * len(parts)}.00"
            body = {"amount": amount, "currency": "EUR", "payer": "Zoë", "method": "card", "allocations": parts}
            answer = ours.post_until_answered("/payments", json=body, key=f"pay-{number}-{turn}")
            outcomes[answer.status_code] += 1
            if answer.status_code == 201 and choose.random() < 0.3:
                path = f"/payments/{answer.json()['payment_number']}/void"
                voided = ours.post_until_answered(path, json={"reason": "bounced"}, key=f"void-{number}-{turn}")
                outcomes[voided.status_code] += 1
            done.release()

    threads = [threading.Thread(target=payer, args=(number,)) for number in range(payers)]
    for thread in threads:
        thread.start()
    for kill in range(kills):
        for _ in range(invoices * payers // (kills + 1)):
            done.acquire()
        while not kill_a_worker(api, random.Random(kill)):
            time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {200, 201, 409}
    assert outcomes[409] > 0
    assert outcomes[201] > 0
    require_invoices_agree_with_payments(api, client, numbers)
    # What was left behind is finished by whoever looks, once its requests can't be at work any more.
    deadline = time.monotonic() + 30
    while client.call("GET", "/invoices").ok and api.db.invoices.count_documents({"unsettled": True}):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    require_invoices_agree_with_payments(api, client, numbers)


def require_invoices_agree_with_payments(api: Any, client: HttpClient, numbers: list[str]) -> None:
    paid_minor = dict.fromkeys(numbers, 0)
    shown = {number: client.invoice(number) for number in numbers}
    for payment in api.db.payments.find({"status": "recorded"}):
        for part in payment["allocations"]:
            paid_minor[part["invoice_number"]] += part["amount_minor"]
    for number in numbers:
        assert shown[number]["amount_paid"] == f"{paid_minor[number] / 100:.2f}"
        assert shown[number]["outstanding"] == f"{1000 - paid_minor[number] / 100:.2f}"
        assert paid_minor[number] <= 100_000


def test_what_is_outstanding_stays_right_while_processes_are_killed(serve_api: Any) -> None:
    pay_under_fire(serve_api(workers=3), invoices=6, payers=8, kills=3)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_is_outstanding_stays_right_through_twenty_kills(serve_api: Any) -> None:
    pay_under_fire(serve_api(workers=4), invoices=30, payers=16, kills=20)
