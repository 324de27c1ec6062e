"""Payments that may be the same: one payer, amount, currency and day. Nobody is kept from paying twice; it is asked.

Also what pages ask of numbers: the one that was given under a key, and the newest of a year.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from finance import database
from finance.asked import Asked
from finance.damaged import text_of
from finance.database import Db, DriverError
from finance.paging import PageWanted
from finance.payments import store
from finance.payments.model import Payment
from finance.text import fold

LOOK_S = 0.25  # it is a courtesy: what keeps a request from being stored twice is its Idempotency-Key
AMOUNTS_AT_ONCE = 5_000
AT_ONCE = 200  # between two turns of the others
_BEFORE_ALL = "0" * 24  # as the id of a document


@dataclass(frozen=True)
class Likeness:
    """What two payments have in common that are asked about."""

    paid_on: str
    currency: str
    amount_minor: int
    payer: str

    @classmethod
    def of(cls, payment: Mapping[str, object]) -> "Likeness":
        """Return that of a payment that is stored, or would be."""
        amount_minor = payment["amount_minor"]
        assert isinstance(amount_minor, int)
        return cls(str(payment["paid_on"]), str(payment["currency"]), amount_minor, fold(str(payment["payer"])))


def find_like(db: Db, asked: Asked, *, posted: Mapping[str, Any], today: date) -> str | None:
    """Return the number of a payment of the same payer, amount, currency and day that isn't voided; None where none is.

    `posted` is a body after validation; what was stored under the request's own key is its repeat, and not like it.
    """
    payer = fold(posted["payer"])
    wanted = {
        "payer_folded": payer,
        "amount_minor": posted["amount_minor"],
        "currency": posted["currency"],
        "direction": posted["direction"],
        "paid_on": (posted.get("paid_on") or today).isoformat(),
    }
    try:
        with database.deadline(LOOK_S):
            found = store.find_like(db, tenant=asked.tenant, wanted=wanted, other_than_key=asked.key)
    except DriverError as error:
        if error.timeout:
            return None
        raise
    # Each word of a name is found by; only the whole of it is the same payer.
    alike = (text_of(one.get("payment_number")) for one in found if fold(str(one.get("payer"))) == payer)
    return next(filter(None, alike), None)


def each_alike(db: Db, *, tenant: str, paid_on: str, amounts_minor: Sequence[int]) -> Iterator[Payment]:
    """Yield the recorded payments of a day that have one of these amounts, with little more than a Likeness needs."""
    for start in range(0, len(amounts_minor), AMOUNTS_AT_ONCE):
        part = amounts_minor[start : start + AMOUNTS_AT_ONCE]
        for place, payment in enumerate(store.each_of_day(db, tenant=tenant, paid_on=paid_on, amounts_minor=part)):
            if place % AT_ONCE == 0:
                time.sleep(0)
            if isinstance(payment.get("amount_minor"), int) and isinstance(payment.get("payer"), str):
                yield payment


def find_number_of_key(db: Db, *, tenant: str, key: str) -> str | None:
    """Return the number of the payment that was recorded under an Idempotency-Key, None where none was."""
    stored = store.find_payment_by_key(db, tenant=tenant, idempotency_key=key)
    return None if stored is None else text_of(stored.get("payment_number"))


def find_newest(db: Db, *, tenant: str, year: int) -> str | None:
    """Return the newest number of a year; None where it has none, or where that can't be read."""
    after_it = [year + 1, 0, _BEFORE_ALL]  # all that comes before the first number of the next year
    wanted = PageWanted("-payment_number", after_it, 1)
    newest = store.list_payments(db, tenant=tenant, filters={}, wanted=wanted, projection={"payment_number": True}).rows
    return text_of(newest[0].get("payment_number")) if newest and newest[0].get("number_year") == year else None
