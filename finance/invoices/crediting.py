"""Crediting invoices in part, also paid ones: the invoice decides, and its credit note follows from it, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

from finance.allocations.legacy import filled_in
from finance.allocations.model import ENTRIES_MAX, INVOICE, InvoiceBusy, InvoiceIsCancelled
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import Conflict, Invalid
from finance.invoices import credits, sequences
from finance.invoices.cancelling import InvoiceHistoryFull
from finance.invoices.finishing import finish_credit
from finance.invoices.model import HISTORY_MAX, Credit, CreditNote, Invoice, Totals
from finance.invoices.notes import applied, as_credited, crediting_note
from finance.invoices.service import get_invoice
from finance.invoices.settling import Settling
from finance.invoices.totals import computed
from finance.money import format_amount, require_currency, whole_of
from finance.once import Answer, IdempotencyKeyReused, first_result, request_hash, require_same_request
from finance.said import said
from finance.shops import service as shops

# How long the lists of an invoice may become.
_MOST = {"history": HISTORY_MAX, "allocations": ENTRIES_MAX, "credits": credits.CREDITS_MAX}


class MoreThanInvoiced(Conflict):
    """Less is left to credit of the invoice than the lines come to."""

    extra_members = {"left_to_credit": "What can still be credited of it, in its currency."}


@dataclass(frozen=True)
class Foreseen:
    """What a credit would come to: what its invoice takes of it at once, and what would be left to give to others."""

    totals: Totals
    applied_minor: int
    unallocated_minor: int


def credit_invoice(
    db: Db,
    asked: Asked,
    *,
    invoice_number: str,
    posted: Mapping[str, Any],
    settling: Settling,
    condition: Condition = ALWAYS,
) -> Answer[CreditNote]:
    """Credit a part of an invoice, with a credit note over these lines in the invoice's currency.

    What is still outstanding takes its part of the credit; the rest of it is the note's to give to others. Raises
    InvoiceNotFound, InvoiceIsCancelled, MoreThanInvoiced, InvoiceHistoryFull, IdempotencyKeyReused, SeriesFull,
    NumberTakenElsewhere, PreconditionFailed, or Invalid where totals sent with the lines don't agree.
    """
    repeat = partial(_find_repeat, db, asked, invoice_number, posted, settling)

    def credit() -> Answer[CreditNote] | None:
        invoice = get_invoice(db, tenant=asked.tenant, invoice_number=invoice_number, settling=settling)
        wanted = _checked(db, asked, invoice, posted)
        condition.require(invoice)
        filled_in(db, dict(invoice), INVOICE)
        decided = credits.decide(db, invoice, wanted, unchanged=condition.asks)
        if decided is None:
            return repeat()
        return Answer(finish_credit(db, decided, _credit_of(decided, wanted["claim"]), settling.submit))

    return until_unchanged_meanwhile(lambda: first_result(credit, repeat), busy=InvoiceBusy)


def left_to_credit(invoice: Invoice) -> int:
    """Return what can still be credited of an invoice, in minor units; nothing of a cancelled one."""
    if invoice.get("status") == "cancelled":
        return 0
    credited_minor = sum(whole_of(credit.get("total_minor")) for credit in documents_in(invoice.get("credits")))
    return whole_of(invoice.get("total_minor")) - credited_minor


def foresee_credit(invoice: Invoice, posted: Mapping[str, Any]) -> Foreseen:
    """Return what crediting these lines of an invoice would do, as it is now; raises why it can't be credited so."""
    _require_creditable(invoice)
    totals = computed(posted, require_currency(invoice.get("currency")))
    _require_left(invoice, totals["total_minor"])
    applied_minor = max(0, min(totals["total_minor"], whole_of(invoice.get("free_minor"))))
    return Foreseen(totals, applied_minor, totals["total_minor"] - applied_minor)


def _checked(db: Db, asked: Asked, invoice: Invoice, posted: Mapping[str, Any]) -> Credit:
    """Return what would be credited; raises why it can't be, as things are now."""
    _require_creditable(invoice)
    totals = computed(posted, require_currency(invoice.get("currency")))
    _require_left(invoice, totals["total_minor"])
    note = crediting_note(invoice, asked, totals=totals, reason=posted["reason"], claim=uuid4().hex)
    shop = shops.get_shop(db, tenant=asked.tenant, shop=invoice["shop"])
    draft = sequences.note_draft(applied(note, 0), shop, not_before=invoice["issued_on"])
    sequences.require_numberable(db, draft)
    credit: Credit = {"claim": note["claim"], "total_minor": totals["total_minor"], "note": note}
    if asked.key is not None:
        credit |= {"idempotency_key": asked.key, "request_hash": _hash_of(invoice["invoice_number"], posted)}
    return credit


def _require_creditable(invoice: Invoice) -> None:
    if invoice.get("status") == "cancelled":
        raise InvoiceIsCancelled(
            said(
                "{invoice_number} is cancelled: its credit note takes back the whole of it.",
                invoice_number=invoice["invoice_number"],
            )
        )
    if any(len(documents_in(invoice.get(name))) >= most for name, most in _MOST.items()):
        raise InvoiceHistoryFull


def _require_left(invoice: Invoice, total_minor: int) -> None:
    """Raise MoreThanInvoiced where less is left to credit, Invalid where there is nothing to credit."""
    if total_minor == 0:
        raise Invalid.field("lines", said("come to nothing, so there is nothing to credit."))
    currency = invoice["currency"]
    left_minor = left_to_credit(invoice)
    if total_minor > left_minor:
        left, wanted = format_amount(left_minor, currency), format_amount(total_minor, currency)
        raise MoreThanInvoiced(
            said(
                "{left} {currency} is left to credit of {invoice_number}; these lines come to {wanted}.",
                left=left,
                currency=currency,
                invoice_number=invoice["invoice_number"],
                wanted=wanted,
            ),
            extra={"left_to_credit": left},
        )


def _find_repeat(
    db: Db, asked: Asked, invoice_number: str, posted: Mapping[str, Any], settling: Settling
) -> Answer[CreditNote] | None:
    """Return the credit note of an earlier request with this key, None where there is none."""
    if asked.key is None:
        return None
    invoice = credits.find_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if invoice is None:
        return None
    if invoice["invoice_number"] != invoice_number:
        raise IdempotencyKeyReused
    credit = next(one for one in invoice["credits"] if one.get("idempotency_key") == asked.key)
    require_same_request(credit.get("request_hash"), _hash_of(invoice_number, posted))
    return Answer(as_credited(finish_credit(db, invoice, credit, settling.submit)), replayed=True)


def _credit_of(invoice: Invoice, claim: str) -> Credit:
    found = next(credit for credit in documents_in(invoice["credits"]) if credit.get("claim") == claim)
    return cast(Credit, found)


def _hash_of(invoice_number: str, posted: Mapping[str, Any]) -> str:
    """Return the digest by which a repeat is known; totals sent to be compared are no part of it."""
    asked_for = {name: value for name, value in posted.items() if name != "sent_totals"}
    return request_hash({"invoice": invoice_number, **asked_for})
