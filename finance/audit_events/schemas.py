"""Audit events as they are asked for and answered."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, fields, validates_schema

from finance.audit_events.model import SORTS
from finance.edge.answers import KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, Count, InstantOrDay, PageCursor, PageSchema, Text
from finance.edge.filters import OF_EXPORTS, OF_LISTS
from finance.errors import Invalid
from finance.events import ACTIONS, AuditEvent
from finance.said import said

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200


class AuditEventListSchema(Schema):
    """The filters, the order and the place of one page."""

    fixed = OF_LISTS

    at_from = InstantOrDay(metadata={"description": "The first instant, or the first day, inclusive."})
    at_to = InstantOrDay(metadata={"description": "The last instant, or the last day, inclusive."})
    action = Choice(ACTIONS, name="AuditAction")
    by = Text(100, metadata={"description": "The id of the API key that did it, or the command."})
    object_kind = Text(60, metadata={"description": "Such as key or customer; beside object_id."})
    object_id = Text(200, metadata={"description": "Such as CUST-000001; beside object_kind."})
    sort = Choice(SORTS, name="AuditEventSort", load_default="-at")
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()

    @validates_schema
    def _check_object(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        for name, other in (("object_kind", "object_id"), ("object_id", "object_kind")):
            if name in data and other not in data:
                raise ValidationError({name: [said("needs the parameter {other} beside it.", other=other)]})


class AuditEventExportSchema(AuditEventListSchema):
    fixed = OF_EXPORTS

    class Meta:
        exclude = ("limit", "cursor")


class AuditEventSchema(AnswerSchema):
    """One event as answered: who did what to which object, when and from where."""

    id = fields.String()
    at = fields.DateTime()
    by = KeyId()
    by_name = KeyName()
    address = fields.String(allow_none=True, metadata={"description": "The client's; null for a command."})
    action = Choice(ACTIONS, name="AuditAction")
    object_kind = fields.String(metadata={"example": "customer"})
    object_id = fields.String(metadata={"example": "CUST-000001"})
    details = fields.Dict(keys=fields.String())


class AuditEventPageSchema(PageSchema):
    data = fields.List(fields.Nested(AuditEventSchema))


_ANSWERED = tuple(AuditEventSchema().fields)


def filters_of(query: Mapping[str, Any], *, timezone: ZoneInfo) -> dict[str, Any]:
    """Return a loaded query as the store's filters; a day is that of `timezone`.

    Raises Invalid where the end comes before the beginning.
    """
    filters = {name: value for name, value in query.items() if name not in ("sort", "limit", "cursor")}
    if "at_from" in filters:
        filters["at_from"] = _beginning(filters["at_from"], timezone)
    last = filters.get("at_to")
    if last is not None and not isinstance(last, datetime):  # a day: all that comes before the next one
        del filters["at_to"]
        if last < date.max:
            filters["at_before"] = _beginning(last + timedelta(days=1), timezone)
    _require_order(filters)
    return filters


def dump_event(event: AuditEvent) -> dict[str, Any]:
    """Return a stored event as it is answered."""
    known: Mapping[str, object] = {**event, "id": str(event["_id"])}
    return {name: known.get(name) for name in _ANSWERED}


def _require_order(filters: Mapping[str, Any]) -> None:
    first, last, before = (filters.get(name) for name in ("at_from", "at_to", "at_before"))
    if first is not None and ((last is not None and last < first) or (before is not None and before <= first)):
        raise Invalid.parameter("at_to", said("must not be before at_from."))


def _beginning(at: date, timezone: ZoneInfo) -> datetime:
    """Return an instant as it is, and of a day its first one, in UTC."""
    if isinstance(at, datetime):
        return at
    try:
        return datetime.combine(at, time.min, tzinfo=timezone).astimezone(UTC)
    except OverflowError:  # in UTC the first or the last day begins outside the years that there are
        return datetime.combine(at, time.min, tzinfo=UTC)
