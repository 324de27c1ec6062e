"""Fresh customer codes: no two callers get the same, and what somebody chose by hand is skipped."""

from finance.asked import Asked
from finance.customers import store
from finance.customers.model import HandedOutCode, customer_series
from finance.database import Db
from finance.numbering import counters
from finance.numbering.drafts import NumbersExhausted
from finance.numbering.issue import ATTEMPTS_MAX
from finance.once import Answer


def reserve_code(db: Db, *, tenant: str) -> str:
    """Return a code that nobody else has got or will get, and that no customer has.

    Where the counter is behind the data (a restore, an import, codes chosen by hand) it is raised past the numbers
    that follow one another without a hole: one far-off number chosen by hand must not use up all before it.
    """
    series = customer_series(tenant)
    for _attempt in range(ATTEMPTS_MAX):
        (number_seq,) = counters.reserve(db, series, 1)
        code = series.format(number_seq)
        if store.find_status(db, tenant=tenant, customer_code=code) is None:
            return code
        counters.raise_to(db, series, store.end_of_run(db, tenant=tenant, number_seq=number_seq))
    raise NumbersExhausted


def hand_out_code(db: Db, asked: Asked) -> Answer[str]:
    """Return a fresh code for a form that is being opened.

    It is recorded, so that a number without a customer has its explanation: it was handed out and not used.
    """
    repeated = asked.key and store.find_handed_out_code(db, tenant=asked.tenant, idempotency_key=asked.key)
    if repeated:
        return Answer(repeated["customer_code"], replayed=True)
    code = reserve_code(db, tenant=asked.tenant)
    document: HandedOutCode = {
        "tenant": asked.tenant,
        "customer_code": code,
        "number_seq": customer_series(asked.tenant).parse(code),
        "handed_out_at": asked.now,
        "handed_out_to": asked.by,
    }
    if asked.key is not None:
        document["idempotency_key"] = asked.key
    if store.insert_handed_out_code(db, document):
        return Answer(code)
    give_up_code(db, asked, code, reason="idempotent_replay")
    repeated = store.read_handed_out_code(db, tenant=asked.tenant, idempotency_key=document["idempotency_key"])
    if repeated is None:
        raise NumbersExhausted
    return Answer(repeated["customer_code"], replayed=True)


def give_up_code(db: Db, asked: Asked, customer_code: str, *, reason: str) -> None:
    """Record that a reserved code was not stored."""
    series = customer_series(asked.tenant)
    number_seq = series.parse(customer_code)
    if number_seq is not None:
        counters.record_gaps(db, [(series, number_seq)], reason=reason, recorded_at=asked.now)
