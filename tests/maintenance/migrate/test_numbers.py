"""Python and MongoDB agree on what is a number, whatever type it is stored as."""

from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64

from finance.database import Db
from finance.maintenance.migrate.numbers import as_number, number_of, whole


@pytest.mark.parametrize("stored", [12, 12.0, Int64(12), "12", " 12 ", "012", "+12", "12.0", Decimal128("12")])
def test_all_of_these_are_twelve(db: Db, stored: Any) -> None:
    assert (number_of(stored), whole(stored), _of_mongodb(db, stored)) == (12, 12, 12)


@pytest.mark.parametrize("stored", [None, True, "", "x", "12a", "1e3", "1 2", "١٢", "NaN", [12], {"n": 12}])
def test_none_of_these_is_a_number(db: Db, stored: Any) -> None:
    assert (number_of(stored), whole(stored), _of_mongodb(db, stored)) == (None, None, None)


@pytest.mark.parametrize("stored", [12.5, "12.5", Decimal128("12.5")])
def test_a_half_is_a_number_and_not_a_whole_one(db: Db, stored: Any) -> None:
    assert (number_of(stored), whole(stored), _of_mongodb(db, stored)) == (Decimal("12.5"), None, Decimal("12.5"))


def _of_mongodb(db: Db, stored: Any) -> Decimal | None:
    db.numbers.insert_one({"stored": stored})
    [found] = db.numbers.aggregate([{"$project": {"number": as_number("$stored")}}])
    return None if found["number"] is None else found["number"].to_decimal()
