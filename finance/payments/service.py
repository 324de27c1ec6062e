"""Recording, reading, correcting and voiding payments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, cast

from finance import metrics
from finance.allocations.entries import source_as_of
from finance.allocations.returning import Returning, given_by
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.config import PaymentNumbering
from finance.contention import until_unchanged_meanwhile
from finance.customers import service as customers
from finance.damaged import documents_in, mapping_of
from finance.database import Db, before_writing
from finance.errors import Conflict, FinanceError, Invalid, NotFound, Unavailable
from finance.history import HistoryEntry, changed, changes_to
from finance.numbering.drafts import Draft, Issue, Outcome, Stored, Taken
from finance.numbering.issue import issue_no_gap, issue_standard
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
from finance.payments import allocations, store
from finance.payments.model import HISTORY_MAX, PAID_ON_MIN, Payment, draft_of, hash_of, new_payment
from finance.said import said

REPEAT_FIELDS = frozenset(("tenant", "idempotency_key"))
EXPORT_PAGE_SIZE = 1_000  # without their history; five milliseconds in which the driver does nothing else


class PaymentNotFound(NotFound):
    detail_default = said("There is no payment with this number.")
    named_like = said("a payment number such as PAY20260001")
    named_shape = re.compile(r"PAY\d{8,}", re.ASCII)


class PaymentAlreadyVoided(Conflict):
    detail_default = said("This payment is voided already.")


class PaymentHistoryFull(Conflict):
    detail_default = said("This payment was changed {most} times; it can't be changed any more.", most=HISTORY_MAX)


class PaymentBusy(Unavailable):
    detail_default = said(
        "Others kept changing this payment, and nothing was changed by this request. A retry is safe."
    )


ISSUE_BY_NUMBERING: dict[PaymentNumbering, Issue] = {"standard": issue_standard, "no_gap": issue_no_gap}


def commit_payments(db: Db, drafts: Sequence[Draft], *, numbering: PaymentNumbering, now: datetime) -> list[Outcome]:
    """Store the payments that wait in the lane; one outcome each."""
    outcomes = ISSUE_BY_NUMBERING[numbering](store.numbered(db), drafts, now=now)
    metrics.payments_recorded.inc(sum(isinstance(outcome, Stored) for outcome in outcomes))
    return outcomes


def record_payment(
    db: Db, asked: Asked, *, submit: Submit, posted: Mapping[str, Any], today: date, confirmed: bool = False
) -> Answer[Payment]:
    """Store a payment under the next number of its year.

    `posted` is a body after validation; `today` is the day taken where it names none. Raises Invalid (no such
    customer), IdempotencyKeyReused, or Unavailable, which says whether anything may have been stored.
    """
    checked = first_result(
        before_writing(partial(_checked_payment, db, asked, posted=posted, today=today, confirmed=confirmed)),
        partial(_find_repeat, db, asked, submit=submit, posted=posted),
    )
    if isinstance(checked, Answer):
        return checked
    draft = draft_of(checked)
    outcome = allocations.pay_invoices(db, draft, submit=submit) if "allocations" in checked else submit(draft)
    if isinstance(outcome, Taken):
        return _repeat_of(outcome, posted)
    return Answer(cast(Payment, outcome.document))


def get_payment(db: Db, *, tenant: str, payment_number: str) -> Payment:
    """Return the payment that has this number, or had it before a repair; raises PaymentNotFound."""
    payment = store.find_payment(db, tenant=tenant, payment_number=payment_number)
    if payment is None:
        raise PaymentNotFound.named(payment_number)
    return payment


def list_payments(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[Payment]:
    """Return one page of the payments that the filters mean."""
    return store.list_payments(db, tenant=tenant, filters=filters, wanted=wanted)


def export_payments(
    db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str, projection: Mapping[str, Any]
) -> Iterator[list[Payment]]:
    """Yield every payment of a list, some thousand at a time, with the fields of `projection`."""
    list_page = partial(store.list_payments, db, tenant=tenant, filters=filters, projection=projection)
    return every_page(list_page, sort=sort, limit=EXPORT_PAGE_SIZE)


def edit_payment(
    db: Db, asked: Asked, *, payment_number: str, edits: Mapping[str, Any], condition: Condition = ALWAYS
) -> Payment:
    """Set note, reference or metadata (None removes one); what stays equal leaves no trace in the history."""

    def edit() -> Payment | None:
        payment = get_payment(db, tenant=asked.tenant, payment_number=payment_number)
        values = {name: value for name, value in edits.items() if payment.get(name) != value}
        condition.require(payment, is_done=not values)
        if not values:
            return payment
        entry = changed(asked, action="edited", changes=changes_to(payment, values))
        return _update(db, payment, values, entry)

    return until_unchanged_meanwhile(edit, busy=PaymentBusy)


def void_payment(
    db: Db, asked: Asked, *, payment_number: str, reason: str, condition: Condition = ALWAYS
) -> Answer[Payment]:
    """Void a payment; its number stays its own. Raises PaymentAlreadyVoided, PreconditionFailed."""

    repeat = partial(_find_voided, db, asked, payment_number=payment_number, reason=reason)
    returning = Returning(db, asked)

    def void() -> Answer[Payment] | None:
        # First, because a repair may have given the number of the voided payment to another one since.
        repeated = repeat()
        if repeated is not None:
            return repeated
        payment = get_payment(db, tenant=asked.tenant, payment_number=payment_number)
        if payment.get("status") == "voided":
            raise PaymentAlreadyVoided
        condition.require(payment)
        voided = _void(db, asked, payment, reason, returning)
        return None if voided is None else Answer(voided)

    try:
        # A double click that finds the payment voided may be the second of the two.
        answer = until_unchanged_meanwhile(lambda: first_result(void, repeat), busy=PaymentBusy)
    except FinanceError:
        returning.finish()
        raise
    returning.finish()
    return answer


def require_possible_day(paid_on: date, *, today: date) -> None:
    """Raise Invalid unless the day is from 2000-01-01 to one year ahead of today."""
    newest = date(today.year + 1, today.month, min(today.day, 28) if today.month == 2 else today.day)
    if not PAID_ON_MIN <= paid_on <= newest:
        raise Invalid.field(
            "paid_on", said("must be from {oldest} to {newest}, one year ahead.", oldest=PAID_ON_MIN, newest=newest)
        )


def _checked_payment(db: Db, asked: Asked, *, posted: Mapping[str, Any], today: date, confirmed: bool) -> Payment:
    """Return the payment to store; raises Invalid where its day or its customer can't be, as things are now."""
    paid_on = posted.get("paid_on") or today
    require_possible_day(paid_on, today=today)
    if "customer_code" in posted:
        customers.require_customer(db, tenant=asked.tenant, customer_code=posted["customer_code"])
    payment = new_payment(posted, asked, paid_on=paid_on)
    if "allocations" in payment:
        allocations.plan(db, payment, confirmed=confirmed)
    return payment


def _find_repeat(db: Db, asked: Asked, *, submit: Submit, posted: Mapping[str, Any]) -> Answer[Payment] | None:
    """Return the first result of an earlier request with the same key, None where there is none."""
    if asked.key is None:
        return None
    stored = store.find_payment_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if stored is None and "allocations" in posted:
        stored = allocations.finish_decided(db, asked, submit=submit)
    return None if stored is None else _repeated(stored, posted)


def _repeat_of(taken: Taken, posted: Mapping[str, Any]) -> Answer[Payment]:
    """Return the first result where the unique key that is taken is the request's own."""
    if taken.fields != REPEAT_FIELDS:
        raise RefusedByForeignIndex.on("payments", taken.fields)
    return _repeated(cast(Payment, taken.document), posted)


def _repeated(stored: Payment, posted: Mapping[str, Any]) -> Answer[Payment]:
    require_same_request(stored.get("request_hash"), hash_of(posted))
    return Answer(source_as_of(stored, history_length=0), replayed=True)


def _void(db: Db, asked: Asked, payment: Payment, reason: str, returning: Returning) -> Payment | None:
    """Void a recorded payment, so that what it paid will be given back; None where it changed meanwhile."""
    values = {"status": "voided", "void_reason": reason, "voided_at": asked.now}
    entry = changed(asked, action="voided", changes=changes_to(payment, values))
    if asked.key is not None:
        values |= {"void_idempotency_key": asked.key, "void_request_hash": _void_hash(payment, reason)}
    returning.begin(given_by(payment))
    return _update(db, payment, values, entry)


def _find_voided(db: Db, asked: Asked, *, payment_number: str, reason: str) -> Answer[Payment] | None:
    """Return the payment as an earlier request with this key voided it, None where there is none."""
    if asked.key is None:
        return None
    voided = store.find_payment_by_void_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    if voided is None:
        return None
    if payment_number not in (voided["payment_number"], *(voided.get("previous_numbers") or ())):
        get_payment(db, tenant=asked.tenant, payment_number=payment_number)  # a number that isn't there is 404
        raise IdempotencyKeyReused
    require_same_request(voided["void_request_hash"], _void_hash(voided, reason))
    voided_at = next(i for i, entry in enumerate(voided["history"]) if mapping_of(entry).get("action") == "voided")
    return Answer(source_as_of(voided, history_length=voided_at + 1), replayed=True)


def _void_hash(payment: Payment, reason: str) -> str:
    return request_hash({"payment": str(payment["_id"]), "reason": reason})


def _update(db: Db, payment: Payment, values: Mapping[str, Any], entry: HistoryEntry) -> Payment | None:
    if len(documents_in(payment.get("history"))) >= HISTORY_MAX:
        raise PaymentHistoryFull
    return store.update_payment(db, payment, values=values, entry=entry)
