"""Imports of customers that meet another one, a client, or kill -9: run again they do what is left, nothing twice."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from finance.customers import saving, store
from finance.customers.imports import RowVerdict
from finance.database import Db
from tests.clients import ENCRYPTION_KEY
from tests.conftest import ROOT
from tests.customers.forms import pan
from tests.customers.tables import import_file, write_csv

pytestmark = pytest.mark.faults

ROWS = 120


def _rows(known_by: str) -> list[dict[str, Any]]:
    own: dict[str, Any] = {"customer_code": lambda place: f"C-{place}", "pan_number": lambda _place: pan()}
    return [
        {"customer_name": f"Customer {place}"} | ({known_by: own[known_by](place)} if known_by in own else {})
        for place in range(ROWS)
    ]


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("known_by", ["customer_code", "pan_number", "customer_name"])
def test_two_imports_of_one_file_at_once_make_each_customer_once(
    db: Db, tmp_path: Path, known_by: str, *, confirmed: bool
) -> None:
    path = write_csv(tmp_path / "c.csv", *_rows(known_by))
    together = Barrier(3)

    def run(_number: int) -> list[RowVerdict]:
        together.wait()
        return import_file(db, path, confirmed=confirmed)

    with ThreadPoolExecutor(3) as pool:
        verdicts = [verdict for found in pool.map(run, range(3)) for verdict in found]

    assert Counter(verdict.verdict for verdict in verdicts) == {"created": ROWS, "unchanged": 2 * ROWS}
    assert db.customers.count_documents({}) == ROWS
    assert len(db.customers.distinct("customer_name")) == ROWS
    _require_codes_accounted_for(db)


def test_two_imports_that_name_different_fields_at_once_lose_none(db: Db, tmp_path: Path) -> None:
    rows = _rows("customer_code")
    import_file(db, write_csv(tmp_path / "c.csv", *rows))
    fields = ("customer_category", "contact_person", "contact_number")
    paths = [
        write_csv(tmp_path / f"{name}.csv", *({"customer_code": row["customer_code"], name: "123456"} for row in rows))
        for name in fields
    ]

    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(lambda path: import_file(db, path), paths)]

    assert Counter(verdict.verdict for verdicts in found for verdict in verdicts) == {"updated": 3 * ROWS}
    assert db.customers.count_documents(dict.fromkeys(fields, "123456")) == ROWS


def test_what_a_client_saves_between_reading_and_storing_stays(
    db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "c.csv", {"customer_code": "A", "customer_name": "Ada"})
    import_file(db, path)
    other = write_csv(tmp_path / "d.csv", {"customer_code": "A", "contact_person": "somebody else"})
    stored_by_import = store.update_customer

    def meanwhile(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(store, "update_customer", stored_by_import)
        import_file(db, other)
        return stored_by_import(*args, **options)

    monkeypatch.setattr(store, "update_customer", meanwhile)
    (verdict,) = import_file(db, write_csv(tmp_path / "e.csv", {"customer_code": "A", "customer_category": "retail"}))

    assert (verdict.verdict, verdict.changed) == ("updated", ("customer_category",))
    assert db.customers.count_documents({"contact_person": "somebody else", "customer_category": "retail"}) == 1


def test_a_row_whose_customer_never_rests_is_refused_and_the_next_is_imported(
    db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = saving.save_as_known
    monkeypatch.setattr("finance.contention.PAUSE_S", 0)
    monkeypatch.setattr(
        saving,
        "save_as_known",
        lambda *args, new, **options: None if new.customer_code == "A" else as_it_is(*args, new=new, **options),
    )
    rows = [{"customer_code": code, "customer_name": code} for code in "AB"]

    busy, stored = import_file(db, write_csv(tmp_path / "c.csv", *rows))

    assert (busy.verdict, stored.verdict) == ("refused", "created")
    assert "A retry is safe" in busy.problems[0]


@pytest.mark.parametrize("known_by", ["pan_number", "customer_name"])
def test_an_import_that_was_killed_is_finished_by_the_next(
    db: Db, mongodb_uri: str, tmp_path: Path, known_by: str
) -> None:
    path = write_csv(tmp_path / "c.csv", *_rows(known_by))
    command = [sys.executable, str(ROOT / "scripts" / "import_customers.py"), "--tenant", "acme", str(path), "--apply"]
    env = {
        "PATH": "/usr/bin:/bin",
        "FINANCE_VENV": sys.prefix,
        "FINANCE_VAR": str(tmp_path / "var"),
        "MONGODB_URI": mongodb_uri,
        "FINANCE_DATABASE": db.name,
        "FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
    }
    for stored_before in (20, 60):
        killed = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while db.customers.count_documents({}) < stored_before and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    left = db.customers.count_documents({})
    assert 60 <= left < ROWS

    finished = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr
    created, unchanged = finished.stdout.splitlines()[-1].split(", ")
    assert (created, unchanged) == (f"{ROWS - left} created", f"{left} unchanged")
    assert len(db.customers.distinct("customer_name")) == db.customers.count_documents({}) == ROWS


def _require_codes_accounted_for(db: Db) -> None:
    """Every code of the series is a customer's, or recorded as one that was not stored."""
    given = db.counters.find_one({"_id": "customer:acme"}) or {"seq": 0}
    held = {*db.customers.distinct("number_seq"), *db.number_gaps.distinct("number_seq")}
    assert held >= set(range(1, given["seq"] + 1))
