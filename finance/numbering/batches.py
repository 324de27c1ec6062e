"""A batch: the drafts that wait together, each request once, and the outcomes that they are answered with."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

from bson import ObjectId

from finance import database
from finance.errors import own
from finance.numbering.documents import find_repeats, taken_by_key
from finance.numbering.drafts import Draft, Numbered, NumbersExhausted, Outcome, Stored
from finance.numbering.series import Series

NUMBERING_S_MAX = 8.0
INSERT_S = 3.0  # what is left for the insert: it must have time for the numbers that were given


def before_the_insert() -> database.deadline:
    """Return the deadline for what is asked before an insert: the time that the batch has, less INSERT_S."""
    remaining_s = database.remaining_s()
    return database.deadline(NUMBERING_S_MAX if remaining_s is None else max(remaining_s - INSERT_S, remaining_s / 2))


def firsts_of(numbered: Numbered, drafts: Iterable[Draft]) -> dict[Hashable, Draft]:
    """Return the first draft of each identity: a double click waits in the same batch, and must not cost a number."""
    firsts: dict[Hashable, Draft] = {}
    for draft in drafts:
        firsts.setdefault(_identity(numbered, draft), draft)
    return firsts


def _identity(numbered: Numbered, draft: Draft) -> Hashable:
    """Return what makes two drafts the same request: tenant and idempotency key, or the draft itself without one."""
    key = draft.document.get(numbered.kind.key_field)
    return draft if key is None else (draft.series.tenant, key)


def answer_repeats(numbered: Numbered, firsts: Mapping[Hashable, Draft]) -> tuple[dict[Draft, Outcome], list[Draft]]:
    """Answer the drafts whose idempotency key is stored already, so that a repeat costs no number."""
    with before_the_insert():
        outcomes = find_repeats(numbered, firsts.values())
    return outcomes, [draft for draft in firsts.values() if draft not in outcomes]


def outcomes_of(
    numbered: Numbered, drafts: Sequence[Draft], firsts: Mapping[Hashable, Draft], outcomes: Mapping[Draft, Outcome]
) -> list[Outcome]:
    """Return one outcome per draft: a repeat inside the batch has that of its first, as a repeat."""
    result: list[Outcome] = []
    for draft in drafts:
        first = firsts[_identity(numbered, draft)]
        outcome = outcomes.get(first) or NumbersExhausted()
        if draft is not first:
            outcome = _as_repeat(numbered, outcome)
        result.append(outcome)
    return result


def _as_repeat(numbered: Numbered, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Stored):
        return taken_by_key(numbered, outcome.document)
    return own(outcome) if isinstance(outcome, Exception) else outcome


def by_series(drafts: Iterable[Draft]) -> dict[Series, list[Draft]]:
    groups: dict[Series, list[Draft]] = {}
    for draft in drafts:
        groups.setdefault(draft.series, []).append(draft)
    return groups


def give_number(numbered: Numbered, draft: Draft, series: Series, number_seq: int) -> None:
    draft.document["_id"] = ObjectId()
    draft.document["number_seq"] = number_seq
    draft.document[numbered.kind.number_field] = series.format(number_seq)
