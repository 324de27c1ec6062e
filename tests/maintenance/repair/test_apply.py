"""Repairs, on a real mongod."""

from typing import Any

import pytest

from finance.database import Db, find_unprotected
from finance.history import as_of
from finance.maintenance import fences
from finance.maintenance.duplicates import find_groups
from finance.maintenance.lease import LeaseLost
from finance.maintenance.repair import apply, runs
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import Target
from finance.numbering import counters
from finance.payments import service as payments
from tests.maintenance.conftest import NOW, YEAR, a_payment
from tests.maintenance.repair.conftest import ACME, numbers, repair


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
            "by_name": None,
            "action": "renumbered",
            "changes": {
                "payment_number": {"from": "PAY20260002", "to": "PAY20260004"},
                "number_seq": {"from": 2, "to": 4},
            },
        }
    ]


def test_numbers_go_on_after_gaps_too(db: Db, target: Target) -> None:
    counters.record_gaps(db, [(ACME, 4), (ACME, 5)], reason="lost", recorded_at=NOW)
    repair(target)
    assert {"PAY20260006", "PAY20260007"} <= set(numbers(db).values())


def test_payments_without_a_series_are_left_and_the_index_refuses_more(db: Db, target: Target) -> None:
    db.payments.insert_many([a_payment(9, number_year=None), a_payment(9, number_year=None)])
    _run, result = repair(target)
    assert (result.renumbered, result.obstacles, result.standing) == (2, 1, "prepared")


@pytest.mark.parametrize("name", ["history", "previous_numbers"])
def test_one_document_with_a_null_is_left_and_the_others_are_renumbered(db: Db, target: Target, name: str) -> None:
    newest = db.payments.find_one({"payment_number": "PAY20260002"}, sort=[("created_at", -1)])
    db.payments.update_one({"_id": newest["_id"]}, {"$set": {name: None}})
    (obstacle,) = [planned.obstacle for planned in plan(target, find_groups(target), keep="oldest") if planned.obstacle]
    assert obstacle == f"{name} is null: remove it or make it []"
    _run, result = repair(target)
    assert (result.renumbered, result.obstacles, result.standing) == (1, 1, "prepared")
    assert db.counters.find_one({"_id": ACME.counter_id})["seq"] == 4, "no number is reserved for what is left"
    db.payments.update_one({"_id": newest["_id"]}, {"$unset": {name: True}})
    assert repair(target)[1].is_unique


def test_a_payment_that_changed_meanwhile_is_not_overwritten(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_changes, changed_by_others = runs.write_changes, []

    def meanwhile(*args: Any, **options: Any) -> None:
        """Another operator renumbers one of the payments between the plan and the update."""
        write_changes(*args, **options)
        if not changed_by_others:
            victim = args[2][0].document_id
            changed_by_others.append(victim)
            db.payments.update_one({"_id": victim}, {"$set": {"payment_number": "PAY20260050", "number_seq": 50}})

    monkeypatch.setattr(runs, "write_changes", meanwhile)
    _run, result = repair(target)
    assert numbers(db)[changed_by_others[0]] == "PAY20260050"
    assert (result.renumbered, result.again, result.is_unique) == (1, 1, True)
    assert db.number_gaps.find_one({"number_seq": 4})["reason"] == "repair_unused"


def test_no_number_is_taken_where_the_one_that_was_to_keep_it_has_lost_it(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator, who was not seen, keeps the newest: he takes the number from the oldest at this moment."""
    write_changes, meanwhile = runs.write_changes, []

    def other_operator(*args: Any, **options: Any) -> None:
        write_changes(*args, **options)
        if not meanwhile:
            kept = db.payments.find_one({"payment_number": "PAY20260002"}, sort=[("created_at", 1)])
            db.payments.update_one({"_id": kept["_id"]}, {"$set": {"payment_number": "PAY20260050", "number_seq": 50}})
            meanwhile.append(kept)

    monkeypatch.setattr(runs, "write_changes", other_operator)
    _run, result = repair(target)
    assert "PAY20260002" in numbers(db).values(), "a number that was given is held by a document"
    assert (result.renumbered, result.is_unique, len(set(numbers(db).values()))) == (1, True, 5)
    assert {gap["reason"] for gap in db.number_gaps.find()} == {"repair_unused"}


def test_one_that_was_taken_for_dead_changes_nothing_more(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_changes, before = runs.write_changes, numbers(db)

    def frozen(*args: Any, **options: Any) -> None:
        write_changes(*args, **options)
        db.maintenance_leases.update_one({}, {"$set": {"holder": "another"}})

    monkeypatch.setattr(runs, "write_changes", frozen)
    with pytest.raises(LeaseLost):
        repair(target)
    assert numbers(db) == before


def test_a_number_that_is_taken_all_the_same_is_passed_over(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "newest_number", lambda target, series: 2)
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
