"""Finishing what a killed process left half done on an invoice: payments' claims, a cancellation's credit note."""

import logging
from dataclasses import dataclass

from finance.allocations.claiming import undecided_claims
from finance.allocations.model import INVOICE, Follow, Place
from finance.database import Db
from finance.errors import NotFound, Unavailable
from finance.invoices import sequences, store
from finance.invoices.model import Invoice
from finance.numbering.drafts import Taken
from finance.numbering.lane import Submit
from finance.once import RefusedByForeignIndex
from finance.shops import service as shops

log = logging.getLogger(__name__)


class InvoiceNotFound(NotFound):
    detail_default = "There is no invoice with this number."
    named_like = "an invoice number such as FAC-DKR1-202611-0001"


@dataclass(frozen=True)
class Settling:
    """What it takes to finish what a killed process left half done: storing credit notes, and letting claims follow."""

    submit: Submit
    follow: Follow


def settle_all(db: Db, *, tenant: str, settling: Settling) -> None:
    """Settle what is on its way on the tenant's invoices, as far as it can be."""
    for unsettled in store.list_unsettled(db, tenant=tenant):
        try:
            settled(db, unsettled, settling)
        except Unavailable as error:  # one that can't be settled now must not keep the others from being shown
            log.warning("%s could not be settled: %s", unsettled["invoice_number"], error.detail)


def settled(db: Db, invoice: Invoice, settling: Settling) -> Invoice:
    """Return the invoice after finishing what can be finished of what is on its way."""
    if not invoice.get("unsettled"):
        return invoice
    for claim in undecided_claims(invoice):
        settling.follow(Place(invoice["tenant"], INVOICE, invoice["invoice_number"]), claim)
    if invoice["status"] == "cancelled":
        shop = shops.get_shop(db, tenant=invoice["tenant"], shop=invoice["shop"])
        outcome = settling.submit(sequences.credit_note_draft(invoice, shop))
        if isinstance(outcome, Taken) and outcome.document["invoice_number"] != invoice["invoice_number"]:
            # It stays cancelled without its credit note, and is tried again by whoever looks at it next.
            RefusedByForeignIndex.on("credit_notes", outcome.fields)
            return invoice
        store.link_credit_note(db, invoice, credit_note_number=outcome.document["credit_note_number"])
    return get_unsettled(db, invoice["tenant"], invoice["invoice_number"])


def get_unsettled(db: Db, tenant: str, invoice_number: str) -> Invoice:
    """Return the invoice as it is stored; raises InvoiceNotFound."""
    invoice = store.find_invoice(db, tenant=tenant, invoice_number=invoice_number)
    if invoice is None:
        raise InvoiceNotFound.named(invoice_number)
    return invoice
