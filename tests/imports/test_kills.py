"""A process that is killed while it checks or stores: another goes on, and every row is stored once."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finance.imports.model import Import
from tests.clients import ENCRYPTION_KEY, Client, poll
from tests.imports.conftest import HEAD, Uploads, csv_of, new_rows

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 1_500
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# Steps are short, and a check tells of its rows, so that a kill comes in the middle of both.
PROGRAM = """
import time
from finance.app import create_app
from finance.config import Config
from finance.imports import checking, storing
from finance.imports.making import EXTENSION
from finance.payments import bulk

storing.STEP_ROWS, bulk.PART_SIZE = 700, 32
importer = create_app(Config.from_env()).extensions[EXTENSION]
while True:
    importer.look()
    time.sleep(0.05)
"""

pytestmark = pytest.mark.faults


class Worker:
    """A process that works off uploads, as a worker does, until it is killed."""

    def __init__(self, client: Client, uri: str) -> None:
        env = os.environ | {"MONGODB_URI": uri, "FINANCE_DATABASE": client.db.name}
        env |= {"FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode()}
        self._db = client.db
        self._process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=env)

    def kill(self) -> None:
        """SIGKILL, and let the time pass after which nobody waits for it any more."""
        self._process.kill()
        self._process.wait()
        held = self._db.imports.find_one({"holder": {"$exists": True}, "status": {"$in": ["checking", "storing"]}})
        if held is not None:
            self._db.imports.update_one({"_id": held["_id"]}, {"$set": {"alive_at": LONG_AGO}})
        self._db.maintenance_leases.update_many({}, {"$set": {"alive_at": LONG_AGO}})


def _killed_when(client: Client, uri: str, seen: Callable[[], bool]) -> None:
    worker = Worker(client, uri)
    try:
        poll(seen, within_s=60, every_s=0.002)
    finally:
        worker.kill()


def _ended(uploads: Uploads, uri: str, upload: Import) -> Import:
    worker = Worker(uploads.client, uri)
    try:
        poll(lambda: uploads.find(upload)["status"] in ("checked", "stored", "stopped", "refused"), within_s=60)
    finally:
        worker.kill()
    return uploads.find(upload)


def test_new_payments_are_each_stored_once_however_often_it_is_killed(uploads: Uploads, mongodb_uri: str) -> None:
    client, db = uploads.client, uploads.client.db
    upload = uploads.receive(new_rows(ROWS)).upload

    _killed_when(client, mongodb_uri, lambda: db.import_rows.count_documents({}) > ROWS // 3)
    assert uploads.find(upload)["status"] == "checking"
    checked = _ended(uploads, mongodb_uri, upload)
    assert (checked["counts"], checked["attempts"]) == ({"new": ROWS}, 0)

    uploads.press(checked)
    _killed_when(client, mongodb_uri, lambda: db.payments.count_documents({}) > ROWS // 3)
    assert uploads.find(upload)["status"] == "storing"
    done = _ended(uploads, mongodb_uri, upload)

    assert (done["status"], done["stored"], done["counts"]) == ("stored", ROWS, {"stored": ROWS})
    references = sorted(p["reference"] for p in uploads.payments())
    assert references == [f"R{number:05}" for number in range(1, ROWS + 1)]
    numbers = {row["number"] for row in db.import_rows.find({"rows_of": done["rows_of"]})}
    assert numbers == {p["payment_number"] for p in uploads.payments()}
    assert [action for action, _about in uploads.events()] == ["import_finished", "imported"]


def test_payments_with_numbers_are_each_taken_over_once(uploads: Uploads, mongodb_uri: str) -> None:
    db = uploads.client.db
    rows = (f"PAY2026{number:04},1.00,EUR,A,card,2026-05-01,x" for number in range(1, ROWS + 1) if number % 10)
    upload = uploads.check(csv_of(*rows, ",9.00,EUR,A,card,2026-05-01,new", head="payment_number," + HEAD))

    uploads.press(upload)
    _killed_when(uploads.client, mongodb_uri, lambda: db.payments.count_documents({}) > ROWS // 4)
    done = _ended(uploads, mongodb_uri, upload)

    stored = ROWS - ROWS // 10
    assert (done["status"], done["stored"], done["counts"]) == ("stored", stored + 1, {"stored": stored + 1})
    assert db.payments.count_documents({}) == stored + 1
    assert db.number_gaps.count_documents({"reason": "issued_by_older_system"}) == ROWS // 10 - 1


def test_customers_are_each_made_once(uploads: Uploads, mongodb_uri: str) -> None:
    db = uploads.client.db
    data = "customer_name,email_address\n" + "".join(f"Name {n} AG,n{n}@example.org\n" for n in range(200))
    upload = uploads.check(data.encode(), kind="customers")

    uploads.press(upload)
    _killed_when(uploads.client, mongodb_uri, lambda: db.customers.count_documents({}) > 60)
    done = _ended(uploads, mongodb_uri, upload)

    assert (done["status"], done["stored"], done["counts"]) == ("stored", 200, {"stored": 200})
    assert len(db.customers.distinct("customer_name")) == db.customers.count_documents({}) == 200
