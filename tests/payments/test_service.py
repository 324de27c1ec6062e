"""The rules of payments, on mongomock: shapes and states alone."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import mongomock
import pytest

from finance import database
from finance.asked import Asked
from finance.database import Db
from finance.errors import Invalid
from finance.indexes import INDEXES
from finance.numbering.lane import Lane
from finance.once import Answer
from finance.payments import service
from finance.payments.model import Payment
from finance.payments.service import PaymentAlreadyVoided, PaymentNotFound

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked(tenant="acme", by="key", now=NOW)
POSTED = {"amount_minor": 125050, "currency": "EUR", "payer": "Ada", "method": "card", "direction": "incoming"}


@pytest.fixture
def mock_db() -> Db:
    db = mongomock.MongoClient(tz_aware=True)["finance"]
    # mongomock takes no notice of partialFilterExpression: a missing key would count as taken.
    database.create_indexes(db, [index for index in INDEXES if index.partial is None])
    return db


def _record(db: Db, **change: Any) -> Answer[Payment]:
    lane = Lane(
        lambda drafts: service.commit_payments(db, drafts, numbering=change.get("numbering", "standard"), now=NOW),
        kind="payment",
    )
    submit = partial(lane.submit, deadline_s=5)
    return service.record_payment(db, ASKED, submit=submit, posted=POSTED | change.get("posted", {}), today=NOW.date())


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_numbers_follow_each_other_within_a_year(mock_db: Db, numbering: str) -> None:
    days = [date(2026, 1, 1), date(2025, 12, 31), date(2026, 5, 5)]

    numbers = [
        _record(mock_db, numbering=numbering, posted={"paid_on": day}).document["payment_number"] for day in days
    ]

    assert numbers == ["PAY20260001", "PAY20250001", "PAY20260002"]


@pytest.mark.parametrize(
    ("paid_on", "accepted"),
    [
        (date(2000, 1, 1), True),
        (date(1999, 12, 31), False),
        (date(2027, 11, 20), True),
        (date(2027, 11, 21), False),
    ],
)
def test_a_day_is_from_2000_to_one_year_ahead(mock_db: Db, paid_on: date, accepted: bool) -> None:
    if accepted:
        assert _record(mock_db, posted={"paid_on": paid_on}).document["paid_on"] == paid_on.isoformat()
    else:
        with pytest.raises(Invalid):
            _record(mock_db, posted={"paid_on": paid_on})
        assert mock_db.payments.count_documents({}) == 0


def test_on_29_february_one_year_ahead_is_28_february(mock_db: Db) -> None:
    service.require_possible_day(date(2029, 2, 28), today=date(2028, 2, 29))
    with pytest.raises(Invalid):
        service.require_possible_day(date(2029, 3, 1), today=date(2028, 2, 29))


def test_an_unknown_number_is_not_found(mock_db: Db) -> None:
    with pytest.raises(PaymentNotFound):
        service.get_payment(mock_db, tenant="acme", payment_number="PAY20260001")


def test_voiding_twice_is_a_conflict_and_keeps_the_first_reason(mock_db: Db) -> None:
    number = _record(mock_db).document["payment_number"]
    service.void_payment(mock_db, ASKED, payment_number=number, reason="first")

    with pytest.raises(PaymentAlreadyVoided):
        service.void_payment(mock_db, ASKED, payment_number=number, reason="second")

    assert service.get_payment(mock_db, tenant="acme", payment_number=number)["void_reason"] == "first"
