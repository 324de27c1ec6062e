"""Who did what: the append-only collection `audit_events`. Nothing here changes or removes an event.

An event is recorded *before* what it tells of is done or shown: an event too many says that somebody tried, one too few
would hide that somebody did. Where it can't be stored, nothing is done. A request that is refused leaves none.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.asked import Asked
from finance.database import Db, DriverError
from finance.errors import Unavailable
from finance.said import said
from finance.text import without_private

log = logging.getLogger(__name__)

EVERY_TENANT = "*"  # the tenant of what operators do to no tenant's data alone; no tenant can be called so

Action = Literal[
    "key_created",
    "key_revoked",
    "numbers_read_in_full",
    "bank_details_changed",
    "customers_searched_by_pan",
    "customer_erased",
    "exported",
    "imported",
    "import_finished",
    "repaired",
    "repair_undone",
    "indexes_migrated",
    "sequences_taken_over",
    "gaps_recorded",
    "counters_raised",
    "encryption_key_rotated",
    "signed_in",
    "signed_out",
    "sessions_ended",
]
ACTIONS: tuple[Action, ...] = get_args(Action)


class NotRecorded(Unavailable):
    """The event could not be stored, so what it would have told of was not done."""

    detail_default = said("What was asked for could not be recorded, so nothing was done. A retry is safe.")


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
    db: Db,
    asked: Asked,
    *,
    action: Action,
    of: tuple[str, str],
    details: Mapping[str, Any] | None = None,
    once: str | None = None,
) -> None:
    """Store an event about `of`, the kind and the id of an object, such as ("customer", "CUST-000001").

    With `once`, a text that names the request, the same caller records the same of it a single time, however often
    and at how many places at once it is repeated. In `details` all that could be a PAN, an account or a key is masked;
    of names of people and other free text only put in what may stay for ever. Raises NotRecorded: then do nothing.
    """
    object_kind, object_id = of
    event: AuditEvent = {
        "tenant": asked.tenant,
        "at": asked.now,
        "by": asked.by,
        "by_name": None if asked.by_name is None else without_private(asked.by_name),
        "address": asked.address,
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "details": {name: _without_private(value) for name, value in (details or {}).items()},
    }
    if once is not None:
        event["_id"] = _id_of(asked.tenant, asked.by, asked.by_name or "", action, object_kind, object_id, once)
    try:
        events(db).insert_one(event)
    except DuplicateKeyError:  # only with `once`: the same request has recorded it
        return
    except DriverError as error:
        log.error("An audit event (%s) could not be stored: %s", action, type(error).__name__)
        raise NotRecorded from error


def events(db: Db) -> Collection[AuditEvent]:
    """Return the collection, for those who list it."""
    return cast("Collection[AuditEvent]", db.audit_events)


def _id_of(*parts: str) -> ObjectId:
    """Return the id that these texts always lead to; only its being the same matters, it tells no time."""
    return ObjectId(hashlib.sha256(json.dumps(parts).encode()).digest()[:12])


def _without_private(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_private(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_private(item) for item in value]
    return value if value is None or isinstance(value, bool | int | datetime) else without_private(str(value))
