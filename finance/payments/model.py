"""What a payment is. As stored, it is one document with its number, its idempotency key and its history.

Stored: tenant, payment_number, number_year, number_seq, amount_minor, currency, payer, method, direction, paid_on,
customer_code, reference, note, metadata, status, previous_numbers, history, created_at, created_by; on those it
applies to idempotency_key, void_reason, voided_at. `payer_folded` serves the search, `request_hash` the comparison of
repeats.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from finance.history import request_hash
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.text import fold

KIND = "payment"
NUMBERED = NumberedKind(KIND, "payments", "payment_number")
METHODS = ("bank_transfer", "card", "cash", "cheque", "direct_debit", "upi", "other")
DIRECTIONS = ("incoming", "outgoing")
STATUSES = ("recorded", "voided")
# Each order ends in what makes it total, so that a cursor names one place.
ORDER_BY_SORT: dict[str, tuple[str, ...]] = {
    "payment_number": ("number_year", "number_seq", "_id"),
    "paid_on": ("paid_on", "number_seq", "_id"),
    "created_at": ("created_at", "_id"),
}
SORTS = tuple(sign + name for name in ORDER_BY_SORT for sign in ("", "-"))
PAID_ON_MIN = date(2000, 1, 1)
HISTORY_MAX = 1_000
NUMBER_DIGITS_MIN = 4

Payment = dict[str, Any]

# Left out of the document where there is none, so that partial indexes stay small.
_OPTIONAL = ("customer_code", "reference", "note", "metadata", "allocations")


def payment_series(tenant: str, year: int) -> Series:
    """Return the series of a tenant's payments of one year: PAY20260001, PAY20260002, …"""
    return Series(
        tenant=tenant,
        kind=KIND,
        prefix=f"PAY{year}",
        digits_min=NUMBER_DIGITS_MIN,
        period=str(year),
        document_filter={"number_year": year},
    )


def new_payment(
    posted: Mapping[str, Any],
    *,
    tenant: str,
    paid_on: date,
    idempotency_key: str | None,
    created_by: str,
    now: datetime,
) -> Payment:
    """Return the document of a payment that has everything but its number."""
    payment: Payment = {
        "tenant": tenant,
        "payment_number": None,
        "number_year": paid_on.year,
        "number_seq": None,
        "amount_minor": posted["amount_minor"],
        "currency": posted["currency"],
        "payer": posted["payer"],
        "payer_folded": fold(posted["payer"]),
        "method": posted["method"],
        "direction": posted["direction"],
        "paid_on": paid_on.isoformat(),
        "status": "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": now,
        "created_by": created_by,
    }
    payment.update((name, posted[name]) for name in _OPTIONAL if posted.get(name) is not None)
    if idempotency_key is not None:
        payment |= {"idempotency_key": idempotency_key, "request_hash": request_hash(posted)}
    return payment
