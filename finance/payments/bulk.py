"""Many payments in one request: all or none by what is checked, in their order, and each once.

Each row is stored as a payment that is posted alone, under an idempotency key made of the bulk's and of its place, and
with the digest of the whole bulk. The first row is stored before any other, so that it decides which bulk has the key:
whoever finds it there with another digest stores nothing, however many ask at the same moment. The others follow in
small parts. Whatever ends that in between, a repeat finds what is stored, and stores what is missing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, cast

from finance import database
from finance.asked import Asked
from finance.customers import service as customers
from finance.database import Db, before_writing
from finance.errors import FieldError, FinanceError, Invalid, Unavailable
from finance.history import as_of
from finance.numbering.drafts import Draft, Outcome, Stored
from finance.numbering.lane import SubmitMany
from finance.numbering.side_by_side import side_by_side
from finance.once import Answer, RefusedByForeignIndex, require_same_request
from finance.payments import store
from finance.payments.model import Payment, draft_of, hash_of, new_payment
from finance.payments.service import REPEAT_FIELDS, require_possible_day
from finance.said import said

ROWS_MAX = 5_000
PART_SIZE = 128  # rows that are stored together
PART_S = 1.5  # what a part has at least: without that much time left none is begun
ERRORS_MAX = 100
AT_ONCE = 32  # rows between two turns of the others
# Clients' own keys have no space, so that none can meet one of these; nor can the keys of two bulks.
KEY = "bulk {key} {position:04}"

DayOf = Callable[[datetime], date]


_REPEAT = said("Send the same again, with the same Idempotency-Key: what is missing is stored then, and nothing twice.")


class BulkIncomplete(Unavailable):
    """Some rows are stored, and the others are not yet."""

    detail_default = said("Not all of these payments are stored yet. {remedy}", remedy=_REPEAT)
    extra_members = {"stored": "How many of the payments are stored.", "missing": "How many are not, as far as known."}


@dataclass(frozen=True)
class _Bulk:
    """The rows of one request; `key` is the key of the whole, `digest` what tells it from another.

    `asked` is without a key: no row has that of the whole.
    """

    asked: Asked
    key: str
    rows: Sequence[Mapping[str, Any]]
    digest: str

    def key_of(self, position: int) -> str:
        return KEY.format(key=self.key, position=position)


def record_payments(
    db: Db, asked: Asked, *, key: str, submit: SubmitMany, rows: Sequence[Mapping[str, Any]], day_of: DayOf
) -> Answer[list[Payment]]:
    """Store the rows, each under the next number of its year, and return them as payments in their order.

    `rows` are bodies after validation, `key` is the Idempotency-Key, `day_of` tells the day of an instant, which is
    taken where a row names none. Raises Invalid (a day, a customer) with nothing stored, IdempotencyKeyReused,
    BulkIncomplete, or what storing the first of them does.
    """
    bulk = _Bulk(replace(asked, key=None), key, rows, _digest(rows))
    stored = before_writing(partial(_find_stored, db, bulk))()
    new = 0
    if 0 not in stored:
        before_writing(partial(_require_possible, db, bulk, day_of(asked.now)))()
        [first] = submit(_drafts(bulk, [0], day_of(asked.now)))
        stored[0] = _payment_of(bulk, first)
        new += isinstance(first, Stored)
    # Where a row names no day, it is the day of the first request: a repeat on the next one changes nothing.
    today = day_of(stored[0]["created_at"])
    new += _store_others(bulk, stored, submit=submit, today=today)
    return Answer([_as_first_answered(stored[position]) for position in range(len(rows))], replayed=not new)


def _digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what all rows come to, in their order."""
    whole = hashlib.sha256()
    for position, row in enumerate(rows):
        whole.update(hash_of(row).encode())
        if position % AT_ONCE == 0:
            time.sleep(0)  # lets others run
    return whole.hexdigest()


def _find_stored(db: Db, bulk: _Bulk) -> dict[int, Payment]:
    """Return the rows that are stored, by their place; raises IdempotencyKeyReused."""
    first, before = f"bulk {bulk.key} ", f"bulk {bulk.key}!"  # "!" comes right after the space
    found: dict[int, Payment] = {}
    for payment in store.each_of_keys(db, tenant=bulk.asked.tenant, first=first, before=before):
        require_same_request(payment.get("request_hash"), bulk.digest)
        found[int(payment["idempotency_key"].rpartition(" ")[2])] = payment
    return found


def _require_possible(db: Db, bulk: _Bulk, today: date) -> None:
    """Raise Invalid where a day or a customer can't be, with the place of each; the customers are looked up at once."""
    codes = {row["customer_code"] for row in bulk.rows if "customer_code" in row}
    refused = customers.refused_codes(db, tenant=bulk.asked.tenant, customer_codes=codes)
    errors: list[FieldError] = []
    for position, row in enumerate(bulk.rows):
        problems = _problems_of(row, refused, today)
        errors += [FieldError(detail, pointer=f"/payments/{position}{pointer}") for pointer, detail in problems]
        if len(errors) >= ERRORS_MAX:
            break
    if errors:
        raise Invalid(errors=errors[:ERRORS_MAX])


def _problems_of(row: Mapping[str, Any], refused: Mapping[str, str], today: date) -> Iterator[tuple[str, str]]:
    try:
        require_possible_day(row.get("paid_on") or today, today=today)
    except Invalid as impossible:
        yield from ((error.pointer or "", error.detail) for error in impossible.errors)
    code = row.get("customer_code", "")
    if code in refused:
        yield "/customer_code", refused[code]


def _store_others(bulk: _Bulk, stored: dict[int, Payment], *, submit: SubmitMany, today: date) -> int:
    """Store what is missing, add it to `stored`, and return how many payments that were; raises BulkIncomplete."""
    new = 0
    missing = [position for position in range(len(bulk.rows)) if position not in stored]
    parts = [missing[start : start + PART_SIZE] for start in range(0, len(missing), PART_SIZE)]
    drafts: Any = _drafts(bulk, parts[0], today) if parts else []
    for place, part in enumerate(parts):
        if place:  # one at least: each repeat comes further
            _require_time(bulk, stored)
        following = parts[place + 1] if part is not parts[-1] else []
        # The next part is made while MongoDB stores this one.
        calls: list[Callable[[], Any]] = [partial(submit, drafts), partial(_drafts, bulk, following, today)]
        outcomes, drafts = side_by_side(calls)
        new += _note_outcomes(bulk, stored, part, outcomes)
        if isinstance(drafts, Exception):
            raise drafts
    return new


def _note_outcomes(
    bulk: _Bulk, stored: dict[int, Payment], part: Sequence[int], outcomes: Sequence[Outcome] | Exception
) -> int:
    """Add what was stored to `stored`, and return how much of it is new; raises BulkIncomplete after what failed."""
    if isinstance(outcomes, FinanceError):  # no room, no database
        raise _incomplete(bulk, stored, part[0], outcomes) from outcomes
    if isinstance(outcomes, Exception):
        raise outcomes
    failures: list[tuple[int, FinanceError]] = []
    for position, outcome in zip(part, outcomes, strict=True):
        try:
            stored[position] = _payment_of(bulk, outcome)
        except FinanceError as refused:
            failures.append((position, refused))
    if failures:
        raise _incomplete(bulk, stored, *failures[0]) from failures[0][1]
    return sum(isinstance(outcome, Stored) for outcome in outcomes)


def _drafts(bulk: _Bulk, positions: Sequence[int], today: date) -> list[Draft]:
    """Return the payments of these rows as they wait for their numbers."""
    drafts = []
    for position in positions:
        row = bulk.rows[position]
        payment = new_payment(row, bulk.asked, paid_on=row.get("paid_on") or today)
        payment["idempotency_key"] = bulk.key_of(position)
        payment["request_hash"] = bulk.digest
        drafts.append(draft_of(payment))
        if len(drafts) % AT_ONCE == 0:
            time.sleep(0)  # lets others run
    return drafts


def _payment_of(bulk: _Bulk, outcome: Outcome) -> Payment:
    """Return the stored payment; raises what became of it where there is none, and IdempotencyKeyReused."""
    if isinstance(outcome, Exception):
        raise outcome
    if not isinstance(outcome, Stored):
        if outcome.fields != REPEAT_FIELDS:
            raise RefusedByForeignIndex.on("payments", outcome.fields)
        require_same_request(outcome.document.get("request_hash"), bulk.digest)
    return cast(Payment, outcome.document)


def _as_first_answered(payment: Payment) -> Payment:
    return as_of(payment, history_length=0) if payment.get("history") else payment


def _require_time(bulk: _Bulk, stored: Mapping[int, Payment]) -> None:
    remaining_s = database.remaining_s()
    if remaining_s is not None and remaining_s < PART_S:
        raise _incomplete(bulk, stored)


def _incomplete(
    bulk: _Bulk, stored: Mapping[int, Payment], position: int | None = None, failed: FinanceError | None = None
) -> BulkIncomplete:
    """Return how far it came, and of the row that could not be stored why."""
    counts = {"stored": str(len(stored)), "missing": str(len(bulk.rows) - len(stored))}
    told = said(
        "{stored} of {wanted} payments are stored. {remedy}", stored=len(stored), wanted=len(bulk.rows), remedy=_REPEAT
    )
    if failed is not None and not isinstance(failed, Unavailable):  # what a repeat alone won't change
        told = said("{so_far} Of /payments/{position}: {detail}", so_far=told, position=position, detail=failed.detail)
    return BulkIncomplete(told, extra=counts)
