"""How a series is read: each source once, in its order, whatever is missing."""

import random
from collections import Counter
from typing import Any

import pytest

from finance.database import Db
from finance.maintenance.audit.walk import overlay, runs
from tests.commands import Commands
from tests.maintenance.audit.conftest import Store, audit_one


@pytest.mark.parametrize("seed", range(30))
def test_each_number_is_told_with_all_that_has_it_in_order(seed: int) -> None:
    chosen = random.Random(seed)
    numbers = [sorted(chosen.choices(range(1, 40), k=chosen.randrange(40))) for _source in range(3)]

    told: list[tuple[int, tuple[int, ...]]] = []
    for first, last, _since, counts in overlay(*(runs({"number_seq": n} for n in source) for source in numbers)):
        told += [(number, tuple(counts)) for number in range(first, last + 1)]

    counted = [Counter(source) for source in numbers]
    expected = [(n, tuple(each[n] for each in counted)) for n in range(1, 40) if any(each[n] for each in counted)]
    assert told == expected


def test_what_stands_side_by_side_is_one_run() -> None:
    assert [(run.first, run.last, run.each) for run in runs({"number_seq": n} for n in (1, 2, 3, 3, 4, 7.0))] == [
        (1, 2, 1),
        (3, 3, 2),
        (4, 4, 1),
        (7, 7, 1),
    ]


def test_many_holes_cost_no_more_questions_than_one(db: Db, watched: Db, commands: Commands, store: Store) -> None:
    def asked() -> Any:
        commands.names.clear()
        audit_one(watched)
        return list(commands.names)

    store(1, 3, counter=1001)
    of_one_hole = asked()
    store(*range(5, 1001, 2), counter=1001)
    assert asked() == of_one_hole
    db.counters.delete_many({})  # and where the counter says nothing
    assert len(asked()) <= len(of_one_hole)
