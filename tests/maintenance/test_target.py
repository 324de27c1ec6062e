"""Which series a number of another software belongs to, and where its numbers go on."""

import pytest

from finance.database import Db
from finance.maintenance.target import foreign, newest_number, series_or_obstacle
from finance.numbering.series import Series


def series_of(db: Db, number: object, **document: object) -> Series | str:
    target = foreign(db, collection="old", number_field="n", scope_fields=("user",), created_field="createdAt")
    return series_or_obstacle(target, {"n": number, "user": 7, **document})


@pytest.mark.parametrize(
    ("number", "prefix", "next_number"),
    [
        ("PAY20260006", "PAY2026", "PAY20260007"),
        ("PAY202612345", "PAY2026", "PAY20260007"),
        ("PAY2026123456", "PAY2026", "PAY20260007"),
        ("CUST-301819", "CUST-", "CUST-000007"),
        ("INV/2026/007", "INV/2026/", "INV/2026/007"),
        ("INV-2026-11-0001", "INV-2026-11-", "INV-2026-11-0007"),
    ],
)
def test_a_fresh_number_has_the_shape_of_the_old_one(db: Db, number: str, prefix: str, next_number: str) -> None:
    series = series_of(db, number)
    assert isinstance(series, Series)
    assert (series.prefix, series.format(7)) == (prefix, next_number)
    assert series.counter_id == f"old.n:7:{prefix}"


@pytest.mark.parametrize("number", [20260006, None, "", "12345", "PAY", "PAY1767225600123", "PAY2026٠٠٠٦"])
def test_other_shapes_have_no_series(db: Db, number: object) -> None:
    assert isinstance(series_of(db, number), str)


def test_a_document_that_cant_keep_the_old_number_is_left(db: Db) -> None:
    assert series_of(db, "PAY20260006", previous_numbers="PAY20250001") == "previous_numbers is not a list"


def test_a_null_where_the_old_number_would_be_kept_is_no_missing_field(db: Db) -> None:
    assert series_of(db, "PAY20260006", previous_numbers=None) == "previous_numbers is null: remove it or make it []"
    assert isinstance(series_of(db, "PAY20260006", history=None), Series), "a history of theirs is not written"


def test_the_text_5_and_the_number_5_are_two_scopes(db: Db) -> None:
    ids = {series.counter_id for series in (series_of(db, "A0001", user="5"), series_of(db, "A0001", user=5))}
    assert len(ids) == 2


def test_a_time_of_day_does_not_lift_the_series(db: Db) -> None:
    numbers = [f"PAY2026{n:04d}" for n in range(1, 31)] + ["PAY2026123456", "PAY2026x", "PAY20260099b"]
    db.old.insert_many([{"user": 7, "n": number} for number in numbers] + [{"user": 8, "n": "PAY20260500"}])
    target = foreign(db, collection="old", number_field="n", scope_fields=("user",), created_field="createdAt")
    series = series_or_obstacle(target, {"n": "PAY2026123456", "user": 7})
    assert isinstance(series, Series)
    assert newest_number(target, series) == 30
    db.old.insert_many([{"user": 7, "n": f"PAY2026{n}"} for n in range(9_500, 10_200)])
    assert newest_number(target, series) == 10_199, "five digits where the numbers lead there"


def test_a_number_unique_in_the_whole_collection_is_counted_there(db: Db) -> None:
    db.old.create_index("n", unique=True)
    db.old.insert_many([{"user": 8, "n": "PAY20260500"}])
    series = series_of(db, "PAY20260006")
    assert isinstance(series, Series)
    assert series.counter_id == "old.n:*:PAY2026"
    target = foreign(db, collection="old", number_field="n", scope_fields=("user",), created_field="createdAt")
    assert newest_number(target, series) == 500


def test_a_list_among_the_numbers_is_none_of_them(db: Db) -> None:
    db.old.create_index([("user", 1), ("n", 1)])
    db.old.insert_many([{"user": 7, "n": n} for n in ("PAY20260006", ["PAY20260007"], ["PAY20260008", 9])])
    target = foreign(db, collection="old", number_field="n", scope_fields=("user",), created_field="createdAt")
    series = series_or_obstacle(target, {"n": "PAY20260006", "user": 7})
    assert isinstance(series, Series)
    assert newest_number(target, series) == 6
