"""One operator at a time in a collection: a lease that shows a sign of life all the while, and says who holds it.

    maintenance_leases  {_id: the collection, holder, by, doing, place, pid, since, alive_at}

`with held(db, "payments", doing="…", by="ana@host") as lease:` raises LeaseHeld where somebody else is at work. Whoever
changes documents calls `lease.require()` before each batch: one that was frozen, and taken for dead meanwhile, stops
there. A dead holder is taken over by itself: at once where its process was of this machine, after DEAD_AFTER_S without
a sign of life elsewhere. All times are the server's.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from finance.database import Db, Document, deadline
from finance.errors import Conflict
from finance.maintenance.cli import server_clock

SIGN_OF_LIFE_S = 3.0
DEAD_AFTER_S = 30.0
TAKE_ATTEMPTS_MAX = 5


class LeaseHeld(Conflict):
    """Somebody else is at work in this collection."""


class LeaseLost(Conflict):
    """This run was taken for dead, and somebody else is at work in the collection now."""


class Lease:
    """What an operator holds on some collections while at work in them."""

    def __init__(self, db: Db, *, by: str, doing: str) -> None:
        self._db = db
        self._holder = secrets.token_hex(8)
        self._who: Document = {"holder": self._holder, "by": by, "doing": doing, "place": _place(), "pid": os.getpid()}
        self._collections: list[str] = []

    def require(self) -> None:
        """Show a sign of life; raises LeaseLost where another has taken over."""
        for collection in self._collections:
            mine = {"_id": collection, "holder": self._holder}
            if not self._db.maintenance_leases.update_one(mine, {"$currentDate": {"alive_at": True}}).matched_count:
                raise LeaseLost(
                    f"{collection}: this run showed no sign of life for {DEAD_AFTER_S:.0f} s (it was frozen, or cut "
                    "off from MongoDB) and was taken over. What it did stays; run it again for the rest."
                )

    def take(self, collection: str) -> None:
        """Take the lease of one collection; raises LeaseHeld."""
        dead: list[str] = []
        for _attempt in range(TAKE_ATTEMPTS_MAX):
            with suppress(DuplicateKeyError):  # another took it for the first time just now
                holder = _take(self._db, collection, self._who, dead)
                if holder["holder"] == self._holder:
                    self._collections.append(collection)
                    return
                if not _is_dead_here(holder):
                    raise LeaseHeld(_held_by(self._db, holder))
                dead.append(holder["holder"])
        raise LeaseHeld(f"{collection}: others keep taking it. Run this again.")

    def release(self) -> None:
        """Give back what is still held."""
        for collection in self._collections:
            self._db.maintenance_leases.delete_one({"_id": collection, "holder": self._holder})


@contextmanager
def held(db: Db, *collections: str, doing: str, by: str) -> Iterator[Lease]:
    """Hold the lease of these collections, showing signs of life; raises LeaseHeld, naming who is at work there."""
    lease = Lease(db, by=by, doing=doing)
    with ExitStack() as stack:
        stack.callback(_release, lease)
        for collection in sorted(set(collections)):  # in one order, so that two never wait for each other's
            lease.take(collection)
        ended = Event()
        signs = Thread(target=_show_signs, args=(lease, ended), name="lease", daemon=True)
        signs.start()
        stack.callback(signs.join)
        stack.callback(ended.set)
        yield lease


def find_holder(db: Db, collection: str) -> Document | None:
    """Return who is at work in a collection now, None where nobody is, or a dead one was."""
    alive = {"$expr": {"$gte": ["$alive_at", _SOME_TIME_AGO]}}
    holder = db.maintenance_leases.find_one({"_id": collection, **alive})
    return None if holder is None or _is_dead_here(holder) else holder


_SOME_TIME_AGO: Document = {"$subtract": ["$$NOW", int(DEAD_AFTER_S * 1000)]}


def _take(db: Db, collection: str, who: Document, dead: list[str]) -> Document:
    """Take the lease where it is free, in one operation that goes by the server's clock; return who holds it now."""
    is_free = {
        "$or": [
            {"$eq": [{"$type": "$holder"}, "missing"]},
            {"$in": ["$holder", dead]},
            {"$lt": ["$alive_at", _SOME_TIME_AGO]},
        ]
    }
    mine = {"$mergeObjects": [{"_id": "$_id"}, {"$literal": who}, {"since": "$$NOW", "alive_at": "$$NOW"}]}
    holder: Document | None = db.maintenance_leases.find_one_and_update(
        {"_id": collection},
        [{"$replaceWith": {"$cond": [is_free, mine, "$$ROOT"]}}],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert holder is not None  # upsert with AFTER returns the document
    return holder


def _held_by(db: Db, holder: Document) -> str:
    silent_s = (server_clock(db)() - holder["alive_at"]).total_seconds()
    dead_at = holder["alive_at"] + timedelta(seconds=DEAD_AFTER_S)
    return (
        f"{holder['_id']}: {holder['by']} is at work here since {holder['since']:%Y-%m-%d %H:%M:%S} UTC "
        f"({holder['doing']}; last sign of life {max(0, silent_s):.0f} s ago). Nothing was changed. Wait until that "
        f"ends, then look again. If it is dead, run this again after {dead_at:%H:%M:%S} UTC: a run without a sign of "
        f"life for {DEAD_AFTER_S:.0f} s is taken over."
    )


def _place() -> str | None:
    """Return what names this machine since its start, and the process ids seen here; None where it can't be told."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{booted} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _is_dead_here(holder: Document) -> bool:
    """Return whether the holder's process was one of those that we see, and is gone."""
    place = _place()
    return place is not None and holder["place"] == place and not _is_running(holder["pid"])


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _show_signs(lease: Lease, ended: Event) -> None:
    """Show signs of life also while MongoDB builds an index, until the work has ended or the lease is lost."""
    while not ended.wait(SIGN_OF_LIFE_S):
        with suppress(PyMongoError), deadline(SIGN_OF_LIFE_S):
            try:
                lease.require()
            except LeaseLost:
                return


def _release(lease: Lease) -> Any:
    with suppress(PyMongoError):  # it is taken over when it has shown no sign of life
        lease.release()
