"""What an invoice and a credit note are.

An invoice as stored is one document: tenant, invoice_number, shop, period, number_seq, number_format (how its series is
written: FAC-DKR1-202611-{number:04}), customer_code, customer_name, issued_on, due_on, currency, lines, taxes,
net_minor, tax_minor, total_minor, notes, status, history, created_at, created_by; on those it applies to
idempotency_key, request_hash and what a cancellation adds. Once issued only this changes: `allocations`, what payments
pay of it, [{claim, amount_minor, state}]; `paid_minor`, the sum of those that are settled; `free_minor`, what no
allocation has claimed yet; `unsettled`, whether something is on its way.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.shops.model import Shop, series_of

KIND = "invoice"
CREDIT_NOTE_KIND = "credit_note"
_FOLLOWED_FIELDS = ("issued_on", "number_format")
NUMBERED = NumberedKind(KIND, "invoices", "invoice_number", followed_fields=_FOLLOWED_FIELDS)
# Each invoice has one credit note at most, so its number is the key.
CREDIT_NOTES_NUMBERED = NumberedKind(
    CREDIT_NOTE_KIND,
    "credit_notes",
    "credit_note_number",
    key_field="invoice_number",
    followed_fields=_FOLLOWED_FIELDS,
)
STATUSES = ("issued", "partly_paid", "paid", "cancelled")
# Each order ends in what makes it total, so that a cursor names one place.
ORDER_BY_SORT: dict[str, tuple[str, ...]] = {
    "invoice_number": ("shop", "period", "number_seq", "_id"),
    "issued_on": ("issued_on", "shop", "number_seq", "_id"),
    "created_at": ("created_at", "_id"),
}
SORTS = tuple(sign + name for name in ORDER_BY_SORT for sign in ("", "-"))
ISSUED_ON_MIN = date(2000, 1, 1)
# An invoice blocks earlier dates in its series, so one dated far ahead would close the series until then.
ISSUED_AHEAD_DAYS_MAX = 62
DUE_AFTER_DAYS_MAX = 3_660
ALLOCATIONS_MAX = 1_000
HISTORY_MAX = 2_000

Invoice = dict[str, Any]
CreditNote = dict[str, Any]

# Left out of the document where there is none, so that partial indexes stay small.
_OPTIONAL = ("customer_code", "customer_name", "notes")
_COPIED_TO_CREDIT_NOTE = ("tenant", "shop", "currency", "lines", "taxes", "net_minor", "tax_minor", "total_minor")


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


def possible_days(today: date) -> tuple[date, date]:
    """Return the first and the last day an invoice may be dated."""
    return ISSUED_ON_MIN, today + timedelta(days=ISSUED_AHEAD_DAYS_MAX)


def new_invoice(
    posted: Mapping[str, Any],
    *,
    tenant: str,
    shop: str,
    period: str,
    issued_on: date,
    idempotency_key: str | None,
    created_by: str,
    now: datetime,
) -> Invoice:
    """Return the document of an invoice that has everything but its number. `posted` holds the computed totals."""
    total_minor = posted["total_minor"]
    invoice: Invoice = {
        "tenant": tenant,
        "invoice_number": None,
        "shop": shop,
        "period": period,
        "number_seq": None,
        "issued_on": issued_on.isoformat(),
        "due_on": posted["due_on"].isoformat() if posted.get("due_on") else None,
        "currency": posted["currency"],
        "lines": posted["lines"],
        "taxes": posted["taxes"],
        "net_minor": posted["net_minor"],
        "tax_minor": posted["tax_minor"],
        "total_minor": total_minor,
        "paid_minor": 0,
        "free_minor": total_minor,
        "allocations": [],
        "unsettled": False,
        "status": "issued" if total_minor else "paid",
        "history": [],
        "created_at": now,
        "created_by": created_by,
    }
    invoice.update((name, posted[name]) for name in _OPTIONAL if posted.get(name) is not None)
    if idempotency_key is not None:
        invoice["idempotency_key"] = idempotency_key
    return invoice


def new_credit_note(invoice: Invoice, *, period: str, issued_on: date) -> CreditNote:
    """Return the credit note that takes back the whole of a cancelled invoice. It follows from the invoice alone, so
    that whoever completes a cancellation writes the same one.
    """
    return {
        **{name: invoice[name] for name in _COPIED_TO_CREDIT_NOTE},
        **{name: invoice[name] for name in ("customer_code", "customer_name") if name in invoice},
        "credit_note_number": None,
        "number_seq": None,
        "period": period,
        "invoice_number": invoice["invoice_number"],
        "issued_on": issued_on.isoformat(),
        "reason": invoice["cancel_reason"],
        "created_at": invoice["cancelled_at"],
        "created_by": invoice["cancelled_by"],
    }


def as_issued(invoice: Invoice) -> Invoice:
    """Return the invoice as it was when it was issued: what a repeat of its request is answered with."""
    total_minor = invoice["total_minor"]
    added_since = ("cancel_reason", "cancelled_at", "cancelled_by", "credit_note_number")
    return {
        **{name: value for name, value in invoice.items() if name not in added_since},
        "paid_minor": 0,
        "free_minor": total_minor,
        "allocations": [],
        "unsettled": False,
        "history": [],
        "status": "issued" if total_minor else "paid",
    }
