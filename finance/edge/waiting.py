"""How many requests wait in this worker, and who has room for one more.

Without a bound all who come wait together, and nobody is answered in time. 1,000 clients at four times what a worker
can do got a tenth of its usual answers out of it: its time went into requests that then were refused or given up.
"""

from collections import Counter

from flask import g

WAITING_MAX = 320  # answered within a quarter of a second
ANONYMOUS = "@"  # what the keys of those begin with whom nothing has recognised yet; their address follows
SESSIONS_MAX = 10_000  # remembered as somebody's
# Refusals in a second, of one worker, from which on refused connections are paused. A crowd that comes back as often as
# it is told to makes fewer; a proxy's connections carry other clients too, so none is paused without need.
REFUSALS_MAX = 300
LEAVE = "finance.leave"  # in the environ of our worker, see edge/worker.py: does without the body


class Waiting:
    """How many requests of the API this worker has not answered yet; the probes are not among them."""

    def __init__(self) -> None:
        self.count = 0
        self.by_key: Counter[str] = Counter()
        self.sessions: dict[str, None] = {}  # those of the pages that were found to be somebody's
        self._second = 0
        self._refusals = 0

    def count_refusal(self, now_s: float) -> int:
        """Return the refusals of this second, with this one."""
        if int(now_s) != self._second:
            self._second, self._refusals = int(now_s), 0
        self._refusals += 1
        return self._refusals

    def remember(self, session: str) -> None:
        """Count the requests of a session by itself from now on: until it is known, it may be made up."""
        if len(self.sessions) >= SESSIONS_MAX:
            self.sessions.pop(next(iter(self.sessions)), None)
        self.sessions[session] = None


class Place:
    """One request among those that wait.

    A key may have as many as there is room left beside them, so that the crowd of one doesn't shut out another. What
    nobody is known for has that room as a whole, and in it each address as many as there is room left beside them.
    """

    __slots__ = ("_key", "_waiting")

    def __init__(self, waiting: Waiting, key: str) -> None:
        self._waiting = waiting
        self._key = key

    def is_free(self) -> bool:
        room = WAITING_MAX - self._waiting.count
        if self._key.startswith(ANONYMOUS):
            room -= self._waiting.by_key[ANONYMOUS]
        return self._waiting.by_key[self._key] < room

    def take(self) -> None:
        self._count(1)

    def leave(self) -> None:
        self._count(-1)

    def remember(self, session: str) -> None:
        self._waiting.remember(session)

    def _count(self, change: int) -> None:
        by_key = self._waiting.by_key
        self._waiting.count += change
        for key in (self._key, ANONYMOUS) if self._key.startswith(ANONYMOUS) else (self._key,):
            by_key[key] += change
            if not by_key[key]:
                del by_key[key]


class receiving:  # noqa: N801  read as `with receiving():`
    """Not to count a request as waiting while its body arrives: gunicorn's worker ends what takes too long."""

    __slots__ = ("_place",)

    def __enter__(self) -> None:
        self._place: Place | None = g.get("place")
        if self._place is not None:
            self._place.leave()

    def __exit__(self, *error: object) -> None:
        if self._place is not None:
            self._place.take()
