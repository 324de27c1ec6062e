"""Payments with duplicates, and repairs of them."""

from datetime import datetime
from typing import Any

import pytest

from finance.database import Db
from finance.maintenance.kinds import KINDS
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
    run = runs.begin_run(target, by="ops", now=NOW, about={"keep": keep})
    result = apply.repair(target, run=run, keep=keep, clock=clock)
    runs.finish_run(target.db, run, now=NOW, result=result)
    return run, result


def take_back(db: Db, undone: str) -> undo.Undo:
    target = runs.target_of_run(db, undone)
    run = runs.begin_run(target, by="ops", now=NOW, about={"undoes": undone})
    return undo.undo(target, undone=undone, run=run, clock=clock)


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
