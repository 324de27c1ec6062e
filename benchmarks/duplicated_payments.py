"""A database that older software left: payments of several tenants and years, one in a hundred with a taken number.

What a repair must do is worked out here, in plain Python and without the code under test.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern

from finance.database import Db
from finance.payments.model import payment_series

TENANTS = ("acme", "beta", "gamma-1", "zeta")
YEARS = (2025, 2026)
GROUP_MAX = 50
_BATCH = 10_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Expected:
    """What is to be found. `numbers` are all documents' numbers as they were: (payment_number, number_seq) by id."""

    groups: int = 0
    losers: set[ObjectId] = field(default_factory=set)
    numbers: dict[ObjectId, tuple[str, int]] = field(default_factory=dict)


def fill(db: Db, count: int, *, seed: int = 1, one_in: int = 100, group_max: int = GROUP_MAX) -> Expected:
    """Store `count` payments, in an order that isn't that of their numbers, and the counters far behind them.

    One in `one_in` has a number that another one has as well, in groups of 2 to `group_max`.
    """
    chance = random.Random(seed)
    expected = Expected()
    db.payments.drop_index("payment_number_unique")
    fast = db.payments.with_options(write_concern=WriteConcern(w=1))
    batch: list[dict[str, Any]] = []
    for payment in _payments(count, chance, expected, one_in, group_max):
        expected.numbers[payment["_id"]] = (payment["payment_number"], payment["number_seq"])
        batch.append(payment)
        if len(batch) == _BATCH:
            chance.shuffle(batch)
            fast.insert_many(batch, ordered=False)
            batch = []
    if batch:
        fast.insert_many(batch, ordered=False)
    for tenant in TENANTS:
        db.counters.insert_one({"_id": payment_series(tenant, YEARS[0]).counter_id, "seq": 3})
    return expected


def _payments(
    count: int, chance: random.Random, expected: Expected, one_in: int, group_max: int
) -> Iterator[dict[str, Any]]:
    """Yield the payments of each series: numbers 1, 2, 3, …, and now and then a group that has one number."""
    per_series = count // (len(TENANTS) * len(YEARS))
    for tenant in TENANTS:
        for year in YEARS:
            duplicates_left = per_series // one_in
            left, number_seq = per_series, 0
            while left:
                number_seq += 1
                extra = 0
                if duplicates_left and chance.random() < 1 / one_in:
                    extra = min(chance.randint(1, group_max - 1), duplicates_left, left - 1)
                duplicates_left -= extra
                group = [_payment(tenant, year, number_seq, chance) for _ in range(1 + extra)]
                left -= len(group)
                if len(group) > 1:
                    _expect(group, chance, expected)
                yield from group


def _expect(group: list[dict[str, Any]], chance: random.Random, expected: Expected) -> None:
    """Make some of a group voided and some equally old, and note who must give the number up."""
    for payment in group:
        if chance.random() < 0.2:
            payment["status"] = "voided"
        if chance.random() < 0.3:
            payment["created_at"] = group[0]["created_at"]
    group_by_rank = sorted(group, key=lambda p: (p["status"] == "voided", p["created_at"], p["_id"]))
    expected.groups += 1
    expected.losers.update(payment["_id"] for payment in group_by_rank[1:])


def _payment(tenant: str, year: int, number_seq: int, chance: random.Random) -> dict[str, Any]:
    return {
        "_id": ObjectId(),
        "tenant": tenant,
        "payment_number": payment_series(tenant, year).format(number_seq),
        "number_year": year,
        "number_seq": number_seq,
        "amount_minor": number_seq,
        "currency": "EUR",
        "payer": "Ana",
        "payer_folded": "ana",
        "method": "cash",
        "direction": "incoming",
        "paid_on": f"{year}-05-01",
        "status": "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": _BEGIN + timedelta(seconds=chance.randint(0, 10_000_000)),
        "created_by": "key",
    }
