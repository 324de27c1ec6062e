"""Counters: one document `{_id, seq}` a series, and the gaps, the numbers that were reserved and not stored.

Filters name `_id` only: with any further condition an upsert that doesn't match tries to insert a second document
of the same `_id`, which is E11000.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from pymongo import ReturnDocument, UpdateOne

from finance import metrics
from finance.database import Db, Document
from finance.numbering.series import Series

GAPS_BATCH = 1_000


def reserve(db: Db, series: Series, count: int) -> range:
    """Return `count` numbers that nobody else has got or will get from this counter."""
    counter: Document | None = db.counters.find_one_and_update(
        {"_id": series.counter_id},
        # reserved_at lets the audit tell a number still on its way from one that was lost.
        {"$inc": {"seq": count}, "$currentDate": {"reserved_at": True}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert counter is not None  # upsert with AFTER returns the document
    return range(counter["seq"] - count + 1, counter["seq"] + 1)


def raise_to(db: Db, series: Series, number_seq: int) -> None:
    """Make the counter at least `number_seq`; a counter is never lowered."""
    db.counters.update_one({"_id": series.counter_id}, {"$max": {"seq": number_seq}}, upsert=True)


def read(db: Db, series: Series) -> int:
    """Return the newest number the counter gave, 0 where there is no counter yet."""
    counter = db.counters.find_one({"_id": series.counter_id})
    return int(counter["seq"]) if counter else 0


def go_on_after(db: Db, series: Series, last: int) -> None:
    """Make the series go on after `last`, the newest number that another system gave; a counter is never lowered."""
    db.counters.update_one({"_id": series.counter_id}, {"$max": {"seq": last, "taken_over": last}}, upsert=True)


def read_taken_over(db: Db, series: Series) -> int:
    """Return the last number that another system gave before the series began here, 0 where there is none."""
    counter = db.counters.find_one({"_id": series.counter_id})
    return int(counter.get("taken_over", 0)) if counter else 0


def record_gaps(db: Db, gaps: Iterable[tuple[Series, int]], *, reason: str, recorded_at: datetime) -> int:
    """Record numbers that no document has, each once, and return how many were new.

    The number is the identity, so recording it again changes nothing, neither its reason nor its time.
    """
    recorded_by_kind: Counter[str] = Counter()
    what = {"reason": reason, "recorded_at": recorded_at}
    remaining = iter(gaps)
    while batch := list(islice(remaining, GAPS_BATCH)):
        upserts = [
            UpdateOne(
                {**series.identity, "number_seq": number_seq},
                {"$setOnInsert": {"number": series.format(number_seq), **what}},
                upsert=True,
            )
            for series, number_seq in batch
        ]
        new = db.number_gaps.bulk_write(upserts, ordered=False).upserted_ids or {}
        recorded_by_kind.update(batch[position][0].kind for position in new)
    for kind, recorded in recorded_by_kind.items():
        metrics.gaps_recorded.labels(kind=kind).inc(recorded)
    return recorded_by_kind.total()


def forget_gap(db: Db, series: Series, number_seq: int) -> int:
    """Take back the gap of a number that a document has; return how many there were, 0 or 1."""
    return db.number_gaps.delete_one({**series.identity, "number_seq": number_seq}).deleted_count
