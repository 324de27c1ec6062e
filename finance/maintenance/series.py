"""The series that stand in the database: which there are, how far each goes, and counters that are behind."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bson import MaxKey
from pymongo.errors import OperationFailure

from finance.database import Db, Document
from finance.errors import Unavailable
from finance.maintenance.kinds import AUDITED, MaintainedKind
from finance.numbering import counters
from finance.numbering.series import NUMBER_SEQ_MAX, Series

SERIES_MAX = 1_000_000  # of one kind: tenants × periods × scopes
FindSeries = Callable[[Db, MaintainedKind], Iterable[Series]]


class OrderIndexMissing(Unavailable):
    """The index in whose order the numbers are read does not stand."""


def find_series(db: Db, kind: MaintainedKind) -> list[Series]:
    """Return every series that has a document or a counter, in the order of counter ids.

    Documents are not read one by one: one index seek a series leads to the next. Raises OrderIndexMissing.
    """
    found = {series.counter_id: series for series in _series_with_counters(db, kind)}
    found.update((series.counter_id, series) for series in _series_with_documents(db, kind))
    return [found[counter_id] for counter_id in sorted(found)]


def find_one_series(db: Db, kind: MaintainedKind, ids: Sequence[str]) -> Series | None:
    """Return the series of which a counter's id says `ids` behind the kind; None where nothing of it is stored.

    How its numbers are written a document says, a counter doesn't. Three index seeks at most.
    """
    series = kind.series_of_counter(ids)
    if series is None:
        return None
    first = db[kind.numbered.collection].find_one(stored_in(series), sort=[("number_seq", 1)])
    if first is not None:
        return kind.series_of(first)
    with_gap = db.number_gaps.find_one(series.identity, {"_id": True})
    is_known = with_gap or db.counters.find_one({"_id": series.counter_id}, {"_id": True})
    return series if is_known else None


def _series_with_counters(db: Db, kind: MaintainedKind) -> Iterator[Series]:
    # ";" is the character after ":", so these are all ids that begin with "<kind>:".
    ids = {"$gte": f"{kind.numbered.name}:", "$lt": f"{kind.numbered.name};"}
    for counter in db.counters.find({"_id": ids}, {"_id": True}):
        series = kind.series_of_counter(counter["_id"].split(":")[1:])
        if series is not None:
            yield series


def _series_with_documents(db: Db, kind: MaintainedKind) -> Iterator[Series]:
    index = kind.order_index
    fields = ("tenant", *kind.series_fields)
    position: list[Any] | None = None
    for _seek in range(SERIES_MAX):
        cursor = db[kind.numbered.collection].find(dict(index.partial or {})).hint(index.name).limit(1)
        if position is not None:
            beyond = [*position, *[MaxKey()] * (len(index.keys) - len(position))]
            cursor = cursor.min(list(zip((field for field, _direction in index.keys), beyond, strict=True)))
        else:
            cursor = cursor.sort(list(index.keys))
        try:
            document = next(cursor, None)
        except OperationFailure as error:
            raise OrderIndexMissing(
                f"The index {index.collection}.{index.name} doesn't stand. Run scripts/migrate_indexes.py --apply."
            ) from error
        if document is None:
            return
        position = [document.get(field) for field in fields]
        series = kind.series_of(document)
        if series is not None:
            yield series


def stored_in(series: Series) -> Document:
    """Return the filter of the documents that have a number of the series."""
    return {"tenant": series.tenant, **series.document_filter, "number_seq": {"$gte": 1, "$lte": NUMBER_SEQ_MAX}}


def newest_accounted(db: Db, kind: MaintainedKind, series: Series) -> int:
    """Return the largest number of the series that a document has or a gap explains. Two index seeks."""
    order = [("number_seq", -1)]
    # A number that somebody chose by hand doesn't lift the series, one that was handed out does.
    collection = kind.codes if kind.chosen_by_hand else kind.numbered.collection
    newest = db[collection].find_one(stored_in(series), {"number_seq": True}, sort=order) if collection else None
    newest_gap = db.number_gaps.find_one(series.identity, sort=order)
    return max(int(found["number_seq"]) if found else 0 for found in (newest, newest_gap))


def sync_counters(
    db: Db, *, kinds: Iterable[MaintainedKind] = AUDITED, find: FindSeries = find_series
) -> list[tuple[Series, int, int]]:
    """Raise every counter that is behind its documents or gaps; return (series, from, to). Never lowers one.

    A counter that holds what is no number is set to the newest that is accounted for; it is shown as raised from 0.
    """
    raised = []
    for kind in kinds:
        for series in find(db, kind):
            before, newest = counters.peek(db, series), newest_accounted(db, kind, series)
            if before is None:
                counters.put_right(db, series, newest)
            elif before < newest:
                counters.raise_to(db, series, newest)
            if before is None or before < newest:
                raised.append((series, before or 0, newest))
    return raised
