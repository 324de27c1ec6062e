"""A failure as a page: in the frame, in the reader's language, with what to do now and the request's id."""

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Flask, Response, g, request

from finance.database import DriverError
from finance.edge import problems
from finance.errors import FieldError, FinanceError
from finance.logs import request_id_now
from finance.web import pages, sessions
from finance.web.languages import _, readers_text

log = logging.getLogger(__name__)
API = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")


def show_problems_as_pages(app: Flask) -> None:
    """Have what fails at the address of a page leave as a page; the API's problems stay JSON."""
    app.extensions[problems.AS_PAGE] = problem_page


def problem_page(
    status: int,
    *,
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Response | None:
    """Return the page of a failure, None where the address is none of the pages'."""
    if request.path.startswith(API) or request.path == "/api" or _is_of_a_program():
        return None
    if "caller" not in g and status in (404, 405, 411, 413, 415):
        _find_caller()
    body = pages.render(
        "problem.html",
        title=_heading(status),
        status=status,
        detail=_detail(status, detail),
        errors=[error.detail for error in errors] if len(errors) > 1 else [],
        request_id=request_id_now.get(),
    )
    answer = pages.as_page(body, status=status)
    for name, value in headers:
        if name != "WWW-Authenticate":
            answer.headers.add(name, value)
    return answer


def _find_caller() -> None:
    """Have the frame of a page that none of our views has made; it says what went wrong without it, too."""
    with contextlib.suppress(FinanceError, DriverError):
        found = sessions.find_caller()
        if found is not None:
            g.caller = found


def _is_of_a_program() -> bool:
    """Return whether this looks like a request to the API, sent to the wrong address: its answer says so as JSON."""
    wanted = request.accept_mimetypes
    if request.method not in ("GET", "HEAD", "POST") or "Authorization" in request.headers or request.is_json:
        return True
    return bool(wanted) and wanted.best_match(("text/html", "application/json")) != "text/html"


def _heading(status: int) -> str:
    by_status = {
        400: _("Something can’t be understood"),
        403: _("This is not for you"),
        404: _("There is nothing here"),
        405: _("This can’t be done here"),
        409: _("This is not possible now"),
        411: _("Something can’t be understood"),
        413: _("This is too large"),
        415: _("Something can’t be understood"),
        422: _("Something can’t be understood"),
        429: _("Too many at once"),
        503: _("Not now"),
    }
    return by_status.get(status, _("Something went wrong"))


def _detail(status: int, detail: str) -> str:
    if status == 500:
        return _("Something failed here that should not. What was sent is stored once or not at all: look, then go on.")
    if status == 404 and not detail.startswith("There is no "):
        hint = detail.partition("Did you mean ")[2]
        return _("There is no page at this address.") + (f" API: {hint.removesuffix('?')}" if hint else "")
    return readers_text(detail)
