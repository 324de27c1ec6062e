"""Group commit: requests that wait at the same time are stored together, and each gets its own result.

There is no thread for it that could die or hang. A request that finds no commit under way stores whatever waits, its
own document among it; those that come meanwhile wait, and the first of them stores the next batch. So a lone request
is as fast as without a lane, and under load batches grow. Where a commit is late, whoever waits begins another one.
"""

import contextvars
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from time import monotonic

from finance import database, metrics
from finance.database import ConnectionLost, IndexesMissing
from finance.errors import FinanceError, TooBusy, own
from finance.numbering.counters import CounterUnreadable
from finance.numbering.drafts import (
    Draft,
    NotStored,
    NumbersExhausted,
    NumberTakenElsewhere,
    Outcome,
    SeriesFull,
    Stored,
    Taken,
)
from finance.once import DatabaseFailed, NothingStored, OutcomeUnknown

log = logging.getLogger(__name__)

BATCH_SIZE_MAX = 256
# No more than edge/waiting.py lets wait in all: this shares them between tenants, whatever number of keys each has.
PENDING_MAX = 320
LATE_S = 0.25  # an ordinary commit takes a tenth of it
COMMITS_MAX = 4
ANSWER_S = 1.0  # between the deadline for MongoDB and that of the answer
STUCK_S = 20.0  # twice what a request may take
COMMIT_S = 4.0  # what a batch has at least: who has less time left when its turn comes has waited too long

# A lane's `submit` with its deadline: what a service needs to have its document numbered and stored; and several.
Submit = Callable[[Draft], Stored | Taken]
SubmitMany = Callable[[Sequence[Draft]], Sequence[Outcome]]


class _Ticket:
    """A request in the lane. Its lock is held until there is something to see: its outcomes, or that it may lead."""

    __slots__ = ("_is_signalled", "_lock", "drafts", "outcomes")

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self.drafts = drafts
        self.outcomes: Sequence[Outcome] | None = None
        self._is_signalled = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def signal(self) -> None:
        """Wake the request, under the lane's lock."""
        if not self._is_signalled:
            self._is_signalled = True
            self._lock.release()

    def wait(self, seconds: float) -> None:
        if self._lock.acquire(timeout=seconds):
            self._is_signalled = False


# What a document that is handed to a lane may meet.
FAILURES = (
    *(SeriesFull, NumberTakenElsewhere),
    *(TooBusy, NothingStored, OutcomeUnknown, NotStored, NumbersExhausted, CounterUnreadable, IndexesMissing),
)


class Lane:
    """The one way into a numbered collection from this process.

    `commit` takes drafts and returns one outcome each; where it raises, the outcome of all of them is unknown.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Draft]], list[Outcome]],
        *,
        kind: str,
        batch_size_max: int = BATCH_SIZE_MAX,
    ) -> None:
        self._commit = commit
        self._batch_size_max = batch_size_max
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._pending_by_tenant: Counter[str] = Counter()
        self._pending = 0
        self._begun_at: dict[int, float] = {}  # of each commit under way
        self._is_away = False  # the last commit found no database
        self._batch_size = metrics.batch_size.labels(kind=kind)
        self._wait_seconds = metrics.commit_wait_seconds.labels(kind=kind)

    def submit(self, draft: Draft, *, deadline_s: float) -> Stored | Taken:
        """Wait until the draft is stored, or found to be stored already.

        Raises TooBusy, what the commit raised or gave for this draft, or OutcomeUnknown after `deadline_s` seconds, or
        a second after the request's own deadline for MongoDB.
        """
        [outcome] = self.submit_many((draft,), deadline_s=deadline_s)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def submit_many(self, drafts: Sequence[Draft], *, deadline_s: float) -> Sequence[Outcome]:
        """Wait until some drafts of one tenant are stored, together, and return what became of each, in their order.

        Raises TooBusy, or NothingStored while there is no database: then none of them was tried.
        """
        began = monotonic()
        remaining_s = database.remaining_s()
        if remaining_s is not None:
            deadline_s = min(deadline_s, remaining_s + ANSWER_S)
        ticket = self._admit(drafts)
        try:
            return self._see_through(ticket, until=began + deadline_s, commit_s=min(COMMIT_S, deadline_s / 2))
        finally:
            self._leave(ticket)
            self._wait_seconds.observe(monotonic() - began)

    def is_stuck(self) -> bool:
        """Return whether a commit goes on though every deadline that it has is over."""
        with self._lock:
            begun_at = min(self._begun_at.values(), default=None)
        return begun_at is not None and monotonic() - begun_at > STUCK_S

    def _admit(self, drafts: Sequence[Draft]) -> _Ticket:
        """Let a request wait; raises TooBusy where too many do, and NothingStored while there is no database.

        A tenant may have as many as there is room left beside them, so that the crowd of one doesn't shut out another.
        """
        tenant = drafts[0].series.tenant
        with self._lock:
            if self._is_away and self._begun_at:  # one looks whether it is back
                raise NothingStored
            if self._pending_by_tenant[tenant] >= PENDING_MAX - self._pending:
                raise TooBusy
            self._pending += 1
            self._pending_by_tenant[tenant] += 1
            ticket = _Ticket(drafts)
            self._waiting.append(ticket)
        return ticket

    def _leave(self, ticket: _Ticket) -> None:
        tenant = ticket.drafts[0].series.tenant
        with self._lock:
            self._pending -= 1
            self._pending_by_tenant[tenant] -= 1
            if not self._pending_by_tenant[tenant]:
                del self._pending_by_tenant[tenant]

    def _see_through(self, ticket: _Ticket, *, until: float, commit_s: float) -> Sequence[Outcome]:
        turn_until = until - commit_s
        while ticket.outcomes is None:
            now = monotonic()
            batch = self._take(now)
            if batch:
                self._store(batch, deadline_s=max(until - now, commit_s))
            elif now >= turn_until and self._withdraw(ticket):
                return [TooBusy() for _draft in ticket.drafts]
            elif now >= until:
                return [OutcomeUnknown() for _draft in ticket.drafts]
            else:
                ticket.wait(min(LATE_S, (turn_until if now < turn_until else until) - now))
        return ticket.outcomes

    def _take(self, now: float) -> list[_Ticket]:
        """Return those to store now, the longest waiting first: none where a commit is under way that isn't late."""
        with self._lock:
            if self._begun_at and (len(self._begun_at) >= COMMITS_MAX or now - max(self._begun_at.values()) < LATE_S):
                return []
            batch: list[_Ticket] = []
            room = self._batch_size_max
            while self._waiting and (not batch or len(self._waiting[0].drafts) <= room):
                batch.append(self._waiting.popleft())
                room -= len(batch[-1].drafts)
            if batch:
                self._begun_at[id(batch)] = now
        return batch

    def _withdraw(self, ticket: _Ticket) -> bool:
        """Take a request back; False where it is being stored, or was."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return True
        return False

    def _store(self, batch: list[_Ticket], *, deadline_s: float) -> None:
        """Store a batch, and tell each of its requests; whatever happens, each gets an answer and the next goes on."""
        drafts = [draft for ticket in batch for draft in ticket.drafts]
        self._batch_size.observe(len(drafts))
        outcomes: Sequence[Outcome] = ()
        try:
            # In a context of its own: the deadline and the id of this request are not those of all others.
            outcomes = contextvars.Context().run(self._commit_or_explain, drafts, deadline_s)
        finally:
            self._tell(batch, outcomes or [OutcomeUnknown() for _draft in drafts])

    def _tell(self, batch: list[_Ticket], outcomes: Sequence[Outcome]) -> None:
        with self._lock:
            del self._begun_at[id(batch)]
            self._is_away = all(_is_away(outcome) for outcome in outcomes)
            if self._is_away:  # those who wait would find the same, one batch after the other
                batch = [*batch, *self._waiting]
                outcomes = [*outcomes, *(NothingStored() for ticket in self._waiting for _draft in ticket.drafts)]
                self._waiting.clear()
            if self._waiting:
                self._waiting[0].signal()
            each = iter(outcomes)
            for ticket in batch:
                ticket.outcomes = [next(each) for _draft in ticket.drafts]
                ticket.signal()

    def _commit_or_explain(self, drafts: Sequence[Draft], deadline_s: float) -> Sequence[Outcome]:
        try:
            with database.deadline(deadline_s):
                return self._commit(drafts)
        except FinanceError as error:  # it says itself what became of the documents
            return [own(error) for _draft in drafts]
        except Exception as error:
            known = isinstance(error, ConnectionLost) or getattr(error, "timeout", False)
            log.error(
                "A batch of %d documents was not confirmed: %s",
                len(drafts),
                type(error).__name__,
                exc_info=None if known else error,
            )
            return [OutcomeUnknown.because_of(error) for _draft in drafts]


def _is_away(outcome: Outcome) -> bool:
    """Return whether the database was waited for in vain; a connection that broke may be an election, and is tried."""
    return isinstance(outcome, DatabaseFailed) and bool(getattr(outcome.__cause__, "timeout", False))
