"""Once: a request repeated with its Idempotency-Key takes effect once, and is answered with the first result.

A repeat is known by its key, and by the digest of its body after validation. It is answered before anything is looked
at that may have changed since: see `first_result`.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from finance.errors import Conflict, Invalid, PreconditionFailed, Unavailable
from finance.said import said

log = logging.getLogger(__name__)

T = TypeVar("T")

# json.dumps would make one for each request. What it writes must never change: digests of it are stored.
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)


class IdempotencyKeyReused(Invalid):
    detail_default = said("This Idempotency-Key was used for another request. Use a new key for a new request.")


class DatabaseFailed(Unavailable):
    """The database did not do what it was asked. The cause is the driver's error."""

    @classmethod
    def because_of(cls, error: Exception) -> Self:
        """Return a failure of its own for one request."""
        failed = cls()
        failed.__cause__ = error
        return failed


class OutcomeUnknown(DatabaseFailed):
    """The database did not answer in time: stored or not, we can't tell."""

    detail_default = said(
        "The database did not answer in time, so it is unknown whether this took effect. A retry "
        "with the same Idempotency-Key is safe; without one, look for it before sending it again."
    )


class NothingStored(DatabaseFailed):
    """The database failed before anything was sent to it that would store this."""

    detail_default = said("The database did not answer in time, and nothing was stored. A retry is safe.")


class RefusedByForeignIndex(Conflict):
    """A unique index that isn't ours stands in the collection, as older systems left them behind."""

    detail_default = said(
        "Another document has the same value in a field that an index of this database wants to "
        "be unique. Nothing was stored. Whoever runs the service finds the index in the log."
    )

    @classmethod
    def on(cls, collection: str, fields: Iterable[str]) -> "RefusedByForeignIndex":
        """Return the refusal, and log for whoever runs the service which index it is."""
        log.error(
            "A unique index that isn't ours, on %s (%s), refused a document; scripts/migrate_indexes.py replaces "
            "wrong indexes",
            collection,
            ", ".join(sorted(fields)),
        )
        return cls()


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a request is answered with, and whether it is the first result of an earlier one with the same key."""

    document: T
    replayed: bool = False


def require_same_request(stored_hash: str | None, asked_hash: str) -> None:
    """Raise IdempotencyKeyReused unless the stored request with this key is the one that is made again."""
    if stored_hash != asked_hash:
        raise IdempotencyKeyReused


def first_result(check: Callable[[], T], find_repeat: Callable[[], Answer[Any] | None]) -> T | Answer[Any]:
    """Return what `check` does; where it refuses, the first result of an earlier request with the same key, if any.

    What a request is checked against may change after it took effect: its repeat must not be refused for that. The
    stored requests are looked through only after a refusal, so that this costs a first request nothing.
    """
    try:
        return check()
    except (Invalid, Conflict, PreconditionFailed):
        repeat = find_repeat()
        if repeat is None:
            raise
        return repeat


def request_hash(request: Mapping[str, Any], *, later_defaults: Mapping[str, Any] | None = None) -> str:
    """Return the digest by which a repeat is recognised as the same request, whatever the order of its members.

    `later_defaults` are the fields that later versions added, with what they are where a request leaves them out. Such
    a field is not in the digest while it has its default: a request stored before there was the field stays the same
    request. Fields of lines and other parts are named by their own name, wherever they stand.
    """
    known = _without(request, later_defaults) if later_defaults else request
    return hashlib.sha256(_ENCODER.encode(known).encode()).hexdigest()


def _without(value: Any, defaults: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _without(member, defaults)
            for name, member in value.items()
            if name not in defaults or member != defaults[name]
        }
    return [_without(item, defaults) for item in value] if isinstance(value, list) else value
