"""Repairs and their undoing, on a real mongod."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from benchmarks import duplicated_payments
from finance.asked import Asked
from finance.database import Db, deadline, find_unprotected
from finance.maintenance import fences
from finance.maintenance.audit.series import audit
from finance.maintenance.duplicates import find_groups
from finance.maintenance.kinds import KINDS
from finance.maintenance.repair import undo
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import Target, foreign, ours
from finance.payments import service as payments
from tests.clients import at_once
from tests.maintenance.conftest import NOW, a_payment
from tests.maintenance.repair.conftest import ACME, numbers, repair, take_back

LATER = NOW + timedelta(seconds=1)


def test_undoing_puts_every_number_back_and_gives_none_twice(db: Db, target: Target) -> None:
    before = numbers(db)
    run, _result = repair(target)
    undone = take_back(db, run)
    assert (undone.put_back, undone.left_by_reason, undone.protected) == (2, {}, True)
    assert numbers(db) == before
    assert {gap["number_seq"]: gap["reason"] for gap in db.number_gaps.find()} == {
        4: "repair_undone",
        5: "repair_undone",
    }
    assert db.counters.find_one({"_id": ACME.counter_id})["seq"] == 5
    repair(target)
    assert {"PAY20260006", "PAY20260007"} <= set(numbers(db).values())


def test_after_an_undo_new_duplicates_are_refused_and_no_stand_in_is_left(db: Db, target: Target) -> None:
    run, _result = repair(target)
    assert take_back(db, run).standing == "prepared"
    assert find_unprotected(db) == []
    assert [name for name in db.payments.index_information() if "payment_number_unique" in name] == [
        "payment_number_unique"
    ]


def test_payments_changed_since_and_deleted_ones_are_left(db: Db, target: Target) -> None:
    run, _result = repair(target)
    asked = Asked(tenant="acme", by="key", now=NOW)
    payments.void_payment(db, asked, payment_number="PAY20260004", reason="wrong")
    db.payments.delete_one({"payment_number": "PAY20260005"})
    undone = take_back(db, run)
    assert undone.left_by_reason == {"it was changed since": 1, "it was deleted since": 1}
    assert undone.put_back == 0
    assert undone.standing == "unique"


def test_undoing_twice_finds_nothing_more_to_put_back(db: Db, target: Target) -> None:
    run, _result = repair(target)
    take_back(db, run)
    again = take_back(db, run)
    assert (again.put_back, again.nothing_to_do, again.left_by_reason) == (0, 2, {})


def test_a_worker_that_fences_again_meanwhile_does_not_stop_an_undo(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = numbers(db)
    run, _result = repair(target)
    record_taken, opened = undo._record_taken, []

    def meanwhile(*args: Any) -> None:
        record_taken(*args)
        if not opened:
            opened.append(fences.fence(db, target.unique_index))

    monkeypatch.setattr(undo, "_record_taken", meanwhile)
    assert take_back(db, run).put_back == 2
    assert (opened, numbers(db)) == (["prepared"], before)


@pytest.mark.parametrize("is_repaired", [True, False], ids=["unique", "prepared"])
@pytest.mark.parametrize("step", [fences.open_for_undo, fences.close_after_undo])
def test_an_index_that_another_undo_dropped_just_now_is_taken_as_dropped(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch, step: Callable[[Target], object], is_repaired: bool
) -> None:
    if is_repaired:
        repair(target)
    else:
        fences.fence(db, target.unique_index)
    find_standing, found = fences.find_standing, []

    def just_before(*args: Any) -> tuple[str, fences.Standing]:
        name, state = find_standing(*args)
        if not found and state != "missing":
            db.payments.drop_index(name)
            found.append(state)
        return name, state

    monkeypatch.setattr(fences, "find_standing", just_before)
    step(target)
    assert found == (["unique"] if is_repaired else ["prepared"])


def test_a_run_is_undone_by_two_at_once(db: Db, target: Target) -> None:
    before = numbers(db)
    run, _result = repair(target)
    undone = at_once(2, lambda _position: take_back(db, run))
    assert numbers(db) == before
    assert sum(each.put_back for each in undone) >= 2
    assert find_unprotected(db) == []


def test_never_repaired_payments_stay_protected_during_an_undo(db: Db, target: Target) -> None:
    repair(target)
    assert fences.open_for_undo(target)
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(3))


def test_many_duplicates_are_found_repaired_and_undone_exactly(db: Db) -> None:
    """The short form of benchmarks/repair_million.py."""
    with deadline(240):  # as the scripts have it; on a busy machine this takes longer than a request may
        _find_repair_and_undo_many(db)


def _find_repair_and_undo_many(db: Db) -> None:
    expected = duplicated_payments.fill(db, 50_000)
    target = ours(db, KINDS[0])
    planned = list(plan(target, find_groups(target), keep="oldest"))
    assert {one.document_id for one in planned} == expected.losers
    run, result = repair(target)
    assert (result.groups, result.renumbered, result.is_unique) == (expected.groups, len(expected.losers), True)
    changed = {payment["_id"] for payment in db.payments.find({"previous_numbers": {"$ne": []}})}
    assert changed == expected.losers
    assert all(series.is_accounted_for for series in audit(db, now=NOW))
    take_back(db, run)
    assert {p["_id"]: (p["payment_number"], p["number_seq"]) for p in db.payments.find()} == expected.numbers


Legacy = Callable[..., Target]


@pytest.fixture
def legacy(db: Db) -> Iterator[Legacy]:
    """A collection as a Mongoose model with `paymentNumber: {index: true}` and a fallback to a clock wrote it."""

    def write(**index: Any) -> Target:
        db.payments.drop()
        user = ObjectId()
        rows = [
            {"_id": ObjectId(), "user": user, "paymentNumber": "PAY20260006", "createdAt": NOW, "amount": 10.5},
            {"_id": "PAY-imported-1", "user": user, "paymentNumber": "PAY20260006", "createdAt": LATER, "amount": 7},
            {"_id": 17, "user": user, "paymentNumber": "PAY20260006", "amount": 7, "__v": 0},
            {"_id": ObjectId(), "user": user, "paymentNumber": "PAY2026123456", "createdAt": NOW},
            {"_id": ObjectId(), "user": user, "paymentNumber": "PAY2026123456", "createdAt": NOW},
            {"_id": ObjectId(), "paymentNumber": "PAY20260001", "createdAt": NOW},
            {"_id": ObjectId(), "paymentNumber": "PAY20260001", "createdAt": NOW},
            {"_id": 1.5, "user": user, "paymentNumber": 20260006},
            {"_id": 2.5, "user": user, "paymentNumber": 20260006},
            {"_id": ObjectId(), "user": user, "history": "not a list"},
            {"_id": ObjectId(), "user": user},
            {"_id": ObjectId(), "user": ObjectId(), "paymentNumber": "PAY20260006", "createdAt": NOW},
        ]
        db.payments.insert_many(rows)
        if index:
            db.payments.create_index(index.pop("keys"), **index)
        return foreign(
            db,
            collection="payments",
            number_field="paymentNumber",
            scope_fields=("user",),
            created_field="createdAt",
        )

    return write


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"keys": "paymentNumber"},
        {"keys": [("user", 1), ("paymentNumber", 1)]},
        {"keys": [("user", 1), ("paymentNumber", 1), ("_id", 1)], "unique": True},
    ],
    ids=["no index", "on the number", "not unique", "wrongly unique"],
)
def test_another_softwares_collection_is_repaired_and_undone(db: Db, legacy: Legacy, index: dict[str, Any]) -> None:
    target = legacy(**index)
    before = {payment["_id"]: payment for payment in db.payments.find()}
    user = before[17]["user"]
    run, result = repair(target)
    assert (result.groups, result.renumbered, result.obstacles, result.is_unique) == (4, 4, 1, True)
    after = {payment["_id"]: payment for payment in db.payments.find()}
    assert after["PAY-imported-1"]["paymentNumber"] == "PAY20260007"
    assert after[17]["paymentNumber"] == "PAY20260008", "it has no creation time"
    assert {p.get("paymentNumber") for p in after.values()} == {
        *("PAY20260006", "PAY20260007", "PAY20260008", "PAY20260009", "PAY2026123456", 20260006, None),
        *("PAY20260001", "PAY20260002"),
    }
    assert after["PAY-imported-1"] == {
        **before["PAY-imported-1"],
        "paymentNumber": "PAY20260007",
        "previous_numbers": ["PAY20260006"],
    }
    assert db.counters.find_one({"_id": f"payments.paymentNumber:{user}:PAY2026"})["seq"] == 9
    undone = take_back(db, run)
    assert (undone.put_back, undone.left_by_reason) == (4, {})
    assert {p["_id"]: p.get("paymentNumber") for p in db.payments.find()} == {
        id_: payment.get("paymentNumber") for id_, payment in before.items()
    }
