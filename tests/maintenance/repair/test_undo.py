"""Repairs and their undoing, on a real mongod."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from benchmarks import duplicated_payments
from finance.asked import Asked
from finance.database import Db, create_indexes, deadline, find_unprotected
from finance.maintenance import fences
from finance.maintenance.audit.checks import DUPLICATES
from finance.maintenance.audit.series import audit
from finance.maintenance.duplicates import find_groups
from finance.maintenance.kinds import KINDS
from finance.maintenance.migrate.indexes import check, migrate
from finance.maintenance.repair import undo
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import Target, foreign, ours
from finance.payments import service as payments
from tests.clients import Client
from tests.clients import a_payment as a_posted_payment
from tests.maintenance.conftest import NOW, YEAR, a_payment
from tests.maintenance.repair.conftest import ACME, Killed, failing_at, numbers, repair, take_back

LATER = NOW + timedelta(seconds=1)
COMMANDS_MAX = 200


def test_undoing_puts_every_number_back_and_gives_none_twice(db: Db, target: Target) -> None:
    before = numbers(db)
    run, _result = repair(target)
    undone = take_back(db, run)
    assert (undone.put_back, undone.left_by_reason, undone.standing) == (2, {}, "unique")
    assert numbers(db) == before
    assert {gap["number_seq"]: gap["reason"] for gap in db.number_gaps.find()} == {
        4: "repair_undone",
        5: "repair_undone",
    }
    assert db.counters.find_one({"_id": ACME.counter_id})["seq"] == 5
    repair(target)
    assert {"PAY20260006", "PAY20260007"} <= set(numbers(db).values())


def test_after_an_undo_new_duplicates_are_refused_until_a_repair_makes_the_numbers_unique(
    db: Db, target: Target
) -> None:
    run, _result = repair(target)
    assert take_back(db, run).index == "payment_number_unique_undone"
    assert find_unprotected(db) == []
    for number_seq in (1, 2, 3):
        with pytest.raises(DuplicateKeyError):
            db.payments.insert_one(a_payment(number_seq))
    assert repair(target)[1].is_unique
    assert [name for name in db.payments.index_information() if "payment_number_unique" in name] == [
        "payment_number_unique"
    ]
    assert db.payments.count_documents({"undone_number": {"$exists": True}}) == 0


def test_payments_changed_since_and_deleted_ones_are_left(db: Db, target: Target) -> None:
    run, _result = repair(target)
    asked = Asked(tenant="acme", by="key", now=NOW)
    payments.void_payment(db, asked, payment_number="PAY20260004", reason="wrong")
    db.payments.delete_one({"payment_number": "PAY20260005"})
    undone = take_back(db, run)
    assert undone.left_by_reason == {"it was changed since": 1, "it was deleted since": 1}
    assert undone.put_back == 0
    assert undone.standing == "unique"


@pytest.mark.parametrize("damage", [{"history": []}, {"history": "none"}, {"history": [7]}, {"previous_numbers": 7}])
def test_one_damaged_document_is_listed_and_the_rest_is_put_back(db: Db, target: Target, damage: Any) -> None:
    run, _result = repair(target)
    db.payments.update_one({"payment_number": "PAY20260004"}, {"$set": damage})
    undone = take_back(db, run)
    assert undone.put_back == 1
    assert [(left["number"], "is damaged" in left["why"]) for left in undone.left] == [("PAY20260004", True)]
    assert find_unprotected(db) == []


def test_a_number_that_nobody_holds_any_more_is_held_by_the_first_that_comes_back(db: Db, target: Target) -> None:
    run, _result = repair(target)
    db.payments.update_one({"payment_number": "PAY20260002"}, {"$set": {"payment_number": "PAY20260077"}})
    assert take_back(db, run).put_back == 2
    marks = sorted(str(p.get("undone_number")) for p in db.payments.find({"payment_number": "PAY20260002"}))
    assert marks == ["None", "PAY20260004"]
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(2))


def test_a_mark_that_an_undo_left_does_not_open_the_number_at_the_next_undo(db: Db, target: Target) -> None:
    """The newest keeps the number this time: the very one that came back to it with a mark."""
    run, _result = repair(target)
    take_back(db, run)
    again, _result = repair(target, keep="newest")
    take_back(db, again)
    holders = [p for p in db.payments.find({"payment_number": "PAY20260002"}) if "undone_number" not in p]
    assert len(holders) == 1
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(2))


def test_indexes_may_be_migrated_between_an_undo_and_the_next(db: Db, target: Target) -> None:
    run, _result = repair(target)
    take_back(db, run)
    migrate(db, check(db), say=lambda line: None)
    assert fences.find_standing(db, target.unique_index)[1] == "prepared"
    again, _result = repair(target, keep="newest")
    assert take_back(db, again).put_back == 2
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(2))


def test_what_a_killed_undo_of_an_earlier_version_left_is_taken_over(db: Db, target: Target) -> None:
    """It put stand-ins in the place of the index, and had put one number back."""
    run, _result = repair(target)
    keys = [("tenant", 1), ("payment_number", 1)]
    untouched = {"previous_numbers": []}
    db.payments.create_index(
        keys, name="payment_number_unique_untouched", unique=True, partialFilterExpression=untouched
    )
    db.payments.create_index(
        keys, name="payment_number_unique_beside", partialFilterExpression={"payment_number": {"$gt": ""}}
    )
    db.payments.drop_index("payment_number_unique")
    db.payments.update_one(
        {"payment_number": "PAY20260004"}, {"$set": {"payment_number": "PAY20260002", "number_seq": 2}}
    )
    undone = take_back(db, run)
    assert (undone.put_back, undone.nothing_to_do, undone.standing) == (1, 1, "prepared")
    for number_seq in (1, 2, 3):
        with pytest.raises(DuplicateKeyError):
            db.payments.insert_one(a_payment(number_seq))
    assert repair(target)[1].is_unique
    assert [name for name in db.payments.index_information() if "payment_number_unique" in name] == [
        "payment_number_unique"
    ]


def test_a_preview_of_an_undo_says_what_it_would_do_and_changes_nothing(db: Db, target: Target) -> None:
    run, _result = repair(target)
    db.payments.delete_one({"payment_number": "PAY20260005"})
    before = {name: list(db[name].find()) for name in db.list_collection_names()}
    seen = undo.preview(target, undone=run)
    assert (seen.put_back, seen.left_by_reason) == (1, {"it was deleted since": 1})
    assert {name: list(db[name].find()) for name in db.list_collection_names()} == before
    assert take_back(db, run).put_back == 1


def test_numbers_are_protected_at_every_moment_of_an_undo_that_fails_anywhere(
    db: Db, mongodb_uri: str, target: Target
) -> None:
    """Each command that the undo sends to MongoDB is the last one, once; a client posts after each."""
    run, _result = repair(target)
    client, posted = Client(db), set()
    for killed_at in range(1, COMMANDS_MAX):
        with failing_at(mongodb_uri, db.name, killed_at) as failing:
            try:
                take_back(failing, run)
                break
            except Killed:
                for number_seq in (1, 2, 3):
                    with pytest.raises(DuplicateKeyError):
                        db.payments.insert_one(a_payment(number_seq))
                reply = client.post("/payments", json={**a_posted_payment(), "paid_on": f"{YEAR}-05-01"})
                posted.add(reply.json["payment_number"])
                db.maintenance_leases.delete_many({})
    else:
        pytest.fail("it never ended")
    assert len(posted) == killed_at - 1 > 10, "each was given a number of its own"
    assert posted.isdisjoint({"PAY20260004", "PAY20260005"}), "those that the repair gave are never given again"
    assert sorted(set(numbers(db).values()) - posted) == [f"PAY2026000{n}" for n in (1, 2, 3)]
    assert db.payments.count_documents({"payment_number": "PAY20260002"}) == 3
    unexplained = [series for series in audit(db, now=LATER, grace_s=0) if set(series.counts) - {DUPLICATES}]
    assert unexplained == []


def test_where_numbers_can_not_be_protected_nothing_is_put_back(
    db: Db, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.payments.insert_many([a_payment(9, number_year=None), a_payment(9, number_year=None)])
    run, _result = repair(target)
    monkeypatch.setattr(fences, "supports_prepare_unique", lambda db: False)
    before = numbers(db), db.payments.index_information()
    with pytest.raises(fences.CannotProtect, match="Nothing was changed"):
        take_back(db, run)
    assert (numbers(db), db.payments.index_information()) == before


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
    update_each, built = fences.update_each, []

    def meanwhile(*args: Any) -> Any:
        if not built:
            built.append(fences.fence(db, target.unique_index))
        return update_each(*args)

    monkeypatch.setattr(fences, "update_each", meanwhile)
    assert take_back(db, run).put_back == 2
    assert (built, numbers(db)) == (["prepared"], before)


def test_a_worker_that_starts_during_an_undo_builds_nothing_that_is_in_its_way(db: Db, target: Target) -> None:
    repair(target)
    fences.let_numbers_back(target)
    create_indexes(db)
    assert "payment_number_unique" not in db.payments.index_information()
    assert find_unprotected(db) == []


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
    assert (result.groups, result.renumbered, result.obstacles, result.standing) == (4, 4, 1, "prepared")
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
