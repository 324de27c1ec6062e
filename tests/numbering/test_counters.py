"""Counters on a real mongod: first and later, one and many, alone and at once."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from finance.database import Db
from finance.numbering import counters
from finance.numbering.series import Series
from tests.clients import at_once

SERIES = Series(tenant="acme", kind="payment", prefix="PAY2026", digits_min=4, period="2026")
SHOP = Series(tenant="acme", kind="invoice", prefix="FAC-DKR1-202611-", digits_min=4, scope="DKR1", period="2026-11")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_first_number_is_1(db: Db) -> None:
    assert list(counters.reserve(db, SERIES, 1)) == [1]
    assert counters.read(db, SERIES) == 1


def test_many_numbers_are_reserved_in_one_go(db: Db) -> None:
    assert list(counters.reserve(db, SERIES, 3)) == [1, 2, 3]


def test_later_numbers_follow(db: Db) -> None:
    counters.reserve(db, SERIES, 3)

    assert list(counters.reserve(db, SERIES, 2)) == [4, 5]


def test_each_series_counts_for_itself(db: Db) -> None:
    others = [
        Series(**{**vars(SERIES), "tenant": "globex"}),
        Series(**{**vars(SERIES), "period": "2027"}),
        SHOP,
        Series(**{**vars(SHOP), "scope": "DKR2"}),
    ]
    counters.reserve(db, SERIES, 7)

    assert [list(counters.reserve(db, series, 1)) for series in others] == [[1]] * 4
    assert counters.read(db, SERIES) == 7


def test_first_numbers_reserved_at_once_make_one_counter(db: Db) -> None:
    reserved = at_once(32, lambda _position: counters.reserve(db, SERIES, 1))

    assert sorted(number for numbers in reserved for number in numbers) == list(range(1, 33))
    assert db.counters.count_documents({}) == 1


def test_later_numbers_reserved_at_once_never_overlap(db: Db) -> None:
    counters.reserve(db, SERIES, 10)

    reserved = at_once(16, lambda position: [*counters.reserve(db, SERIES, position + 1)])

    assert sorted(number for numbers in reserved for number in numbers) == list(range(11, 11 + sum(range(1, 17))))


def test_a_counter_nobody_used_reads_0(db: Db) -> None:
    assert counters.read(db, SERIES) == 0
    assert db.counters.count_documents({}) == 0


@pytest.mark.parametrize(
    ("before", "raised_to", "after"),
    [(0, 500, 500), (499, 500, 500), (500, 500, 500), (501, 500, 501), (9000, 0, 9000)],
)
def test_a_counter_is_raised_and_never_lowered(db: Db, before: int, raised_to: int, after: int) -> None:
    if before:
        counters.reserve(db, SERIES, before)

    counters.raise_to(db, SERIES, raised_to)

    assert counters.read(db, SERIES) == after
    assert list(counters.reserve(db, SERIES, 1)) == [after + 1]


def test_raises_at_once_end_at_the_highest(db: Db) -> None:
    at_once(16, lambda position: counters.raise_to(db, SERIES, position * 10))

    assert list(db.counters.find({}, {"seq": True})) == [{"_id": "payment:acme:2026", "seq": 150}]


def test_a_gap_is_recorded_with_its_number_and_reason(db: Db) -> None:
    recorded = counters.record_gaps(db, [(SHOP, 12)], reason="not_stored", recorded_at=NOW)

    assert recorded == 1
    assert list(db.number_gaps.find({}, {"_id": False})) == [
        {
            "tenant": "acme",
            "kind": "invoice",
            "scope": "DKR1",
            "period": "2026-11",
            "number_seq": 12,
            "number": "FAC-DKR1-202611-0012",
            "reason": "not_stored",
            "recorded_at": NOW,
        }
    ]


def test_a_gap_recorded_again_stays_as_it_was(db: Db) -> None:
    counters.record_gaps(db, [(SERIES, 3)], reason="not_stored", recorded_at=NOW)

    again = counters.record_gaps(
        db, [(SERIES, 3), (SERIES, 4)], reason="killed_process", recorded_at=NOW + timedelta(days=1)
    )

    assert again == 1
    assert [(gap["number_seq"], gap["reason"]) for gap in db.number_gaps.find().sort("number_seq")] == [
        (3, "not_stored"),
        (4, "killed_process"),
    ]


def test_a_gap_recorded_at_once_is_recorded_once(db: Db) -> None:
    before = _gaps_recorded("payment")

    recorded = at_once(
        16, lambda _position: counters.record_gaps(db, [(SERIES, 3)], reason="not_stored", recorded_at=NOW)
    )

    assert sum(recorded) == 1
    assert db.number_gaps.count_documents({}) == 1
    assert _gaps_recorded("payment") - before == 1


def _gaps_recorded(kind: str) -> float:
    return REGISTRY.get_sample_value("finance_number_gaps_recorded_total", {"kind": kind}) or 0.0


@pytest.mark.parametrize("seq", ["7", None, float("nan"), [7], -5, 10**17])
def test_an_unreadable_counter_is_put_right(db: Db, seq: object) -> None:
    db.counters.insert_one({"_id": SERIES.counter_id, "seq": seq})
    assert counters.peek(db, SERIES) is None

    counters.put_right(db, SERIES, 500)

    assert counters.read(db, SERIES) == 500


def test_a_counter_that_another_operator_put_right_is_never_lowered(db: Db) -> None:
    counters.raise_to(db, SERIES, 510)

    counters.put_right(db, SERIES, 500)

    assert counters.read(db, SERIES) == 510
