"""Each check alone: what it finds at one step of a walk."""

from typing import Any

import pytest

from finance.maintenance.audit.checks import CHECKS, Finding, check
from finance.maintenance.audit.walk import Step


class Grace:
    """A walk of which only one thing is asked."""

    def __init__(self, *, recent: bool) -> None:
        self.recent = recent

    def is_recent(self, _step: Step) -> bool:
        return self.recent


@pytest.mark.parametrize(
    ("step", "recent", "found"),
    [
        (Step(5, 4, documents=1), False, []),
        (Step(5, 4, gaps=1), False, []),
        (Step(5, 2, documents=1), False, [Finding("unexplained", 3, 4, 2)]),
        (Step(5, 2, documents=1), True, [Finding("on_their_way", 3, 4, 2)]),
        (Step(5, 4, documents=1, gaps=1), False, [Finding("recorded_and_stored", 5, 5, 1)]),
        (Step(5, 4, documents=3), False, [Finding("duplicates", 5, 5, 2)]),
        (Step(5, 4, counter=4), False, []),
        (Step(3, 4, counter=2), False, [Finding("counter_behind", 3, 4, 2)]),
    ],
)
def test_a_check_finds_what_it_is_for_and_nothing_else(step: Step, recent: bool, found: list[Finding]) -> None:
    walk: Any = Grace(recent=recent)
    assert check(walk, step) == found


def test_of_several_things_at_one_step_all_are_found() -> None:
    walk: Any = Grace(recent=False)
    assert len(check(walk, Step(5, 3, documents=2, gaps=1))) == len(CHECKS) - 1
