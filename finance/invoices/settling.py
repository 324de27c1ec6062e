"""Finishing what a killed process left half done on an invoice: payments' claims, credit notes.

What can't be finished now stops nothing: the invoice is shown as it is stored, the reason is logged, and lists try
again after a while. Who looks at the one invoice tries at once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from finance.allocations.claiming import undecided_claims
from finance.allocations.model import INVOICE, Follow, Place
from finance.damaged import mapping_of
from finance.database import Db, DriverError
from finance.errors import FinanceError, NotFound
from finance.invoices import store
from finance.invoices.finishing import finish_cancellation, finish_credits
from finance.invoices.model import Invoice
from finance.numbering.lane import Submit
from finance.said import said

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=15)  # so that one that can't be settled doesn't cost every list an attempt


class InvoiceNotFound(NotFound):
    detail_default = said("There is no invoice with this number.")
    named_like = said("an invoice number such as FAC-DKR1-202611-0001")


@dataclass(frozen=True)
class Settling:
    """What it takes to finish what a killed process left half done: storing credit notes, letting claims follow, and
    what time it is.
    """

    submit: Submit
    follow: Follow
    clock: Callable[[], datetime]


def settle_all(db: Db, *, tenant: str, settling: Settling) -> None:
    """Settle what is on its way on the tenant's invoices, as far as it can be."""
    for unsettled in store.list_unsettled(db, tenant=tenant, now=settling.clock()):
        settled_or_as_it_is(db, unsettled, settling)


def settled_or_as_it_is(db: Db, invoice: Invoice, settling: Settling) -> Invoice:
    """Return the invoice after finishing what can be finished; where something can't be, as it is stored."""
    if not invoice.get("unsettled"):
        return invoice
    try:
        finished = settled(db, invoice, settling)
    except DriverError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it must not keep this one and others from being shown
        _put_off(db, invoice, error, settling.clock() + AGAIN_AFTER)
        return get_unsettled(db, invoice["tenant"], invoice["invoice_number"])
    if "settling" in invoice and not finished.get("unsettled"):
        store.forget_put_off(db, invoice)
    return finished


def settled(db: Db, invoice: Invoice, settling: Settling) -> Invoice:
    """Return the invoice after finishing what is on its way; raises why it can't be finished."""
    if not invoice.get("unsettled"):
        return invoice
    finish_credits(db, invoice, settling.submit)
    for claim in undecided_claims(invoice):
        settling.follow(Place(invoice["tenant"], INVOICE, invoice["invoice_number"]), claim)
    if invoice["status"] == "cancelled":
        finish_cancellation(db, invoice, settling.submit)
    return get_unsettled(db, invoice["tenant"], invoice["invoice_number"])


def get_unsettled(db: Db, tenant: str, invoice_number: str) -> Invoice:
    """Return the invoice as it is stored; raises InvoiceNotFound."""
    invoice = store.find_invoice(db, tenant=tenant, invoice_number=invoice_number)
    if invoice is None:
        raise InvoiceNotFound.named(invoice_number)
    return invoice


def _put_off(db: Db, invoice: Invoice, error: Exception, again_at: datetime) -> None:
    """Have lists leave the invoice alone for a while, and tell whoever runs the service, once for each reason."""
    known = isinstance(error, FinanceError)
    reason = error.code if isinstance(error, FinanceError) else type(error).__name__
    if mapping_of(invoice.get("settling")).get("failed") != reason:
        number = invoice["invoice_number"]
        told = error.detail if isinstance(error, FinanceError) else reason
        log.error("%s could not be settled: %s", number, told, exc_info=None if known else error)
    store.put_off(db, invoice, again_at=again_at, failed=reason)
