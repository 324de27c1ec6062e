"""The recorded gaps of one series, as pages list them."""

import pytest

from finance.database import Db, create_indexes
from finance.maintenance.audit import explanations
from finance.maintenance.audit.explanations import list_gaps
from finance.numbering import counters
from finance.payments.model import payment_series
from tests.maintenance.conftest import NOW, YEAR

ACME = payment_series("acme", YEAR)


def record(db: Db, *number_seqs: int, reason: str = "lost") -> None:
    counters.record_gaps(db, [(ACME, number_seq) for number_seq in number_seqs], reason=reason, recorded_at=NOW)


def told(db: Db, **options: int) -> list[tuple[str, str, int, str]]:
    return [(gap.first, gap.last, gap.count, gap.reason) for gap in list_gaps(db, ACME, **options).rows]


def test_numbers_side_by_side_of_one_reason_are_one_line(db: Db) -> None:
    record(db, 2, 3, 4, 9)
    record(db, 5, reason="not_stored")
    counters.record_gaps(db, [(payment_series("zeta", YEAR), 1)], reason="lost", recorded_at=NOW)
    assert told(db) == [
        ("PAY20260002", "PAY20260004", 3, "lost"),
        ("PAY20260005", "PAY20260005", 1, "not_stored"),
        ("PAY20260009", "PAY20260009", 1, "lost"),
    ]
    assert list_gaps(db, ACME).position is None
    assert list_gaps(db, ACME).rows[0].recorded_at == NOW


def test_a_page_leads_to_the_next_one_and_none_is_left_out(db: Db) -> None:
    record(db, *range(1, 20, 2))
    first = list_gaps(db, ACME, limit=6)
    assert (len(first.rows), first.position) == (6, 11)
    second = list_gaps(db, ACME, after=11, limit=6)
    assert ([gap.first_seq for gap in second.rows], second.position) == ([13, 15, 17, 19], None)


def test_a_page_reads_no_more_than_its_limit(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanations, "READ_MAX", 4)
    record(db, *range(1, 8), 10)
    first = list_gaps(db, ACME)
    assert ([(gap.first_seq, gap.last_seq) for gap in first.rows], first.position) == ([(1, 4)], 4)
    second = list_gaps(db, ACME, after=4)
    assert ([(gap.first_seq, gap.last_seq) for gap in second.rows], second.position) == ([(5, 7), (10, 10)], None)


def test_an_entry_that_is_damaged_is_shown_as_far_as_it_can_be(db: Db) -> None:
    db.number_gaps.insert_one({**ACME.identity, "number_seq": 2.0, "reason": {"odd": 1}, "recorded_at": "then"})
    (gap,) = list_gaps(db, ACME).rows
    assert (gap.first, gap.reason, gap.recorded_at) == ("PAY20260002", "{'odd': 1}", None)


def test_an_index_answers_and_reads_only_what_is_shown(db: Db) -> None:
    db.number_gaps.drop()  # an array that another test left there once would be remembered by the index
    create_indexes(db)
    record(db, *range(1, 100))
    db.command("profile", 2)
    list_gaps(db, ACME, after=90)
    db.command("profile", 0)
    (asked,) = db.system.profile.find({"ns": f"{db.name}.number_gaps"})
    assert asked["docsExamined"] == 9
