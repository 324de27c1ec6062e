"""How often: failed keys of one address, requests of one key. Counted in MongoDB, which all workers share.

What is known here costs no look-up: a limit that was reached is remembered until its window ends, and the requests of a
key are counted here and settled in steps. Where MongoDB doesn't answer nothing is limited, and nobody waits for that.
"""

import logging
import time
from collections.abc import Callable
from math import ceil
from typing import Any

from limits import RateLimitItem
from limits.storage import MongoDBStorage
from limits.strategies import FixedWindowRateLimiter

from finance import database
from finance.database import Db
from finance.edge.addresses import neighbourhood
from finance.edge.look_ups import LookUps
from finance.errors import TooManyRequests
from finance.ownership import DatabaseNotOurs
from finance.said import said

log = logging.getLogger(__name__)

COLLECTION = "rate_limits"
ANSWER_S = 2.0
PAUSE_S = 5.0  # after MongoDB failed to answer
REMEMBERED_MAX = 10_000
STEPS = 100  # a worker settles after each hundredth of a limit

ClockS = Callable[[], float]


class TooManyFailedKeys(TooManyRequests):
    detail_default = said(
        "Too many requests with a wrong API key came from your address. Check the key, and wait "
        "for the seconds in Retry-After."
    )


class SharedCounts:
    """The counts of all workers. A new count's window begins with its first hit."""

    def __init__(self, db: Db, *, clock_s: ClockS = time.monotonic) -> None:
        self._db = db
        self._clock_s = clock_s
        self._limiter: FixedWindowRateLimiter | None = None
        self._paused_until_s = 0.0

    def hit(self, rate: RateLimitItem, *of: str, cost: int = 1) -> float | None:
        """Count `cost` and return for how many seconds the limit stays reached; None while it isn't, or isn't known."""
        now_s = self._clock_s()
        if now_s < self._paused_until_s:
            return None
        try:
            with database.deadline(ANSWER_S):
                if self._limiter is None:
                    database.require_ours(self._db)
                    self._limiter = FixedWindowRateLimiter(_Storage(self._db))
                if self._limiter.hit(rate, *of, cost=cost):
                    return None
                ends_at = self._limiter.get_window_stats(rate, *of).reset_time
        except database.DriverError as error:
            self._paused_until_s = now_s + PAUSE_S
            self._limiter = None  # its collection is prepared once more when MongoDB is back
            log.warning("No limits for %.0f s, their counts can't be had: %s", PAUSE_S, type(error).__name__)
            return None
        except DatabaseNotOurs:  # nothing is written there, and nobody's key is good
            self._paused_until_s = now_s + PAUSE_S
            return None
        return min(max(ends_at - time.time(), 1.0), float(rate.get_expiry()))


class FailedKeys:
    """The limit of failed keys from one address; no limit where `rate` is None."""

    def __init__(self, rate: RateLimitItem | None, counts: SharedCounts, *, clock_s: ClockS = time.monotonic) -> None:
        self._rate = rate
        self._counts = counts
        self._reached = _Reached(clock_s)
        self._look_ups = LookUps(clock_s)

    def require_look_up(self, address: str | None, key_hash: str | None) -> None:
        """Raise TooManyFailedKeys unless a key that isn't known here may be looked up; None is what isn't a key.

        From an address that has reached its limit a few a second may: a good key that is new gets in during a flood.
        """
        refusal = self.find_refusal(address)
        if refusal is None:
            return
        if key_hash is None or self._look_ups.was_wrong(key_hash):
            raise refusal
        if not self._look_ups.take(neighbourhood(address or ""), key_hash):
            raise TooManyFailedKeys(retry_after_s=1)  # it may be a good one: the next time it is more likely looked up

    def find_refusal(self, address: str | None) -> TooManyFailedKeys | None:
        """Return what an address is told while it is known here that it has reached its limit."""
        if not self._reached:
            return None
        left_s = self._reached.seconds_left(neighbourhood(address or ""))
        return TooManyFailedKeys(retry_after_s=ceil(left_s)) if left_s else None

    def count(self, address: str | None, key_hash: str) -> None:
        """Count one failed key; raises TooManyFailedKeys where the limit was reached by those before it."""
        who = neighbourhood(address or "")
        if self._rate is None:
            return
        self._look_ups.note_wrong(key_hash)
        if self._reached.seconds_left(who) is None:  # else it was reached while this one was looked up
            left_s = self._counts.hit(self._rate, "failed_keys", who)
            if left_s is None:
                return
            self._reached.remember(who, left_s)
        raise self.find_refusal(address) or TooManyFailedKeys()


class RequestsPerKey:
    """The limit of all requests with one key; no limit where `rate` is None.

    Each worker counts by itself and settles after each hundredth of the limit. So one worker more lets at most another
    hundredth through, and a key that asks seldom costs nothing at all.
    """

    def __init__(self, rate: RateLimitItem | None, counts: SharedCounts, *, clock_s: ClockS = time.monotonic) -> None:
        self._rate = rate
        self._counts = counts
        self._clock_s = clock_s
        self._step = ceil(rate.amount / STEPS) if rate else 0
        self._unsettled: dict[str, _Unsettled] = {}
        self._reached = _Reached(clock_s)

    def count(self, key_id: str) -> None:
        """Count a request; raises TooManyRequests while the limit is reached."""
        if self._rate is None:
            return
        left_s = self._reached.seconds_left(key_id)
        if left_s:
            raise TooManyRequests(retry_after_s=ceil(left_s))
        unsettled = self._unsettled.get(key_id) or self._begin(key_id)
        unsettled.count += 1
        if unsettled.count >= self._step:
            self._settle(key_id, self._rate)

    def _begin(self, key_id: str) -> "_Unsettled":
        if len(self._unsettled) >= REMEMBERED_MAX:
            self._unsettled.clear()  # a hundredth of a limit each, at most
        self._unsettled[key_id] = begun = _Unsettled(self._clock_s())
        return begun

    def _settle(self, key_id: str, rate: RateLimitItem) -> None:
        unsettled = self._unsettled.pop(key_id, None)
        if unsettled is None:  # another thread settles it
            return
        if self._clock_s() - unsettled.since_s > rate.get_expiry():
            return  # they belong to windows that have ended
        left_s = self._counts.hit(rate, "requests", key_id, cost=unsettled.count)
        if left_s is not None:
            self._reached.remember(key_id, left_s)
            raise TooManyRequests(retry_after_s=ceil(left_s))


class _Unsettled:
    """How many requests of a key are counted here only, and since when."""

    __slots__ = ("count", "since_s")

    def __init__(self, since_s: float) -> None:
        self.count = 0
        self.since_s = since_s


class _Reached:
    """Who has reached a limit, and until when; the newest REMEMBERED_MAX of them."""

    def __init__(self, clock_s: ClockS) -> None:
        self._clock_s = clock_s
        self._until_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until_s)

    def seconds_left(self, who: str) -> float | None:
        until_s = self._until_s.get(who)
        if until_s is None:
            return None
        left_s = until_s - self._clock_s()
        if left_s <= 0:
            self._until_s.pop(who, None)
            return None
        return left_s

    def remember(self, who: str, seconds: float) -> None:
        while len(self._until_s) >= REMEMBERED_MAX:
            self._until_s.pop(next(iter(self._until_s)), None)
        self._until_s[who] = self._clock_s() + seconds


class _Storage(MongoDBStorage):
    """The library's storage on the app's own client, in one collection of ours.

    Its default names are `counters`, which is where our numbers are counted, and `windows`, which we need none of. It
    builds the index by which MongoDB removes counts that have ended.
    """

    STORAGE_SCHEME: list[str] = []  # not to be found by a URI

    def __init__(self, db: Db) -> None:
        super().__init__("mongodb://", db.name, counter_collection_name=COLLECTION, window_collection_name=COLLECTION)
        self._client = db.client

    def _init_mongo_client(self, uri: str | None, **options: Any) -> Any:
        return self._client

    def __del__(self) -> None:
        """Leave the client open: it is the app's."""
