"""Sequences of an older system go on here: each counter begins after the last number that was given there.

The numbers before it are recorded as gaps with their reason, so that an audit accounts for them: their documents are
where the older system keeps them. Safe to kill, and to run again when the older system has given more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finance.database import Db, Document
from finance.invoices.model import KIND
from finance.maintenance.kinds import shop_series
from finance.numbering import counters
from finance.numbering.reasons import ISSUED_BY_OLDER_SYSTEM as REASON
from finance.numbering.series import SLUG, Series

LAST_NUMBER_MAX = 10_000_000
YEARS = range(2000, 2101)


@dataclass(frozen=True)
class Sequence:
    """One sequence as the older system kept it, or what is wrong with it."""

    document: Document
    series: Series | None = None
    last: int = 0
    problem: str = ""


def read_sequences(db: Db, *, collection: str, fields: tuple[str, str, str, str], tenant: str) -> Iterator[Sequence]:
    """Yield what the older system kept; `fields` are those of the shop, the year, the month and the last number."""
    for document in db[collection].find({}, dict.fromkeys(fields, True)).sort("_id", 1):
        yield _read(db, document, tenant, *(document.get(name) for name in fields))


def take_over(db: Db, series: Series, last: int, *, now: datetime) -> None:
    """Make a series go on after the last number that its sequence gave; its counter is never lowered."""
    # The gaps first: killed before the counter, nothing goes on from a number that isn't accounted for.
    gaps = ((series, number_seq) for number_seq in range(1, last + 1))
    counters.record_gaps(db, gaps, reason=REASON, recorded_at=now)
    counters.go_on_after(db, series, last)


def _read(db: Db, document: Document, tenant: str, shop: Any, year: Any, month: Any, last: Any) -> Sequence:
    whole = [_whole(value) for value in (year, month, last)]
    if not isinstance(shop, str) or SLUG.fullmatch(shop.lower()) is None:
        return Sequence(document, problem="its shop isn't a name of a-z, 0-9 and -")
    if None in whole or whole[0] not in YEARS or whole[1] not in range(1, 13):
        return Sequence(document, problem="its year, month and last number aren't numbers that can be")
    if not 0 <= whole[2] <= LAST_NUMBER_MAX:  # type: ignore[operator]
        return Sequence(document, problem=f"its last number isn't from 0 to {LAST_NUMBER_MAX:,}")
    series = shop_series(KIND, tenant, shop.lower(), f"{whole[0]:04d}-{whole[1]:02d}")
    assert series is not None
    issued_here = {"tenant": tenant, **series.document_filter, "number_seq": {"$gte": 1, "$lte": whole[2]}}
    if db.invoices.find_one(issued_here, {"_id": True}) is not None:
        return Sequence(document, problem="invoices of this shop and month have such numbers here already")
    return Sequence(document, series, int(whole[2] or 0))


def _whole(value: Any) -> int | None:
    """Return a whole number, also one stored as a double, as older drivers do, or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value) if float(value) == int(value) else None
    except (ValueError, OverflowError):
        return None
