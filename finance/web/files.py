"""`/files/{id}`: how far a file is that is made in the background, and then the file."""

from typing import Any

from flask import current_app, g, make_response, url_for

from finance.auth.guard import caller
from finance.context import parts
from finance.files import service
from finance.files.model import UNFINISHED, Export
from finance.files.routes import EXTENSION as MAKER
from finance.web.languages import readers_text
from finance.web.pages import label, page, render, see_other

LOOKS_AGAIN_S = 10  # an open page does so by itself


@page("/files/<export_id>")
def show_file(export_id: str) -> Any:
    """Show how far a file is; once it is there it can be fetched."""
    export = _get(export_id)
    is_made = export["status"] in UNFINISHED
    if is_made:
        current_app.extensions[MAKER].look()
    failure = export.get("failure")
    body = render(
        "files/one.html",
        title=label(export["table"]),
        export=export,
        is_made=is_made,
        failure=readers_text(failure) if failure else None,
        again=None if export["path"].startswith("/api/") else f"{export['path']}?{export['query']}",
    )
    answer = make_response(body)
    if is_made:
        answer.headers["Refresh"] = str(LOOKS_AGAIN_S)
    return answer


@page("/files/<export_id>/download")
def download_file(export_id: str) -> Any:
    """Send a file that is ready; lead to how far it is where it isn't."""
    export = _get(export_id)
    if export["status"] != "ready":
        return see_other(url_for("web.show_file", export_id=export_id))
    g.acting = caller()
    return current_app.view_functions["exports.get_export"](export_id=export_id)


def _get(export_id: str) -> Export:
    who = caller()
    return service.get_export(
        parts().db, tenant=who.tenant, key_id=who.key_id, is_admin=who.may("admin"), export_id=export_id
    )
