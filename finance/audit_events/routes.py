"""`/audit-events`: an admin reads who did what in their own tenant. Nothing here writes but the events of exports."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response, request

from finance.audit_events import examples, service
from finance.audit_events.schemas import (
    AuditEventExportSchema,
    AuditEventListSchema,
    AuditEventPageSchema,
    dump_event,
    filters_of,
)
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.exports import Table, exported
from finance.edge.lists import list_reply
from finance.events import AuditEvent, record_event

blueprint = Blueprint("audit_events", __name__, url_prefix="/api/v1/audit-events", description="Who did what")

EXPORTED = Table(
    name="audit_events",
    columns=("at", "action", "by", "by_name", "address", "object_kind", "object_id", "details", "id"),
    amounts=frozenset(),
    kinds={"at": "instant"},
)

# What people are called is no part of an event: it could never be erased.
_UNTOLD = frozenset(("payer", "customer_name", "reference", "idempotency_key"))


@blueprint.route("", methods=["GET"])
@requires("admin")
@blueprint.arguments(AuditEventListSchema(), location="query")
@blueprint.response(200, AuditEventPageSchema(), example=examples.EVENTS)
def list_audit_events(query: dict[str, Any]) -> Response:
    """List who did what, the newest first"""
    filters = filters_of(query, timezone=parts().config.timezone)
    list_page = partial(service.list_events, parts().db, tenant=caller().tenant, filters=filters)
    return list_reply(query, list_page, dump_event)


@exported(blueprint, "/export", EXPORTED, dump_event)
@requires("admin")
@blueprint.arguments(AuditEventExportSchema(), location="query")
def export_audit_events(query: dict[str, Any]) -> Iterator[list[AuditEvent]]:
    """Export every event of a list"""
    filters = filters_of(query, timezone=parts().config.timezone)
    return service.export_events(parts().db, tenant=caller().tenant, filters=filters, sort=query["sort"])


def record_export(table: str, file_format: str) -> None:
    """Record that the caller takes a table away as a file, with the filters of this request."""
    sent = {**(request.view_args or {}), **request.args.to_dict()}
    filters = {name: "(not recorded)" if name in _UNTOLD else value for name, value in sent.items()}
    record_event(
        parts().db, asked(), action="exported", of=("list", table), details={"format": file_format, "filters": filters}
    )
