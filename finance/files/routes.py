"""`/exports`: how far a file is that is made in the background, and then the file."""

from collections.abc import Callable
from contextvars import Context
from typing import Any

from flask import Response, current_app, g, request

from finance import database
from finance.auth.guard import caller, requires
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.exports import XLSX_TYPE, TooManyExports, export_at, file_reply
from finance.edge.failures import fails
from finance.edge.files.later import EXAMPLE, ExportSchema
from finance.edge.files.options import accepted_language
from finance.edge.openapi import LOCATION
from finance.edge.replies import reply
from finance.errors import TooManyRequests
from finance.files import service
from finance.files.making import Maker
from finance.files.model import UNFINISHED, Wanted
from finance.files.schemas import address_of, dump_export
from finance.files.service import ExportFailed, ExportNotFound

EXTENSION = "finance-files"  # under which the app keeps what makes them

blueprint = Blueprint("exports", __name__, url_prefix="/api/v1/exports", description="Files made in the background")

_FILE = {"type": "string", "format": "binary", "contentMediaType": XLSX_TYPE}


@blueprint.route("/<export_id>", methods=["GET"])
@requires("accountant")
@fails(ExportNotFound, ExportFailed)
@blueprint.response(200, schema=_FILE, content_type=XLSX_TYPE)
@blueprint.alt_response(202, schema=ExportSchema(), example=EXAMPLE, description="Not ready yet", headers=LOCATION)
def get_export(export_id: str) -> Response:
    """Fetch a file that was asked for, or see how far it is"""
    who = caller()
    export = service.get_export(
        parts().db, tenant=who.tenant, key_id=who.key_id, is_admin=who.may("admin"), export_id=export_id
    )
    if export["status"] in UNFINISHED:
        _maker().look()
        return _told(dump_export(export), address_of(export))
    if export["status"] == "failed":
        raise ExportFailed(export.get("failure"))
    body = service.chunks_of(parts().db, export, in_time=_within(g.frame.deadline_s))
    answer = file_reply(body, content_type=XLSX_TYPE, filename=f"{export['table']}.xlsx")
    answer.headers["Content-Length"] = str(export["bytes"])
    return answer


def ask_for_file() -> Response:
    """Have the workbook that this request asks for made in the background; raises TooManyExports."""
    who = caller()
    wanted = Wanted(
        tenant=who.tenant,
        key_id=who.key_id,
        by_name=who.name,
        role=who.role,
        path=request.path,
        query=request.query_string.decode(),
        language=accepted_language(),
        table=export_at(current_app).table.name,
        now=parts().clock(),
    )
    try:
        export = service.ask_for(parts().db, wanted)
    except TooManyRequests as many:
        raise TooManyExports(many.detail, retry_after_s=many.retry_after_s) from many
    _maker().look()
    return _told(dump_export(export), address_of(export))


def _told(shown: dict[str, Any], address: str) -> Response:
    return reply(shown, status=202, headers={"Location": address})


def _within(deadline_s: float) -> Callable[[Callable[[], Any]], Any]:
    """Return what asks one question within a deadline of its own: the request's would end a long answer."""

    def ask(question: Callable[[], Any]) -> Any:
        with database.deadline(deadline_s):
            return question()

    return lambda question: Context().run(ask, question)


def _maker() -> Maker:
    found: Maker = current_app.extensions[EXTENSION]
    return found
