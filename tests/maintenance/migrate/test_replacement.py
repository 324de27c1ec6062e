"""The story of the sequences: a unique index on the shop alone, while there is one sequence a shop, year and month."""

import threading
from typing import Any

import pytest
from bson import Decimal128, Int64
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.maintenance.migrate import replacement
from finance.maintenance.migrate.replacement import Replacement, look, replace_index
from tests.older_systems import everything_in

RIGHT = ("shop", "year", "month")


def sequences(db: Db, **options: Any) -> Replacement:
    return Replacement(db=db, collection="sequencefactures", wrong=("shop",), right=RIGHT, **options)


def sequence(shop: Any, month: int, last: int, **fields: Any) -> dict[str, Any]:
    return {"shop": shop, "year": 2026, "month": month, "last": last, **fields}


def stored(db: Db) -> list[tuple[Any, int, int]]:
    return sorted((s["shop"], s["month"], s["last"]) for s in db.sequencefactures.find())


def test_a_shop_gets_its_second_month(db: Db) -> None:
    db.sequencefactures.create_index("shop", unique=True)
    db.sequencefactures.insert_one(sequence("DKR1", 10, 41))
    with pytest.raises(DuplicateKeyError):
        db.sequencefactures.insert_one(sequence("DKR1", 11, 1))
    found = look(sequences(db))
    assert (found.wrong, found.right, found.is_right) == (["shop_1"], "missing", False)
    done = replace_index(sequences(db))
    assert (done.dropped, done.standing, done.moved) == (["shop_1"], "unique", 0)
    assert look(sequences(db)).is_right
    db.sequencefactures.insert_one(sequence("DKR1", 11, 1))
    with pytest.raises(DuplicateKeyError):
        db.sequencefactures.insert_one(sequence("DKR1", 11, 2))


def test_of_equal_sequences_the_most_advanced_stays_and_the_others_are_kept_aside(db: Db) -> None:
    duplicates = [sequence("DKR1", 10, last) for last in (3, 41, 7)]
    db.sequencefactures.insert_many([*duplicates, sequence("DKR1", 11, 1), sequence(None, 11, 1)])
    assert look(sequences(db)).groups == 1
    done = replace_index(sequences(db, keep_max="last"))
    assert (done.moved, done.standing) == (2, "unique")
    assert {("DKR1", 10, 41), ("DKR1", 11, 1)} < {
        (s["shop"], s["month"], s["last"]) for s in db.sequencefactures.find()
    }
    assert sorted(db.sequencefactures_replaced.find(), key=lambda s: s["last"]) == [duplicates[0], duplicates[2]]


def test_without_a_choice_equal_ones_stay_and_nothing_is_built_that_refuses_others(db: Db) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3), sequence("DKR1", 10, 4)])
    before = everything_in(db)

    done = replace_index(sequences(db))

    assert (done.moved, done.standing, done.dropped) == (0, "missing", [])
    assert everything_in(db) == before


def test_the_one_that_stays_is_raised_to_the_data(db: Db) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3), sequence("DKR1", 10, 5), sequence("DKR1", 11, 9)])
    db.factures.insert_many([{"shop": "DKR1", "year": 2026, "month": 10, "number": n} for n in (1, 8, 2)])
    db.factures.insert_one({"shop": "DKR1", "year": 2026, "month": 11, "number": 4})
    done = replace_index(sequences(db, keep_max="last", data_collection="factures", data_field="number"))
    assert (done.moved, done.raised) == (1, 1)
    assert stored(db) == [("DKR1", 10, 8), ("DKR1", 11, 9)]


def test_one_that_advances_meanwhile_is_looked_at_again(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3, name="a"), sequence("DKR1", 10, 4, name="b")])
    value_at, advanced = replacement.value_at, []

    def meanwhile(document: dict[str, Any], field: str) -> Any:
        value = value_at(document, field)
        if not advanced:
            advanced.append(db.sequencefactures.update_one({"name": "a"}, {"$set": {"last": 10}}))
        return value

    monkeypatch.setattr(replacement, "value_at", meanwhile)
    assert replace_index(sequences(db, keep_max="last")).moved == 1
    assert stored(db) == [("DKR1", 10, 10)]


def test_a_run_killed_between_copy_and_delete_is_gone_on_with(db: Db) -> None:
    low, high = sequence("DKR1", 10, 3), sequence("DKR1", 10, 4)
    db.sequencefactures.insert_many([low, high])
    db.sequencefactures_replaced.insert_one(low)
    assert replace_index(sequences(db, keep_max="last")).moved == 1
    assert list(db.sequencefactures_replaced.find()) == [low]


def test_no_moment_without_protection_while_others_write(db: Db) -> None:
    db.sequencefactures.create_index("shop", unique=True)
    db.sequencefactures.insert_many([sequence(f"S{n}", 10, n) for n in range(2000)])
    stop, stored_twice, tried = threading.Event(), [], [0]

    def keep_trying() -> None:
        while not stop.is_set():
            try:
                db.sequencefactures.insert_one(sequence("S1", 10, 1))
                stored_twice.append(1)
            except DuplicateKeyError:
                tried[0] += 1

    thread = threading.Thread(target=keep_trying)
    thread.start()
    done = replace_index(sequences(db, keep_max="last"))
    stop.set()
    thread.join()
    assert (done.dropped, stored_twice) == (["shop_1"], [])
    assert tried[0] > 0


@pytest.mark.parametrize(
    ("smaller", "larger"), [("9", "10"), ("3", 12), (9, "10"), (2.0, Decimal128("11")), ("007", 8), (Int64(9), 10.0)]
)
def test_numbers_are_compared_as_numbers_whatever_their_type(db: Db, smaller: Any, larger: Any) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, last) for last in (smaller, larger, smaller)])

    assert replace_index(sequences(db, keep_max="last")).moved == 2

    assert [stored["last"] for stored in db.sequencefactures.find()] == [larger]


@pytest.mark.parametrize("no_number", [None, "", "x", True, [], float("nan"), "1e3", "٣"])
def test_a_group_with_something_else_is_left_and_listed(db: Db, no_number: Any) -> None:
    db.sequencefactures.create_index("shop", unique=False)
    left, settled = [sequence("DKR1", 10, 4), sequence("DKR1", 10, no_number)], sequence("THIES", 10, 9)
    db.sequencefactures.insert_many([*left, settled, sequence("THIES", 10, 8)])

    found = look(sequences(db, keep_max="last"))
    done = replace_index(sequences(db, keep_max="last"))

    assert (found.groups, found.left) == (2, 1)
    assert sorted((str(one.group.scope[0]), one.kept) for one in found.first) == [("DKR1", None), ("THIES", 9)]
    assert (done.moved, done.standing) == (1, "prepared")
    assert db.sequencefactures.count_documents({"shop": "DKR1"}) == 2
    assert [stored["last"] for stored in db.sequencefactures.find({"shop": "THIES"})] == [9]


def test_nothing_is_deleted_whose_other_fields_changed_since_its_copy_was_made(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3, name="a"), sequence("DKR1", 10, 4, name="b")])
    unchanged, renamed = replacement._unchanged, []

    def meanwhile(document: Any) -> Any:
        if document["name"] == "a" and not renamed:
            renamed.append(db.sequencefactures.update_one({"name": "a"}, {"$set": {"closed_by": "Awa"}}))
        return unchanged(document)

    monkeypatch.setattr(replacement, "_unchanged", meanwhile)

    assert replace_index(sequences(db, keep_max="last")).moved == 1
    assert [copy["closed_by"] for copy in db.sequencefactures_replaced.find()] == ["Awa"], "copied again as it is now"


def test_the_others_are_not_deleted_once_the_one_that_stays_is_gone(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3, name="a"), sequence("DKR1", 10, 4, name="b")])
    unchanged, deleted = replacement._unchanged, []

    def meanwhile(document: Any) -> Any:
        if document["name"] == "b" and not deleted:
            deleted.append(db.sequencefactures.delete_one({"name": "b"}))
        return unchanged(document)

    monkeypatch.setattr(replacement, "_unchanged", meanwhile)
    replace_index(sequences(db, keep_max="last"))

    assert stored(db) == [("DKR1", 10, 3)]


@pytest.mark.parametrize(("last", "number", "after"), [("5", 8, "8"), (5, "8", 8), ("9", "10", "10"), ("12", 8, "12")])
def test_the_one_that_stays_is_raised_to_data_of_any_type_and_keeps_its_own(
    db: Db, last: Any, number: Any, after: Any
) -> None:
    db.sequencefactures.insert_one(sequence("DKR1", 10, last))
    db.factures.insert_many([{"shop": "DKR1", "year": 2026, "month": 10, "number": n} for n in (1, number, "x", None)])

    replace_index(sequences(db, keep_max="last", data_collection="factures", data_field="number"))

    assert [stored["last"] for stored in db.sequencefactures.find()] == [after]
