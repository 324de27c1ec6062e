"""Payments as files: which columns, and how each is read from what is stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from finance.allocations.entries import allocated_minor, unallocated_minor
from finance.edge.files.tables import Table, joined, minor, stored
from finance.invoices.files import ALLOCATION_COLUMNS, entries_of
from finance.money import shown_amount

_AMOUNT = minor("amount_minor", otherwise="amount")
_STORED = (
    *("payment_number", "paid_on", "direction", "currency", "payer", "method", "customer_code", "reference", "note"),
    *("status", "void_reason", "voided_at", "created_at", "created_by", "created_by_name"),
)


def _signed(payments: Sequence[Any]) -> list[Any]:
    """Return the amounts as a sum counts them: incoming as they are, outgoing negative, voided not at all."""
    return [
        _signed_amount(payment, amount) if type(amount) is str else amount
        for payment, amount in zip(payments, _AMOUNT(payments), strict=True)
    ]


def _signed_amount(payment: Any, amount: str) -> str:
    if payment.get("status") == "voided":
        decimals = len(amount.partition(".")[2])
        return f"0.{'0' * decimals}" if decimals else "0"
    return f"-{amount}" if payment.get("direction") == "outgoing" else amount


EXPORTED = Table(
    name="payments",
    columns=(
        *("payment_number", "paid_on", "direction", "amount", "currency", "signed_amount", "payer", "method"),
        *("allocated", "unallocated"),
        *("customer_code", "reference", "note", "status", "void_reason", "voided_at", "previous_numbers", "created_at"),
        *("created_by", "created_by_name", "id"),
    ),
    amounts=frozenset(("amount", "signed_amount", "allocated", "unallocated")),
    reads={
        **{name: stored(name) for name in _STORED},
        "amount": _AMOUNT,
        "signed_amount": _signed,
        "allocated": lambda payments: [shown_amount(allocated_minor(one), one.get("currency")) for one in payments],
        "unallocated": lambda payments: [shown_amount(unallocated_minor(one), one.get("currency")) for one in payments],
        "previous_numbers": joined("previous_numbers"),
        "id": lambda payments: [str(payment["_id"]) for payment in payments],
    },
    totals_by=("currency", "direction", "status"),
    sums=("signed_amount",),
)
# What the columns need of a payment: the rest, its history above all, isn't read.
PROJECTION = dict.fromkeys(
    (*_STORED, "amount_minor", "amount", "previous_numbers", "allocations", "allocated_minor", "claim"), True
)

CUSTOMER_PAYMENTS = replace(EXPORTED, name="customer_payments")
ALLOCATIONS = Table(
    name="allocations",
    columns=ALLOCATION_COLUMNS,
    amounts=frozenset(("amount",)),
    kinds={"on": "day"},
    totals_by=("currency", "from_kind"),
)
ALLOCATED_PROJECTION = dict.fromkeys(
    ("payment_number", "paid_on", "currency", "customer_code", "status", "allocations"), True
)


def allocations_of(
    payments: Sequence[Mapping[str, Any]], *, issued_days: Callable[..., Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return a row for each part of a payment that went to an invoice or a credit note; a voided one gave it back.

    An entry that an earlier version stored doesn't say its day: it is the later of the two documents' days.
    """
    pairs = [(p, entry) for p in payments if p.get("status") != "voided" for entry in entries_of(p)]
    undated = {str(entry["invoice_number"]) for _p, entry in pairs if "on" not in entry and "invoice_number" in entry}
    days = issued_days(invoice_numbers=sorted(undated))
    return [_allocation(payment, entry, days) for payment, entry in pairs]


def _allocation(payment: Mapping[str, Any], entry: Mapping[str, Any], days: Mapping[str, str]) -> dict[str, Any]:
    paid_on, issued_on = payment.get("paid_on"), days.get(str(entry.get("invoice_number")))
    return {
        "from_kind": "payment",
        "payment_number": payment.get("payment_number"),
        "invoice_number": entry.get("invoice_number"),
        "credit_note_number": entry.get("credit_note_number"),
        "amount": shown_amount(entry.get("amount_minor"), payment.get("currency")),
        "currency": payment.get("currency"),
        "on": entry.get("on") or max((day for day in (paid_on, issued_on) if isinstance(day, str)), default=None),
        "customer_code": payment.get("customer_code"),
        "other_customer_code": entry.get("customer_code"),
    }
