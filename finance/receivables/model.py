"""What a statement and an ageing are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from finance.database import Document

KINDS = ("invoice", "credit_note", "payment", "transfer")
BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")
LAST_DAYS = (0, 30, 60, 90)  # past due, of every bucket but the last


@dataclass(frozen=True)
class Account:
    """Whose documents, and in which currency, a statement is of."""

    tenant: str
    customer_code: str
    currency: str


@dataclass(frozen=True)
class Period:
    """The first and the last day of a statement, YYYY-MM-DD."""

    first: str
    last: str


@dataclass(frozen=True)
class Stream:
    """Lines of one kind, as one index of one collection has them in order.

    `order` begins with the day and is total. `is_debit` says of a row whether the customer owes more by it. Of
    `entries` the lines are the crossings in the documents' allocations: what they settle with another customer.
    """

    kind: str
    collection: str
    index: str
    order: tuple[str, ...]
    number: str
    amount: str
    is_debit: Callable[[Mapping[str, Any]], bool]
    where: Document = field(default_factory=dict)
    entries: bool = False


class Line(TypedDict):
    """A line of a statement. `amount_minor` is above zero where the customer owes more by it."""

    date: str
    kind: str
    number: str
    amount_minor: int
    is_debit: bool
    balance_minor: int
    position: list[Any]


class Row(TypedDict):
    """What one customer owes at a day, or (`customer_code` None) those whom invoices don't name by a code.

    `buckets` are the outstanding amounts by the days that they are past due, in the order of BUCKETS.
    """

    customer_code: str | None
    customer_name: str | None
    buckets: list[int]
    credit_minor: int


def _incoming_adds(row: Mapping[str, Any]) -> bool:
    return row.get("direction") != "outgoing"


def _outgoing_adds(row: Mapping[str, Any]) -> bool:
    return row.get("direction") == "outgoing"


def _crossings(
    collection: str, *, kind: str, is_debit: Callable[[Mapping[str, Any]], bool], where: Document | None = None
) -> Stream:
    """Return the lines that the documents of a collection settle with other customers."""
    return Stream(
        kind=kind,
        collection=collection,
        index="crossed",
        order=("on", "number"),
        number="number",
        amount="amount_minor",
        is_debit=is_debit,
        where=where or {},
        entries=True,
    )


_ISSUED = ("shop", "number_seq")
# In the order of a day. Each stream is a rank of its own, so that a position names one place in one of them.
STREAMS = (
    Stream(
        kind="invoice",
        collection="invoices",
        index="statement",
        order=("issued_on", *_ISSUED, "invoice_number"),
        number="invoice_number",
        amount="total_minor",
        is_debit=lambda row: True,
    ),
    Stream(
        kind="credit_note",
        collection="credit_notes",
        index="statement",
        order=("issued_on", *_ISSUED, "credit_note_number"),
        number="credit_note_number",
        amount="total_minor",
        is_debit=lambda row: False,
    ),
    Stream(
        kind="payment",
        collection="payments",
        index="statement",
        order=("paid_on", "number_seq", "payment_number"),
        number="payment_number",
        amount="amount_minor",
        is_debit=_outgoing_adds,
        where={"status": "recorded"},
    ),
    # Money of others that pays this customer's invoices, or pays back this customer's credit notes.
    _crossings("invoices", kind="payment", is_debit=lambda row: False),
    _crossings("credit_notes", kind="payment", is_debit=lambda row: True),
    # This customer's money that paid invoices of others.
    _crossings("payments", kind="transfer", is_debit=_incoming_adds, where={"status": "recorded"}),
)
