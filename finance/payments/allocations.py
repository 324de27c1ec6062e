"""Payments that pay invoices, or pay credit notes back: what stays right, whenever a process is killed.

Recorded with allocations: 1. An *intent* holds the whole payment, without a number. 2. The payment *claims* its part of
each invoice, one atomic conditional change each. 3. One atomic change of the intent *decides* that the payment will be
stored. 4. It is stored, under a unique claim. 5. The claims are *settled*: they count as paid from now on.

Killed before 3, the payment never was, and whoever meets its claims later withdraws the intent, so that it can't be
decided any more, and drops them. Killed after 3, it will be: whoever meets its claims stores it, once, by the unique
claim. No clock decides; time only says how long others wait before they take over. See docs/decisions/.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from time import monotonic, sleep
from typing import Any, cast
from uuid import uuid4

from finance.allocations import claiming, entries, following, giving
from finance.allocations.model import (
    CREDIT_NOTE,
    INVOICE,
    PAUSE_S,
    PAYMENT,
    WAIT_S,
    AllocationWithdrawn,
    Entry,
    Follow,
    Part,
    Place,
)
from finance.allocations.model import (
    FAILURES as ALLOCATION_FAILURES,
)
from finance.asked import Asked
from finance.database import Db
from finance.errors import FinanceError, Unavailable
from finance.numbering.drafts import Draft, Stored, Taken
from finance.numbering.lane import Submit
from finance.once import OutcomeUnknown
from finance.payments import intents, store
from finance.payments.intents import Intent
from finance.payments.model import Payment, draft_of
from finance.said import said


class SamePaymentUnderWay(Unavailable):
    detail_default = said("The same payment is being stored by another request. A retry with the same key is safe.")


# What a payment that names invoices may meet.
FAILURES = (*ALLOCATION_FAILURES, SamePaymentUnderWay)


def parts_of(tenant: str, allocations: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Return what is posted as allocations as the parts to give."""
    found = []
    for position, allocation in enumerate(allocations):
        kind = INVOICE if INVOICE.number_field in allocation else CREDIT_NOTE
        place = Place(tenant, kind, allocation[kind.number_field])
        found.append(Part(place, allocation["amount_minor"], f"/allocations/{position}"))
    return found


def plan(db: Db, payment: Payment, *, confirmed: bool) -> None:
    """Give a new payment with allocations its claim, its entries and, where it names none, its customer.

    Raises Invalid where it names no such invoice, OtherCustomersInvoice where that has to be confirmed.
    """
    parts = parts_of(payment["tenant"], cast(Sequence[Mapping[str, Any]], payment.pop("allocations", ())))
    sinks = claiming.look_at_sinks(db, tenant=payment["tenant"], currency=payment["currency"], parts=parts)
    if not confirmed:
        claiming.require_own_customers(payment, sinks=sinks)
    code = entries.taken_over(payment, sinks)
    if code is not None:
        payment["customer_code"] = code
    payment["claim"] = uuid4().hex
    known = {"claim": payment["claim"], "state": "settled", "since": 0}
    given = [cast(Entry, known | entry) for entry in entries.given(payment, PAYMENT, parts, sinks)]
    payment["allocations"] = given
    payment["allocated_minor"] = entries.counted_minor(given)
    if payment["allocated_minor"] == payment["amount_minor"]:
        payment["fully_allocated_on"] = max(entry["on"] for entry in given)
    if any("customer_code" in entry for entry in given):
        payment["crossed"] = True


def pay_invoices(db: Db, draft: Draft, *, submit: Submit) -> Stored | Taken:
    """Store a planned payment together with what it pays.

    Raises what claiming.claim_parts does, having stored nothing; or Unavailable.
    """
    payment = cast(Payment, draft.document)
    tenant, claim, now = payment["tenant"], payment["claim"], payment["created_at"]
    repeated = _begin(db, payment, submit=submit)
    if repeated is not None:
        return repeated
    parts = _parts_of_planned(payment)
    try:
        sinks = claiming.look_at_sinks(db, tenant=tenant, currency=payment["currency"], parts=parts)
        claim_by = partial(claiming.claim_parts, follow=_follow(db, submit=submit, now=now))
        claim_by(db, payment, PAYMENT, claim=claim, parts=parts, sinks=sinks)
    except FinanceError:
        intents.withdraw_intent(db, tenant=tenant, claim=claim)
        claiming.drop_claims(db, claim=claim, parts=parts)
        raise
    if not intents.decide_intent(db, tenant=tenant, claim=claim, decided_at=now):
        claiming.drop_claims(db, claim=claim, parts=parts)
        raise AllocationWithdrawn
    return _store_decided(db, draft, submit=submit, now=now)


def follow(db: Db, sink: Place, claim: str, *, submit: Submit, now: datetime) -> None:
    """Let an invoice or a credit note learn what became of a claim on it."""
    finish = partial(finish_unstored, db, submit=submit, now=now)
    following.follow(db, sink, claim, finish_unstored=finish, now=now)


def finish_unstored(db: Db, tenant: str, claim: str, *, submit: Submit, now: datetime) -> bool:
    """Store or withdraw a payment that is on its way, where its request is gone; return whether to wait for it."""
    intent = intents.find_intent(db, tenant=tenant, claim=claim)
    if intent is None:
        return False
    if not _is_abandoned(intent, now):
        return True
    _finish(db, intent, submit=submit, now=now)
    return False


def finish_decided(db: Db, asked: Asked, *, submit: Submit) -> Payment | None:
    """Store the payment of this key that a killed process had decided, and return it; None where there is none."""
    if asked.key is None:
        return None
    intent = intents.find_intent_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if intent is None or intent["state"] != "decided":
        return None
    return cast(Payment, _store_decided(db, draft_of(intent["payment"]), submit=submit, now=asked.now).document)


def _follow(db: Db, *, submit: Submit, now: datetime) -> Follow:
    return partial(follow, db, submit=submit, now=now)


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
    waits_until = monotonic() + WAIT_S
    while not intents.insert_intent(db, intent):
        other = intents.find_intent_by_key(db, tenant=tenant, idempotency_key=key)
        if other is not None and _is_abandoned(other, now):
            _finish(db, other, submit=submit, now=now)
        elif monotonic() > waits_until:
            raise SamePaymentUnderWay
        else:
            sleep(PAUSE_S)
    # An intent is deleted only after its payment is stored, so now that this one stands, we can tell.
    stored = store.find_payment_by_key(db, tenant=tenant, idempotency_key=key)
    if stored is None:
        return None
    intents.delete_intent(db, tenant=tenant, claim=payment["claim"])
    return Taken(dict(stored), frozenset(("tenant", "idempotency_key")))


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
        claiming.drop_claims(db, claim=payment["claim"], parts=_parts_of_planned(payment))
        intents.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])
        return outcome
    _settle(db, cast(Payment, outcome.document))
    return Stored(outcome.document)


def _settle(db: Db, payment: Payment) -> None:
    """Make the invoices of a stored payment show what it pays, or that it is voided."""
    sinks = [part.sink for part in _parts_of_planned(payment)]
    giving.settle_parts(db, cast(Any, payment), PAYMENT, claim=payment["claim"], sinks=sinks)
    intents.delete_intent(db, tenant=payment["tenant"], claim=payment["claim"])


def _is_abandoned(intent: Intent, now: datetime) -> bool:
    return following.is_long_ago(intent.get("created_at"), now)


def _finish(db: Db, intent: Intent, *, submit: Submit, now: datetime) -> None:
    """Finish what a killed process left: store the payment where that was decided, else make that impossible."""
    payment = intent["payment"]
    if intent["state"] == "decided":
        _store_decided(db, draft_of(payment), submit=submit, now=now)
    elif intents.withdraw_intent(db, tenant=payment["tenant"], claim=payment["claim"]):
        claiming.drop_claims(db, claim=payment["claim"], parts=_parts_of_planned(payment))


def _parts_of_planned(payment: Payment) -> list[Part]:
    """Return the parts that a payment was recorded with."""
    recorded = [entry for entry in entries.entries_of(payment) if entries.claim_of(payment, entry) == payment["claim"]]
    return parts_of(payment["tenant"], cast(Sequence[Mapping[str, Any]], recorded))
