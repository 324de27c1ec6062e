"""What the examples of all domains share. They are of one story: a shop, its customer, an invoice, its payment.

tests/edge/test_examples.py sends the bodies in that order, and compares what is answered.
"""

from typing import Any

ID = "6920c5a08f1d4b2e9a7c3d15"
KEY_ID = "3f2a9c0d1e4b5a67"
AT = "2026-11-20T12:00:00Z"
CREATED = {"created_at": AT, "created_by": KEY_ID, "created_by_name": None}
UPDATED = {"updated_at": AT, "updated_by": KEY_ID, "updated_by_name": None}


def page(*rows: dict[str, Any]) -> dict[str, Any]:
    """Return the last page of a list."""
    return {"data": list(rows), "has_more": False, "next_cursor": None}


def entry(action: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of a history."""
    return {"at": AT, "by": KEY_ID, "by_name": None, "action": action, "changes": changes}


def change(before: Any, after: Any) -> dict[str, Any]:
    return {"from": before, "to": after}
