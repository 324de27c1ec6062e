"""The numbers of one series in their order, each with what has it: documents, a recorded gap, or both.

They are read from two indexes that hold all that is asked, side by side, so memory stays the same for a thousand
numbers and for a hundred million.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from bson import ObjectId

from finance.database import Db, Document
from finance.maintenance.kinds import MaintainedKind
from finance.maintenance.series import stored_in
from finance.numbering import counters
from finance.numbering.series import Series

_DOCUMENT, _GAP = 0, 1
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Step(NamedTuple):
    """A number that documents or a gap have; `before` is the one that came before it, 0 at the beginning.

    The last step is at the number that the counter would give next, as it stood before the documents were read.
    `counter` is what it gave when they had been read: a number is reserved before it is stored, so a counter that is
    right can't be behind them.
    """

    number_seq: int
    before: int
    documents: int = 0
    gaps: int = 0
    counter: int | None = None
    reserved_at: datetime | None = None


@dataclass(frozen=True)
class Walk:
    """The way through one series. What was reserved before the instant `old_before` is on its way no more."""

    db: Db
    kind: MaintainedKind
    series: Series
    old_before: datetime

    def steps(self) -> Iterator[Step]:
        counter: Document = self.db.counters.find_one({"_id": self.series.counter_id}) or {"seq": 0}
        before = 0
        for number_seq, same in groupby(self._numbers(), key=itemgetter(0)):
            has = [0, 0]
            for _number_seq, source in same:
                has[source] += 1
            yield Step(number_seq, before, has[_DOCUMENT], has[_GAP])
            before = number_seq
        reserved_at = counter.get("reserved_at", _LONG_AGO)
        counted = counters.peek(self.db, self.series) or 0  # one that is unreadable is as far behind as can be
        begun = counters.whole_seq(counter.get("seq", 0)) or 0
        yield Step(begun + 1, before, counter=counted, reserved_at=reserved_at)

    def is_recent(self, step: Step) -> bool:
        """Return whether numbers before this step may have been reserved since the grace began.

        Numbers are reserved in their order, so they are at least as old as what has the number of the step.
        """
        return self._since(step) >= self.old_before

    def _numbers(self) -> Iterator[tuple[int, int]]:
        only_number, index = {"_id": False, "number_seq": True}, self.kind.order_index.name
        documents = self.db[self.kind.numbered.collection].find(stored_in(self.series), only_number)
        gaps = self.db.number_gaps.find({**self.series.identity, "number_seq": {"$gte": 1}}, only_number)
        return heapq.merge(
            ((int(document["number_seq"]), _DOCUMENT) for document in documents.sort("number_seq", 1).hint(index)),
            ((int(gap["number_seq"]), _GAP) for gap in gaps.sort("number_seq", 1)),
        )

    def _since(self, step: Step) -> datetime:
        if step.reserved_at is not None:
            return step.reserved_at
        if step.documents:
            document = self.db[self.kind.numbered.collection].find_one(
                stored_in(self.series) | {"number_seq": step.number_seq},
                {"created_at": True, "history.action": True, "history.at": True},
            )
            return _numbered_at(document) if document else _LONG_AGO
        gap = self.db.number_gaps.find_one({**self.series.identity, "number_seq": step.number_seq})
        return gap["recorded_at"] if gap else _LONG_AGO


def _numbered_at(document: Document) -> datetime:
    """Return when the document got its number: when it was made, or when a repair gave it another one."""
    renumbered = [entry["at"] for entry in document.get("history") or [] if entry.get("action") == "renumbered"]
    created_at = document.get("created_at")
    if not isinstance(created_at, datetime):
        identity = document["_id"]
        created_at = identity.generation_time if isinstance(identity, ObjectId) else _LONG_AGO
    return max([created_at, *renumbered])
