"""What documents remember of their changes, and how they were before them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Document = dict[str, Any]


def changed(entry_at: datetime, *, by: str, action: str, changes: Mapping[str, Any]) -> Document:
    """Return the history entry of a change; `changes` is {field: {"from": …, "to": …}}."""
    return {"at": entry_at, "by": by, "action": action, "changes": dict(changes)}


def as_of(document: Document, *, history_length: int) -> Document:
    """Return the document as it was when its history had `history_length` entries: what a repeat is answered with.

    A number that a repair took away stays away: it belongs to another document now.
    """
    earlier = dict(document)
    for entry in reversed(document["history"][history_length:]):
        if entry["action"] != "renumbered":
            earlier.update((name, change["from"]) for name, change in entry["changes"].items())
    earlier["history"] = document["history"][:history_length]
    return earlier
