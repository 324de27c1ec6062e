"""Counters that are behind, and which series there are."""

from collections.abc import Callable

from finance.database import Db
from finance.maintenance.series import sync_counters
from finance.numbering import counters
from finance.payments.model import payment_series
from tests.maintenance.conftest import NOW, YEAR

ACME = payment_series("acme", YEAR)


def test_counters_are_raised_to_payments_and_gaps_and_never_lowered(db: Db, store: Callable[..., None]) -> None:
    store(1, 2, counter=1)
    store(1, counter=9, tenant="ahead")
    counters.record_gaps(db, [(ACME, 3)], reason="lost", recorded_at=NOW)
    raised = sync_counters(db)
    assert [(series.counter_id, before, after) for series, before, after in raised] == [("payment:acme:2026", 1, 3)]
    assert db.counters.find_one({"_id": "payment:ahead:2026"})["seq"] == 9
