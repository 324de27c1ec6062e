"""What can be wrong with a number: one function each, asked at every step of a walk through a series.

A number is accounted for if a document has it, or was handed out with it, or a recorded gap says why there is none.
One that is missing may be on its way: it is unexplained only if it was reserved before the grace began. A new check is
a function more in `CHECKS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from finance.maintenance.audit.walk import Step, Walk

UNEXPLAINED = "unexplained"
ON_THEIR_WAY = "on_their_way"
RECORDED_AND_STORED = "recorded_and_stored"
DUPLICATES = "duplicates"
COUNTER_BEHIND = "counter_behind"
# So many missing numbers side by side are no lost requests but a leap, as of a counter raised to a number made from a
# clock (20261234567). They are reported and never recorded one by one.
LEAP_MIN = 100_000


@dataclass(frozen=True)
class Finding:
    """`count` numbers or documents from `first` to `last`. All but what is on its way is wrong."""

    what: str
    first: int
    last: int
    count: int

    @property
    def is_leap(self) -> bool:
        return self.what == UNEXPLAINED and self.count >= LEAP_MIN


Check = Callable[[Walk, Step], Finding | None]


def missing(walk: Walk, step: Step) -> Finding | None:
    """Find numbers before this one that have neither document nor recorded gap."""
    first, last = step.before + 1, step.number_seq - 1
    if first > last:
        return None
    return Finding(ON_THEIR_WAY if walk.is_recent(step) else UNEXPLAINED, first, last, last - first + 1)


def late(_walk: Walk, step: Step) -> Finding | None:
    """Find numbers recorded as gaps that documents have. They came late: recording gaps takes theirs back."""
    if step.gaps and (step.documents or step.codes):
        return Finding(RECORDED_AND_STORED, step.number_seq, step.end, step.numbers)
    return None


def duplicate(_walk: Walk, step: Step) -> Finding | None:
    """Find documents whose number an earlier one has."""
    if step.documents > 1:
        return Finding(DUPLICATES, step.number_seq, step.end, (step.documents - 1) * step.numbers)
    return None


def counter_behind(_walk: Walk, step: Step) -> Finding | None:
    """Find numbers that are in use and that the counter would give again."""
    if step.counter is not None and step.counter < step.before:
        return Finding(COUNTER_BEHIND, step.counter + 1, step.before, step.before - step.counter)
    return None


CHECKS: tuple[Check, ...] = (missing, late, duplicate, counter_behind)


def check(walk: Walk, step: Step) -> list[Finding]:
    """Return what every check finds at this step."""
    return [finding for one in CHECKS if (finding := one(walk, step)) is not None]
