"""Allocating more of a stored payment, and taking back what it gave."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from finance.allocations.claiming import require_own_customers
from finance.allocations.entries import unallocated_minor
from finance.allocations.giving import RequireCustomers, Source, give
from finance.allocations.model import CREDIT_NOTE, INVOICE, PAYMENT, MoneyKind, Place, Stored
from finance.allocations.releasing import release
from finance.allocations.suggesting import suggested
from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import Invalid
from finance.money import format_amount, parse_amount, shown_amount
from finance.numbering.lane import Submit
from finance.once import Answer
from finance.payments import allocations
from finance.payments.model import HISTORY_MAX, Payment
from finance.payments.service import PaymentAlreadyVoided, PaymentBusy, PaymentHistoryFull, get_payment
from finance.said import said

_PAYS_BY_DIRECTION = {
    "incoming": said("an incoming payment pays invoices; name an invoice_number."),
    "outgoing": said("an outgoing payment pays credit notes back; name a credit_note_number."),
}


def allocate_payment(
    db: Db,
    asked: Asked,
    *,
    payment_number: str,
    wanted: Sequence[Mapping[str, str]],
    confirmed: bool,
    submit: Submit,
    condition: Condition = ALWAYS,
) -> Answer[Payment]:
    """Give parts of a payment to invoices; of an outgoing one, pay credit notes back with it. All parts or none.

    `wanted` is what is posted, its amounts still as texts. Raises PaymentNotFound, PaymentAlreadyVoided, and what
    allocations.giving.give does.
    """
    payment = get_payment(db, tenant=asked.tenant, payment_number=payment_number)
    parts = allocations.parts_of(asked.tenant, [_priced(payment, one, place) for place, one in enumerate(wanted)])
    follow = partial(allocations.follow, db, submit=submit, now=asked.now)
    require: RequireCustomers = _allow_all if confirmed else require_own_customers
    source = _source(db, asked.tenant, payment_number)
    answer = give(db, asked, source, parts=parts, require_customers=require, follow=follow, condition=condition)
    return cast(Answer[Payment], answer)


def suggest(payment: Payment, open_minor: Sequence[int]) -> tuple[list[str | None], str | None]:
    """Return what each of these would get of what is left of a payment (None where nothing), and what that is in all.

    Those that come first get all that they take.
    """
    minors = suggested(unallocated_minor(payment) or 0, open_minor)
    currency = payment["currency"]
    return [shown_amount(minor, currency) if minor else None for minor in minors], shown_amount(sum(minors), currency)


def total_of(payment: Payment, wanted: Sequence[Mapping[str, str]]) -> str:
    """Return what the parts that are posted come to; raises Invalid at the place of one that can't be."""
    minors = [_priced(payment, one, place)["amount_minor"] for place, one in enumerate(wanted)]
    return format_amount(sum(minors), payment["currency"])


def release_payment(
    db: Db,
    asked: Asked,
    *,
    payment_number: str,
    sink: Mapping[str, str],
    amount: str | None,
    reason: str,
    condition: Condition = ALWAYS,
) -> Answer[Payment]:
    """Take back what a payment gave to an invoice or a credit note: `amount` of it, or (None) all.

    Raises PaymentNotFound, PaymentAlreadyVoided, NothingAllocated, Invalid, IdempotencyKeyReused.
    """
    payment = get_payment(db, tenant=asked.tenant, payment_number=payment_number)
    amount_minor = None if amount is None else parse_amount(amount, payment["currency"])
    kind = _kind_of(sink)
    place = Place(asked.tenant, kind, sink[kind.number_field])
    source = _source(db, asked.tenant, payment_number)
    answer = release(db, asked, source, sink=place, amount_minor=amount_minor, reason=reason, condition=condition)
    return cast(Answer[Payment], answer)


def _source(db: Db, tenant: str, payment_number: str) -> Source:
    find = partial(get_payment, db, tenant=tenant, payment_number=payment_number)
    return Source(PAYMENT, payment_number, find, _require_open, PaymentBusy)


def _require_open(payment: Mapping[str, Any]) -> None:
    if payment.get("status") == "voided":
        raise PaymentAlreadyVoided
    if len(documents_in(payment.get("history"))) >= HISTORY_MAX:
        raise PaymentHistoryFull


def _allow_all(document: Stored, *, sinks: Sequence[Stored]) -> None:
    """Whoever asks has confirmed that a payment of one customer pays for another."""


def _priced(payment: Payment, wanted: Mapping[str, str], position: int) -> Mapping[str, Any]:
    """Return an allocation as posted with its amount in minor units; raises Invalid at its place."""
    kind = _kind_of(wanted)
    if kind is not (CREDIT_NOTE if payment["direction"] == "outgoing" else INVOICE):
        raise Invalid.field(f"allocations/{position}/{kind.number_field}", _PAYS_BY_DIRECTION[payment["direction"]])
    amount_minor = parse_amount(wanted["amount"], payment["currency"], name=f"allocations/{position}/amount")
    return {kind.number_field: wanted[kind.number_field], "amount_minor": amount_minor}


def _kind_of(named: Mapping[str, str]) -> MoneyKind:
    return INVOICE if INVOICE.number_field in named else CREDIT_NOTE
