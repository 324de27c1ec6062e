"""Cancelling invoices, and the credit notes that follow from it."""

from functools import partial
from typing import cast

from finance.allocations.model import InvoiceBusy
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.damaged import documents_in
from finance.database import Db, Document
from finance.errors import Conflict
from finance.history import changed
from finance.invoices import sequences, store
from finance.invoices.model import HISTORY_MAX, Invoice
from finance.invoices.service import get_invoice
from finance.invoices.settling import Settling, settled, settled_or_as_it_is
from finance.once import Answer, IdempotencyKeyReused, first_result, request_hash, require_same_request
from finance.said import said
from finance.shops import service as shops


class InvoiceAlreadyCancelled(Conflict):
    detail_default = said("This invoice is cancelled already.")


class InvoiceHasPayments(Conflict):
    detail_default = said(
        "Something is allocated to this invoice, so it can't be cancelled any more. Credit it "
        "instead, with a POST to its /credit-notes, also over all of its lines. What was paid "
        "becomes the credit note's to give to other invoices or to pay back."
    )


class InvoiceHasCreditNotes(Conflict):
    detail_default = said(
        "A part of this invoice is credited already, so it can't be cancelled any more. Credit "
        "the rest, with a POST to its /credit-notes."
    )


class InvoiceHistoryFull(Conflict):
    detail_default = said("This invoice was changed {most} times; it can't be changed any more.", most=HISTORY_MAX)


def cancel_invoice(
    db: Db,
    asked: Asked,
    *,
    invoice_number: str,
    reason: str,
    settling: Settling,
    condition: Condition = ALWAYS,
) -> Answer[Invoice]:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it.

    The change of the invoice decides; the credit note follows from it, at once or by whoever meets the invoice next.
    Raises InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHasCreditNotes, IdempotencyKeyReused, PreconditionFailed;
    SeriesFull or NumberTakenElsewhere where the credit note couldn't be numbered.
    """
    repeat = partial(_find_cancelled, db, asked, invoice_number, reason, settling)

    def cancel() -> Answer[Invoice] | None:
        invoice = get_invoice(db, tenant=asked.tenant, invoice_number=invoice_number, settling=settling)
        require_cancellable(invoice)
        condition.require(invoice)
        cancelled = _cancel(db, asked, invoice, reason)
        return repeat() if cancelled is None else Answer(_finished(db, cancelled, settling))

    return until_unchanged_meanwhile(lambda: first_result(cancel, repeat), busy=InvoiceBusy)


def require_cancellable(invoice: Invoice) -> None:
    """Raise why this invoice can't be cancelled, as things are now."""
    if invoice.get("status") == "cancelled":
        raise InvoiceAlreadyCancelled
    if invoice.get("credits"):
        raise InvoiceHasCreditNotes
    if any(allocation.get("state") != "claimed" for allocation in documents_in(invoice.get("allocations"))):
        raise InvoiceHasPayments
    if len(documents_in(invoice.get("history"))) >= HISTORY_MAX:
        raise InvoiceHistoryFull


def _cancel(db: Db, asked: Asked, invoice: Invoice, reason: str) -> Invoice | None:
    values: Document = {"cancel_reason": reason, "cancelled_at": asked.now, "unsettled": True}
    values |= {"cancelled_by": asked.by, "cancelled_by_name": asked.by_name}
    shop = shops.get_shop(db, tenant=asked.tenant, shop=invoice["shop"])
    would_be = cast(Invoice, {**invoice, **values})
    sequences.require_numberable(db, sequences.credit_note_draft(would_be, shop))
    if asked.key is not None:
        values |= {"cancel_idempotency_key": asked.key, "cancel_request_hash": _cancel_hash(invoice, reason)}
    changes = {"status": {"from": invoice.get("status"), "to": "cancelled"}, "cancel_reason": {"to": reason}}
    entry = changed(asked, action="cancelled", changes=changes)
    return store.cancel_invoice(db, invoice, values=values, entry=entry)


def _finished(db: Db, cancelled: Invoice, settling: Settling) -> Invoice:
    """Return a cancelled invoice with its credit note; without it where it could be numbered when that was asked, and
    no longer. It is cancelled all the same. Raises Unavailable, after which a repeat completes it.
    """
    try:
        return settled(db, cancelled, settling)
    except Conflict:
        return settled_or_as_it_is(db, cancelled, settling)


def _find_cancelled(
    db: Db, asked: Asked, invoice_number: str, reason: str, settling: Settling
) -> Answer[Invoice] | None:
    """Return the invoice that an earlier request with this key cancelled, None where there is none."""
    if asked.key is None:
        return None
    cancelled = store.find_invoice_by_cancel_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if cancelled is None:
        return None
    if cancelled["invoice_number"] != invoice_number:
        raise IdempotencyKeyReused
    require_same_request(cancelled["cancel_request_hash"], _cancel_hash(cancelled, reason))
    return Answer(_finished(db, cancelled, settling), replayed=True)


def _cancel_hash(invoice: Invoice, reason: str) -> str:
    return request_hash({"invoice": str(invoice["_id"]), "reason": reason})
