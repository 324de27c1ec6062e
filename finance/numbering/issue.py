"""Storing documents under fresh numbers: the standard and the no-gap policy, and what to do on E11000.

Each document is stored whole or not at all, and no transaction is needed: a document carries its number and its
idempotency key, so one insert decides both. A killed process leaves no lock and no half.

Numbers are given per series, side by side and each for itself: what fails there concerns that series alone. Only the
insert itself can leave an outcome unknown: what fails before it stored nothing, and what fails after it is logged and
mended by the next request or the audit.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pymongo.errors import PyMongoError

from finance import metrics
from finance.database import Document
from finance.errors import own
from finance.numbering import counters
from finance.numbering.batches import answer_repeats, before_the_insert, by_series, firsts_of, give_number, outcomes_of
from finance.numbering.documents import (
    failed_before_storing,
    find_newest,
    find_newest_of_each,
    insert,
    is_number_collision,
    newest_stored,
    refusal,
    take_places,
)
from finance.numbering.drafts import (
    Draft,
    NotStored,
    Numbered,
    Outcome,
    Stored,
    Taken,
)
from finance.numbering.following import find_taken_elsewhere, give_numbers_in_order
from finance.numbering.series import Series
from finance.numbering.side_by_side import side_by_side
from finance.once import NothingStored, OutcomeUnknown

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
# Without gaps every collision means that somebody else's document was stored, so it ends; this bounds it all the same.
NO_GAP_ATTEMPTS_MAX = 100
LONE_ONES_MIN = 2  # below that, together is the same as each by itself


@dataclass(frozen=True)
class _Head:
    """The newest number of a series, and the document that has it, if one does."""

    document: Document | None
    seq: int


def issue_standard(numbered: Numbered, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store each draft under a fresh number and return one outcome per draft, in their order.

    Numbers are reserved from the counter first, so they are quick to get under any load; one that was reserved and
    then not used is recorded as a gap. Where the counter is behind the data it is raised to it.
    """
    firsts = firsts_of(numbered, drafts)
    outcomes, waiting = answer_repeats(numbered, firsts)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        if waiting:
            waiting = _insert_together(numbered, _number_from_counters(numbered, waiting, outcomes), outcomes, now)
            _raise_counters(numbered, waiting, attempt)
    return outcomes_of(numbered, drafts, firsts, outcomes)


def issue_no_gap(numbered: Numbered, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store each draft under the next number of its series and return one outcome per draft, in their order.

    Number k is only tried by who has seen k-1 stored, so no crash, refusal or race can leave a hole.
    """
    firsts = firsts_of(numbered, drafts)
    outcomes, waiting = answer_repeats(numbered, firsts)
    groups = by_series(waiting)
    left = _insert_lone_ones(numbered, groups, outcomes)
    issued = side_by_side([partial(_issue_in_order, numbered, series, group) for series, group in left.items()])
    for group, ended in zip(left.values(), issued, strict=True):
        outcomes.update(failed_before_storing(group, ended) if isinstance(ended, Exception) else ended)
    _count_stored(numbered, groups, outcomes)
    return outcomes_of(numbered, drafts, firsts, outcomes)


def _insert_unordered(numbered: Numbered, drafts: Sequence[Draft], outcomes: dict[Draft, Outcome]) -> list[Draft]:
    """Insert drafts of several series at once, note what became of each, and return those whose number was taken."""
    errors = insert(numbered, drafts, ordered=False) if drafts else {}
    if isinstance(errors, Exception):
        outcomes.update((draft, OutcomeUnknown.because_of(errors)) for draft in drafts)
        return []
    collided: list[Draft] = []
    for position, draft in enumerate(drafts):
        error = errors.get(position)
        if error is None:
            outcomes[draft] = Stored(draft.document)
        elif is_number_collision(numbered, error):
            collided.append(draft)
        else:
            outcomes[draft] = refusal(numbered, error)
    return collided


# ---------------------------------------------------------------- standard


def _number_from_counters(numbered: Numbered, drafts: Iterable[Draft], outcomes: dict[Draft, Outcome]) -> list[Draft]:
    """Give each draft a number from its series' counter; return those that have one, and note why others have none."""
    groups = by_series(drafts)
    with before_the_insert():
        reserved = counters.reserve_each(numbered.db, {series: len(group) for series, group in groups.items()})
    ready: list[Draft] = []
    for series, group in groups.items():
        numbers = reserved[series]
        if isinstance(numbers, Exception):
            outcomes.update(failed_before_storing(group, numbers))
        else:
            for draft, number_seq in zip(group, numbers, strict=True):
                give_number(numbered, draft, series, number_seq)
            ready += group
    return ready


def _insert_together(
    numbered: Numbered, drafts: Sequence[Draft], outcomes: dict[Draft, Outcome], now: datetime
) -> list[Draft]:
    """Insert the drafts of all series at once, and record the numbers of those that were refused as gaps.

    Return those whose number was taken.
    """
    collided = _insert_unordered(numbered, drafts, outcomes)
    unused: dict[str, list[tuple[Series, int]]] = {}
    for draft in drafts:
        outcome = outcomes.get(draft)  # none yet of those that collided
        if isinstance(outcome, Taken | NotStored):
            reason = "idempotent_replay" if _is_repeat(numbered, outcome) else "not_stored"
            unused.setdefault(reason, []).append((draft.series, draft.document["number_seq"]))
    _record_unused(numbered, unused, now)
    return collided


def _is_repeat(numbered: Numbered, outcome: Outcome) -> bool:
    return isinstance(outcome, Taken) and numbered.kind.key_field in outcome.fields


def _record_unused(numbered: Numbered, unused: Mapping[str, list[tuple[Series, int]]], now: datetime) -> None:
    """Record the numbers that were reserved for nothing. Where that fails, the audit finds them."""
    try:
        for reason, gaps in unused.items():
            counters.record_gaps(numbered.db, gaps, reason=reason, recorded_at=now)
    except Exception as error:  # noqa: BLE001  the others are stored, and must be told so
        _log_left_undone(numbered, "gaps were not recorded", error)


def _raise_counters(numbered: Numbered, collided: Iterable[Draft], attempt: int) -> None:
    """Raise the counter of every series in which a number was taken; where that fails, the next attempt tries again."""
    groups = by_series(collided)
    for group in groups.values():
        log.warning(
            "Duplicate %s number detected (attempt %d/%d): %s",
            numbered.kind.name,
            attempt,
            ATTEMPTS_MAX,
            group[0].document[numbered.kind.number_field],
            extra={"documents": len(group)},
        )
        metrics.duplicate_number_retries.labels(kind=numbered.kind.name).inc(len(group))
    raising = [partial(_raise_counter, numbered, series, group) for series, group in groups.items()]
    for ended in side_by_side(raising):
        if isinstance(ended, Exception):
            _log_left_undone(numbered, "a counter was not raised", ended)


def _raise_counter(numbered: Numbered, series: Series, collided: Sequence[Draft]) -> None:
    take_places(numbered, series, collided)
    counters.raise_to(numbered.db, series, newest_stored(numbered, series))


def _log_left_undone(numbered: Numbered, what: str, error: Exception) -> None:
    known = isinstance(error, PyMongoError)
    log.error("%s: %s (%s)", numbered.kind.name, what, type(error).__name__, exc_info=None if known else error)


# ---------------------------------------------------------------- no gap


def _insert_lone_ones(
    numbered: Numbered, groups: Mapping[Series, Sequence[Draft]], outcomes: dict[Draft, Outcome]
) -> dict[Series, Sequence[Draft]]:
    """Insert the drafts that wait alone in their series in one round trip; return the groups that are left.

    No hole can come of it: of each series there is one, and no other can be stored before it is. One whose number is
    taken is left, to be tried in its order.
    """
    lone = {series: group[0] for series, group in groups.items() if len(group) == 1}
    if len(lone) < LONE_ONES_MIN:
        return dict(groups)
    left: dict[Series, Sequence[Draft]] = {series: group for series, group in groups.items() if series not in lone}
    with before_the_insert():
        heads = _heads(numbered, list(lone))
    ready: list[Draft] = []
    for series, draft in lone.items():
        head = heads[series]
        if isinstance(head, Exception):
            outcomes.update(failed_before_storing([draft], head))
        else:
            ready += give_numbers_in_order(numbered, [draft], head.document, head.seq, outcomes)[0]
    left |= {draft.series: [draft] for draft in _insert_unordered(numbered, ready, outcomes)}
    return left


def _heads(numbered: Numbered, series: Sequence[Series]) -> dict[Series, _Head | Exception]:
    """Return the newest number of each series, or why it can't be told."""
    # The counters first, as in `_insert_next`.
    counted, newest = counters.read_each(numbered.db, series), find_newest_of_each(numbered, series)
    heads: dict[Series, _Head | Exception] = {}
    for one in series:
        seq, document = counted[one], newest[one]
        if isinstance(seq, Exception):
            heads[one] = seq
        elif isinstance(document, Exception):
            heads[one] = document
        else:
            heads[one] = _Head(document, max(int(document["number_seq"]) if document else 0, seq))
    return heads


def _issue_in_order(numbered: Numbered, series: Series, group: Sequence[Draft]) -> dict[Draft, Outcome]:
    """Store the drafts of one series one after the other; return what became of each."""
    outcomes: dict[Draft, Outcome] = {}
    for _attempt in range(NO_GAP_ATTEMPTS_MAX + len(group)):
        if not group:
            break
        try:
            group = _insert_next(numbered, series, group, outcomes)
        except Exception as error:  # noqa: BLE001  it concerns those that are left, whose insert was not begun
            outcomes.update(failed_before_storing(group, error))
            break
    return outcomes


def _insert_next(
    numbered: Numbered, series: Series, group: Sequence[Draft], outcomes: dict[Draft, Outcome]
) -> list[Draft]:
    """Try the next numbers for `group`, note the outcomes that are settled, and return the drafts that are left."""
    # The counter first: it is raised after its documents are stored, so that what is read after it is at least as new,
    # and a draft follows the document that really is before it.
    with before_the_insert():
        counted = counters.read(numbered.db, series)
        newest = find_newest(numbered, series)
        newest_seq = max(int(newest["number_seq"]) if newest else 0, counted)
        if newest_seq + 1 == group[0].document.get("number_seq"):  # refused before, and nobody of this series took it
            if take_places(numbered, series, group[:1]):
                return list(group)
            elsewhere = find_taken_elsewhere(numbered, series, group[0])
            if elsewhere is not None:
                outcomes.update((draft, own(elsewhere)) for draft in group)
                return []
    run, later = give_numbers_in_order(numbered, group, newest, newest_seq, outcomes)
    errors = insert(numbered, run, ordered=True) if run else {}
    if isinstance(errors, Exception):
        outcomes.update((draft, OutcomeUnknown.because_of(errors)) for draft in run)
        outcomes.update((draft, NothingStored.because_of(errors)) for draft in later)
        return []
    position, error = next(iter(errors.items()), (len(run), None))
    for draft in run[:position]:
        outcomes[draft] = Stored(draft.document)
    if error is None:
        return later
    if is_number_collision(numbered, error):
        metrics.duplicate_number_retries.labels(kind=numbered.kind.name).inc(len(run) - position)
        return [*run[position:], *later]
    outcomes[run[position]] = refusal(numbered, error)
    return [*run[position + 1 :], *later]


def _count_stored(
    numbered: Numbered, groups: Mapping[Series, Sequence[Draft]], outcomes: Mapping[Draft, Outcome]
) -> None:
    """Raise the counters to what was stored. Where that fails, the next batch does: it asks the documents as well."""
    newest: dict[Series, int] = {}
    for series, group in groups.items():
        stored = [draft.document["number_seq"] for draft in group if isinstance(outcomes.get(draft), Stored)]
        if stored:
            newest[series] = max(stored)
    try:
        counters.raise_all(numbered.db, newest)
    except Exception as error:  # noqa: BLE001  the documents are stored, and must be told so
        _log_left_undone(numbered, "counters were not raised", error)
