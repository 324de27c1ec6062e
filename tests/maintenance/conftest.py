"""Payments as the API stores them, written straight into the database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from finance.database import Db
from finance.payments.model import payment_series

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = 2026


def a_payment(number_seq: int, *, tenant: str = "acme", year: int = YEAR, age_s: float = 3600, **fields: Any) -> dict:
    """Return a stored payment with this number, made `age_s` before NOW."""
    return {
        "_id": ObjectId(),
        "tenant": tenant,
        "payment_number": payment_series(tenant, year).format(number_seq),
        "number_year": year,
        "number_seq": number_seq,
        "amount_minor": 12_50,
        "currency": "EUR",
        "payer": "Ana",
        "payer_folded": "ana",
        "method": "cash",
        "direction": "incoming",
        "paid_on": f"{year}-05-01",
        "status": "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": NOW - timedelta(seconds=age_s),
        "created_by": "key",
        **fields,
    }


@pytest.fixture
def store(db: Db) -> Callable[..., None]:
    """`store(1, 2, 5, counter=5)` stores payments with these numbers, and the counter, last used `reserved_s` ago."""

    def write(*number_seqs: int, counter: int | None = None, reserved_s: float = 3600, **fields: Any) -> None:
        if number_seqs:
            db.payments.insert_many([a_payment(number_seq, **fields) for number_seq in number_seqs])
        if counter is not None:
            series = payment_series(fields.get("tenant", "acme"), fields.get("year", YEAR))
            db.counters.replace_one(
                {"_id": series.counter_id},
                {"seq": counter, "reserved_at": NOW - timedelta(seconds=reserved_s)},
                upsert=True,
            )

    return write
