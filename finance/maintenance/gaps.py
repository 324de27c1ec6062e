"""Numbers that are recorded as gaps: each with the reason why no document has it."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from pymongo.errors import BulkWriteError

from finance.database import DUPLICATE_KEY, Db, Document
from finance.numbering.series import Series

INSERT_BATCH = 1_000


def insert_gaps(db: Db, series: Series, number_seqs: Iterable[int], *, reason: str, recorded_at: datetime) -> int:
    """Record numbers as gaps in batches, and return how many were new; those recorded already stay as they are."""
    recorded = 0
    remaining = iter(number_seqs)
    while batch := list(islice(remaining, INSERT_BATCH)):
        gaps: list[Document] = [
            {
                **gap_identity(series),
                "number_seq": number_seq,
                "number": series.format(number_seq),
                "reason": reason,
                "recorded_at": recorded_at,
            }
            for number_seq in batch
        ]
        try:
            recorded += len(db.number_gaps.insert_many(gaps, ordered=False).inserted_ids)
        except BulkWriteError as error:
            details: Document = dict(error.details or {})
            if any(failed["code"] != DUPLICATE_KEY for failed in details["writeErrors"]):
                raise
            recorded += details["nInserted"]
    return recorded


def gap_identity(series: Series) -> Document:
    return {"tenant": series.tenant, "kind": series.kind, "scope": series.scope, "period": series.period}


def forget_gap(db: Db, series: Series, number_seq: int) -> int:
    """Take back the gap of a number that a document has; return how many there were, 0 or 1."""
    return db.number_gaps.delete_one({**gap_identity(series), "number_seq": number_seq}).deleted_count
