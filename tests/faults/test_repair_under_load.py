"""Repairs of a database that clients post to meanwhile: real gunicorn, real scripts, and SIGKILL."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from benchmarks import duplicated_payments
from finance.database import Db, find_unprotected
from finance.maintenance.audit.checks import DUPLICATES, ON_THEIR_WAY
from finance.maintenance.audit.record import record_gaps
from finance.maintenance.audit.series import audit
from finance.maintenance.cli import FAILED, server_clock
from tests.clients import HttpClient

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS = 16
PAYMENTS = 10_000
ONE_IN = 2  # has a taken number: enough work to be killed in
KILLS = 10
TENANT = duplicated_payments.TENANTS[0]

pytestmark = pytest.mark.faults


def command(db_name: str, uri: str, name: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    env = os.environ | {"MONGODB_URI": uri, "FINANCE_DATABASE": db_name, "FINANCE_VENV": sys.prefix}
    return [str(ROOT / "scripts" / name), *arguments], env


def script(api: Any, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, env = command(api.db.name, api.mongodb_uri, name, *arguments)
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=240)


def repaired(api: Any) -> str:
    """Repair, and return the run."""
    return str(json.loads(script(api, "repair_duplicates.py", "--apply", "--json").stdout)["run"])


@contextmanager
def posting(client: HttpClient) -> Iterator[list[dict[str, Any]]]:
    """Post from 16 clients all the while; gives the payments answered. Any other answer than 201 fails the test."""
    stop = threading.Event()
    answered: list[dict[str, Any]] = []
    refused: list[str] = []

    def post(who: int) -> None:
        mine = client.another()
        number = 0
        while not stop.is_set():
            body = {"amount": f"{who + 1}.00", "currency": "EUR", "payer": "Ana", "method": "cash"}
            body["paid_on"] = f"{duplicated_payments.YEARS[number % 2]}-06-01"
            reply = mine.post("/payments", json=body, key=f"{who}-{number}")
            if reply.status_code == 201:
                answered.append(reply.json())
            else:
                refused.append(f"{reply.status_code} {reply.text[:300]}")
            number += 1

    threads = [threading.Thread(target=post, args=(who,)) for who in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert answered
    assert not refused, refused[:3]


def require_all_accounted_for(db: Db, answered: list[dict[str, Any]]) -> None:
    """Check that no number stands twice, each answered payment has its own, and the audit explains all others."""
    pipeline = [
        {"$group": {"_id": {"t": "$tenant", "n": "$payment_number"}, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
    ]
    assert list(db.payments.aggregate(pipeline, allowDiskUse=True)) == []
    assert find_unprotected(db) == []
    posted = {str(p["_id"]): p["payment_number"] for p in db.payments.find({"created_by": {"$ne": "key"}})}
    assert {payment["id"]: payment["payment_number"] for payment in answered} == posted
    now = server_clock(db)()
    assert not record_gaps(db, now=now, grace_s=0).leaps
    found = list(audit(db, now=now, grace_s=0))
    assert found
    assert [series for series in found if not series.is_accounted_for] == []


def test_a_repair_while_16_clients_post(db: Db, serve_api: Callable[..., Any]) -> None:
    expected = duplicated_payments.fill(db, PAYMENTS, one_in=ONE_IN)
    api = serve_api(workers=2, FINANCE_DATABASE=db.name)
    client = HttpClient(api, TENANT, role="client")
    with posting(client) as answered:
        while len(answered) < CLIENTS:
            time.sleep(0.05)
        done = script(api, "repair_duplicates.py", "--apply")
        after = len(answered)
        while len(answered) < after + CLIENTS:
            time.sleep(0.05)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expected.losers):,} documents renumbered" in done.stdout
    assert "is unique" in done.stdout
    assert script(api, "repair_duplicates.py").returncode == 0
    require_all_accounted_for(api.db, answered)
    audited = script(api, "audit_numbers.py", "--json", "--grace-seconds", "0")
    assert audited.returncode == 0
    assert json.loads(audited.stdout)["accounted_for"] is True


def test_a_repair_killed_ten_times_while_16_clients_post(db: Db, serve_api: Callable[..., Any]) -> None:
    chance = random.Random()
    expected = duplicated_payments.fill(db, PAYMENTS, seed=2, one_in=ONE_IN)
    api = serve_api(workers=2, FINANCE_DATABASE=db.name)
    client = HttpClient(api, TENANT, role="client")
    line, env = command(api.db.name, api.mongodb_uri, "repair_duplicates.py", "--apply")
    done_at_kill = []
    with posting(client) as answered:
        for kill in range(KILLS):
            changes = api.db.number_repair_changes.estimated_document_count()
            process = subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            # Some at any moment, while it starts or builds the index; most while it renumbers.
            if kill < 3:
                time.sleep(chance.random() * 2)
            else:
                while process.poll() is None and api.db.number_repair_changes.estimated_document_count() == changes:
                    time.sleep(0.005)
                time.sleep(chance.random() * 0.15)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            done_at_kill.append(_renumbered(api.db))
        done = script(api, "repair_duplicates.py", "--apply")
    assert any(0 < done < len(expected.losers) for done in done_at_kill), done_at_kill
    assert done.returncode == 0, done.stdout + done.stderr
    changed = {payment["_id"] for payment in api.db.payments.find({"previous_numbers": {"$ne": []}})}
    assert changed == expected.losers
    assert script(api, "repair_duplicates.py").returncode == 0
    require_all_accounted_for(api.db, answered)


def test_an_undo_after_further_posts_gives_no_number_twice(db: Db, serve_api: Callable[..., Any]) -> None:
    expected = duplicated_payments.fill(db, 2_000, seed=3)
    api = serve_api(workers=2, FINANCE_DATABASE=db.name)
    client = HttpClient(api, TENANT, role="client")
    given: set[tuple[str, str]] = set()
    run = repaired(api)
    given |= {(p["tenant"], p["payment_number"]) for p in api.db.payments.find({"previous_numbers": {"$ne": []}})}
    with posting(client) as answered:
        while len(answered) < 50:
            time.sleep(0.05)
        undone = script(api, "repair_duplicates.py", "--undo", run)
        after = len(answered)
        while len(answered) < after + 50:
            time.sleep(0.05)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert f"{len(expected.losers):,} documents have their old numbers back" in undone.stdout
    stood = {p["_id"]: (p["payment_number"], p["number_seq"]) for p in api.db.payments.find({"created_by": "key"})}
    assert stood == expected.numbers
    posted = [(TENANT, payment["payment_number"]) for payment in answered]
    assert len(set(posted)) == len(posted)
    assert not given & set(posted)
    assert script(api, "repair_duplicates.py", "--apply").returncode == 0
    again = {
        (p["tenant"], p["payment_number"]) for p in api.db.payments.find({"previous_numbers.1": {"$exists": True}})
    }
    assert len(again) == len(expected.losers)
    assert not given & again
    require_all_accounted_for(api.db, answered)


OPERATIONS = {
    "keep the oldest": ("repair_duplicates.py", "--apply"),
    "keep the newest": ("repair_duplicates.py", "--apply", "--keep", "newest"),
    "undo": ("repair_duplicates.py", "--undo", "RUN"),
    "migrate": ("migrate_indexes.py", "--apply"),
}
PAIRS = [
    pytest.param(pair, marks=[pytest.mark.long] if "keep the newest" in pair[:1] or pair == ("migrate",) * 2 else [])
    for pair in itertools.combinations_with_replacement(OPERATIONS, 2)
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " and ".join(pair))
def test_two_operators_at_once(db: Db, mongodb_uri: str, pair: tuple[str, str]) -> None:
    """The second is refused and told by whom, or comes after the first; no number that was given is lost."""
    expected = duplicated_payments.fill(db, 800, seed=4, one_in=2)
    original = _held(db)
    run = _repair_and_post_duplicates(db, mongodb_uri, expected) if "undo" in pair else ""
    given = _held(db)
    lines = [[argument.replace("RUN", run) for argument in OPERATIONS[name]] for name in pair]
    said = _at_once([command(db.name, mongodb_uri, *line) for line in lines])
    codes = [code for code, _output in said]
    assert min(codes) < FAILED, said
    for code, output in said:
        assert code < FAILED or "is at work here since" in output, output
    assert find_unprotected(db) == []
    assert original <= _held(db), "a number is held by no document"
    assert given <= _held(db) | {(gap["tenant"], gap["number"]) for gap in db.number_gaps.find()}
    assert db.maintenance_leases.count_documents({}) == 0


def _held(db: Db) -> set[tuple[str, str]]:
    return {(payment["tenant"], payment["payment_number"]) for payment in db.payments.find()}


def _repair_and_post_duplicates(db: Db, uri: str, expected: duplicated_payments.Expected) -> str:
    """Repair, and return the run; then there are new duplicates, for a second repair to find."""
    line, env = command(db.name, uri, "repair_duplicates.py", "--apply", "--json")
    run = json.loads(subprocess.run(line, env=env, capture_output=True, check=True).stdout)["run"]
    db.payments.drop_index("payment_number_unique")
    copied = list(db.payments.find({"_id": {"$nin": list(expected.losers)}}).limit(100))
    db.payments.insert_many([{**payment, "_id": ObjectId()} for payment in copied])
    return str(run)


def _at_once(commands: list[tuple[list[str], dict[str, str]]]) -> list[tuple[int, str]]:
    both = [subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for line, env in commands]
    said = [process.communicate()[0].decode() for process in both]
    return [(process.returncode, output) for process, output in zip(both, said, strict=True)]


def test_an_undo_killed_and_run_again_puts_everything_back(db: Db, serve_api: Callable[..., Any]) -> None:
    chance = random.Random()
    expected = duplicated_payments.fill(db, PAYMENTS // 2, seed=5, one_in=ONE_IN)
    api = serve_api(workers=2, FINANCE_DATABASE=db.name)
    run = repaired(api)
    line, env = command(api.db.name, api.mongodb_uri, "repair_duplicates.py", "--undo", run)
    client = HttpClient(api, TENANT, role="client")
    with posting(client) as answered:
        for _kill in range(5):
            process = subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.random())
            process.send_signal(signal.SIGKILL)
            process.communicate()
        done = script(api, "repair_duplicates.py", "--undo", run)
    assert done.returncode == 0, done.stdout + done.stderr
    stood = {p["_id"]: (p["payment_number"], p["number_seq"]) for p in api.db.payments.find({"created_by": "key"})}
    assert stood == expected.numbers
    assert find_unprotected(api.db) == []
    record_gaps(api.db, now=server_clock(api.db)(), grace_s=0)
    found = list(audit(api.db, now=server_clock(api.db)(), grace_s=0))
    assert sum(series.counts[DUPLICATES] for series in found) == len(expected.losers)
    assert not [series for series in found if set(series.counts) - {DUPLICATES, ON_THEIR_WAY}]
    assert len({payment["payment_number"] for payment in answered}) == len(answered)


def _renumbered(db: Db) -> int:
    return int(db.payments.count_documents({"previous_numbers": {"$ne": []}}))
