"""Sequences of an older system go on here: each counter begins after the last number that was given there.

The numbers before it are recorded as gaps with their reason, so that an audit accounts for them: their documents are
where the older system keeps them. Safe to kill, and to run again when the older system has given more.
"""

from datetime import datetime

from finance.database import Db
from finance.invoices.model import KIND
from finance.maintenance.gaps import explain_missing
from finance.maintenance.kinds import KINDS
from finance.numbering import counters
from finance.numbering.reasons import ISSUED_BY_OLDER_SYSTEM
from finance.numbering.series import Series

_INVOICES = next(kind for kind in KINDS if kind.numbered.name == KIND)


def is_taken_over(db: Db, series: Series, last: int) -> bool:
    """Return whether the series goes on after `last` already; then its gaps are recorded too, they come first."""
    return counters.read_taken_over(db, series) >= last


def take_over(db: Db, series: Series, last: int, *, now: datetime) -> int:
    """Make a series go on after the last number that its sequence gave, and return how many gaps were recorded.

    Its counter is never lowered. What an earlier run has recorded is read, not recorded again.
    """
    # The gaps first: killed before the counter, nothing goes on from a number that isn't accounted for.
    recorded = explain_missing(db, _INVOICES, series, last=last, reason=ISSUED_BY_OLDER_SYSTEM, now=now)
    counters.go_on_after(db, series, last)
    return recorded
