"""What a payment is: one document with its number, its idempotency key and its history."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict, cast

from finance.allocations.model import Entry
from finance.asked import Asked
from finance.database import Document
from finance.history import HistoryEntry, created_by
from finance.numbering.drafts import Draft
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.once import request_hash
from finance.text import fold, words_of

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

# Fields that a later version adds to what is posted, with what they are where a request leaves them out. The digest of
# a request that was stored before there was the field has to stay the same: see once.request_hash.
LATER_DEFAULTS: Mapping[str, Any] = {}


class Payment(TypedDict):
    """A payment as stored. Days are YYYY-MM-DD, instants UTC datetimes, amounts minor units of the currency."""

    _id: Any
    tenant: str
    payment_number: str
    number_year: int
    number_seq: int
    amount_minor: int
    currency: str
    payer: str
    payer_folded: list[str] | str  # what the search compares, see text.words_of; a text where an older version made it
    method: str
    direction: str
    paid_on: str
    status: str
    previous_numbers: list[str]
    history: list[HistoryEntry]
    created_at: datetime
    created_by: str
    created_by_name: NotRequired[str]
    # Left out where there is none, so that partial indexes stay small. What is posted of these is stored as posted.
    customer_code: NotRequired[str]
    reference: NotRequired[str]
    note: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    allocations: NotRequired[list[Entry]]
    claim: NotRequired[str]  # under which it claimed what it was recorded with
    # What follows from the allocations, where there are or were any.
    allocated_minor: NotRequired[int]
    fully_allocated_on: NotRequired[str]
    unsettled: NotRequired[bool]
    crossed: NotRequired[bool]
    allocation_keys: NotRequired[list[str]]
    revision: NotRequired[int]  # counts what was decided on its allocations
    idempotency_key: NotRequired[str]
    request_hash: NotRequired[str]
    void_reason: NotRequired[str]
    voided_at: NotRequired[datetime]
    void_idempotency_key: NotRequired[str]
    void_request_hash: NotRequired[str]


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


def new_payment(posted: Mapping[str, Any], asked: Asked, *, paid_on: date) -> Payment:
    """Return the document of a payment that has everything but its number."""
    payment: Document = {
        "tenant": asked.tenant,
        "payment_number": None,
        "number_year": paid_on.year,
        "number_seq": None,
        "amount_minor": posted["amount_minor"],
        "currency": posted["currency"],
        "payer": posted["payer"],
        "payer_folded": words_of(fold(posted["payer"])),
        "method": posted["method"],
        "direction": posted["direction"],
        "paid_on": paid_on.isoformat(),
        "status": "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": asked.now,
        **created_by(asked),
    }
    payment |= {name: value for name, value in posted.items() if name in Payment.__optional_keys__}
    if asked.key is not None:
        payment |= {"idempotency_key": asked.key, "request_hash": hash_of(posted)}
    return cast(Payment, payment)


def hash_of(posted: Mapping[str, Any]) -> str:
    """Return the digest by which a repeat of this request is known."""
    return request_hash(posted, later_defaults=LATER_DEFAULTS)


def draft_of(payment: Payment) -> Draft:
    """Return the payment as it waits for the next number of its year."""
    return Draft(payment_series(payment["tenant"], payment["number_year"]), cast(Document, payment))
