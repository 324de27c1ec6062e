"""One operator at a time, on a real mongod."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from finance.database import Db
from finance.maintenance import lease
from finance.maintenance.lease import LeaseHeld, LeaseLost, find_holder, held
from tests.clients import at_once


def silent_for(db: Db, seconds: float) -> None:
    """Make the holder one that has shown no sign of life for so long."""
    earlier = {"$subtract": ["$alive_at", int(seconds * 1000)]}
    db.maintenance_leases.update_one({}, [{"$set": {"alive_at": earlier}}])


def test_a_second_operator_is_told_who_is_at_work_since_when_and_what_if_it_is_dead(db: Db) -> None:
    with held(db, "payments", doing="repair run 1", by="ana@host"):
        since = db.maintenance_leases.find_one({"_id": "payments"})["since"]
        with pytest.raises(LeaseHeld) as refused, held(db, "payments", doing="undo", by="bo"):
            pass
    said = refused.value.detail
    assert "payments: ana@host" in said
    assert f"since {since:%Y-%m-%d %H:%M:%S} UTC (repair run 1; last sign of life" in said
    assert f"run this again after {since + timedelta(seconds=30):%H:%M:%S} UTC" in said


def test_a_lease_is_given_back_also_where_the_work_fails(db: Db) -> None:
    def fail() -> None:
        with held(db, "payments", "customers", doing="repair", by="ana"):
            assert {one["_id"] for one in db.maintenance_leases.find()} == {"payments", "customers"}
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert db.maintenance_leases.count_documents({}) == 0


def test_who_gets_only_some_of_its_collections_gives_those_back(db: Db) -> None:
    with held(db, "payments", doing="repair", by="ana"):
        with pytest.raises(LeaseHeld), held(db, "customers", "payments", "shops", doing="migrate", by="bo"):
            pass
        assert [one["_id"] for one in db.maintenance_leases.find()] == ["payments"]


def test_of_many_at_once_one_is_at_work(db: Db) -> None:
    at_work: list[int] = []
    all_asked = threading.Barrier(8)

    def work(position: int) -> None:
        try:
            with held(db, "payments", doing="repair", by=str(position)) as mine:
                at_work.append(position)
                all_asked.wait()
                mine.require()
        except LeaseHeld:
            all_asked.wait()

    at_once(8, work)
    assert len(at_work) == 1


def test_one_without_a_sign_of_life_is_taken_over_and_stops(db: Db) -> None:
    with held(db, "payments", doing="repair", by="ana") as frozen:
        silent_for(db, lease.DEAD_AFTER_S - 5)
        with pytest.raises(LeaseHeld), held(db, "payments", doing="undo", by="bo"):
            pass
        silent_for(db, lease.DEAD_AFTER_S)
        with held(db, "payments", doing="undo", by="bo") as other:
            with pytest.raises(LeaseLost, match="taken over"):
                frozen.require()
            other.require()
            assert find_holder(db, "payments")["by"] == "bo"  # type: ignore[index]


def test_one_that_was_taken_over_does_not_give_back_what_is_anothers(db: Db) -> None:
    with held(db, "payments", doing="repair", by="ana"):
        silent_for(db, lease.DEAD_AFTER_S + 1)
        lease.Lease(db, by="bo", doing="undo").take("payments")
    assert find_holder(db, "payments")["by"] == "bo"  # type: ignore[index]


def test_signs_of_life_are_shown_while_the_work_waits(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SIGN_OF_LIFE_S", 0.01)
    with held(db, "payments", doing="repair", by="ana"):
        silent_for(db, lease.DEAD_AFTER_S + 1)
        for _look in range(1_000):
            if find_holder(db, "payments") is not None:
                return
    pytest.fail("no sign of life")


@pytest.mark.parametrize(("place", "is_taken_over"), [(lease._place, True), (lambda: "another machine", False)])
def test_a_killed_process_of_this_machine_is_taken_over_at_once(
    db: Db, monkeypatch: pytest.MonkeyPatch, place: Callable[[], Any], is_taken_over: bool
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(os, "getpid", lambda: ended.pid)
    killed = lease.Lease(db, by="ana", doing="repair")
    killed._who["place"] = place()
    killed.take("payments")
    monkeypatch.undo()
    assert (find_holder(db, "payments") is None) == is_taken_over
    if is_taken_over:
        with held(db, "payments", doing="undo", by="bo"):
            return
    with pytest.raises(LeaseHeld), held(db, "payments", doing="undo", by="bo"):
        pass
