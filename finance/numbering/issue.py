"""Storing documents under fresh numbers: the standard and the no-gap policy, and what to do on E11000.

Each document is stored whole or not at all, and no transaction is needed: a document carries its number and its
idempotency key, so one insert decides both. A killed process leaves no lock and no half.
"""

import logging
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection as MongoCollection
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from finance import metrics
from finance.database import DUPLICATE_KEY, Db, Document
from finance.errors import Conflict, FinanceError, Unavailable
from finance.numbering import counters
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
# Without gaps every collision means that somebody else's document was stored, so it ends; this bounds it all the same.
NO_GAP_ATTEMPTS_MAX = 100
READ_BACK_ATTEMPTS_MAX = 50
READ_BACK_PAUSE_S = 0.02


class NumbersExhausted(Unavailable):
    """Every number tried was taken already. Nothing was stored."""

    detail_default = "No free number was found, and nothing was stored. A retry is safe."


class NotStored(Unavailable):
    """MongoDB refused the document for a reason that isn't a duplicate. Nothing was stored."""

    detail_default = "The database refused the document, and nothing was stored. A retry is safe."


class SeriesFull(Conflict):
    """The next number would be longer than the series allows. Nothing was stored."""


class NumberTakenElsewhere(Conflict):
    """A document of another series carries the number that is next. Nothing was stored."""


@dataclass(frozen=True)
class Numbered:
    """The documents of a kind in a database."""

    db: Db
    kind: NumberedKind

    @property
    def collection(self) -> MongoCollection[Document]:
        return self.db[self.kind.collection]


@dataclass(frozen=True, eq=False)
class Draft:
    """A document that waits for a number of `series`. Issuing it fills in its `_id`, number and `number_seq`.

    In a no-gap series `follow` is asked each time before a number is tried: given the document that holds the number
    before it (None at the beginning), it returns the series as it is written from there on, or why this document can't
    follow. Since the number is stored only where nothing came between, what it finds holds.
    """

    series: Series
    document: Document
    follow: Callable[[Document | None], Series | FinanceError] | None = None


@dataclass(frozen=True)
class Stored:
    """The document is stored under a number of its own."""

    document: Document


@dataclass(frozen=True)
class Taken:
    """Another document has the same unique key (`fields`, not the number); nothing was stored."""

    document: Document
    fields: frozenset[str]


Outcome = Stored | Taken | Exception
Issue = Callable[..., list[Outcome]]


def issue_standard(numbered: Numbered, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store each draft under a fresh number and return one outcome per draft, in their order.

    Numbers are reserved from the counter first, so they are quick to get under any load; one that was reserved and
    then not used is recorded as a gap. Where the counter is behind the data it is raised to it.
    """
    firsts = _firsts(numbered, drafts)
    outcomes, waiting = _answer_repeats(numbered, firsts.values())
    for attempt in range(1, ATTEMPTS_MAX + 1):
        if not waiting:
            break
        _number_from_counters(numbered, waiting)
        collided: list[Draft] = []
        unused: dict[str, list[tuple[Series, int]]] = {}
        errors = _insert(numbered, waiting, ordered=False)
        for position, draft in enumerate(waiting):
            error = errors.get(position)
            if error is None:
                outcomes[draft] = Stored(draft.document)
            elif _is_number_collision(numbered, error):
                collided.append(draft)
            else:
                outcomes[draft] = outcome = _refusal(numbered, error)
                reason = "idempotent_replay" if _is_repeat(numbered, outcome) else "not_stored"
                unused.setdefault(reason, []).append((draft.series, draft.document["number_seq"]))
        for reason, gaps in unused.items():
            counters.record_gaps(numbered.db, gaps, reason=reason, recorded_at=now)
        _raise_counters(numbered, collided, attempt)
        waiting = collided
    return _outcomes_of(numbered, drafts, firsts, outcomes)


def issue_no_gap(numbered: Numbered, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store each draft under the next number of its series and return one outcome per draft, in their order.

    Number k is only tried by who has seen k-1 stored, so no crash, refusal or race can leave a hole.
    """
    firsts = _firsts(numbered, drafts)
    outcomes, waiting = _answer_repeats(numbered, firsts.values())
    for series, group in _by_series(waiting).items():
        for _attempt in range(NO_GAP_ATTEMPTS_MAX + len(group)):
            if not group:
                break
            group = _insert_next(numbered, series, group, outcomes)
        stored = [o.document["number_seq"] for d, o in outcomes.items() if d.series == series and isinstance(o, Stored)]
        if stored:
            counters.raise_to(numbered.db, series, max(stored))
    return _outcomes_of(numbered, drafts, firsts, outcomes)


def newest_stored(numbered: Numbered, series: Series) -> int:
    """Return the largest `number_seq` stored in the series, 0 where there is none. One index seek."""
    newest = _find_newest(numbered, series)
    return int(newest["number_seq"]) if newest else 0


def _find_newest(numbered: Numbered, series: Series) -> Document | None:
    """Return the document of the largest number that a majority has.

    A number that a failover can still undo would leave a hole below the one after it. Who collides with such a number
    is answered by MongoDB when a majority has it, so that the next look finds it.
    """
    lasting = numbered.collection.with_options(read_concern=ReadConcern("majority"))
    return lasting.find_one(
        {"tenant": series.tenant, **series.document_filter, "number_seq": {"$type": "number"}},
        projection=dict.fromkeys(("number_seq", *numbered.kind.followed_fields), True),
        sort=[("number_seq", -1)],
    )


def read_back(collection: MongoCollection[Document], key_value: Mapping[str, Any]) -> Document | None:
    """Return the document that has these values of a unique index, None where there is none after all.

    Another process may have stored it just now, and not yet at a majority: wait until it can't be rolled back.
    """
    for _attempt in range(READ_BACK_ATTEMPTS_MAX):
        document = collection.find_one(dict(key_value))
        if document is not None:
            return document
        time.sleep(READ_BACK_PAUSE_S)
    return None


def _identity(numbered: Numbered, draft: Draft) -> Hashable:
    """Return what makes two drafts the same request: tenant and idempotency key, or the draft itself without one."""
    key = draft.document.get(numbered.kind.key_field)
    return draft if key is None else (draft.series.tenant, key)


def _firsts(numbered: Numbered, drafts: Iterable[Draft]) -> dict[Hashable, Draft]:
    """Return the first draft of each identity: a double click waits in the same batch, and must not cost a number."""
    firsts: dict[Hashable, Draft] = {}
    for draft in drafts:
        firsts.setdefault(_identity(numbered, draft), draft)
    return firsts


def _answer_repeats(numbered: Numbered, drafts: Collection[Draft]) -> tuple[dict[Draft, Outcome], list[Draft]]:
    """Answer the drafts whose idempotency key is stored already, so that a repeat costs no number."""
    keys_by_tenant: dict[str, list[str]] = {}
    for draft in drafts:
        key = draft.document.get(numbered.kind.key_field)
        if key is not None:
            keys_by_tenant.setdefault(draft.series.tenant, []).append(key)
    stored: dict[Hashable, Document] = {}
    for tenant, keys in keys_by_tenant.items():
        for document in numbered.collection.find({"tenant": tenant, numbered.kind.key_field: {"$in": keys}}):
            stored[tenant, document[numbered.kind.key_field]] = document
    outcomes: dict[Draft, Outcome] = {}
    waiting: list[Draft] = []
    for draft in drafts:
        repeated = stored.get(_identity(numbered, draft))
        if repeated is None:
            waiting.append(draft)
        else:
            outcomes[draft] = _taken_by_key(numbered, repeated)
    return outcomes, waiting


def _taken_by_key(numbered: Numbered, document: Document) -> Taken:
    return Taken(document, frozenset(("tenant", numbered.kind.key_field)))


def _number_from_counters(numbered: Numbered, drafts: Iterable[Draft]) -> None:
    for series, group in _by_series(drafts).items():
        numbers = counters.reserve(numbered.db, series, len(group))
        for draft, number_seq in zip(group, numbers, strict=True):
            _give_number(numbered, draft, series, number_seq)


def _give_number(numbered: Numbered, draft: Draft, series: Series, number_seq: int) -> None:
    draft.document["_id"] = ObjectId()
    draft.document["number_seq"] = number_seq
    draft.document[numbered.kind.number_field] = series.format(number_seq)


def _insert(numbered: Numbered, drafts: Sequence[Draft], *, ordered: bool) -> dict[int, Mapping[str, Any]]:
    """Insert all drafts in one round trip and return the write error of each position that has one.

    Any other failure (no connection, no majority in time) is raised: what became of the documents isn't known.
    """
    try:
        numbered.collection.insert_many([draft.document for draft in drafts], ordered=ordered)
    except BulkWriteError as error:
        details = error.details or {}
        if details.get("writeConcernErrors"):
            raise
        return {write_error["index"]: write_error for write_error in details["writeErrors"]}
    return {}


def _is_number_collision(numbered: Numbered, error: Mapping[str, Any]) -> bool:
    if error["code"] != DUPLICATE_KEY:
        return False
    return numbered.kind.number_field in error["keyPattern"] or "number_seq" in error["keyPattern"]


def _is_repeat(numbered: Numbered, outcome: Outcome) -> bool:
    return isinstance(outcome, Taken) and numbered.kind.key_field in outcome.fields


def _refusal(numbered: Numbered, error: Mapping[str, Any]) -> Outcome:
    """Return what a write error that isn't about the number means for its request."""
    if error["code"] != DUPLICATE_KEY or "_id" in error["keyPattern"]:
        log.error("MongoDB refused a %s: code %s", numbered.kind.name, error["code"])
        return NotStored()
    document = read_back(numbered.collection, error["keyValue"])
    return NotStored() if document is None else Taken(document, frozenset(error["keyPattern"]))


def _raise_counters(numbered: Numbered, collided: Iterable[Draft], attempt: int) -> None:
    for series, group in _by_series(collided).items():
        log.warning(
            "Duplicate %s number detected (attempt %d/%d): %s",
            numbered.kind.name,
            attempt,
            ATTEMPTS_MAX,
            group[0].document[numbered.kind.number_field],
            extra={"documents": len(group)},
        )
        metrics.duplicate_number_retries.labels(kind=numbered.kind.name).inc(len(group))
        counters.raise_to(numbered.db, series, newest_stored(numbered, series))


def _insert_next(
    numbered: Numbered, series: Series, group: Sequence[Draft], outcomes: dict[Draft, Outcome]
) -> list[Draft]:
    """Try the next numbers for `group`, note the outcomes that are settled, and return the drafts that are left."""
    # The counter first: it is raised after its documents are stored, so that what is read after it is at least as new,
    # and a draft follows the document that really is before it.
    counted = counters.read(numbered.db, series)
    newest = _find_newest(numbered, series)
    newest_seq = max(newest["number_seq"] if newest else 0, counted)
    if newest_seq + 1 == group[0].document.get("number_seq"):  # refused before, and nobody of this series took it
        elsewhere = _taken_elsewhere(numbered, series, group[0])
        if elsewhere is not None:
            outcomes.update(dict.fromkeys(group, elsewhere))
            return []
    run, later = _give_numbers_in_order(numbered, group, newest, newest_seq, outcomes)
    errors = _insert(numbered, run, ordered=True) if run else {}
    position, error = next(iter(errors.items()), (len(run), None))
    for draft in run[:position]:
        outcomes[draft] = Stored(draft.document)
    if error is None:
        return later
    if _is_number_collision(numbered, error):
        metrics.duplicate_number_retries.labels(kind=numbered.kind.name).inc(len(run) - position)
        return [*run[position:], *later]
    outcomes[run[position]] = _refusal(numbered, error)
    return [*run[position + 1 :], *later]


def _give_numbers_in_order(
    numbered: Numbered, group: Sequence[Draft], newest: Document | None, newest_seq: int, outcomes: dict[Draft, Outcome]
) -> tuple[list[Draft], list[Draft]]:
    """Give the numbers after `newest_seq` to those that can follow; return them, and those to try again afterwards.

    A refusal is final where it follows from what is stored. Where it follows only from a draft before it, which may
    yet be refused itself, that one is stored first.
    """
    run: list[Draft] = []
    before = newest
    for position, draft in enumerate(group):
        number_seq = newest_seq + len(run) + 1
        followed = _follow(draft, before, number_seq)
        if isinstance(followed, FinanceError):
            if run and isinstance(_follow(draft, newest, newest_seq + 1), Series):
                return run, list(group[position:])
            outcomes[draft] = followed
            continue
        _give_number(numbered, draft, followed, number_seq)
        run.append(draft)
        before = draft.document
    return run, []


def _follow(draft: Draft, before: Document | None, number_seq: int) -> Series | FinanceError:
    """Return the series in which the draft takes `number_seq` after the document `before`, or why it can't."""
    series = draft.series if draft.follow is None else draft.follow(before)
    if isinstance(series, Series) and series.length_max is not None:
        number = series.format(number_seq)
        if len(number) > series.length_max:
            return SeriesFull(
                f"This series is full: its next number, {number}, would be longer than {series.length_max} characters."
            )
    return series


def _taken_elsewhere(numbered: Numbered, series: Series, draft: Draft) -> NumberTakenElsewhere | None:
    """Return the refusal where the number just tried for `draft` belongs to a document outside of its series."""
    number = draft.document[numbered.kind.number_field]
    holder = numbered.collection.find_one(
        {"tenant": series.tenant, numbered.kind.number_field: number}, dict.fromkeys(series.document_filter, True)
    )
    if holder is None or not any(holder.get(name, value) != value for name, value in series.document_filter.items()):
        return None
    return NumberTakenElsewhere(
        f"The next number of this series, {number}, belongs to a {numbered.kind.name} of another series. "
        "A number is never given twice: change how one of the two is written."
    )


def _by_series(drafts: Iterable[Draft]) -> dict[Series, list[Draft]]:
    groups: dict[Series, list[Draft]] = {}
    for draft in drafts:
        groups.setdefault(draft.series, []).append(draft)
    return groups


def _outcomes_of(
    numbered: Numbered, drafts: Sequence[Draft], firsts: Mapping[Hashable, Draft], outcomes: Mapping[Draft, Outcome]
) -> list[Outcome]:
    """Return one outcome per draft: a repeat inside the batch has that of its first, as a repeat."""
    result: list[Outcome] = []
    for draft in drafts:
        first = firsts[_identity(numbered, draft)]
        outcome = outcomes.get(first) or NumbersExhausted()
        if draft is not first and isinstance(outcome, Stored):
            outcome = _taken_by_key(numbered, outcome.document)
        result.append(outcome)
    return result
