"""Workers and the database are killed under load: each 201 is there, once, and every number is accounted for.

`FINANCE_TEST_KILLS` sets how many workers are killed (20, as promised; more for a long run).
"""

import contextlib
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from embedded_mongodb import EmbeddedMongodb

from finance.maintenance.audit.record import record_gaps
from tests.clients import HttpClient, a_payment, at_once, poll, workers_seen

pytestmark = pytest.mark.faults

PAYMENTS = "/api/v1/payments"
KILLS = int(os.environ.get("FINANCE_TEST_KILLS") or 20)
LOAD_CLIENTS = 16
PROGRESS = 10  # payments answered between two kills, so that each hits workers that are at work
WITHIN_S = 60.0


class Load:
    """Clients that go on posting, each request with a key of its own and repeated until it is answered."""

    def __init__(self, api: Any) -> None:
        self._stop = threading.Event()
        self._answered: list[tuple[str, requests.Response]] = []
        first = HttpClient(api, role="client")
        self._clients = [first.another() for _client in range(LOAD_CLIENTS)]

    @property
    def replies(self) -> dict[str, requests.Response]:
        return dict(self._answered)

    @property
    def unavailable(self) -> list[requests.Response]:
        return [reply for client in self._clients for reply in client.unavailable]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        clients = threading.Thread(target=at_once, args=(LOAD_CLIENTS, self._post))
        clients.start()
        try:
            yield self
        finally:
            self._stop.set()
            clients.join()

    def wait_for_progress(self) -> None:
        target = len(self._answered) + PROGRESS
        poll(lambda: len(self._answered) >= target, within_s=WITHIN_S)

    def _post(self, who: int) -> None:
        for count in itertools.count():
            if self._stop.is_set():
                return
            key = f"{who}-{count}"
            reply = self._clients[who].post_until_answered(PAYMENTS, json=a_payment(reference=key), key=key)
            self._answered.append((key, reply))


@pytest.mark.parametrize(("numbering", "kills"), [("standard", KILLS), ("no_gap", KILLS // 2)])
def test_killed_workers_lose_and_double_nothing(serve_api: Callable[..., Any], numbering: str, kills: int) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING=numbering)
    load = Load(api)

    with load.running():
        for _kill in range(kills):
            load.wait_for_progress()
            with contextlib.suppress(ProcessLookupError):  # the one before, which was listed still
                os.kill(_a_working_worker(api), signal.SIGKILL)
        load.wait_for_progress()

    _assert_each_is_stored_once(api, load)
    assert numbering == "standard" or _missing(api) == []
    _assert_the_audit_records_what_is_missing(api)


def test_a_killed_database_loses_nothing_that_was_acknowledged(
    own_mongod: EmbeddedMongodb, serve_api: Callable[..., Any]
) -> None:
    api = serve_api(workers=3, MONGODB_URI=own_mongod.uri)
    load = Load(api)

    with load.running():
        for _kill in range(3):  # each back in time for the driver's own retry
            load.wait_for_progress()
            own_mongod.kill()
            own_mongod.start()
        load.wait_for_progress()
        own_mongod.kill()
        poll(lambda: len(load.unavailable) >= LOAD_CLIENTS, within_s=WITHIN_S)
        own_mongod.start()
        load.wait_for_progress()

    for refusal in load.unavailable:
        assert refusal.headers["retry-after"] == "1"
        assert re.search(r"retry( with the same Idempotency-Key)? is (always )?safe", refusal.json()["detail"])
    _assert_each_is_stored_once(api, load)
    _assert_the_audit_records_what_is_missing(api)


def _a_working_worker(api: Any) -> int:
    """Return a worker that has answered requests; one that still starts would be killed for nothing."""
    return poll(lambda: workers_seen(api.log) & set(api.worker_pids()), within_s=WITHIN_S).pop()


def _assert_each_is_stored_once(api: Any, load: Load) -> None:
    assert {reply.status_code for reply in load.replies.values()} == {201}
    answered = {key: reply.json()["payment_number"] for key, reply in load.replies.items()}
    stored = list(api.db.payments.find({}, {"idempotency_key": True, "payment_number": True}))
    assert {payment["idempotency_key"]: payment["payment_number"] for payment in stored} == answered
    assert len(stored) == len(answered) == len(set(answered.values()))


def _assert_the_audit_records_what_is_missing(api: Any) -> None:
    record_gaps(api.db, now=datetime.now(UTC), grace_s=0)
    assert {gap["number_seq"] for gap in api.db.number_gaps.find()} == set(_missing(api))


def _missing(api: Any) -> list[int]:
    """Return the numbers that the counter gave and no payment has."""
    stored = {payment["number_seq"] for payment in api.db.payments.find({}, {"number_seq": True})}
    newest = api.db.counters.find_one({"_id": "payment:acme:2021"})["seq"]
    return sorted(set(range(1, max(newest, *stored) + 1)) - stored)
