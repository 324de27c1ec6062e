"""Issuing, reading and cancelling invoices."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, cast
from zoneinfo import ZoneInfo

from finance import metrics
from finance.asked import Asked
from finance.contention import until_unchanged_meanwhile
from finance.customers import service as customers
from finance.damaged import documents_in
from finance.database import Db, before_writing
from finance.errors import Conflict, Invalid, NotFound, Unavailable
from finance.history import changed
from finance.invoices import claims, sequences, store
from finance.invoices.model import (
    DUE_AFTER_DAYS_MAX,
    HISTORY_MAX,
    KIND,
    CreditNote,
    Invoice,
    ResolveClaim,
    as_issued,
    hash_of,
    new_invoice,
    possible_days,
)
from finance.invoices.totals import computed
from finance.numbering.drafts import Draft, Outcome, Stored, Taken
from finance.numbering.issue import issue_no_gap
from finance.numbering.lane import Submit
from finance.once import (
    Answer,
    IdempotencyKeyReused,
    RefusedByForeignIndex,
    first_result,
    request_hash,
    require_same_request,
)
from finance.paging import Page, PageWanted, every_page
from finance.shops import service as shops

log = logging.getLogger(__name__)

REPEAT_FIELDS = frozenset(("tenant", "idempotency_key"))
EXPORT_PAGE_SIZE = 500


class InvoiceNotFound(NotFound):
    detail_default = "There is no invoice with this number."
    named_like = "an invoice number such as FAC-DKR1-202611-0001"


class CreditNoteNotFound(NotFound):
    detail_default = "There is no credit note with this number."
    named_like = "a credit note number such as AV-DKR1-202611-0001"


class InvoiceAlreadyCancelled(Conflict):
    detail_default = "This invoice is cancelled already."


class InvoiceHasPayments(Conflict):
    detail_default = "Payments are allocated to this invoice. Void them first; then it can be cancelled."


class InvoiceHistoryFull(Conflict):
    detail_default = f"This invoice was changed {HISTORY_MAX} times; it can't be changed any more."


@dataclass(frozen=True)
class Settling:
    """What it takes to finish what a killed process left half done: storing credit notes, and asking the payments."""

    submit: Submit
    resolve_claim: ResolveClaim


def commit_invoices(db: Db, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store the invoices and credit notes that wait in the lane; one outcome each."""
    outcomes: dict[Draft, Outcome] = {}
    for is_invoice, group in groupby(sorted(drafts, key=_is_invoice), key=_is_invoice):
        same_kind = list(group)
        numbered = store.numbered(db) if is_invoice else store.numbered_credit_notes(db)
        outcomes.update(zip(same_kind, issue_no_gap(numbered, same_kind, now=now), strict=True))
        if is_invoice:
            metrics.invoices_issued.inc(sum(isinstance(outcomes[draft], Stored) for draft in same_kind))
    return [outcomes[draft] for draft in drafts]


def issue_invoice(db: Db, asked: Asked, *, submit: Submit, posted: Mapping[str, Any]) -> Answer[Invoice]:
    """Store an invoice under the next number of its series.

    `posted` is a body after validation. Raises Invalid (no such shop or customer, totals that don't agree, a day that
    can't be), IssuedOnBeforeLast, IdempotencyKeyReused, SeriesFull, or Unavailable.
    """
    checked = first_result(
        before_writing(partial(_checked_invoice, db, asked, posted)), partial(_find_repeat, db, asked, posted)
    )
    if isinstance(checked, Answer):
        return checked
    outcome = submit(checked)
    if isinstance(outcome, Taken):
        return _repeat_of(outcome, posted)
    return Answer(cast(Invoice, outcome.document))


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


def cancel_invoice(db: Db, asked: Asked, *, invoice_number: str, reason: str, settling: Settling) -> Answer[Invoice]:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it.

    The change of the invoice decides; the credit note follows from it, at once or by whoever meets the invoice next.
    Raises InvoiceAlreadyCancelled, InvoiceHasPayments, IdempotencyKeyReused.
    """

    repeat = partial(_find_cancelled, db, asked, invoice_number, reason, settling)

    def cancel() -> Answer[Invoice] | None:
        invoice = get_invoice(db, tenant=asked.tenant, invoice_number=invoice_number, settling=settling)
        _require_cancellable(invoice)
        cancelled = _cancel(db, asked, invoice, reason)
        return repeat() if cancelled is None else Answer(_settled(db, cancelled, settling))

    return until_unchanged_meanwhile(lambda: first_result(cancel, repeat), busy=claims.InvoiceBusy)


def get_credit_note(db: Db, *, tenant: str, credit_note_number: str) -> CreditNote:
    """Return the credit note; raises CreditNoteNotFound."""
    found = store.find_credit_note(db, tenant=tenant, credit_note_number=credit_note_number)
    if found is None:
        raise CreditNoteNotFound.named(credit_note_number)
    return found


def list_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean."""
    return store.list_credit_notes(db, tenant=tenant, filters=filters, wanted=wanted)


def _checked_invoice(db: Db, asked: Asked, posted: Mapping[str, Any]) -> Draft:
    """Return the invoice to store; raises Invalid where it can't be issued, as things are now."""
    shop = shops.find_shop(db, tenant=asked.tenant, shop=posted["shop"])
    if shop is None:
        raise Invalid.field("shop", "there is no shop of this name.")
    today = asked.now.astimezone(ZoneInfo(shop["timezone"])).date()
    issued_on = posted.get("issued_on") or today
    _require_possible_days(issued_on, posted.get("due_on"), today)
    if "customer_code" in posted:
        customers.require_customer(db, tenant=asked.tenant, customer_code=posted["customer_code"])
    rule, period = sequences.numbering_of(db, shop, issued_on)
    totals = computed(posted, posted.get("currency") or shop["currency"])
    invoice = new_invoice(posted, asked, totals=totals, period=period.label, issued_on=issued_on)
    latest = None if "issued_on" in posted else today + timedelta(days=1)  # midnight may pass while this waits
    return sequences.invoice_draft(invoice, shop, rule, period, latest)


def _find_repeat(db: Db, asked: Asked, posted: Mapping[str, Any]) -> Answer[Invoice] | None:
    """Return the first result of an earlier request with the same key, None where there is none."""
    if asked.key is None:
        return None
    stored = store.find_invoice_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    return None if stored is None else _repeated(stored, posted)


def _repeat_of(taken: Taken, posted: Mapping[str, Any]) -> Answer[Invoice]:
    """Return the first result where the unique key that is taken is the request's own."""
    if taken.fields != REPEAT_FIELDS:
        raise RefusedByForeignIndex.on("invoices", taken.fields)
    return _repeated(cast(Invoice, taken.document), posted)


def _repeated(stored: Invoice, posted: Mapping[str, Any]) -> Answer[Invoice]:
    require_same_request(stored.get("request_hash"), hash_of(posted))
    return Answer(as_issued(stored), replayed=True)


def _is_invoice(draft: Draft) -> bool:
    return draft.series.kind == KIND


def _get(db: Db, tenant: str, invoice_number: str) -> Invoice:
    invoice = store.find_invoice(db, tenant=tenant, invoice_number=invoice_number)
    if invoice is None:
        raise InvoiceNotFound.named(invoice_number)
    return invoice


def _require_possible_days(issued_on: date, due_on: date | None, today: date) -> None:
    first, last = possible_days(today)
    if not first <= issued_on <= last:
        raise Invalid.field("issued_on", f"must be from {first} to {last}.")
    if due_on is not None and not issued_on <= due_on <= issued_on + timedelta(days=DUE_AFTER_DAYS_MAX):
        raise Invalid.field("due_on", f"must be from issued_on, {issued_on}, to {DUE_AFTER_DAYS_MAX} days after it.")


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
    return Answer(_settled(db, cancelled, settling), replayed=True)


def _cancel_hash(invoice: Invoice, reason: str) -> str:
    return request_hash({"invoice": str(invoice["_id"]), "reason": reason})


def _require_cancellable(invoice: Invoice) -> None:
    if invoice.get("status") == "cancelled":
        raise InvoiceAlreadyCancelled
    if any(allocation.get("state") != "claimed" for allocation in documents_in(invoice.get("allocations"))):
        raise InvoiceHasPayments
    if len(documents_in(invoice.get("history"))) >= HISTORY_MAX:
        raise InvoiceHistoryFull


def _cancel(db: Db, asked: Asked, invoice: Invoice, reason: str) -> Invoice | None:
    values = {"cancel_reason": reason, "cancelled_at": asked.now, "unsettled": True}
    values |= {"cancelled_by": asked.by, "cancelled_by_name": asked.by_name}
    if asked.key is not None:
        values |= {"cancel_idempotency_key": asked.key, "cancel_request_hash": _cancel_hash(invoice, reason)}
    changes = {"status": {"from": invoice.get("status"), "to": "cancelled"}, "cancel_reason": {"to": reason}}
    entry = changed(asked, action="cancelled", changes=changes)
    return store.cancel_invoice(db, invoice, values=values, entry=entry)


def _settled(db: Db, invoice: Invoice, settling: Settling) -> Invoice:
    """Return the invoice after finishing what can be finished of what is on its way."""
    if not invoice.get("unsettled"):
        return invoice
    for claim in claims.unsettled_claims_of(invoice):
        settling.resolve_claim(claim)
    if invoice["status"] == "cancelled":
        shop = shops.get_shop(db, tenant=invoice["tenant"], shop=invoice["shop"])
        outcome = settling.submit(sequences.credit_note_draft(invoice, shop))
        if isinstance(outcome, Taken) and outcome.document["invoice_number"] != invoice["invoice_number"]:
            # It stays cancelled without its credit note, and is tried again by whoever looks at it next.
            RefusedByForeignIndex.on("credit_notes", outcome.fields)
            return invoice
        store.link_credit_note(db, invoice, credit_note_number=outcome.document["credit_note_number"])
    return _get(db, invoice["tenant"], invoice["invoice_number"])
