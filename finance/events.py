"""Who did what: the append-only collection `audit_events`. Nothing here changes or removes an event.

An event is recorded *before* what it tells of is done or shown: an event too many says that somebody tried, one too few
would hide that somebody did. Where it can't be stored, nothing is done.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args

from bson import ObjectId
from pymongo.collection import Collection

from finance.asked import Asked
from finance.database import Db

Action = Literal[
    "key_created",
    "key_revoked",
    "numbers_read_in_full",
    "bank_details_changed",
    "customers_searched_by_pan",
    "customer_erased",
    "exported",
    "imported",
    "repaired",
    "repair_undone",
    "indexes_migrated",
]
ACTIONS: tuple[Action, ...] = get_args(Action)


class AuditEvent(TypedDict):
    """One event: who (`by` with `by_name`), when (`at`), from where (`address`), what, and which object.

    `details` never holds a PAN, an account number or a key.
    """

    _id: NotRequired[ObjectId]
    tenant: str
    at: datetime
    by: str
    by_name: str | None
    address: str | None
    action: Action
    object_kind: str
    object_id: str
    details: dict[str, Any]


def record_event(
    db: Db, asked: Asked, *, action: Action, of: tuple[str, str], details: Mapping[str, Any] | None = None
) -> None:
    """Store an event about `of`, the kind and the id of an object, such as ("customer", "CUST-000001")."""
    object_kind, object_id = of
    event: AuditEvent = {
        "tenant": asked.tenant,
        "at": asked.now,
        "by": asked.by,
        "by_name": asked.by_name,
        "address": asked.address,
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "details": dict(details or {}),
    }
    events(db).insert_one(event)


def events(db: Db) -> Collection[AuditEvent]:
    """Return the collection, for those who list it."""
    return cast("Collection[AuditEvent]", db.audit_events)
