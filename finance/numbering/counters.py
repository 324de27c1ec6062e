"""Counters: one document `{_id, seq}` a series, and the gaps, the numbers that were reserved and not stored.

Filters name `_id` only: with any further condition an upsert that doesn't match tries to insert a second document
of the same `_id`, which is E11000.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from bson import Decimal128
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from finance import metrics
from finance.database import Db, Document
from finance.errors import Unavailable
from finance.numbering.series import NUMBER_SEQ_MAX, Series
from finance.numbering.side_by_side import side_by_side
from finance.said import said

log = logging.getLogger(__name__)

GAPS_BATCH = 1_000
CANT_COUNT = (2, 14)  # BadValue (beyond 64 bits), TypeMismatch (a text): what $inc answers where it can't count


class CounterUnreadable(Unavailable):
    """A counter holds what is no number. Nothing was stored."""

    @classmethod
    def of(cls, series: Series, seq: object) -> "CounterUnreadable":
        """Return the refusal, count it, and log for whoever runs the service what mends it."""
        metrics.counters_unreadable.labels(kind=series.kind).inc()
        log.error(
            "The counter %s holds %.100r, which is no whole number from 0 to %d; "
            "scripts/audit_numbers.py --sync-counters puts it right",
            series.counter_id,
            seq,
            NUMBER_SEQ_MAX,
        )
        return cls(
            said(
                "The counter of this series ({counter_id}) can't be read, and nothing was stored. "
                "Whoever runs the service puts it right with scripts/audit_numbers.py --sync-counters; "
                "then a retry is safe.",
                counter_id=series.counter_id,
            )
        )


def reserve(db: Db, series: Series, count: int) -> range:
    """Return `count` numbers that nobody else has got or will get from this counter; raises CounterUnreadable."""
    try:
        counter: Document | None = db.counters.find_one_and_update(
            {"_id": series.counter_id},
            # reserved_at lets the audit tell a number still on its way from one that was lost.
            {"$inc": {"seq": count}, "$currentDate": {"reserved_at": True}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except OperationFailure as error:
        if error.code not in CANT_COUNT:
            raise
        raise CounterUnreadable.of(series, "a value that can't be counted up") from error
    assert counter is not None  # upsert with AFTER returns the document
    newest = _require_seq(series, counter["seq"])
    if newest < count:  # it was below 0
        raise CounterUnreadable.of(series, newest - count)
    return range(newest - count + 1, newest + 1)


def reserve_each(db: Db, counts: Mapping[Series, int]) -> dict[Series, range | Exception]:
    """Return the numbers of each series, as `reserve` does, or why there are none.

    All counters are read at once, and counted up at once from what was read. One that another process counted up
    meanwhile, or that isn't there yet, is reserved from by itself.
    """
    reserved: dict[Series, range | Exception] = {}
    if len(counts) > 1:
        try:
            reserved = _count_up_together(db, counts)
        except PyMongoError as error:
            return dict.fromkeys(counts, error)
    left = [series for series in counts if series not in reserved]
    alone = side_by_side([partial(reserve, db, series, counts[series]) for series in left])
    return reserved | dict(zip(left, alone, strict=True))


def _count_up_together(db: Db, counts: Mapping[Series, int]) -> dict[Series, range | Exception]:
    """Count up those counters that hold what was read of them; return the numbers that this gives."""
    seqs = _stored_seqs(db, counts)
    known = [(series, seq) for series in counts if (seq := whole_seq(seqs.get(series.counter_id))) is not None]
    updates = [
        UpdateOne(
            {"_id": series.counter_id},
            [{"$set": {"seq": _if_still(seq, seq + counts[series]), "reserved_at": "$$NOW"}}],
        )
        for series, seq in known
    ]
    failed: set[int] = set()
    try:
        if updates:
            db.counters.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        failed = {write_error["index"] for write_error in error.details["writeErrors"]}
    return {
        series: range(seq + 1, seq + counts[series] + 1)
        for position, (series, seq) in enumerate(known)
        if position not in failed
    }


def _if_still(seq: int, after: int) -> dict[str, Any]:
    """Return the expression that gives `after` where `seq` is as it was read, and refuses the update otherwise.

    A condition in the filter would do the same, but MongoDB doesn't say of which updates the filter matched.
    """
    return {"$cond": [{"$eq": ["$seq", seq]}, {"$toLong": after}, {"$toLong": "counted up meanwhile"}]}


def raise_to(db: Db, series: Series, number_seq: int) -> None:
    """Make the counter at least `number_seq`; a counter is never lowered."""
    db.counters.update_one({"_id": series.counter_id}, {"$max": {"seq": number_seq}}, upsert=True)


def raise_all(db: Db, newest: Mapping[Series, int]) -> None:
    """Make the counter of each series at least its number, all in one round trip."""
    if len(newest) == 1:
        raise_to(db, *next(iter(newest.items())))
    elif newest:
        raised = [
            UpdateOne({"_id": series.counter_id}, {"$max": {"seq": number_seq}}, upsert=True)
            for series, number_seq in newest.items()
        ]
        db.counters.bulk_write(raised, ordered=False)


def read(db: Db, series: Series) -> int:
    """Return the newest number the counter gave, 0 where there is no counter yet; raises CounterUnreadable."""
    return _require_seq(series, _stored_seq(db, series))


def read_each(db: Db, series: Iterable[Series]) -> dict[Series, int | Exception]:
    """Return what `read` does for each series, in one round trip; a failure stands in the place of its number."""
    asked = list(series)
    try:
        seqs = _stored_seqs(db, asked)
    except PyMongoError as error:
        return dict.fromkeys(asked, error)
    found: dict[Series, int | Exception] = {}
    for one in asked:
        try:
            found[one] = _require_seq(one, seqs.get(one.counter_id, 0))
        except CounterUnreadable as unreadable:
            found[one] = unreadable
    return found


def peek(db: Db, series: Series) -> int | None:
    """Return the newest number the counter gave, 0 where there is no counter yet, None where it is unreadable."""
    return whole_seq(_stored_seq(db, series))


def peek_each(db: Db, counter_ids: Iterable[str]) -> dict[str, int | None]:
    """Return what `peek` does for the counter of each id, in one round trip."""
    ids = list(counter_ids)
    found = db.counters.find({"_id": {"$in": ids}}, {"seq": True}) if ids else ()
    return dict.fromkeys(ids, 0) | {counter["_id"]: whole_seq(counter.get("seq", 0)) for counter in found}


def put_right(db: Db, series: Series, number_seq: int) -> None:
    """Set an unreadable counter to the newest number that is accounted for: while it was one, it gave none.

    One that another operator has put right meanwhile may have given numbers since: it is left alone.
    """
    seq = _stored_seq(db, series)
    if whole_seq(seq) is None:
        db.counters.update_one({"_id": series.counter_id, "seq": seq}, {"$set": {"seq": number_seq}})


def whole_seq(seq: Any) -> int | None:
    """Return a stored `seq` as an integer, None where it is none: 7000.0, which some tools write, is 7000."""
    if isinstance(seq, Decimal128):
        seq = seq.to_decimal()
    try:
        whole = None if isinstance(seq, bool | str | bytes) else int(seq)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return whole if whole is not None and whole == seq and 0 <= whole <= NUMBER_SEQ_MAX else None


def go_on_after(db: Db, series: Series, last: int) -> None:
    """Make the series go on after `last`, the newest number that another system gave; a counter is never lowered.

    Which of the numbers up to there the counter had given before stays known: `read_given_here`.
    """
    db.counters.update_one({"_id": series.counter_id}, _going_on_after(last), upsert=True)


def go_on_after_each(db: Db, last_by_series: Mapping[Series, int]) -> None:
    """Do what `go_on_after` does for each series, in one round trip."""
    updates = [
        UpdateOne({"_id": series.counter_id}, _going_on_after(last), upsert=True)
        for series, last in last_by_series.items()
    ]
    if updates:
        db.counters.bulk_write(updates, ordered=False)


def _going_on_after(last: int) -> list[Document]:
    """Return the update; in one step, so that no number is given between what is noted and what is raised."""
    taken_over = {"$ifNull": ["$taken_over", 0]}
    given = {"first": {"$add": [taken_over, 1]}, "last": {"$min": ["$seq", last]}}
    any_given = {"$and": [{"$isNumber": "$seq"}, {"$gt": ["$seq", taken_over]}, {"$gt": [last, taken_over]}]}
    noted = {"$concatArrays": [{"$ifNull": ["$given_here", []]}, [given]]}
    return [
        {"$set": {"given_here": {"$cond": [any_given, noted, {"$ifNull": ["$given_here", "$$REMOVE"]}]}}},
        {"$set": {"seq": {"$max": ["$seq", last]}, "taken_over": {"$max": ["$taken_over", last]}}},
    ]


def read_given_here(db: Db, series: Series) -> list[tuple[int, int]]:
    """Return from where to where the counter had given numbers before it went on after those of another system."""
    counter = db.counters.find_one({"_id": series.counter_id}, {"given_here": True}) or {}
    return [(int(given["first"]), int(given["last"])) for given in counter.get("given_here", [])]


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


def forget_gaps(db: Db, series: Series, number_seqs: list[int]) -> int:
    """Take back the gaps of numbers that documents are about to have; return how many there were."""
    return db.number_gaps.delete_many({**series.identity, "number_seq": {"$in": number_seqs}}).deleted_count


def _stored_seq(db: Db, series: Series) -> object:
    counter = db.counters.find_one({"_id": series.counter_id}, {"seq": True})
    return (counter or {}).get("seq", 0)


def _stored_seqs(db: Db, series: Iterable[Series]) -> dict[str, object]:
    ids = [one.counter_id for one in series]
    return {counter["_id"]: counter.get("seq", 0) for counter in db.counters.find({"_id": {"$in": ids}}, {"seq": True})}


def _require_seq(series: Series, seq: object) -> int:
    whole = whole_seq(seq)
    if whole is None:
        raise CounterUnreadable.of(series, seq)
    return whole
