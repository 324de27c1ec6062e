"""What is left of payments that aren't wholly given to invoices, added up by currency."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finance.database import Db
from finance.money import shown_amount
from finance.payments import store


@dataclass(frozen=True)
class Rests:
    """Rows of currency, direction, count and unallocated, which is None where it can't be read."""

    as_of: datetime
    data: list[dict[str, Any]]


def sum_unallocated(db: Db, *, tenant: str, now: datetime) -> Rests:
    """Return what the payments of the list with `unallocated=true` have left, exactly.

    One index leads to them, and each is read: of very many the caller says how long it waits (database.deadline).
    """
    rows = []
    for group in store.group_unallocated(db, tenant=tenant):
        currency, direction = (_text(group.get(name)) for name in ("currency", "direction"))
        left = shown_amount(group["rest"], currency) if group["is_whole"] else None
        rows.append({"currency": currency, "direction": direction, "count": group["count"], "unallocated": left})
    return Rests(
        now,
        sorted(
            rows,
            key=lambda row: [(row[name] is None, row[name] or "") for name in ("currency", "direction", "unallocated")],
        ),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
