"""Who keeps the number, and why."""

from typing import Any

import pytest
from bson import ObjectId

from finance.database import Db
from finance.maintenance.duplicates import find_groups
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import Target
from tests.maintenance.conftest import NOW, a_payment, an_older_collection


def losers(target: Target, **options: Any) -> list[Any]:
    return [p.document_id for p in plan(target, find_groups(target), keep=options.get("keep", "oldest"))]


def test_the_oldest_keeps_the_number_or_the_newest(db: Db, payments: Target) -> None:
    old, middle, new = (a_payment(1, age_s=age_s) for age_s in (300, 200, 100))
    db.payments.insert_many([middle, new, old])
    assert losers(payments) == [middle["_id"], new["_id"]]
    assert losers(payments, keep="newest") == [middle["_id"], old["_id"]]


def test_equal_creation_times_are_broken_by_id(db: Db, payments: Target) -> None:
    first, second = a_payment(1), a_payment(1)
    db.payments.insert_many([second, first])
    (planned,) = plan(payments, find_groups(payments), keep="oldest")
    assert (planned.document_id, planned.kept_id) == (second["_id"], first["_id"])
    assert "same time" in planned.why


def test_a_voided_one_gives_way_to_a_recorded_one(db: Db, payments: Target) -> None:
    voided, recorded = a_payment(1, age_s=900, status="voided"), a_payment(1, age_s=100)
    db.payments.insert_many([voided, recorded])
    (planned,) = plan(payments, find_groups(payments), keep="oldest")
    assert planned.document_id == voided["_id"]
    assert "voided" in planned.why


def test_an_unknown_creation_time_gives_way_and_an_id_tells_its_own(db: Db) -> None:
    unknown, by_id, dated = "text", ObjectId.from_datetime(NOW), ObjectId()
    number = {"user": 1, "paymentNumber": "PAY20260001"}
    target = an_older_collection(
        db,
        [{"_id": unknown, **number}, {"_id": by_id, **number}, {"_id": dated, **number, "createdAt": "2020-01-01"}],
    )
    assert losers(target) == [by_id, unknown]


def test_ids_of_any_type_and_missing_scopes_are_planned(db: Db) -> None:
    ids = [1, "1", 2.5, ObjectId(), {"a": 1}, b"raw", NOW]
    target = an_older_collection(db, [{"_id": id_, "paymentNumber": "PAY20260001"} for id_ in ids])
    assert len(losers(target)) == len(ids) - 1


@pytest.mark.parametrize("number", [20260006, "Überweisung", "PAY1767225600123", ["PAY20260001"]])
def test_numbers_of_other_shapes_are_listed_and_left(db: Db, number: Any) -> None:
    target = an_older_collection(db, [{"user": 1, "paymentNumber": number} for _ in range(2)])
    (planned,) = plan(target, find_groups(target), keep="oldest")
    assert planned.series is None
    assert planned.obstacle
