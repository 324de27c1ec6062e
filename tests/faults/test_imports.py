"""Imports that are killed, run twice at once, and run while clients post: every payment is there once."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from finance.asked import Asked
from finance.context import utc_now
from finance.database import Db
from finance.maintenance.audit import command as audit
from finance.payments.foreign_rows import Import, Tenants
from finance.payments.imports import import_rows, survey_of
from finance.payments.mapping import FieldMap
from finance.payments.sources import of_collection
from tests.clients import HttpClient, at_once, poll
from tests.payments.conftest import OF_ACME, an_old_payment

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = 4
PAYMENTS = 3_000
CLIENTS = 4
FIELDS = {"payment_number": "paymentNumber", "paid_on": "paymentDate", "method": "paymentMethod", "payer": "user"}

pytestmark = pytest.mark.faults


@pytest.fixture
def old(db: Db) -> Iterator[Db]:
    database = db.client[f"finance_old_{uuid4().hex[:16]}"]
    # Every tenth number is missing there, so that there are holes to explain.
    numbers = [number for number in range(1, PAYMENTS + 1) if number % 10]
    database.payments.insert_many([an_old_payment(number) for number in numbers])
    yield database
    db.client.drop_database(database.name)


def start(db: Db, uri: str, old: Db, *arguments: str) -> subprocess.Popen[str]:
    env = os.environ | {"MONGODB_URI": uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix}
    line = [str(ROOT / "scripts" / "import_payments.py"), *OF_ACME, "--from-database", old.name, "--apply", *arguments]
    return subprocess.Popen(
        line, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    printed, _errors = process.communicate(timeout=240)
    return process.returncode, printed


@contextmanager
def posting(client: HttpClient) -> Iterator[list[str]]:
    """Post payments of the same year all the while; gives the numbers that were answered."""
    stop = threading.Event()
    answered: list[str] = []
    refused: list[str] = []

    def post(who: int) -> None:
        mine, number = client.another(), 0
        while not stop.is_set():
            reply = mine.pay("1", paid_on="2026-06-01", key=f"{who}-{number}")
            number += 1
            if reply.status_code == 201:
                answered.append(reply.json()["payment_number"])
            else:
                refused.append(reply.text)

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


def require_all_once(db: Db, uri: str, old: Db, answered: list[str] | None = None) -> None:
    wanted = {row["paymentNumber"] for row in old.payments.find({}, {"paymentNumber": True})}
    found = Counter(payment["payment_number"] for payment in db.payments.find({}, {"payment_number": True}))
    assert set(found) == wanted | set(answered or ())
    assert set(found.values()) == {1}
    assert audit.main(["--uri", uri, "--database", db.name]) == 0


def test_an_import_that_is_killed_is_run_again_while_clients_post(
    db: Db, mongodb_uri: str, old: Db, serve_api: Callable[..., Any]
) -> None:
    client = HttpClient(serve_api(workers=1, FINANCE_DATABASE=db.name))
    chance = random.Random(11)
    process = start(db, mongodb_uri, old)
    poll(lambda: db.counters.find_one({"_id": "payment:acme:2026", "seq": {"$gte": PAYMENTS - 1}}), within_s=60)
    stored_at_kill = [0]
    with posting(client) as answered:
        for _kill in range(KILLS):
            before = stored_at_kill[-1]
            poll(lambda: process.poll() is not None or _stored(db) > before, within_s=60)  # noqa: B023
            time.sleep(chance.uniform(0, 0.2))
            with suppress(ProcessLookupError):  # it had done all that was left
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            stored_at_kill.append(_stored(db))
            process = start(db, mongodb_uri, old)
        code, printed = finish(process)
    rows = old.payments.count_documents({})
    assert any(0 < stored < rows for stored in stored_at_kill), stored_at_kill
    assert code == 0, printed
    code, printed = finish(start(db, mongodb_uri, old))
    assert (code, printed.splitlines()[-1]) == (0, f"{rows:,} unchanged")
    require_all_once(db, mongodb_uri, old, answered)


def test_of_two_at_once_the_second_is_told_of_the_first(db: Db, mongodb_uri: str, old: Db) -> None:
    ended = [finish(process) for process in [start(db, mongodb_uri, old) for _each in range(2)]]

    assert {code for code, _printed in ended} <= {0, 2}
    assert 0 in {code for code, _printed in ended}
    for code, printed in ended:
        assert code == 0 or "is at work here since" in printed
    require_all_once(db, mongodb_uri, old)


def test_without_a_lease_too_each_row_is_stored_once(db: Db, old: Db) -> None:
    def take(_who: int) -> Counter[str]:
        source = of_collection(db, database=old.name, collection="payments", name="payments")
        fields = FieldMap(fields=FIELDS, values={"method": {"CASH": "cash"}}, constants={"currency": "EUR"})
        run = Import(db, Asked("acme", "tests", utc_now()), source, Tenants("acme"), fields, date(2026, 6, 1))
        survey, _series = survey_of(run, limits={})
        return Counter(verdict.verdict for batch in import_rows(run, survey, apply=True) for verdict in batch)

    found = at_once(4, take)

    rows = old.payments.count_documents({})
    assert sum(each["imported"] for each in found) == db.payments.count_documents({}) == rows
    assert {each["imported"] + each["unchanged"] for each in found} == {rows}


def test_memory_is_the_same_for_ten_times_the_rows(db: Db, mongodb_uri: str, old: Db, tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 20_000):
        path = tmp_path / f"{count}.csv"
        rows = (f"PAY2026{number:04},1.00,EUR,Zoë,cash,2026-05-01\n" for number in range(1, count + 1))
        path.write_text("payment_number,amount,currency,payer,method,paid_on\n" + "".join(rows))
        peaks.append(_peak_of(path, db, mongodb_uri))

    assert peaks[1] < peaks[0] + 8 * 1024 * 1024, peaks


def _peak_of(path: Path, db: Db, uri: str) -> int:
    """Return the most memory that a dry run had, in bytes, measured by itself at its end."""
    program = (
        "import resource, sys; from finance.commands import import_payments as c; "
        "code = c.main(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    )
    arguments = ["--uri", uri, "--database", db.name, "--tenant", "acme", str(path)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024)


def _stored(db: Db) -> int:
    return db.payments.count_documents({"created_by": "scripts/import_payments.py"})
