"""Recording, reading, correcting and voiding payments."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from time import sleep
from typing import Any

from finance import metrics
from finance.config import PaymentNumbering
from finance.customers import service as customers
from finance.database import Db
from finance.errors import Conflict, Invalid, NotFound, Unavailable
from finance.history import as_of, changed
from finance.numbering.issue import Draft, Issue, Outcome, Taken, issue_no_gap, issue_standard
from finance.numbering.lane import Lane
from finance.once import IdempotencyKeyReused, request_hash
from finance.paging import Page, PageWanted, every_page
from finance.payments import allocations, store
from finance.payments.model import (
    HISTORY_MAX,
    PAID_ON_MIN,
    Payment,
    new_payment,
    payment_series,
)

log = logging.getLogger(__name__)

REPEAT_FIELDS = frozenset(("tenant", "idempotency_key"))
EXPORT_PAGE_SIZE = 500
CHANGE_ATTEMPTS_MAX = 20
CHANGE_PAUSE_S = 0.02  # what another request changed is seen once a majority has it


class PaymentNotFound(NotFound):
    detail_default = "There is no payment with this number."


class PaymentAlreadyVoided(Conflict):
    detail_default = "This payment is voided already."


class PaymentHistoryFull(Conflict):
    detail_default = f"This payment was changed {HISTORY_MAX} times; it can't be changed any more."


class PaymentBusy(Unavailable):
    detail_default = "Others kept changing this payment, and nothing was changed by this request. A retry is safe."


class RefusedByForeignIndex(Conflict):
    """A unique index that isn't ours stands on payments, as older systems left them behind."""

    detail_default = (
        "Another payment has the same value in a field that an index of this database wants to be unique. "
        "Nothing was stored. Whoever runs the service finds the index in the log."
    )


@dataclass(frozen=True)
class Answer:
    """A payment, and whether it is the first result of an earlier request with the same idempotency key."""

    payment: Payment
    replayed: bool = False


ISSUE_BY_NUMBERING: dict[PaymentNumbering, Issue] = {"standard": issue_standard, "no_gap": issue_no_gap}


def commit_payments(db: Db, drafts: Sequence[Draft], *, numbering: PaymentNumbering, now: datetime) -> list[Outcome]:
    """Store the payments that wait in the lane; one outcome each."""
    return ISSUE_BY_NUMBERING[numbering](store.numbered(db), drafts, now=now)


def record_payment(
    db: Db,
    *,
    lane: Lane,
    tenant: str,
    posted: Mapping[str, Any],
    today: date,
    idempotency_key: str | None,
    created_by: str,
    now: datetime,
    deadline_s: float,
) -> Answer:
    """Store a payment under the next number of its year.

    `posted` is a body after validation; `today` is the day taken where it names none. Raises Invalid (no such
    customer), IdempotencyKeyReused, or Unavailable, which says whether anything may have been stored.
    """
    paid_on = posted.get("paid_on") or today
    require_possible_day(paid_on, today=today)
    if "customer_code" in posted:
        customers.require_customer(db, tenant=tenant, customer_code=posted["customer_code"])
    payment = new_payment(
        posted,
        tenant=tenant,
        paid_on=paid_on,
        idempotency_key=idempotency_key,
        created_by=created_by,
        now=now,
    )
    draft = Draft(payment_series(tenant, payment["number_year"]), payment)
    if "allocations" in payment:
        outcome = allocations.pay_invoices(db, draft, lane=lane, now=now, deadline_s=deadline_s)
    else:
        outcome = lane.submit(draft, deadline_s=deadline_s)
    if isinstance(outcome, Taken):
        _require_repeat(outcome, payment)
        return Answer(as_of(outcome.document, history_length=0), replayed=True)
    metrics.payments_recorded.inc()
    return Answer(outcome.document)


def get_payment(db: Db, *, tenant: str, payment_number: str) -> Payment:
    """Return the payment that has this number, or had it before a repair; raises PaymentNotFound."""
    payment = store.find_payment(db, tenant=tenant, payment_number=payment_number)
    if payment is None:
        raise PaymentNotFound
    return payment


def list_payments(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[Payment]:
    """Return one page of the payments that the filters mean."""
    return store.list_payments(db, tenant=tenant, filters=filters, wanted=wanted)


def export_payments(db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str) -> Iterator[list[Payment]]:
    """Yield every payment of a list, some hundred at a time."""
    return every_page(partial(list_payments, db, tenant=tenant, filters=filters), sort=sort, limit=EXPORT_PAGE_SIZE)


def edit_payment(
    db: Db, *, tenant: str, payment_number: str, edits: Mapping[str, Any], edited_by: str, now: datetime
) -> Payment:
    """Set note, reference or metadata (None removes one); what stays equal leaves no trace in the history."""
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        payment = get_payment(db, tenant=tenant, payment_number=payment_number)
        values = {name: value for name, value in edits.items() if payment.get(name) != value}
        if not values:
            return payment
        entry = changed(now, by=edited_by, action="edited", changes=_changes(payment, values))
        updated = _update(db, payment, values, entry)
        if updated is not None:
            return updated
        sleep(CHANGE_PAUSE_S)
    raise PaymentBusy


def void_payment(
    db: Db,
    *,
    tenant: str,
    payment_number: str,
    reason: str,
    idempotency_key: str | None,
    voided_by: str,
    now: datetime,
) -> Answer:
    """Void a payment; its number stays its own. Raises PaymentAlreadyVoided, IdempotencyKeyReused."""
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        payment = get_payment(db, tenant=tenant, payment_number=payment_number)
        fingerprint = request_hash({"payment": str(payment["_id"]), "reason": reason})
        repeated = _find_void(db, tenant=tenant, idempotency_key=idempotency_key)
        if repeated is not None:
            return _replay_void(repeated, fingerprint)
        if payment["status"] == "voided":
            raise PaymentAlreadyVoided
        values = {"status": "voided", "void_reason": reason, "voided_at": now}
        entry = changed(now, by=voided_by, action="voided", changes=_changes(payment, values))
        allocations.before_void(db, payment)
        if idempotency_key is not None:
            values |= {"void_idempotency_key": idempotency_key, "void_request_hash": fingerprint}
        updated = _update(db, payment, values, entry)
        if updated is not None:
            allocations.after_void(db, updated)
            return Answer(updated)
        sleep(CHANGE_PAUSE_S)
    raise PaymentBusy


def require_possible_day(paid_on: date, *, today: date) -> None:
    """Raise Invalid unless the day is from 2000-01-01 to one year ahead of today."""
    newest = date(today.year + 1, today.month, min(today.day, 28) if today.month == 2 else today.day)
    if not PAID_ON_MIN <= paid_on <= newest:
        raise Invalid.field("paid_on", f"must be from {PAID_ON_MIN} to {newest}, one year ahead.")


def _require_repeat(taken: Taken, payment: Payment) -> None:
    """Raise unless the stored payment is what the same request recorded earlier."""
    if taken.fields != REPEAT_FIELDS:
        log.error(
            "A unique index on payments.%s is in the way; scripts/migrate_indexes.py replaces wrong indexes",
            "+".join(sorted(taken.fields)),
        )
        raise RefusedByForeignIndex
    if taken.document.get("request_hash") != payment["request_hash"]:
        raise IdempotencyKeyReused


def _find_void(db: Db, *, tenant: str, idempotency_key: str | None) -> Payment | None:
    if idempotency_key is None:
        return None
    return store.find_payment_by_void_key(db, tenant=tenant, idempotency_key=idempotency_key)


def _replay_void(voided: Payment, fingerprint: str) -> Answer:
    if voided["void_request_hash"] != fingerprint:
        raise IdempotencyKeyReused
    voided_at = next(i for i, entry in enumerate(voided["history"]) if entry["action"] == "voided")
    return Answer(as_of(voided, history_length=voided_at + 1), replayed=True)


def _changes(payment: Payment, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"from": payment.get(name), "to": value} for name, value in values.items()}


def _update(db: Db, payment: Payment, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Payment | None:
    if len(payment.get("history", ())) >= HISTORY_MAX:
        raise PaymentHistoryFull
    return store.update_payment(db, payment, values=values, entry=entry)
