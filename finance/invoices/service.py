"""Issuing, reading and cancelling invoices."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

from finance import metrics
from finance.customers import service as customers
from finance.database import Db
from finance.errors import Conflict, Invalid, NotFound, Unavailable
from finance.invoices import claims, sequences, store
from finance.invoices.model import (
    DUE_AFTER_DAYS_MAX,
    HISTORY_MAX,
    KIND,
    CreditNote,
    Invoice,
    as_issued,
    new_invoice,
    possible_days,
)
from finance.invoices.totals import computed
from finance.numbering.issue import Draft, Outcome, Stored, Taken, issue_no_gap
from finance.numbering.lane import Lane
from finance.once import IdempotencyKeyReused, request_hash
from finance.paging import Page, PageWanted, every_page
from finance.shops import service as shops

log = logging.getLogger(__name__)

CHANGE_ATTEMPTS_MAX = 20
CHANGE_PAUSE_S = 0.05
EXPORT_PAGE_SIZE = 500


class InvoiceNotFound(NotFound):
    detail_default = "There is no invoice with this number."


class CreditNoteNotFound(NotFound):
    detail_default = "There is no credit note with this number."


class InvoiceAlreadyCancelled(Conflict):
    detail_default = "This invoice is cancelled already."


class InvoiceHasPayments(Conflict):
    detail_default = "Payments are allocated to this invoice. Void them first; then it can be cancelled."


class InvoiceHistoryFull(Conflict):
    detail_default = f"This invoice was changed {HISTORY_MAX} times; it can't be changed any more."


@dataclass(frozen=True)
class Answer:
    """An invoice, and whether it is the first result of an earlier request with the same idempotency key."""

    invoice: Invoice
    replayed: bool = False


@dataclass(frozen=True)
class Settling:
    """What it takes to finish what a killed process left half done: the lane for credit notes, and `settle_claim`
    (tenant, claim, invoice_number), which asks the payments what became of a claim and settles or releases it.
    """

    lane: Lane
    settle_claim: Callable[..., None]
    deadline_s: float


def commit_invoices(db: Db, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store the invoices and credit notes that wait in the lane; one outcome each."""
    outcomes: dict[Draft, Outcome] = {}
    for is_invoice, group in groupby(sorted(drafts, key=_is_invoice), key=_is_invoice):
        same_kind = list(group)
        numbered = store.numbered(db) if is_invoice else store.numbered_credit_notes(db)
        outcomes.update(zip(same_kind, issue_no_gap(numbered, same_kind, now=now), strict=True))
    return [outcomes[draft] for draft in drafts]


def issue_invoice(
    db: Db,
    *,
    lane: Lane,
    tenant: str,
    posted: Mapping[str, Any],
    idempotency_key: str | None,
    created_by: str,
    now: datetime,
    deadline_s: float,
) -> Answer:
    """Store an invoice under the next number of its series.

    `posted` is a body after validation. Raises Invalid (no such shop or customer, totals that don't agree, a day that
    can't be), IssuedOnBeforeLast, IdempotencyKeyReused, SeriesFull, or Unavailable.
    """
    fingerprint = request_hash({name: value for name, value in posted.items() if name != "sent_totals"})
    if idempotency_key is not None:
        repeated = store.find_invoice_by_key(db, tenant=tenant, idempotency_key=idempotency_key)
        if repeated is not None:
            return _replay(repeated, fingerprint)
    shop = shops.find_shop(db, tenant=tenant, shop=posted["shop"])
    if shop is None:
        raise Invalid.field("shop", "there is no shop of this name.")
    today = now.astimezone(ZoneInfo(shop["timezone"])).date()
    issued_on = posted.get("issued_on") or today
    _require_possible_days(issued_on, posted.get("due_on"), today)
    if "customer_code" in posted:
        customers.require_customer(db, tenant=tenant, customer_code=posted["customer_code"])
    rule, period = sequences.numbering_of(db, shop, issued_on)
    invoice = new_invoice(
        {**posted, **computed(posted, posted.get("currency") or shop["currency"])},
        tenant=tenant,
        shop=shop["shop"],
        period=period.label,
        issued_on=issued_on,
        idempotency_key=idempotency_key,
        created_by=created_by,
        now=now,
    )
    if idempotency_key is not None:
        invoice["request_hash"] = fingerprint
    latest = None if "issued_on" in posted else today + timedelta(days=1)  # midnight may pass while this waits
    draft = sequences.invoice_draft(invoice, shop, rule, period, latest)
    outcome = lane.submit(draft, deadline_s=deadline_s)
    if isinstance(outcome, Taken):
        return _replay(outcome.document, fingerprint)
    metrics.invoices_issued.inc()
    return Answer(outcome.document)


def get_invoice(db: Db, *, tenant: str, invoice_number: str, settling: Settling) -> Invoice:
    """Return the invoice, with what is on its way settled as far as it can be; raises InvoiceNotFound."""
    return _settled(db, _get(db, tenant, invoice_number), settling)


def list_invoices(
    db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted, settling: Settling
) -> Page[Invoice]:
    """Return one page of the invoices that the filters mean, after settling what is on its way."""
    for unsettled in store.list_unsettled(db, tenant=tenant):
        try:
            _settled(db, unsettled, settling)
        except Unavailable as error:  # one that can't be settled now must not keep the others from being shown
            log.warning("%s could not be settled: %s", unsettled["invoice_number"], error.detail)
    return store.list_invoices(db, tenant=tenant, filters=filters, wanted=wanted)


def export_invoices(
    db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str, settling: Settling
) -> Iterator[list[Invoice]]:
    """Yield every invoice of a list, a few hundred at a time."""
    list_page = partial(list_invoices, db, tenant=tenant, filters=filters, settling=settling)
    return every_page(list_page, sort=sort, limit=EXPORT_PAGE_SIZE)


def cancel_invoice(
    db: Db,
    *,
    tenant: str,
    invoice_number: str,
    reason: str,
    idempotency_key: str | None,
    cancelled_by: str,
    now: datetime,
    settling: Settling,
) -> Answer:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it.

    The change of the invoice decides; the credit note follows from it, at once or by whoever meets the invoice next.
    Raises InvoiceAlreadyCancelled, InvoiceHasPayments, IdempotencyKeyReused.
    """
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        invoice = get_invoice(db, tenant=tenant, invoice_number=invoice_number, settling=settling)
        fingerprint = request_hash({"invoice": str(invoice["_id"]), "reason": reason})
        repeated = _find_cancelled(db, tenant=tenant, idempotency_key=idempotency_key)
        if repeated is not None:
            if repeated["cancel_request_hash"] != fingerprint:
                raise IdempotencyKeyReused
            return Answer(_settled(db, repeated, settling), replayed=True)
        _require_cancellable(invoice)
        values = {"cancel_reason": reason, "cancelled_at": now, "cancelled_by": cancelled_by, "unsettled": True}
        if idempotency_key is not None:
            values |= {"cancel_idempotency_key": idempotency_key, "cancel_request_hash": fingerprint}
        changes = {"status": {"from": invoice["status"], "to": "cancelled"}, "cancel_reason": {"to": reason}}
        entry = {"at": now, "by": cancelled_by, "action": "cancelled", "changes": changes}
        cancelled = store.cancel_invoice(db, invoice, values=values, entry=entry)
        if cancelled is not None:
            return Answer(_settled(db, cancelled, settling))
        sleep(CHANGE_PAUSE_S)
    raise claims.InvoiceBusy


def get_credit_note(db: Db, *, tenant: str, credit_note_number: str) -> CreditNote:
    """Return the credit note; raises CreditNoteNotFound."""
    found = store.find_credit_note(db, tenant=tenant, credit_note_number=credit_note_number)
    if found is None:
        raise CreditNoteNotFound
    return found


def list_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean."""
    return store.list_credit_notes(db, tenant=tenant, filters=filters, wanted=wanted)


# --- Helpers -------------------------------------------------------------------------------------------------------


def _is_invoice(draft: Draft) -> bool:
    return draft.series.kind == KIND


def _get(db: Db, tenant: str, invoice_number: str) -> Invoice:
    invoice = store.find_invoice(db, tenant=tenant, invoice_number=invoice_number)
    if invoice is None:
        raise InvoiceNotFound
    return invoice


def _replay(invoice: Invoice, fingerprint: str) -> Answer:
    if invoice.get("request_hash") != fingerprint:
        raise IdempotencyKeyReused
    return Answer(as_issued(invoice), replayed=True)


def _require_possible_days(issued_on: date, due_on: date | None, today: date) -> None:
    first, last = possible_days(today)
    if not first <= issued_on <= last:
        raise Invalid.field("issued_on", f"must be from {first} to {last}.")
    if due_on is not None and not issued_on <= due_on <= issued_on + timedelta(days=DUE_AFTER_DAYS_MAX):
        raise Invalid.field("due_on", f"must be from issued_on, {issued_on}, to {DUE_AFTER_DAYS_MAX} days after it.")


def _find_cancelled(db: Db, *, tenant: str, idempotency_key: str | None) -> Invoice | None:
    if idempotency_key is None:
        return None
    return store.find_invoice_by_cancel_key(db, tenant=tenant, idempotency_key=idempotency_key)


def _require_cancellable(invoice: Invoice) -> None:
    if invoice["status"] == "cancelled":
        raise InvoiceAlreadyCancelled
    if any(allocation["state"] != "claimed" for allocation in invoice["allocations"]):
        raise InvoiceHasPayments
    if len(invoice["history"]) >= HISTORY_MAX:
        raise InvoiceHistoryFull


def _settled(db: Db, invoice: Invoice, settling: Settling) -> Invoice:
    """Return the invoice after finishing what can be finished of what is on its way."""
    if not invoice["unsettled"]:
        return invoice
    for allocation in invoice["allocations"]:
        if allocation["state"] != "settled":
            settling.settle_claim(
                tenant=invoice["tenant"], claim=allocation["claim"], invoice_number=invoice["invoice_number"]
            )
    if invoice["status"] == "cancelled":
        shop = shops.get_shop(db, tenant=invoice["tenant"], shop=invoice["shop"])
        outcome: Stored | Taken = settling.lane.submit(
            sequences.credit_note_draft(invoice, shop), deadline_s=settling.deadline_s
        )
        store.link_credit_note(db, invoice, credit_note_number=outcome.document["credit_note_number"])
    return _get(db, invoice["tenant"], invoice["invoice_number"])
