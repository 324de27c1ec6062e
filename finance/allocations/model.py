"""The three kinds of documents that hold money, and the entries by which one gives to another."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from finance.errors import Conflict, Unavailable
from finance.said import said

TAKE_OVER_AFTER = timedelta(seconds=12)  # longer than any request may take
WAIT_S = 4.0
PAUSE_S = 0.05
ENTRIES_MAX = 1_000
HISTORY_MAX_BY_KIND = {"payment": 1_000, "invoice": 2_000, "credit_note": 2_000}


@dataclass(frozen=True)
class MoneyKind:
    """Where the documents of a kind are stored, and what their number, amount and day are called."""

    name: str
    collection: str
    number_field: str
    amount_field: str
    day_field: str


PAYMENT = MoneyKind("payment", "payments", "payment_number", "amount_minor", "paid_on")
INVOICE = MoneyKind("invoice", "invoices", "invoice_number", "total_minor", "issued_on")
CREDIT_NOTE = MoneyKind("credit_note", "credit_notes", "credit_note_number", "total_minor", "issued_on")
# Which documents may give to one of a kind.
SOURCES = {INVOICE: (PAYMENT, CREDIT_NOTE), CREDIT_NOTE: (PAYMENT,)}


class Entry(TypedDict, total=False):
    """One side of an allocation; docs/decisions/0007 says what each member is.

    `state` on a source: claimed, settled, released; on a sink: claimed, settled, returning. What an earlier version
    stored on a payment has only a number and an amount, and is settled; on an invoice it has no day and no number.
    """

    claim: str
    state: str
    amount_minor: int
    invoice_number: str
    credit_note_number: str
    payment_number: str
    on: str  # YYYY-MM-DD: from which day it counts, the later of the two documents'
    customer_code: str | None  # only where the other document's customer is another one
    # On a source: what its history was long then, to show it as it was; its place among those of one request.
    since: int
    until: int
    place: int
    reserved_at: datetime
    idempotency_key: str
    request_hash: str
    released_at: datetime
    released_by: str
    released_by_name: str | None
    reason: str
    release_key: str
    release_hash: str
    # Who is about to take it back: on a sink while that isn't decided, on what a source released since.
    mark: str
    marked_at: datetime


@dataclass(frozen=True)
class Place:
    """Where a document is: its tenant, its kind and its number."""

    tenant: str
    kind: MoneyKind
    number: str


@dataclass(frozen=True)
class Part:
    """What is to be given to one sink; `pointer` is where the request names it (/allocations/0)."""

    sink: Place
    amount_minor: int
    pointer: str


# Lets a sink learn what became of one claim on it.
Follow = Callable[[Place, str], None]


class InvoiceBusy(Unavailable):
    detail_default = said(
        "A payment of this invoice is on its way, and nothing was changed by this request. A retry is safe."
    )


class AllocationWithdrawn(Unavailable):
    detail_default = said("This took too long, and nothing was stored. A retry is safe.")


class SameAllocationUnderWay(Unavailable):
    detail_default = said("The same is being allocated by another request. A retry with the same key is safe.")


class InvoiceIsCancelled(Conflict):
    """Nothing can be allocated to this invoice any more."""


class MoreThanOutstanding(Conflict):
    """Less is outstanding on the invoice than was to be allocated to it."""

    extra_members = {
        "invoice_number": "The invoice that has too little outstanding.",
        "outstanding": "What is outstanding on it, in its currency.",
    }


class MoreThanUnallocated(Conflict):
    """Less of the payment or credit note is unallocated than was to be allocated."""

    extra_members = {"unallocated": "What is unallocated of it, in its currency."}


class AllocationsFull(Conflict):
    """The document has as many allocations, or changes, as it can have."""


class NothingAllocated(Conflict):
    detail_default = said("Nothing is allocated there, so there is nothing to release.")


class OtherCustomersInvoice(Conflict):
    detail_default = said(
        "An invoice or credit note of another customer is named. If that is meant, send it again "
        "with ?confirm_other_customer=true."
    )


# What a request that allocates may meet, and one that releases.
FAILURES = (
    *(InvoiceIsCancelled, MoreThanOutstanding, MoreThanUnallocated, AllocationsFull, OtherCustomersInvoice),
    *(InvoiceBusy, AllocationWithdrawn),
)
LATER_FAILURES = (*FAILURES, SameAllocationUnderWay)

Stored = dict[str, Any]  # a document of one of the three kinds
