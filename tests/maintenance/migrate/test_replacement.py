"""The story of the sequences: a unique index on the shop alone, while there is one sequence a shop, year and month."""

import threading
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.maintenance.migrate import replacement
from finance.maintenance.migrate.replacement import Replacement, look, replace_index

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


def test_without_a_choice_equal_ones_stay_and_more_are_refused(db: Db) -> None:
    db.sequencefactures.insert_many([sequence("DKR1", 10, 3), sequence("DKR1", 10, 4)])
    done = replace_index(sequences(db))
    assert (done.moved, done.standing, done.dropped) == (0, "prepared", [])
    with pytest.raises(DuplicateKeyError):
        db.sequencefactures.insert_one(sequence("DKR1", 10, 5))


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
