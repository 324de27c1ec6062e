"""What documents remember of their changes, and how they were before them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict, TypeVar, cast

T = TypeVar("T", bound=Mapping[str, Any])


class HistoryEntry(TypedDict):
    """One change: when, by whom, what was done, and {field: {"from": …, "to": …}}."""

    at: datetime
    by: str
    action: str
    changes: dict[str, Any]
    # Where they apply: why it was done, which payment did it, and what a repeat of the request is known by.
    reason: NotRequired[str]
    payment_number: NotRequired[str]
    action_key: NotRequired[str | None]
    request_hash: NotRequired[str]


def changed(entry_at: datetime, *, by: str, action: str, changes: Mapping[str, Any]) -> HistoryEntry:
    """Return the history entry of a change; `changes` is {field: {"from": …, "to": …}}."""
    return {"at": entry_at, "by": by, "action": action, "changes": dict(changes)}


def changes_to(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what setting `values` changes: {field: {"from": …, "to": …}}."""
    return {name: {"from": document.get(name), "to": value} for name, value in values.items()}


def as_of(document: T, *, history_length: int) -> T:
    """Return the document as it was when its history had `history_length` entries: what a repeat is answered with.

    A number that a repair took away stays away: it belongs to another document now.
    """
    earlier = dict(document)
    for entry in reversed(document["history"][history_length:]):
        if entry["action"] != "renumbered":
            earlier.update((name, change["from"]) for name, change in entry["changes"].items())
    earlier["history"] = document["history"][:history_length]
    return cast(T, earlier)
