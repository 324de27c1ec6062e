"""Payments that may be the same: one payer, amount, currency and day. Nobody is kept from paying twice; it is asked."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finance.database import Db
from finance.payments import store
from finance.payments.model import Payment
from finance.text import fold

AMOUNTS_AT_ONCE = 5_000
AT_ONCE = 200  # between two turns of the others


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


def find_alike(db: Db, *, tenant: str, payment: Mapping[str, object]) -> Payment | None:
    """Return a recorded payment with the same payer, amount, currency and day; None where there is none."""
    sought = Likeness.of(payment)
    found = each_alike(db, tenant=tenant, paid_on=sought.paid_on, amounts_minor=[sought.amount_minor])
    return next((one for one in found if Likeness.of(one) == sought), None)


def each_alike(db: Db, *, tenant: str, paid_on: str, amounts_minor: Sequence[int]) -> Iterator[Payment]:
    """Yield the recorded payments of a day that have one of these amounts, with little more than a Likeness needs."""
    for start in range(0, len(amounts_minor), AMOUNTS_AT_ONCE):
        part = amounts_minor[start : start + AMOUNTS_AT_ONCE]
        for place, payment in enumerate(store.each_of_day(db, tenant=tenant, paid_on=paid_on, amounts_minor=part)):
            if place % AT_ONCE == 0:
                time.sleep(0)
            if isinstance(payment.get("amount_minor"), int) and isinstance(payment.get("payer"), str):
                yield payment
