"""Payments that pay invoices: what stays right, whenever a process is killed, though it touches several documents.

1. An *intent* holds the whole payment, without a number. 2. The payment *claims* its part of each invoice, one atomic
conditional change each. 3. One atomic change of the intent *decides* that the payment will be stored. 4. It is stored,
under a unique claim. 5. The claims are *settled*: they count as paid from now on.

Killed before 3, the payment never was, and whoever meets its claims later withdraws the intent, so that it can't be
decided any more, and drops them. Killed after 3, it will be: whoever meets its claims stores it, once, by the unique
claim. No clock decides; time only says how long others wait before they take over. See docs/decisions/.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from finance.database import Db, Document
from finance.errors import FinanceError, Unavailable
from finance.invoices import claims
from finance.numbering.issue import Draft, Stored, Taken
from finance.numbering.lane import Lane
from finance.once import OutcomeUnknown
from finance.payments import store
from finance.payments.model import Payment, payment_series

TAKE_OVER_AFTER_S = 12.0  # longer than any request may take
CLAIM_WAIT_S = 4.0
CLAIM_PAUSE_S = 0.05


class AllocationWithdrawn(Unavailable):
    detail_default = "This took too long, and nothing was stored. A retry is safe."


class SamePaymentUnderWay(Unavailable):
    detail_default = "The same payment is being stored by another request. A retry with the same key is safe."


def pay_invoices(db: Db, draft: Draft, *, lane: Lane, now: datetime, deadline_s: float) -> Stored | Taken:
    """Store a payment together with what it pays of each invoice in its `allocations`.

    Raises what claims.claim_part does, having stored nothing; or Unavailable.
    """
    payment = draft.document
    claim = payment["claim"] = uuid4().hex
    repeated = _begin(db, payment, lane=lane, now=now, deadline_s=deadline_s)
    if repeated is not None:
        return repeated
    try:
        _claim_parts(db, payment, lane=lane, now=now, deadline_s=deadline_s)
    except FinanceError:
        store.withdraw_intent(db, tenant=payment["tenant"], claim=claim)
        _drop_claims(db, payment)
        raise
    if not store.decide_intent(db, tenant=payment["tenant"], claim=claim, decided_at=now):
        _drop_claims(db, payment)
        raise AllocationWithdrawn
    return _store_decided(db, draft, lane=lane, now=now, deadline_s=deadline_s)


def settle_claim(
    db: Db, *, lane: Lane, tenant: str, claim: str, invoice_number: str, now: datetime, deadline_s: float
) -> None:
    """Settle or drop a claim that somebody met on an invoice, unless its request may still be at work on it."""
    payment = store.find_payment_by_claim(db, tenant=tenant, claim=claim)
    if payment is not None:
        _settle(db, payment, now=now)
        return
    intent = store.find_intent(db, tenant=tenant, claim=claim)
    if intent is None:  # withdrawn; had it been completed since we looked, its claims would be settled, and stay so
        claims.drop_claim(db, tenant=tenant, invoice_number=invoice_number, claim=claim)
    elif now - intent["created_at"] > timedelta(seconds=TAKE_OVER_AFTER_S):
        _take_over(db, intent, lane=lane, now=now, deadline_s=deadline_s)


def before_void(db: Db, payment: Payment) -> None:
    """Make those who read the invoices of this payment look at it first, from now on."""
    for invoice_number in _invoice_numbers(payment):
        claims.mark_returning(db, tenant=payment["tenant"], invoice_number=invoice_number, claim=payment["claim"])


def after_void(db: Db, payment: Payment) -> None:
    """Give back what a voided payment paid."""
    voided_by = next(entry["by"] for entry in payment["history"] if entry["action"] == "voided")
    for invoice_number in _invoice_numbers(payment):
        claims.give_back(
            db,
            tenant=payment["tenant"],
            invoice_number=invoice_number,
            claim=payment["claim"],
            payment_number=payment["payment_number"],
            by=voided_by,
            now=payment["voided_at"],
        )


def _begin(db: Db, payment: Payment, *, lane: Lane, now: datetime, deadline_s: float) -> Taken | None:
    """Store the intent, and return the payment where it was stored by an earlier request with the same key."""
    tenant, key = payment["tenant"], payment.get("idempotency_key")
    intent: Document = {"_id": payment["claim"], "tenant": tenant, "state": "claiming", "created_at": now}
    intent["payment"] = dict(payment)
    if key is None:
        store.insert_intent(db, intent)
        return None
    waits_until = monotonic() + CLAIM_WAIT_S
    while not store.insert_intent(db, intent | {"idempotency_key": key}):
        other = store.find_intent_by_key(db, tenant=tenant, idempotency_key=key)
        if other is not None and now - other["created_at"] > timedelta(seconds=TAKE_OVER_AFTER_S):
            _take_over(db, other, lane=lane, now=now, deadline_s=deadline_s)
        elif monotonic() > waits_until:
            raise SamePaymentUnderWay
        else:
            sleep(CLAIM_PAUSE_S)
    # An intent is deleted only after its payment is stored, so now that this one stands, we can tell.
    stored = store.find_payment_by_key(db, tenant=tenant, idempotency_key=key)
    if stored is None:
        return None
    store.delete_intent(db, tenant=tenant, claim=payment["claim"])
    return Taken(stored, frozenset(("tenant", "idempotency_key")))


def _claim_parts(db: Db, payment: Payment, *, lane: Lane, now: datetime, deadline_s: float) -> None:
    """Claim the part of every invoice; where that depends on the claims of others, wait for what becomes of them."""
    waits_until = monotonic() + CLAIM_WAIT_S
    # In the order of their numbers, so that no two payments wait for each other.
    in_order = sorted(enumerate(payment["allocations"]), key=lambda entry: entry[1]["invoice_number"])
    for position, allocation in in_order:
        what: dict[str, Any] = {"tenant": payment["tenant"], "invoice_number": allocation["invoice_number"]}
        while True:
            try:
                claims.claim_part(
                    db,
                    **what,
                    currency=payment["currency"],
                    claim=payment["claim"],
                    amount_minor=allocation["amount_minor"],
                    pointer=f"/allocations/{position}",
                )
                break
            except claims.InvoiceBusy:
                if monotonic() > waits_until:
                    raise
            for other in claims.unsettled_claims(db, **what):
                if other != payment["claim"]:
                    settle_claim(db, lane=lane, **what, claim=other, now=now, deadline_s=deadline_s)
            sleep(CLAIM_PAUSE_S)


def _store_decided(db: Db, draft: Draft, *, lane: Lane, now: datetime, deadline_s: float) -> Stored | Taken:
    """Store a payment that is decided, and settle its claims."""
    payment = draft.document
    try:
        outcome = lane.submit(draft, deadline_s=deadline_s)
    except FinanceError as failed:
        # It will be stored all the same, by whoever meets its claims.
        raise OutcomeUnknown from failed
    if outcome.document.get("claim") != payment["claim"]:
        # Its key belongs to another payment, which had no allocations, so this one can never be.
        _drop_claims(db, payment)
        store.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])
        return outcome
    _settle(db, outcome.document, now=now)
    return Stored(outcome.document)


def _settle(db: Db, payment: Payment, *, now: datetime) -> None:
    """Make the invoices of a stored payment show what it pays, or that it is voided."""
    if payment["status"] == "voided":
        after_void(db, payment)
    else:
        for invoice_number in _invoice_numbers(payment):
            claims.settle_claim(
                db,
                tenant=payment["tenant"],
                invoice_number=invoice_number,
                claim=payment["claim"],
                payment_number=payment["payment_number"],
                by=payment["created_by"],
                now=now,
            )
    store.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])


def _take_over(db: Db, intent: Document, *, lane: Lane, now: datetime, deadline_s: float) -> None:
    """Finish what a killed process left: store the payment where that was decided, else make that impossible."""
    payment = intent["payment"]
    if intent["state"] == "claiming":
        if store.withdraw_intent(db, tenant=payment["tenant"], claim=payment["claim"]):
            _drop_claims(db, payment)
        return
    draft = Draft(payment_series(payment["tenant"], payment["number_year"]), payment)
    _store_decided(db, draft, lane=lane, now=now, deadline_s=deadline_s)


def _drop_claims(db: Db, payment: Payment) -> None:
    for invoice_number in _invoice_numbers(payment):
        claims.drop_claim(db, tenant=payment["tenant"], invoice_number=invoice_number, claim=payment["claim"])


def _invoice_numbers(payment: Payment) -> Iterable[str]:
    return [allocation["invoice_number"] for allocation in payment.get("allocations", ())]
