"""What payments pay of invoices: parts are claimed, settled or dropped, and given back. Each is one atomic change.

The order in which payments do it, and why that is right whenever they are killed: docs/decisions/0003-allocations.md.
"""

from finance.asked import Asked
from finance.database import Db
from finance.errors import Conflict, FieldError, Invalid, Unavailable
from finance.history import changed
from finance.invoices import store
from finance.invoices.model import ALLOCATIONS_MAX, HISTORY_MAX, Claim, Invoice
from finance.money import format_amount


class InvoiceBusy(Unavailable):
    detail_default = (
        "A payment of this invoice is on its way, and nothing was changed by this request. A retry is safe."
    )


class InvoiceIsCancelled(Conflict):
    """Nothing can be paid of this invoice any more."""


class MoreThanOutstanding(Conflict):
    """Less is outstanding on the invoice than was to be allocated to it."""


class AllocationsFull(Conflict):
    """The invoice has as many allocations, or changes, as it can have."""


def claim_part(db: Db, claim: Claim, *, currency: str, amount_minor: int, pointer: str) -> None:
    """Claim a part of what is outstanding for a payment to come.

    A claim counts as paid once it is settled. Until then it only keeps others from the same part. Raises Invalid
    (pointing into `pointer`), InvoiceIsCancelled, MoreThanOutstanding, AllocationsFull; or InvoiceBusy where it depends
    on what becomes of the claims of others.
    """
    if store.claim_part(db, claim, currency=currency, amount_minor=amount_minor):
        return
    invoice_number = claim.invoice_number
    invoice = store.find_invoice(db, tenant=claim.tenant, invoice_number=invoice_number)
    if invoice is None:
        raise _refused_field(f"{pointer}/invoice_number", "there is no invoice with this number.")
    if invoice["currency"] != currency:
        raise _refused_field(f"{pointer}/invoice_number", f"is an invoice in {invoice['currency']}, not in {currency}.")
    if invoice["status"] == "cancelled":
        raise InvoiceIsCancelled(f"{invoice_number} is cancelled, so nothing can be paid of it.")
    if invoice["free_minor"] >= amount_minor:
        full = max(len(invoice["allocations"]) - ALLOCATIONS_MAX, len(invoice["history"]) - HISTORY_MAX) >= 0
        raise AllocationsFull(f"{invoice_number} can't have any more allocations.") if full else InvoiceBusy
    on_their_way_minor = sum(a["amount_minor"] for a in invoice["allocations"] if a["state"] == "claimed")
    if invoice["free_minor"] + on_their_way_minor >= amount_minor:
        raise InvoiceBusy
    outstanding = format_amount(invoice["total_minor"] - invoice["paid_minor"], currency)
    raise MoreThanOutstanding(
        f"{invoice_number} has {outstanding} {currency} outstanding, less than was to be allocated to it.",
        extra={"invoice_number": invoice_number, "outstanding": outstanding},
    )


def unsettled_claims(db: Db, *, tenant: str, invoice_number: str) -> list[Claim]:
    """Return the claims on an invoice of which it isn't settled whether they count."""
    invoice = store.find_invoice(db, tenant=tenant, invoice_number=invoice_number)
    return unsettled_claims_of(invoice) if invoice else []


def unsettled_claims_of(invoice: Invoice) -> list[Claim]:
    """The same for an invoice that was read already."""
    return [
        Claim(invoice["tenant"], invoice["invoice_number"], allocation["claim"])
        for allocation in invoice["allocations"]
        if allocation["state"] != "settled"
    ]


def count_as_paid(db: Db, claim: Claim, *, payment_number: str, asked: Asked) -> None:
    """Settle a claim: it counts as paid, because its payment is stored. Doing it again changes nothing."""
    entry = changed(asked, action="paid", changes={}) | {"payment_number": payment_number}
    store.mark_settled(db, claim, entry=entry)


def mark_returning(db: Db, claim: Claim) -> None:
    """Note that a claim's payment is about to be voided. It counts until the payment is."""
    store.mark_returning(db, claim)


def give_back(db: Db, claim: Claim, *, payment_number: str, asked: Asked) -> None:
    """Give back what a payment paid; it is voided. Doing it again changes nothing."""
    entry = changed(asked, action="given_back", changes={}) | {"payment_number": payment_number}
    store.release_claim(db, claim, states=("claimed", "settled", "returning"), entry=entry)


def drop_claim(db: Db, claim: Claim) -> None:
    """Free what was claimed for a payment that won't be. A settled claim stays. Doing it again changes nothing."""
    store.release_claim(db, claim, states=("claimed",), entry=None)


def _refused_field(pointer: str, detail: str) -> Invalid:
    return Invalid(f"{pointer.removeprefix('/')}: {detail}", errors=[FieldError(detail, pointer=pointer)])
