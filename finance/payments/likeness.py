"""Looking for a payment that is like one that is about to be recorded, and for the newest number of a year."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from finance import database
from finance.asked import Asked
from finance.database import Db, DriverError
from finance.paging import PageWanted
from finance.payments import store
from finance.text import fold

LOOK_S = 0.25  # it is a courtesy: what keeps a request from being stored twice is its Idempotency-Key
_BEFORE_ALL = "0" * 24  # as the id of a document


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
    alike = (one["payment_number"] for one in found if fold(str(one.get("payer"))) == payer)
    return next(alike, None)


def find_number_of_key(db: Db, *, tenant: str, key: str) -> str | None:
    """Return the number of the payment that was recorded under an Idempotency-Key, None where none was."""
    stored = store.find_payment_by_key(db, tenant=tenant, idempotency_key=key)
    return None if stored is None else stored["payment_number"]


def find_newest(db: Db, *, tenant: str, year: int) -> str | None:
    """Return the newest number of a year, None where it has none."""
    after_it = [year + 1, 0, _BEFORE_ALL]  # all that comes before the first number of the next year
    wanted = PageWanted("-payment_number", after_it, 1)
    newest = store.list_payments(db, tenant=tenant, filters={}, wanted=wanted, projection={"payment_number": True}).rows
    return newest[0]["payment_number"] if newest and newest[0].get("number_year") == year else None
