"""Repairs of a collection that other software filled: which numbers are protected, and what stood there before."""

from collections.abc import Callable
from typing import Any

import pytest
from bson import Decimal128
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.maintenance import fences
from finance.maintenance.target import Target, foreign
from tests.maintenance.conftest import Run
from tests.maintenance.repair.conftest import Killed, failing_at, repair, take_back

NAMED = ("--collection", "old", "--number-field", "paymentNumber", "--apply")
TEXTS = {"paymentNumber": {"$type": "string"}}
UNIQUE = "paymentNumber_unique_of_any_type"
COMMANDS_MAX = 200
Written = Callable[..., Target]


def the_target(db: Db) -> Target:
    return foreign(db, collection="old", number_field="paymentNumber", scope_fields=(), created_field="createdAt")


@pytest.fixture
def written(db: Db) -> Written:
    """`written("A1", 2)` stores documents with these numbers, as a software whose index is not unique."""

    def write(*numbers: Any) -> Target:
        db.old.insert_many([{"paymentNumber": number} for number in numbers])
        db.old.create_index("paymentNumber")
        return the_target(db)

    return write


def indexes(db: Db) -> set[str]:
    return {name for name in db.old.index_information() if "unique" in name}


def test_numbers_that_are_no_texts_are_protected_too(run: Run, db: Db, written: Written) -> None:
    written(1, 2, 3, None, None)
    db.old.insert_one({"note": "no number"})
    code, output = run("repair_duplicates.py", *NAMED)
    assert (code, f"The index old.{UNIQUE} is unique (read back" in output) == (0, True)
    for again in (2, 2.0, Decimal128("2")):
        with pytest.raises(DuplicateKeyError):
            db.old.insert_one({"paymentNumber": again})
    db.old.insert_many([{}, {}, {"paymentNumber": None}, {"paymentNumber": "2"}])


def test_where_integers_stand_twice_no_index_is_called_unique(run: Run, db: Db, written: Written) -> None:
    written(1, 1, 2, 3)
    code, output = run("repair_duplicates.py", *NAMED)
    assert (code, "it is not unique while old ones stand" in output) == (1, True)
    for again in (1, 2):
        with pytest.raises(DuplicateKeyError):
            db.old.insert_one({"paymentNumber": again})


def test_a_list_that_stands_in_the_way_of_the_index_is_named(run: Run, db: Db, written: Written) -> None:
    written("PAY20260001", ["PAY20260001"], "PAY20260001", 4)
    (list_id,) = db.old.distinct("_id", {"paymentNumber": {"$type": "array"}})
    for renumbered in (1, 0):
        code, output = run("repair_duplicates.py", *NAMED)
        assert (code, f"{renumbered} documents renumbered" in output) == (1, True)
        assert f"The paymentNumber of {list_id} is a list" in output
    db.old.delete_one({"_id": list_id})
    code, output = run("repair_duplicates.py", *NAMED)
    assert (code, "is a list" in output) == (0, False)


def test_the_index_of_an_earlier_version_is_replaced_without_an_unprotected_moment(
    db: Db, mongodb_uri: str, written: Written
) -> None:
    """Each command that the repair sends to MongoDB is the last one, once."""
    written("PAY20260001", "PAY20260002", 3)
    db.old.create_index("paymentNumber", name="paymentNumber_unique", unique=True, partialFilterExpression=TEXTS)
    for killed_at in range(1, COMMANDS_MAX):
        with failing_at(mongodb_uri, db.name, killed_at) as failing:
            try:
                repair(the_target(failing))
                break
            except Killed:
                with pytest.raises(DuplicateKeyError):
                    db.old.insert_one({"paymentNumber": "PAY20260001"})
                db.maintenance_leases.delete_many({})
    else:
        pytest.fail("it never ended")
    assert (killed_at > 10, indexes(db)) == (True, {UNIQUE})


def test_a_repair_of_an_earlier_version_is_undone(db: Db, written: Written) -> None:
    target = written("PAY20260001", "PAY20260001", "PAY20260002")
    run, _result = repair(target)
    db.old.drop_index(UNIQUE)
    db.old.create_index("paymentNumber", name="paymentNumber_unique", unique=True, partialFilterExpression=TEXTS)
    undone = take_back(db, run)
    assert (undone.put_back, undone.left_by_reason, undone.standing) == (1, {}, "unique")
    assert indexes(db) == {f"{UNIQUE}_undone"}
    with pytest.raises(DuplicateKeyError):
        db.old.insert_one({"paymentNumber": "PAY20260001"})


def test_what_an_undo_of_an_earlier_version_left_is_taken_off_by_the_next_repair(db: Db, written: Written) -> None:
    target = written("PAY20260001", "PAY20260001", "PAY20260002")
    db.old.update_one({"paymentNumber": "PAY20260001"}, {"$set": {"undone_number": "PAY20260003"}})
    keys = [("paymentNumber", 1), ("undone_number", 1)]
    db.old.create_index(keys, name="paymentNumber_unique_undone", unique=True, partialFilterExpression=TEXTS)
    assert repair(target)[1].is_unique
    assert indexes(db) == {UNIQUE}
    assert db.old.count_documents({"undone_number": {"$exists": True}}) == 0


def test_an_index_just_like_it_that_is_another_softwares_stays(db: Db, written: Written) -> None:
    target = written("PAY20260001", "PAY20260002")
    db.old.create_index("paymentNumber", name="unique_of_theirs", unique=True, partialFilterExpression=TEXTS)
    assert repair(target)[1].is_unique
    assert indexes(db) == {UNIQUE, "unique_of_theirs"}
    assert fences.find_standing(db, target.unique_index) == (UNIQUE, "unique")
