"""Payments with duplicates, and repairs of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pymongo
import pytest
from pymongo.monitoring import CommandListener

from finance.database import Db
from finance.maintenance.kinds import KINDS
from finance.maintenance.lease import held
from finance.maintenance.repair import apply, runs, undo
from finance.maintenance.repair.apply import Repair
from finance.maintenance.repair.plan import Keep
from finance.maintenance.target import Target, ours
from finance.payments.model import payment_series
from tests.maintenance.conftest import NOW, YEAR, a_payment

ACME = payment_series("acme", YEAR)


def clock() -> datetime:
    return NOW


def repair(target: Target, keep: Keep = "oldest") -> tuple[str, Repair]:
    run = runs.new_run(NOW)
    runs.begin_run(target, run, by="ops", now=NOW, about={"keep": keep})
    with held(target.db, target.collection_name, doing="a test", by="ops") as lease:
        result = apply.repair(target, run=run, lease=lease, keep=keep, clock=clock)
    runs.finish_run(target.db, run, now=NOW, result=result)
    return run, result


def take_back(db: Db, undone: str) -> undo.Undo:
    target, run = runs.target_of_run(db, undone), runs.new_run(NOW)
    runs.begin_run(target, run, by="ops", now=NOW, about={"undoes": undone})
    with held(db, target.collection_name, doing="a test", by="ops") as lease:
        return undo.undo(target, undone=undone, run=run, lease=lease, clock=clock)


def numbers(db: Db) -> dict[Any, str]:
    return {payment["_id"]: payment["payment_number"] for payment in db.payments.find()}


@pytest.fixture
def target(db: Db) -> Target:
    """Payments 1, 2, 3 of which 2 stands three times; the counter is at 1, and there is no unique index."""
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(n, age_s=900 - n) for n in (1, 2, 3)])
    db.payments.insert_many([a_payment(2, age_s=age_s) for age_s in (20, 10)])
    db.counters.insert_one({"_id": ACME.counter_id, "seq": 1})
    return ours(db, KINDS[0])


class Killed(BaseException):
    """The process ended here."""


class _Failing(CommandListener):
    """Ends the process, as it were, before its command of this position is sent."""

    def __init__(self, position: int) -> None:
        self.left = position

    def started(self, event: Any) -> None:
        if threading.current_thread() is threading.main_thread() and event.command_name not in ("hello", "endSessions"):
            self.left -= 1
            if self.left <= 0:
                raise Killed

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@contextmanager
def failing_at(uri: str, name: str, position: int) -> Iterator[Db]:
    """Give the database on a client that fails at its command of this position, and at all that come after it."""
    with pymongo.MongoClient(uri, event_listeners=[_Failing(position)], tz_aware=True) as client:
        yield client[name]
