"""What clients were told, compared with what is stored: every attempt of every client is a line of the history.

A check is a function that returns what it found wrong, in words; `violations` asks them all.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any

# A 503 that says so promises that this attempt stored nothing.
NOTHING_STORED = frozenset(
    ("nothing_stored", "too_busy", "not_stored", "numbers_exhausted", "counter_unreadable", "indexes_missing")
)
UNKNOWN = frozenset(("outcome_unknown",))
SHOWN_MAX = 5  # of each kind of violation


@dataclass(frozen=True)
class Attempt:
    """One request of HTTP, from when it was begun until its answer, by the clients' one clock.

    `request` is what the client wants done once, however many attempts it takes: the payment's reference.
    """

    request: str
    key: str | None
    posted: Mapping[str, Any]
    began_s: float
    ended_s: float
    status: int | None = None  # None: no answer
    answer: Mapping[str, Any] = field(default_factory=dict)
    replayed: bool = False
    was_sent: bool = True
    is_valid: bool = True  # what was posted should be taken

    @property
    def is_success(self) -> bool:
        return self.status == 201

    @property
    def is_first_success(self) -> bool:
        return self.is_success and not self.replayed

    @property
    def is_unknown(self) -> bool:
        """Whether it may have stored something, for all that the client was told."""
        if self.status is None:
            return self.was_sent
        return self.status >= 500 and self.answer.get("code") not in NOTHING_STORED

    @property
    def is_refusal(self) -> bool:
        return not self.is_success and not self.is_unknown


@dataclass(frozen=True)
class Found:
    """What the database holds afterwards; a number is (year, number_seq).

    `gaps` are those that were recorded before the audit ran, `lost` those that it found, `taken_back` those that it
    took back, as a document has the number after all.
    """

    documents: Collection[Mapping[str, Any]]
    counted: Mapping[int, int]  # year -> the newest number that the counter gave
    gaps: frozenset[tuple[int, int]] = frozenset()
    lost: frozenset[tuple[int, int]] = frozenset()
    taken_back: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """A history and what was found, and under which rules.

    `no_gap`: no number may be missing. `undisturbed`: nothing was broken, so every valid request has to succeed at
    once. `unordered`: spans of time (began, ended) in which a counter was behind the data: there answers need not be in
    the order of their numbers, and a recorded gap may be given to a document, if the audit takes it back.
    """

    history: Collection[Attempt]
    found: Found
    no_gap: bool = False
    undisturbed: bool = False
    unordered: tuple[tuple[float, float], ...] = ()

    @cached_property
    def attempts(self) -> dict[str, list[Attempt]]:
        """The attempts of each request, in the order in which they were begun."""
        by_request: dict[str, list[Attempt]] = {}
        for attempt in sorted(self.history, key=lambda attempt: attempt.began_s):
            by_request.setdefault(attempt.request, []).append(attempt)
        return by_request

    @cached_property
    def stored(self) -> dict[str, list[Mapping[str, Any]]]:
        """The documents of each request."""
        by_request: dict[str, list[Mapping[str, Any]]] = {}
        for document in self.found.documents:
            by_request.setdefault(str(document.get("reference")), []).append(document)
        return by_request

    @cached_property
    def numbers(self) -> Counter[tuple[int, int]]:
        return Counter(number_of(document) for document in self.found.documents)


def violations(evidence: Evidence) -> list[str]:
    """Return what contradicts a promise, a few of each kind; none where all is right."""
    wrong: list[str] = []
    for check in CHECKS:
        of_this = list(check(evidence))
        wrong += of_this[:SHOWN_MAX]
        if len(of_this) > SHOWN_MAX:
            wrong.append(f"… and {len(of_this) - SHOWN_MAX} more like the last")
    return wrong


def number_of(document: Mapping[str, Any]) -> tuple[int, int]:
    return document["number_year"], document["number_seq"]


def a_success_is_one_document(evidence: Evidence) -> Iterator[str]:
    """With that number, that id and that body."""
    for attempt in evidence.history:
        if not attempt.is_success:
            continue
        documents = evidence.stored.get(attempt.request, [])
        if len(documents) != 1:
            yield f"{attempt.request} was acknowledged and is stored {len(documents)} times"
            continue
        document = documents[0]
        for name, told in (("payment_number", document["payment_number"]), ("id", str(document["_id"]))):
            if attempt.answer.get(name) != told:
                yield f"{attempt.request} was told {name} {attempt.answer.get(name)}, stored is {told}"


def what_is_stored_was_posted(evidence: Evidence) -> Iterator[str]:
    for request, documents in evidence.stored.items():
        attempts = evidence.attempts.get(request)
        if attempts is None:
            yield f"{request} is stored, and nobody asked for it"
            continue
        wanted = {name: value for name, value in attempts[0].posted.items() if name != "amount"}
        wanted["amount_minor"] = int(Decimal(attempts[0].posted["amount"]) * 100)
        wanted["idempotency_key"] = attempts[0].key
        for document in documents:
            other = sorted(name for name, value in wanted.items() if document.get(name) != value)
            if other:
                yield f"{request} is stored with another {', '.join(other)}"


def an_answer_shows_what_was_posted(evidence: Evidence) -> Iterator[str]:
    for attempt in evidence.history:
        if attempt.is_success and any(attempt.answer.get(n) != value for n, value in attempt.posted.items()):
            yield f"{attempt.request} was answered with another payment: {attempt.answer.get('reference')}"


def a_refusal_stored_nothing(evidence: Evidence) -> Iterator[str]:
    for request, attempts in evidence.attempts.items():
        if all(attempt.is_refusal for attempt in attempts) and request in evidence.stored:
            yield f"{request} was only ever refused, and is stored"


def a_repeat_follows_what_it_repeats(evidence: Evidence) -> Iterator[str]:
    """A first result is given again only where an attempt before may have had one; all others said "nothing stored"."""
    for request, attempts in evidence.attempts.items():
        if any(a.replayed for a in attempts) and not any(a.is_unknown or a.is_first_success for a in attempts):
            yield f"{request} was told that nothing was stored, and then given a first result"


def a_request_takes_effect_once(evidence: Evidence) -> Iterator[str]:
    for request, documents in evidence.stored.items():
        if len(documents) > 1:
            yield f"{request} is stored {len(documents)} times"
    for request, attempts in evidence.attempts.items():
        firsts = sum(attempt.is_first_success for attempt in attempts)
        if firsts > 1:
            yield f"{request} was told {firsts} times that it took effect just now"


def an_unknown_outcome_is_asked_until_answered(evidence: Evidence) -> Iterator[str]:
    """That the client went on asking with its key, and was answered in the end; a "try later" is no answer."""
    for request, attempts in evidence.attempts.items():
        is_answered = any(attempt.status is not None and attempt.status < 500 for attempt in attempts)
        if attempts[0].key is not None and any(attempt.is_unknown for attempt in attempts) and not is_answered:
            yield f"{request} was never answered"


def an_answer_is_one_of_ours(evidence: Evidence) -> Iterator[str]:
    for attempt in evidence.history:
        code = attempt.answer.get("code")
        told = f"{attempt.request} was answered {attempt.status} {code}"
        if attempt.status is None:
            if evidence.undisturbed and attempt.was_sent:
                yield f"{attempt.request} was not answered, though nothing was broken"
        elif attempt.status >= 500 and code not in NOTHING_STORED | UNKNOWN:
            yield f"{told}, which doesn't say what became of it"
        elif not attempt.is_valid and attempt.status < 500 and attempt.status != 422:
            yield f"{told}, though it can't be taken"
        elif attempt.is_valid and not attempt.is_success and attempt.status < 500:
            yield f"{told}, though nothing is wrong with it"
        elif evidence.undisturbed and attempt.status >= 500:
            yield f"{told}, though nothing was broken"


def a_number_is_given_once(evidence: Evidence) -> Iterator[str]:
    for number, count in evidence.numbers.items():
        if count > 1:
            yield f"{number} is on {count} documents"
    for document in evidence.found.documents:
        year, number_seq = number_of(document)
        if document["payment_number"] != f"PAY{year}{number_seq:04d}":
            yield f"{(year, number_seq)} is written {document['payment_number']}"


def every_number_is_explained(evidence: Evidence) -> Iterator[str]:
    found = evidence.found
    for year in {year for year, _seq in evidence.numbers} | set(found.counted):
        newest = max([found.counted.get(year, 0), *(seq for y, seq in evidence.numbers if y == year)])
        for number in ((year, seq) for seq in range(1, newest + 1)):
            is_unused = number in found.gaps or number in found.lost
            if number in evidence.numbers and is_unused and not (number in found.taken_back and evidence.unordered):
                yield f"{number} is a document, and recorded as a gap"
            elif number not in evidence.numbers and not is_unused:
                yield f"{number} is neither a document nor a recorded gap"
            elif is_unused and evidence.no_gap:
                yield f"{number} is a gap, where there may be none"


def a_counter_is_not_behind_its_documents(evidence: Evidence) -> Iterator[str]:
    """But where there are no gaps: there the documents lead, and the counter follows when it can."""
    for year, number_seq in () if evidence.no_gap else evidence.numbers:
        if number_seq > evidence.found.counted.get(year, 0):
            yield f"the counter of {year} is {evidence.found.counted.get(year, 0)}, behind {number_seq}"


def a_number_is_unused_only_for_a_reason(evidence: Evidence) -> Iterator[str]:
    """Each attempt reserves one number at most that it doesn't use, and none where it is the first to succeed."""
    unused = len(evidence.found.gaps | evidence.found.lost)
    reasons = sum(not attempt.is_first_success and attempt.was_sent for attempt in evidence.history)
    if unused > reasons:
        yield f"{unused} numbers are unused, and only {reasons} attempts can have left one"
    if evidence.undisturbed and evidence.found.lost:
        yield f"{len(evidence.found.lost)} numbers were lost, though nothing was broken"


def numbers_are_in_the_order_of_answers(evidence: Evidence) -> Iterator[str]:
    """What was answered before another was begun has the smaller number, in each series."""
    spans = sorted(_spans(evidence))
    for year, of_year in groupby(spans, key=lambda span: span[0]):
        yield from _out_of_order(year, [span[1:] for span in of_year])


def _spans(evidence: Evidence) -> Iterator[tuple[int, float, float, int, str]]:
    """Give (year, begun, answered, number_seq, request) of each success: its first attempt, and its first answer."""
    for request, documents in evidence.stored.items():
        attempts = evidence.attempts.get(request, [])
        answered = [attempt.ended_s for attempt in attempts if attempt.is_success]
        if not answered:
            continue
        began_s, ended_s = attempts[0].began_s, min(answered)
        if not any(began_s < until and ended_s > since for since, until in evidence.unordered):
            year, number_seq = number_of(documents[0])
            yield year, began_s, ended_s, number_seq, request


def _out_of_order(year: int, spans: Collection[tuple[float, float, int, str]]) -> Iterator[str]:
    by_answer = sorted(spans, key=lambda span: span[1])
    newest, before, position = 0, "", 0
    for began_s, _ended_s, number_seq, request in spans:
        while position < len(by_answer) and by_answer[position][1] < began_s:
            if by_answer[position][2] > newest:
                newest, before = by_answer[position][2], by_answer[position][3]
            position += 1
        if number_seq < newest:
            yield f"{request} has {year}-{number_seq}, begun after {before} was answered with {year}-{newest}"


CHECKS: Iterable[Callable[[Evidence], Iterator[str]]] = (
    a_success_is_one_document,
    what_is_stored_was_posted,
    an_answer_shows_what_was_posted,
    a_refusal_stored_nothing,
    a_repeat_follows_what_it_repeats,
    a_request_takes_effect_once,
    an_unknown_outcome_is_asked_until_answered,
    an_answer_is_one_of_ours,
    a_number_is_given_once,
    every_number_is_explained,
    a_counter_is_not_behind_its_documents,
    a_number_is_unused_only_for_a_reason,
    numbers_are_in_the_order_of_answers,
)
