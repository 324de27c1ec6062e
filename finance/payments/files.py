"""Payments as files: which columns, and how each is read from what is stored."""

from collections.abc import Sequence
from typing import Any

from finance.edge.files.tables import Table, joined, minor, stored

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
        *("customer_code", "reference", "note", "status", "void_reason", "voided_at", "previous_numbers", "created_at"),
        *("created_by", "created_by_name", "id"),
    ),
    amounts=frozenset(("amount", "signed_amount")),
    reads={
        **{name: stored(name) for name in _STORED},
        "amount": _AMOUNT,
        "signed_amount": _signed,
        "previous_numbers": joined("previous_numbers"),
        "id": lambda payments: [str(payment["_id"]) for payment in payments],
    },
    totals_by=("currency", "direction", "status"),
    sums=("signed_amount",),
)
# What the columns need of a payment: the rest, its history above all, isn't read.
PROJECTION = dict.fromkeys((*_STORED, "amount_minor", "amount", "previous_numbers"), True)
