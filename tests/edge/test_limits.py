"""Limits that workers share: what is counted, what is remembered, what it costs, and that MongoDB may be away."""

import socket
import time

import limits
import pytest

from finance import database
from finance.config import Config
from finance.database import Db
from finance.edge.limits import COLLECTION, FailedKeys, RequestsPerKey, SharedCounts, TooManyFailedKeys
from finance.errors import TooManyRequests
from tests.clients import at_once
from tests.commands import Commands

THREE = limits.parse("3/minute")
NOWHERE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"


def test_the_fourth_of_three_is_refused_and_told_when_to_come_back(db: Db) -> None:
    failed_keys = FailedKeys(THREE, SharedCounts(db))

    for _allowed in range(3):
        failed_keys.count("203.0.113.7", "hash")
    with pytest.raises(TooManyFailedKeys) as refusal:
        failed_keys.count("203.0.113.7", "hash")

    assert 50 <= refusal.value.retry_after_s <= 60
    failed_keys.count("203.0.113.8", "hash")  # somebody else


def test_workers_count_together(db: Db) -> None:
    workers = [FailedKeys(THREE, SharedCounts(db)) for _worker in range(3)]

    for worker in workers:
        worker.count("203.0.113.7", "hash")

    for worker in workers:
        with pytest.raises(TooManyFailedKeys):
            worker.count("203.0.113.7", "hash")


def test_many_at_the_same_time_are_all_counted(db: Db) -> None:
    failed_keys = FailedKeys(limits.parse("10/minute"), SharedCounts(db))

    def is_refused(_position: int) -> bool:
        try:
            failed_keys.count("203.0.113.7", "hash")
        except TooManyFailedKeys:
            return True
        return False

    assert at_once(30, is_refused).count(False) == 10


def test_a_flood_costs_no_more_than_its_limit(watched: Db, commands: Commands) -> None:
    failed_keys = FailedKeys(THREE, SharedCounts(watched))
    failed_keys.count("198.51.100.1", "hash")  # the first one of a process looks whose database this is
    commands.names.clear()

    refused = 0
    for _wrong in range(600):
        try:
            failed_keys.count("203.0.113.7", "hash")
        except TooManyFailedKeys:
            refused += 1

    assert refused == 597
    assert commands.names.count("findAndModify") == 4
    assert len(commands.names) <= 10


def test_when_the_window_ends_the_address_is_free_again(db: Db) -> None:
    seconds = [100.0]
    failed_keys = FailedKeys(limits.parse("1/minute"), SharedCounts(db), clock_s=lambda: seconds[0])
    failed_keys.count("203.0.113.7", "hash")
    with pytest.raises(TooManyFailedKeys):
        failed_keys.count("203.0.113.7", "hash")

    assert failed_keys.find_refusal("203.0.113.7")
    seconds[0] += 61
    assert failed_keys.find_refusal("203.0.113.7") is None


def test_what_is_remembered_of_addresses_has_an_end(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.edge.limits.REMEMBERED_MAX", 5)
    failed_keys = FailedKeys(limits.parse("1/minute"), SharedCounts(db))
    for number in range(8):
        failed_keys.count(f"203.0.113.{number}", "hash")
        with pytest.raises(TooManyFailedKeys):
            failed_keys.count(f"203.0.113.{number}", "hash")

    remembered = [number for number in range(8) if failed_keys.find_refusal(f"203.0.113.{number}")]

    assert remembered == [3, 4, 5, 6, 7]


def test_an_ipv6_network_is_one_client(db: Db) -> None:
    failed_keys = FailedKeys(THREE, SharedCounts(db))

    for number in range(3):
        failed_keys.count(f"2001:db8:1:2::{number}", "hash")
    with pytest.raises(TooManyFailedKeys):
        failed_keys.count("2001:db8:1:2::ffff", "hash")
    failed_keys.count("2001:db8:1:3::1", "hash")


def test_a_limit_that_is_off_asks_nothing(watched: Db, commands: Commands) -> None:
    counts = SharedCounts(watched)
    for _many in range(50):
        FailedKeys(None, counts).count("203.0.113.7", "hash")
        RequestsPerKey(None, counts).count("a-key")

    assert commands.names == []


def test_the_requests_of_a_key_are_settled_in_steps_of_a_hundredth(watched: Db, commands: Commands) -> None:
    requests = RequestsPerKey(limits.parse("1000/minute"), SharedCounts(watched))

    allowed = _count_until_refused(requests, at_most=2_000)

    assert allowed == 1_009  # the hundred and first settling finds 1,010
    assert commands.names.count("findAndModify") == 101


def test_another_worker_lets_no_more_than_its_step_through(db: Db) -> None:
    rate = limits.parse("1000/minute")
    first, second = (RequestsPerKey(rate, SharedCounts(db)) for _worker in range(2))

    assert _count_until_refused(first, at_most=2_000) == 1_009
    assert _count_until_refused(second, at_most=2_000) == 9


def test_a_key_that_asks_seldom_costs_nothing(watched: Db, commands: Commands) -> None:
    seconds = [0.0]
    requests = RequestsPerKey(limits.parse("1000/minute"), SharedCounts(watched), clock_s=lambda: seconds[0])

    for _request in range(100):
        requests.count("a-key")
        seconds[0] += 10  # six a minute

    assert commands.names == []


def test_a_small_limit_is_exact(db: Db) -> None:
    requests = RequestsPerKey(THREE, SharedCounts(db))

    assert _count_until_refused(requests, at_most=10) == 3
    requests.count("another-key")


def test_without_mongodb_nothing_is_limited_and_only_the_first_waits(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = database.connect(Config(mongodb_uri=NOWHERE))
    counts = SharedCounts(nowhere)
    failed_keys, requests = FailedKeys(limits.parse("1/minute"), counts), RequestsPerKey(THREE, counts)

    for _wrong in range(50):  # 200 ms each, if each of them tried
        failed_keys.count("203.0.113.7", "hash")
        requests.count("a-key")

    assert len(caplog.records) == 1
    assert "ServerSelectionTimeoutError" in caplog.text


def test_a_mongodb_that_never_answers_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.edge.limits.ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        requests = RequestsPerKey(
            THREE, SharedCounts(database.connect(Config(mongodb_uri=f"mongodb://127.0.0.1:{port}")))
        )
        begun = time.monotonic()

        for _request in range(100):
            requests.count("a-key")

    assert time.monotonic() - begun < 20  # a hundred waits would be 50


def test_counts_are_kept_apart_from_the_numbers_and_are_removed_when_they_end(db: Db) -> None:
    FailedKeys(THREE, SharedCounts(db)).count("203.0.113.7", "hash")

    assert db.counters.count_documents({}) == 0
    assert db[COLLECTION].count_documents({}) == 1
    assert [index["expireAfterSeconds"] for index in db[COLLECTION].list_indexes() if "expireAt" in index["key"]] == [0]


def test_a_client_is_left_open_when_its_counts_go(db: Db) -> None:
    counts = SharedCounts(db)
    counts.hit(THREE, "failed_keys", "203.0.113.7")
    del counts

    assert db.command("ping")["ok"] == 1


def _count_until_refused(requests: RequestsPerKey, *, at_most: int) -> int:
    for allowed in range(at_most):
        try:
            requests.count("a-key")
        except TooManyRequests:
            return allowed
    return at_most
