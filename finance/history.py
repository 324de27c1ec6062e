"""What documents remember of their changes, and how they were before them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict, TypeVar, cast

from finance.asked import Asked
from finance.damaged import documents_in, mapping_of

T = TypeVar("T", bound=Mapping[str, Any])


class HistoryEntry(TypedDict):
    """One change: when, by whom, what was done, and {field: {"from": …, "to": …}}.

    `by_name` is what the key `by` was called then; entries of earlier versions have none.
    """

    at: datetime
    by: str
    action: str
    changes: dict[str, Any]
    by_name: NotRequired[str | None]
    # Where they apply: why it was done, which payment did it, and what a repeat of the request is known by.
    reason: NotRequired[str]
    payment_number: NotRequired[str]
    credit_note_number: NotRequired[str]
    action_key: NotRequired[str | None]
    request_hash: NotRequired[str]


def changed(asked: Asked, *, action: str, changes: Mapping[str, Any]) -> HistoryEntry:
    """Return the history entry of a change; `changes` is {field: {"from": …, "to": …}}."""
    return {"at": asked.now, "by": asked.by, "by_name": asked.by_name, "action": action, "changes": dict(changes)}


def created_by(asked: Asked) -> dict[str, str]:
    """Return what a new document tells of who made it; a key without a name leaves none."""
    return {"created_by": asked.by} | ({} if asked.by_name is None else {"created_by_name": asked.by_name})


def shown(history: object) -> list[Mapping[str, Any]]:
    """Return a stored history as it is answered: each entry has `by_name`, though perhaps None."""
    return [entry if "by_name" in entry else {**entry, "by_name": None} for entry in documents_in(history)]


def push(document: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the MongoDB update that adds an entry to the history; one that is no list gives way to a new one."""
    is_list = isinstance(document.get("history", []), list)
    return {"$push": {"history": entry}} if is_list else {"$set": {"history": [entry]}}


def changes_to(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what setting `values` changes: {field: {"from": …, "to": …}}."""
    return {name: {"from": document.get(name), "to": value} for name, value in values.items()}


def as_of(document: T, *, history_length: int) -> T:
    """Return the document as it was when its history had `history_length` entries: what a repeat is answered with.

    A number that a repair took away stays away: it belongs to another document now.
    """
    earlier = dict(document)
    stored = document.get("history")
    history = stored if isinstance(stored, list) else []
    for entry in reversed(documents_in(history[history_length:])):
        if entry.get("action") != "renumbered":
            changes = mapping_of(entry.get("changes"))
            earlier.update((name, mapping_of(change).get("from")) for name, change in changes.items())
    earlier["history"] = history[:history_length]
    return cast(T, earlier)
