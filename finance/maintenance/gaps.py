"""Numbers that no document has get their reason, all those of a series in one stream."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import chain, islice

from finance.database import Db
from finance.maintenance.kinds import MaintainedKind
from finance.maintenance.series import stored_in
from finance.numbering import counters
from finance.numbering.series import Series

RECORD_BATCH = 1_000
READ_BATCH = 5_000  # else MongoDB sends 16 MB of them at a time, some hundred thousand documents in memory


def explain_missing(
    db: Db,
    kind: MaintainedKind,
    series: Series,
    *,
    last: int,
    reason: str,
    now: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Record every number from 1 to `last` that has neither document nor gap, and return how many there were.

    A number that our counter gave is left to the audit: if nothing has it, it was lost here.
    Documents and gaps are read once, in their order, so a run that has nothing to add costs one read and no write.
    For an import: store the documents, then explain with finance.numbering.reasons.ISSUED_BY_OLDER_SYSTEM, and let
    the series go on with counters.go_on_after. Safe to kill, and to run again.
    """
    recorded, done = 0, 0
    missing = _missing(_known(db, kind, series, last), last)
    while batch := list(islice(missing, RECORD_BATCH)):
        recorded += record(db, kind, series, batch, reason=reason, now=now)
        done += len(batch)
        progress(done)
    return recorded


def record(db: Db, kind: MaintainedKind, series: Series, number_seqs: list[int], *, reason: str, now: datetime) -> int:
    """Record those numbers that still have no document as gaps, and return how many were new."""
    wanted = stored_in(series) | {"number_seq": {"$in": number_seqs}}
    arrived = set(db[kind.numbered.collection].distinct("number_seq", wanted))
    gaps = ((series, number_seq) for number_seq in number_seqs if number_seq not in arrived)
    return counters.record_gaps(db, gaps, reason=reason, recorded_at=now)


def _known(db: Db, kind: MaintainedKind, series: Series, last: int) -> Iterator[int]:
    up_to, only_number = {"number_seq": {"$gte": 1, "$lte": last}}, {"_id": False, "number_seq": True}
    numbers = db[kind.numbered.collection]
    documents = numbers.find(stored_in(series) | up_to, only_number, batch_size=READ_BATCH)
    gaps = db.number_gaps.find({**series.identity, **up_to}, only_number, batch_size=READ_BATCH)
    given_here = sorted(counters.read_given_here(db, series))
    return merge(
        chain.from_iterable(range(first, min(to, last) + 1) for first, to in given_here),
        (int(document["number_seq"]) for document in documents.sort("number_seq", 1).hint(kind.order_index.name)),
        (int(gap["number_seq"]) for gap in gaps.sort("number_seq", 1)),
    )


def _missing(known: Iterable[int], last: int) -> Iterator[int]:
    before = 0
    for number_seq in known:
        yield from range(before + 1, number_seq)
        before = number_seq
    yield from range(before + 1, last + 1)
