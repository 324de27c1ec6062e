"""What an invoice and a credit note are: one document each."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NotRequired, TypedDict, cast

from finance.allocations.model import Entry
from finance.asked import Asked
from finance.database import Document
from finance.history import HistoryEntry, created_by
from finance.money import is_whole
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.once import request_hash
from finance.shops.model import Shop, series_of
from finance.text import fold, words_of

KIND = "invoice"
CREDIT_NOTE_KIND = "credit_note"
_FOLLOWED_FIELDS = ("issued_on", "number_format")
NUMBERED = NumberedKind(KIND, "invoices", "invoice_number", followed_fields=_FOLLOWED_FIELDS)
# Whoever finishes a credit stores its note under its claim, which is the key.
CREDIT_NOTES_NUMBERED = NumberedKind(
    CREDIT_NOTE_KIND,
    "credit_notes",
    "credit_note_number",
    key_field="claim",
    followed_fields=_FOLLOWED_FIELDS,
)
STATUSES = ("issued", "partly_paid", "paid", "cancelled")
OPEN_STATUSES = ("issued", "partly_paid")
OPEN = "open"  # as lists are asked for either of them
# Each order ends in what makes it total, so that a cursor names one place.
ORDER_BY_SORT: dict[str, tuple[str, ...]] = {
    "invoice_number": ("shop", "period", "number_seq", "_id"),
    "issued_on": ("issued_on", "shop", "number_seq", "_id"),
    "created_at": ("created_at", "_id"),
    # Many are due on one day, or come to the same: they follow in the order of their days.
    "due_on": ("due_on", "issued_on", "shop", "number_seq", "_id"),
    "total": ("total_minor", "issued_on", "shop", "number_seq", "_id"),
}
SORTS = tuple(sign + name for name in ORDER_BY_SORT for sign in ("", "-"))
ISSUED_ON_MIN = date(2000, 1, 1)
# An invoice blocks earlier dates in its series, so one dated far ahead would close the series until then. What
# accountants may is the shop's `issue_ahead_days`.
CLIENT_AHEAD_DAYS_MAX = 1
DUE_AFTER_DAYS_MAX = 3_660
HISTORY_MAX = 2_000

# As in payments: fields that a later version adds to what is posted, with their defaults. See once.request_hash.
LATER_DEFAULTS: Mapping[str, Any] = {}


class Line(TypedDict):
    """A line; numbers are decimal texts. `net` is rounded, see totals.py; what earlier versions stored is exact."""

    description: str
    quantity: str
    unit_price: str
    tax_rate: str
    net: str
    discount: NotRequired[str]


class Tax(TypedDict):
    rate: str
    net_minor: int
    tax_minor: int


class Totals(TypedDict):
    """What the lines of an invoice come to."""

    currency: str
    lines: list[Line]
    taxes: list[Tax]
    net_minor: int
    tax_minor: int
    total_minor: int


class Credit(TypedDict):
    """A part of an invoice that is credited. `note` is the credit note until that is stored; then its number is here.

    `applied_minor` is what was free of the invoice then, and takes its part of the credit from the start.
    """

    claim: str
    total_minor: int
    applied_minor: NotRequired[int]
    note: NotRequired["CreditNote"]
    credit_note_number: NotRequired[str]
    idempotency_key: NotRequired[str]
    request_hash: NotRequired[str]


class _Issued(Totals):
    """What invoices and credit notes have in common. `number_format` is how their series is written."""

    _id: Any
    tenant: str
    shop: str
    period: str
    number_seq: int
    number_format: str
    issued_on: str
    created_at: datetime
    created_by: str
    created_by_name: NotRequired[str]
    customer_code: NotRequired[str]
    # As they were when it was issued. Tax numbers are encrypted, see tax_numbers.py; what earlier versions stored has
    # the customer's code alone, unless a name was posted.
    customer_name: NotRequired[str]
    customer_address: NotRequired[str]
    customer_gstin: NotRequired[Any]
    customer_pan_number: NotRequired[Any]
    customer_folded: NotRequired[list[str]]  # of invoices alone, see folded_name_fields


class Invoice(_Issued):
    """An invoice as stored. Once it is issued, only what payments and a cancellation do to it changes."""

    invoice_number: str
    due_on: str | None
    paid_minor: int  # the sum of what payments pay; claimed ones don't count yet
    credited_minor: NotRequired[int]  # the same of credit notes
    free_minor: int  # what no allocation has claimed yet
    allocations: list[Entry]
    unsettled: bool  # something is on its way
    settling: NotRequired[dict[str, Any]]  # why that couldn't be finished, and when lists may try again
    closed_on: NotRequired[str]  # since when nothing is outstanding
    crossed: NotRequired[bool]  # something of it is paid by another customer
    status: str
    history: list[HistoryEntry]
    notes: NotRequired[str]
    idempotency_key: NotRequired[str]
    request_hash: NotRequired[str]
    cancel_reason: NotRequired[str]
    cancelled_at: NotRequired[datetime]
    cancelled_by: NotRequired[str]
    cancelled_by_name: NotRequired[str | None]
    cancel_idempotency_key: NotRequired[str]
    cancel_request_hash: NotRequired[str]
    credit_note_number: NotRequired[str]
    credits: NotRequired[list[Credit]]
    credit_keys: NotRequired[list[str]]  # the Idempotency-Keys of the credits


class CreditNote(_Issued):
    """A credit note as stored. Once it is issued, only what it gives to invoices, and what pays it back, changes.

    One that an earlier version stored has no claim and nothing below it: it took its invoice back whole.
    """

    credit_note_number: str
    invoice_number: str
    reason: str
    claim: str
    allocations: list[Entry]
    allocated_minor: int
    fully_allocated_on: NotRequired[str]
    unallocated: NotRequired[bool]  # something of it is left
    unsettled: NotRequired[bool]
    history: list[HistoryEntry]


_CUSTOMER = ("customer_code", "customer_name", "customer_address", "customer_gstin", "customer_pan_number")
COPIED_TO_CREDIT_NOTE = frozenset(("tenant", "shop", *_CUSTOMER, *Totals.__annotations__))


def invoice_series(tenant: str, shop: Shop, period: str, number_format: str) -> Series:
    """Return the series of a shop's invoices of one period: FAC-DKR1-202611-0001, …"""
    return series_of(
        KIND,
        tenant=tenant,
        shop=shop["shop"],
        period=period,
        number_format=number_format,
        length_max=shop["max_length"],
    )


def credit_note_series(tenant: str, shop: Shop, period: str, number_format: str) -> Series:
    """Return the series of a shop's credit notes of one period. It has no end: a cancellation begun must succeed."""
    return series_of(
        CREDIT_NOTE_KIND,
        tenant=tenant,
        shop=shop["shop"],
        period=period,
        number_format=number_format,
    )


def possible_days(today: date, *, ahead_days: int) -> tuple[date, date]:
    """Return the first and the last day an invoice may be dated."""
    return ISSUED_ON_MIN, today + timedelta(days=ahead_days)


def new_invoice(
    posted: Mapping[str, Any],
    asked: Asked,
    *,
    customer: Mapping[str, Any],
    totals: Totals,
    period: str,
    issued_on: date,
    due_on: date | None,
) -> Invoice:
    """Return the document of an invoice that has everything but its number; `customer` is what it keeps of the buyer.

    `posted` is as its digest may be made of it, see tax_numbers.sealed_request.
    """
    invoice: Document = {
        "tenant": asked.tenant,
        "invoice_number": None,
        "shop": posted["shop"],
        "period": period,
        "number_seq": None,
        "issued_on": issued_on.isoformat(),
        "due_on": due_on.isoformat() if due_on else None,
        **totals,
        "created_at": asked.now,
        **created_by(asked),
        **_nothing_paid(totals["total_minor"]),
    }
    invoice |= {name: posted[name] for name in ("customer_code", "notes") if name in posted}
    invoice |= customer
    if "customer_name" in customer:
        invoice |= folded_name_fields(customer["customer_name"])
    if asked.key is not None:
        invoice |= {"idempotency_key": asked.key, "request_hash": hash_of(posted)}
    return cast(Invoice, invoice)


def folded_name_fields(name: str) -> dict[str, list[str]]:
    """Return what the search by the customer's name compares, as it stands beside `customer_name` on an invoice.

    Invoices of earlier versions lack it until it is added to them: only then does the search find them.
    """
    return {"customer_folded": words_of(fold(name))}


def days_overdue(invoice: Mapping[str, Any], *, today: date) -> int | None:
    """Return for how many days an invoice is overdue; None where it isn't, as the lists' filter `overdue` says."""
    due_on, free_minor = invoice.get("due_on"), invoice.get("free_minor")
    if not (is_whole(free_minor) and free_minor > 0 and invoice.get("status") in OPEN_STATUSES):
        return None
    try:
        days = (today - date.fromisoformat(due_on)).days if isinstance(due_on, str) else 0
    except ValueError:
        return None
    return days if days > 0 else None


def hash_of(posted: Mapping[str, Any]) -> str:
    """Return the digest by which a repeat of this request is known. Totals sent to be compared are no part of it."""
    asked_for = {name: value for name, value in posted.items() if name != "sent_totals"}
    return request_hash(asked_for, later_defaults=LATER_DEFAULTS)


def as_issued(invoice: Invoice) -> Invoice:
    """Return the invoice as it was when it was issued: what a repeat of its request is answered with."""
    cancelled = ("cancel_reason", "cancelled_at", "cancelled_by", "cancelled_by_name", "credit_note_number")
    added_since = (*cancelled, "credits", "credit_keys", "credited_minor", "closed_on", "crossed", "settling")
    issued: Document = {name: value for name, value in invoice.items() if name not in added_since}
    return cast(Invoice, issued | _nothing_paid(invoice["total_minor"]))


def _nothing_paid(total_minor: int) -> Document:
    return {
        "paid_minor": 0,
        "free_minor": total_minor,
        "allocations": [],
        "unsettled": False,
        "status": "issued" if total_minor else "paid",
        "history": [],
    }
