"""Sequences of an older system go on here: each counter begins after the last number that was given there.

The numbers before it are recorded as gaps with their reason, so that an audit accounts for them: their documents are
where the older system keeps them. Safe to kill, and to run again when the older system has given more.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from finance.database import Db
from finance.numbering import counters
from finance.numbering.reasons import ISSUED_BY_OLDER_SYSTEM
from finance.numbering.series import Series


def find_taken_over(db: Db, series: Iterable[Series]) -> dict[Series, int]:
    """Return the last number of each series that was taken over already, 0 where none was. One round trip.

    A counter says so once the gaps up to there are recorded, so they need not be recorded again.
    """
    asked = {one.counter_id: one for one in series}
    found = db.counters.find({"_id": {"$in": list(asked)}}, {"taken_over": True})
    known = {counter["_id"]: int(counter.get("taken_over", 0)) for counter in found}
    return {one: known.get(counter_id, 0) for counter_id, one in asked.items()}


def take_over(db: Db, last_by_series: Mapping[Series, int], *, now: datetime) -> int:
    """Make each series go on after the last number that its sequence gave, and return how many gaps were recorded.

    Counters are never lowered. Only numbers after those that were taken over before are recorded.
    """
    before = find_taken_over(db, last_by_series)
    gaps = (
        (series, number_seq)
        for series, last in last_by_series.items()
        for number_seq in range(before[series] + 1, last + 1)
    )
    # The gaps first: killed before the counters, nothing goes on from a number that isn't accounted for.
    recorded = counters.record_gaps(db, gaps, reason=ISSUED_BY_OLDER_SYSTEM, recorded_at=now)
    counters.go_on_after_each(db, last_by_series)
    return recorded
