"""The numbers of one series in their order, each with what has it: documents, a code handed out, a recorded gap.

Each source is one stream in the order of an index that holds all that is asked, and they are read side by side. What
stands in one piece is one step, so memory and time stay in proportion: a thousand numbers or a hundred million.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from bson import ObjectId

from finance.database import Db, Document
from finance.maintenance.kinds import MaintainedKind
from finance.maintenance.series import stored_in
from finance.numbering import counters
from finance.numbering.series import NUMBER_SEQ_MAX, Series

BATCH = 10_000
_NEVER = NUMBER_SEQ_MAX + 2
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Run(NamedTuple):
    """The numbers from `first` to `last`, each of which `each` of one source have; `since` when the first was given."""

    first: int
    last: int
    each: int
    since: datetime | None = None


class Source(NamedTuple):
    """Where numbers of a series stand, and which fields say when one was given."""

    collection: str | None
    of_series: Document
    instants: tuple[str, ...]
    instant: Callable[[Document], datetime]
    hint: str | None = None


class Step(NamedTuple):
    """Numbers side by side, to `last` (None: this one alone), of which each has as many documents, gaps and codes.

    `before` is the number that came before them, 0 at the beginning. The last step is at the number that the counter
    would give next, as it stood before the documents were read. `counter` is what it gave when they had been read: a
    number is reserved before it is stored, so a counter that is right can't be behind them. `since` is when the first
    was given, where that is known.
    """

    number_seq: int
    before: int
    documents: int = 0
    gaps: int = 0
    codes: int = 0
    last: int | None = None
    counter: int | None = None
    since: datetime | None = None

    @property
    def end(self) -> int:
        return self.number_seq if self.last is None else self.last

    @property
    def numbers(self) -> int:
        return self.end - self.number_seq + 1


@dataclass(frozen=True)
class Walk:
    """The way through one series, as it stood at the instant `at` or later. What was reserved before `old_before` is on
    its way no more.
    """

    db: Db
    kind: MaintainedKind
    series: Series
    old_before: datetime
    at: datetime
    progress: Callable[[int], None] = lambda read: None  # told of how many numbers more were read

    def steps(self) -> Iterator[Step]:
        before = 0
        for first, last, since, (documents, gaps, codes) in overlay(*map(self._runs, self._sources)):
            yield Step(first, before, documents, gaps, codes, last=last, since=since)
            before = last
        counted = counters.peek(self.db, self.series) or 0  # one that is unreadable is as far behind as can be
        yield Step(self._begun + 1, before, counter=counted, since=self._counter.get("reserved_at", LONG_AGO))

    def is_recent(self, step: Step) -> bool:
        """Return whether numbers before this step may have been reserved since the grace began.

        Numbers are reserved in their order, so they are older than any after them that the counter gave.
        """
        if step.since is not None:
            return step.since >= self.old_before
        return step.number_seq > self._settled

    @cached_property
    def _sources(self) -> tuple[Source, Source, Source]:
        in_series = stored_in(self.series)
        made, handed_out = ("_id", "created_at", "history.action", "history.at"), ("handed_out_at",)
        return (
            Source(self.kind.numbered.collection, in_series, made, _numbered_at, self.kind.order_index.name),
            Source("number_gaps", dict(self.series.identity), ("recorded_at",), itemgetter("recorded_at")),
            Source(self.kind.codes, in_series, handed_out, itemgetter("handed_out_at")),
        )

    @cached_property
    def _counter(self) -> Document:
        return self.db.counters.find_one({"_id": self.series.counter_id}) or {"seq": 0}

    @cached_property
    def _begun(self) -> int:
        """What the counter had given before the documents were read."""
        return counters.whole_seq(self._counter.get("seq", 0)) or 0

    @cached_property
    def _settled(self) -> int:
        """The largest number that the counter gave before the grace began, as far as can be seen.

        Read backwards from the newest, so only what was given since then is looked at.
        """
        if not self.kind.chosen_by_hand:
            return max(map(self._newest_old, self._sources))
        # A customer may be older than the number that somebody chose for it.
        if self._counter.get("reserved_at", LONG_AGO) < self.old_before:
            return self._begun
        return max(map(self._newest_old, self._sources[1:]))

    def _newest_old(self, source: Source) -> int:
        given = self._read(source, 1, self._begun, source.instants, direction=-1)
        return next((int(one["number_seq"]) for one in given if source.instant(one) < self.old_before), 0)

    def _runs(self, source: Source) -> Iterator[Run]:
        yield from runs(self._read(source, 1, self._begun), self.progress)
        # Beyond the counter it doesn't say how old a number is. There are few, or the counter is wrong; and of codes
        # that people choose there is no order.
        if source is not self._sources[0] or not self.kind.chosen_by_hand:
            beyond = self._read(source, self._begun + 1, NUMBER_SEQ_MAX, source.instants)
            yield from runs(beyond, self.progress, instant=source.instant)

    def _read(
        self, source: Source, first: int, last: int, more: Iterable[str] = (), *, direction: int = 1
    ) -> Iterable[Document]:
        if source.collection is None:
            return ()
        given = {**source.of_series, "number_seq": {"$gte": first, "$lte": last}}
        fields = {"_id": False, "number_seq": True} | dict.fromkeys(more, True)
        found = self.db[source.collection].find(given, fields).sort("number_seq", direction)
        found = found.batch_size(BATCH) if direction > 0 else found  # backwards, one is nearly always enough
        return found.hint(source.hint) if source.hint else found


def runs(
    numbers: Iterable[Document],
    progress: Callable[[int], None] = lambda read: None,
    *,
    instant: Callable[[Document], datetime] | None = None,
) -> Iterator[Run]:
    """Yield what stands side by side in a stream of numbers in their order; a number that comes twice is by itself."""
    remaining = iter(numbers)
    run, last, following = None, 0, 0  # `following` is the number that lengthens the run, 0 where none can
    while batch := list(islice(remaining, BATCH)):
        for document in batch:
            number_seq = document["number_seq"]
            if number_seq == following:
                last = number_seq
                following += 1
                continue
            if run is not None and number_seq == last:
                if run.first < last:
                    yield run._replace(last=int(last) - 1)
                    run = Run(int(last), int(last), 1)
                run, following = run._replace(each=run.each + 1), 0
                continue
            if run is not None:
                yield run._replace(last=int(last))
            run = Run(int(number_seq), int(number_seq), 1, instant(document) if instant else None)
            last, following = number_seq, number_seq + 1
        progress(len(batch))
    if run is not None:
        yield run._replace(last=int(last))


def overlay(*sources: Iterable[Run]) -> Iterator[tuple[int, int, datetime | None, list[int]]]:
    """Yield (first, last, since, how many of each source) for all numbers that a source has, in their order."""
    streams = [iter(source) for source in sources]
    heads = [next(stream, None) for stream in streams]
    while some := [(head.first, position) for position, head in enumerate(heads) if head is not None]:
        _first, nearest = min(some)
        others = min((other for other, position in some if position != nearest), default=_NEVER)
        head, counts = heads[nearest], [0] * len(heads)
        while head is not None and head.last < others:  # nearly always: this source alone, run after run
            counts[nearest] = head.each
            yield head.first, head.last, head.since, counts
            head = next(streams[nearest], None)
        heads[nearest] = head
        if head is None or head.first > others:
            continue
        step, heads = _together(heads, streams)
        yield step


def _together(
    heads: Sequence[Run | None], streams: Sequence[Iterator[Run]]
) -> tuple[tuple[int, int, datetime | None, list[int]], list[Run | None]]:
    """Return the numbers from the first on that the same sources have, and what follows in each of them."""
    some = [head for head in heads if head is not None]
    first = min(head.first for head in some)
    last = min(head.last if head.first == first else head.first - 1 for head in some)
    counts, following, since = [0] * len(heads), list(heads), None
    for position, head in enumerate(heads):
        if head is not None and head.first == first:
            counts[position] = head.each
            since = max(filter(None, (since, head.since)), default=None)
            following[position] = head._replace(first=last + 1) if last < head.last else next(streams[position], None)
    return (first, last, since, counts), following


def _numbered_at(document: Document) -> datetime:
    """Return when the document got its number: when it was made, or when a repair gave it another one."""
    renumbered = [entry["at"] for entry in document.get("history") or [] if entry.get("action") == "renumbered"]
    created_at = document.get("created_at")
    if not isinstance(created_at, datetime):
        identity = document["_id"]
        created_at = identity.generation_time if isinstance(identity, ObjectId) else LONG_AGO
    return max([created_at, *renumbered])
