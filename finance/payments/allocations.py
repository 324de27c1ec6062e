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
from typing import cast
from uuid import uuid4

from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import FinanceError, Unavailable
from finance.invoices import claims
from finance.invoices.model import Claim
from finance.numbering.drafts import Draft, Stored, Taken
from finance.numbering.lane import Submit
from finance.once import OutcomeUnknown
from finance.payments import intents, store
from finance.payments.intents import Intent
from finance.payments.model import Payment, draft_of

TAKE_OVER_AFTER = timedelta(seconds=12)  # longer than any request may take
CLAIM_WAIT_S = 4.0
CLAIM_PAUSE_S = 0.05


class AllocationWithdrawn(Unavailable):
    detail_default = "This took too long, and nothing was stored. A retry is safe."


class SamePaymentUnderWay(Unavailable):
    detail_default = "The same payment is being stored by another request. A retry with the same key is safe."


# What a payment that names invoices may meet.
FAILURES = (
    *(claims.InvoiceIsCancelled, claims.MoreThanOutstanding, claims.AllocationsFull),
    *(claims.InvoiceBusy, AllocationWithdrawn, SamePaymentUnderWay),
)


def pay_invoices(db: Db, draft: Draft, *, submit: Submit) -> Stored | Taken:
    """Store a payment together with what it pays of each invoice in its `allocations`.

    Raises what claims.claim_part does, having stored nothing; or Unavailable.
    """
    payment = cast(Payment, draft.document)
    tenant, now = payment["tenant"], payment["created_at"]
    claim = payment["claim"] = uuid4().hex
    repeated = _begin(db, payment, submit=submit)
    if repeated is not None:
        return repeated
    try:
        _claim_parts(db, payment, submit=submit)
    except FinanceError:
        intents.withdraw_intent(db, tenant=tenant, claim=claim)
        _drop_claims(db, payment)
        raise
    if not intents.decide_intent(db, tenant=tenant, claim=claim, decided_at=now):
        _drop_claims(db, payment)
        raise AllocationWithdrawn
    return _store_decided(db, draft, submit=submit, now=now)


def resolve_claim(db: Db, claim: Claim, *, submit: Submit, now: datetime) -> None:
    """Settle or drop a claim that somebody met on an invoice, unless its request may still be at work on it."""
    payment = store.find_payment_by_claim(db, tenant=claim.tenant, claim=claim.claim)
    if payment is not None:
        _settle(db, payment, now=now)
        return
    intent = intents.find_intent(db, tenant=claim.tenant, claim=claim.claim)
    if intent is None:  # withdrawn; had it been completed since we looked, its claims would be settled, and stay so
        claims.drop_claim(db, claim)
    elif _is_abandoned(intent, now):
        _finish(db, intent, submit=submit, now=now)


def finish_decided(db: Db, asked: Asked, *, submit: Submit) -> Payment | None:
    """Store the payment of this key that a killed process had decided, and return it; None where there is none."""
    if asked.key is None:
        return None
    intent = intents.find_intent_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if intent is None or intent["state"] != "decided":
        return None
    return cast(Payment, _store_decided(db, draft_of(intent["payment"]), submit=submit, now=asked.now).document)


def before_void(db: Db, payment: Payment) -> None:
    """Make those who read the invoices of this payment look at it first, from now on."""
    for claim in _claims_of(payment):
        claims.mark_returning(db, claim)


def after_void(db: Db, payment: Payment) -> None:
    """Give back what a voided payment paid."""
    voided = next(entry for entry in documents_in(payment["history"]) if entry.get("action") == "voided")
    asked = Asked(payment["tenant"], voided.get("by", ""), payment["voided_at"], by_name=voided.get("by_name"))
    for claim in _claims_of(payment):
        claims.give_back(db, claim, payment_number=payment["payment_number"], asked=asked)


def _begin(db: Db, payment: Payment, *, submit: Submit) -> Taken | None:
    """Store the intent, and return the payment where it was stored by an earlier request with the same key."""
    tenant, key, now = payment["tenant"], payment.get("idempotency_key"), payment["created_at"]
    intent: Intent = {
        "_id": payment["claim"],
        "tenant": tenant,
        "state": "claiming",
        "created_at": now,
        "payment": payment.copy(),
    }
    if key is None:
        intents.insert_intent(db, intent)
        return None
    intent["idempotency_key"] = key
    waits_until = monotonic() + CLAIM_WAIT_S
    while not intents.insert_intent(db, intent):
        other = intents.find_intent_by_key(db, tenant=tenant, idempotency_key=key)
        if other is not None and _is_abandoned(other, now):
            _finish(db, other, submit=submit, now=now)
        elif monotonic() > waits_until:
            raise SamePaymentUnderWay
        else:
            sleep(CLAIM_PAUSE_S)
    # An intent is deleted only after its payment is stored, so now that this one stands, we can tell.
    stored = store.find_payment_by_key(db, tenant=tenant, idempotency_key=key)
    if stored is None:
        return None
    intents.delete_intent(db, tenant=tenant, claim=payment["claim"])
    return Taken(dict(stored), frozenset(("tenant", "idempotency_key")))


def _claim_parts(db: Db, payment: Payment, *, submit: Submit) -> None:
    """Claim the part of every invoice; where that depends on the claims of others, wait for what becomes of them."""
    waits_until = monotonic() + CLAIM_WAIT_S
    # In the order of their numbers, so that no two payments wait for each other.
    for position, allocation in sorted(enumerate(payment["allocations"]), key=lambda entry: entry[1]["invoice_number"]):
        claim = Claim(payment["tenant"], allocation["invoice_number"], payment["claim"])
        while True:
            try:
                claims.claim_part(
                    db,
                    claim,
                    currency=payment["currency"],
                    amount_minor=allocation["amount_minor"],
                    pointer=f"/allocations/{position}",
                )
                break
            except claims.InvoiceBusy:
                if monotonic() > waits_until:
                    raise
            for other in claims.unsettled_claims(db, tenant=claim.tenant, invoice_number=claim.invoice_number):
                if other != claim:
                    resolve_claim(db, other, submit=submit, now=payment["created_at"])
            sleep(CLAIM_PAUSE_S)


def _store_decided(db: Db, draft: Draft, *, submit: Submit, now: datetime) -> Stored | Taken:
    """Store a payment that is decided, and settle its claims."""
    payment = cast(Payment, draft.document)
    try:
        outcome = submit(draft)
    except FinanceError as failed:
        # It will be stored all the same, by whoever meets its claims.
        raise OutcomeUnknown from failed
    if outcome.document.get("claim") != payment["claim"]:
        # Its key belongs to another payment, which had no allocations, so this one can never be.
        _drop_claims(db, payment)
        intents.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])
        return outcome
    _settle(db, cast(Payment, outcome.document), now=now)
    return Stored(outcome.document)


def _settle(db: Db, payment: Payment, *, now: datetime) -> None:
    """Make the invoices of a stored payment show what it pays, or that it is voided."""
    if payment["status"] == "voided":
        after_void(db, payment)
    else:
        recorded = Asked(payment["tenant"], payment["created_by"], now, by_name=payment.get("created_by_name"))
        for claim in _claims_of(payment):
            claims.count_as_paid(db, claim, payment_number=payment["payment_number"], asked=recorded)
    intents.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])


def _is_abandoned(intent: Intent, now: datetime) -> bool:
    return now - intent["created_at"] > TAKE_OVER_AFTER


def _finish(db: Db, intent: Intent, *, submit: Submit, now: datetime) -> None:
    """Finish what a killed process left: store the payment where that was decided, else make that impossible."""
    payment = intent["payment"]
    if intent["state"] == "decided":
        _store_decided(db, draft_of(payment), submit=submit, now=now)
    elif intents.withdraw_intent(db, tenant=payment["tenant"], claim=payment["claim"]):
        _drop_claims(db, payment)


def _drop_claims(db: Db, payment: Payment) -> None:
    for claim in _claims_of(payment):
        claims.drop_claim(db, claim)


def _claims_of(payment: Payment) -> Iterable[Claim]:
    return [
        Claim(payment["tenant"], allocation["invoice_number"], payment["claim"])
        for allocation in documents_in(payment.get("allocations"))
        if "invoice_number" in allocation and "claim" in payment
    ]
