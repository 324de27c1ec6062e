"""Repairs and their undoing, on a real mongod."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from benchmarks import duplicated_payments
from finance.database import Db, deadline, find_unprotected
from finance.history import as_of
from finance.maintenance import fences, gaps, repairs, runs, undo
from finance.maintenance.duplicates import Keep, find_groups, plan
from finance.maintenance.kinds import KINDS
from finance.maintenance.repairs import Repair
from finance.maintenance.target import Target, foreign, ours
from finance.payments import service as payments
from finance.payments.model import payment_series
from tests.maintenance.conftest import NOW, YEAR, a_payment

LATER = NOW + timedelta(seconds=1)
ACME = payment_series("acme", YEAR)


def clock() -> datetime:
    return NOW


def repair(target: Target, keep: Keep = "oldest") -> tuple[str, Repair]:
    run = runs.begin_run(target, by="ops", now=NOW, about={"keep": keep})
    result = repairs.repair(target, run=run, keep=keep, clock=clock)
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


def test_a_repair_leaves_each_number_to_one_and_the_index_unique(db: Db, target: Target) -> None:
    _run, result = repair(target)
    assert (result.groups, result.renumbered, result.is_unique) == (1, 2, True)
    assert sorted(numbers(db).values()) == [f"PAY2026000{n}" for n in (1, 2, 3, 4, 5)]
    assert find_unprotected(db) == []
    assert list(find_groups(target)) == []
    assert repair(target)[1].renumbered == 0


def test_a_renumbered_payment_tells_what_happened(db: Db, target: Target) -> None:
    run, _result = repair(target)
    renumbered = payments.get_payment(db, tenant="acme", payment_number="PAY20260004")
    assert renumbered["previous_numbers"] == ["PAY20260002"]
    assert (renumbered["number_seq"], renumbered["number_year"]) == (4, YEAR)
    assert as_of(renumbered, history_length=0)["payment_number"] == "PAY20260004", "what a repeat is answered with"
    assert renumbered["history"] == [
        {
            "at": NOW,
            "by": f"repair:{run}",
            "action": "renumbered",
            "changes": {
                "payment_number": {"from": "PAY20260002", "to": "PAY20260004"},
                "number_seq": {"from": 2, "to": 4},
            },
        }
    ]


def test_the_run_is_stored_with_who_when_and_what(db: Db, target: Target) -> None:
    run, _result = repair(target)
    stored = db.number_repairs.find_one({"_id": run})
    assert (stored["by"], stored["started_at"], stored["state"], stored["collection"]) == (
        "ops",
        NOW,
        "finished",
        "payments",
    )
    assert stored["result"]["renumbered"] == db.number_repair_changes.count_documents({"run": run}) == 2


def test_numbers_go_on_after_gaps_too(db: Db, target: Target) -> None:
    gaps.insert_gaps(db, ACME, [4, 5], reason="lost", recorded_at=NOW)
    repair(target)
    assert {"PAY20260006", "PAY20260007"} <= set(numbers(db).values())


def test_payments_without_a_series_are_left_and_the_index_refuses_more(db: Db, target: Target) -> None:
    db.payments.insert_many([a_payment(9, number_year=None), a_payment(9, number_year=None)])
    _run, result = repair(target)
    assert (result.renumbered, result.obstacles, result.standing) == (2, 1, "prepared")


def test_a_payment_that_changed_meanwhile_is_not_overwritten(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_changes, changed_by_others = runs.write_changes, []

    def meanwhile(*args: Any, **options: Any) -> None:
        """Another operator renumbers one of the payments between the plan and the update."""
        write_changes(*args, **options)
        if not changed_by_others:
            victim = args[2][0][0].document_id
            changed_by_others.append(victim)
            db.payments.update_one({"_id": victim}, {"$set": {"payment_number": "PAY20260050", "number_seq": 50}})

    monkeypatch.setattr(runs, "write_changes", meanwhile)
    _run, result = repair(target)
    assert numbers(db)[changed_by_others[0]] == "PAY20260050"
    assert (result.renumbered, result.again, result.is_unique) == (1, 1, True)
    assert db.number_gaps.find_one({"number_seq": 4})["reason"] == "repair_unused"


def test_a_number_that_is_taken_all_the_same_is_passed_over(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "newest_number", lambda target, series: 2)
    _run, result = repair(target)
    assert result.is_unique
    assert sorted(numbers(db).values()) == [f"PAY2026000{n}" for n in (1, 2, 3, 4, 5)]


def test_new_duplicates_are_refused_before_the_first_payment_is_changed(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(
        runs, "write_changes", lambda *_args, **_options: seen.append(fences.find_standing(db, target.unique_index)[1])
    )
    repair(target)
    assert seen == ["prepared"]


def test_without_prepare_unique_the_repair_ends_unique_all_the_same(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fences, "supports_prepare_unique", lambda db: False)
    _run, result = repair(target)
    assert (result.renumbered, result.is_unique) == (2, True)


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
    payments.void_payment(
        db,
        tenant="acme",
        payment_number="PAY20260004",
        reason="wrong",
        idempotency_key=None,
        voided_by="key",
        now=NOW,
    )
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


def test_never_repaired_payments_stay_protected_during_an_undo(db: Db, target: Target) -> None:
    repair(target)
    assert fences.open_for_undo(target)
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(3))


def test_an_unknown_run_and_the_run_of_an_undo_are_refused(db: Db, target: Target) -> None:
    with pytest.raises(runs.RunNotFound):
        runs.target_of_run(db, "nobody's")
    run, _result = repair(target)
    take_back(db, run)
    undoing = db.number_repairs.find_one({"undoes": run})["_id"]
    with pytest.raises(runs.RunNotFound):
        runs.target_of_run(db, undoing)


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
    assert all(audit.is_accounted_for for audit in gaps.audit(db, now=NOW))
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
