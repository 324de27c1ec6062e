"""Customers' codes: given by the counter, handed out for a form, or chosen by somebody."""

from datetime import timedelta

from finance.database import Db
from finance.maintenance.audit.record import record_gaps
from finance.maintenance.audit.series import audit
from finance.maintenance.kinds import CUSTOMERS
from finance.maintenance.series import sync_counters
from tests.maintenance.audit.conftest import audit_one, unexplained
from tests.maintenance.conftest import NOW

LONG_AGO = NOW - timedelta(days=30)


def store(db: Db, *number_seqs: int, handed_out: tuple[int, ...] = (), counter: int, reserved_s: int = 3600) -> None:
    of = {"tenant": "acme", "created_at": LONG_AGO, "status": "active"}
    if number_seqs:
        db.customers.insert_many([{**of, "number_seq": n, "customer_code": f"CUST-{n:06}"} for n in number_seqs])
    if handed_out:
        given = {"tenant": "acme", "handed_out_at": LONG_AGO}
        db.customer_codes.insert_many([{**given, "number_seq": n, "customer_code": f"CUST-{n:06}"} for n in handed_out])
    db.counters.insert_one({"_id": "customer:acme", "seq": counter, "reserved_at": NOW - timedelta(seconds=reserved_s)})


def test_a_code_is_a_customer_or_was_handed_out_or_is_lost(db: Db) -> None:
    store(db, 1, 4, handed_out=(2, 4), counter=6)
    found = audit_one(db)
    assert found.findings["unexplained"] == [unexplained(3, 3), unexplained(5, 6)]
    assert (found.documents, found.unused_codes) == (2, 1)
    assert record_gaps(db, now=NOW).recorded == 3
    assert audit_one(db).is_accounted_for


def test_a_code_that_somebody_chose_far_beyond_the_counter_says_nothing_of_those_before_it(db: Db) -> None:
    store(db, 1, 301819, counter=2, handed_out=(2,))
    found = audit_one(db)
    assert (found.is_accounted_for, found.beyond_counter, found.documents) == (True, 1, 1)
    assert sync_counters(db, kinds=[CUSTOMERS]) == []


def test_a_code_that_was_just_reserved_is_on_its_way_whoever_chose_the_one_after_it(db: Db) -> None:
    store(db, 1, 3, counter=3, reserved_s=5)
    assert audit_one(db).counts == {"on_their_way": 1}


def test_a_counter_behind_codes_that_were_handed_out_is_raised(db: Db) -> None:
    store(db, 1, handed_out=(2, 3), counter=1)
    assert audit_one(db).counts["counter_behind"] == 2
    assert [(before, after) for _series, before, after in sync_counters(db)] == [(1, 3)]
    assert all(series.is_accounted_for for series in audit(db, now=NOW))
