"""Fresh customer codes: no two callers get the same, and what somebody chose by hand is skipped."""

from datetime import datetime

from finance.customers import store
from finance.customers.model import customer_series
from finance.database import Db, Document
from finance.numbering import counters
from finance.numbering.issue import ATTEMPTS_MAX, NumbersExhausted


def reserve_code(db: Db, *, tenant: str) -> str:
    """Return a code that nobody else has got or will get, and that no customer has.

    Where the counter is behind the data (a restore, an import, codes chosen by hand) it is raised past the numbers
    that follow one another without a hole: one far-off number chosen by hand must not use up all before it.
    """
    series = customer_series(tenant)
    for _attempt in range(ATTEMPTS_MAX):
        (number_seq,) = counters.reserve(db, series, 1)
        code = series.format(number_seq)
        if not store.has_code(db, tenant=tenant, customer_code=code):
            return code
        counters.raise_to(db, series, store.end_of_run(db, tenant=tenant, number_seq=number_seq))
    raise NumbersExhausted


def hand_out_code(
    db: Db, *, tenant: str, handed_out_to: str, now: datetime, idempotency_key: str | None = None
) -> tuple[str, bool]:
    """Return a fresh code for a form that is being opened, and whether it is the answer to an earlier request.

    It is recorded, so that a number without a customer has its explanation: it was handed out and not used.
    """
    if idempotency_key is not None:
        repeated = store.find_handed_out_code(db, tenant=tenant, idempotency_key=idempotency_key)
        if repeated is not None:
            return repeated["customer_code"], True
    code = reserve_code(db, tenant=tenant)
    document: Document = {
        "tenant": tenant,
        "customer_code": code,
        "number_seq": customer_series(tenant).parse(code),
        "handed_out_at": now,
        "handed_out_to": handed_out_to,
    }
    if idempotency_key is not None:
        document["idempotency_key"] = idempotency_key
    if store.insert_handed_out_code(db, document):
        return code, False
    give_up_code(db, tenant=tenant, customer_code=code, reason="idempotent_replay", now=now)
    repeated = store.read_handed_out_code(db, tenant=tenant, idempotency_key=document["idempotency_key"])
    if repeated is None:
        raise NumbersExhausted
    return repeated["customer_code"], True


def give_up_code(db: Db, *, tenant: str, customer_code: str, reason: str, now: datetime) -> None:
    """Record that a reserved code was not stored."""
    series = customer_series(tenant)
    number_seq = series.parse(customer_code)
    if number_seq is not None:
        counters.record_gaps(db, [(series, number_seq)], reason=reason, recorded_at=now)
