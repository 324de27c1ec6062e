"""Every failure leaves as one shape, problem+json (RFC 9457).

The one table from a kind of failure to an HTTP status is `STATUS_BY_KIND`.
"""

import http
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from finance import errors
from finance.database import ConnectionLost, DriverError
from finance.edge import nearby
from finance.edge.bodies import BodyTooLarge, LengthRequired, UnsupportedMediaType
from finance.edge.replies import Reply
from finance.errors import FieldError, FinanceError
from finance.logs import request_id_now
from finance.once import OutcomeUnknown
from finance.said import said

log = logging.getLogger(__name__)

AS_PAGE = "finance-problem-pages"  # what shows a problem as a page, where the address is a page's; None elsewhere


class DatabaseUnavailable(errors.Unavailable):
    detail_default = said("The database did not answer in time. A retry is safe.")


class InternalError(FinanceError):
    detail_default = said("Something failed here that should not. With the same Idempotency-Key a retry is safe.")


STATUS_BY_KIND: dict[type[FinanceError], int] = {
    errors.NotParseable: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.RequestTimeout: 408,
    errors.Conflict: 409,
    LengthRequired: 411,
    errors.PreconditionFailed: 412,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.TooManyRequests: 429,
    InternalError: 500,
    errors.Unavailable: 503,
}


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Return a problem document (RFC 9457), or a page where one was asked for."""
    show_page = current_app.extensions.get(AS_PAGE)
    page: Response | None = show_page and show_page(
        status, code=code, detail=detail, errors=errors, extra=extra, headers=headers
    )
    if page is not None:
        return page
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id_now.get(),
        "errors": [error.as_json() for error in errors],
        **(extra or {}),
    }
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return Reply(content, status=status, content_type="application/problem+json", headers=headers)


def status_of(kind: type[FinanceError]) -> int:
    """Return the status that a kind of failure is answered with."""
    return next(STATUS_BY_KIND[known] for known in kind.__mro__ if known in STATUS_BY_KIND)


def problem_of(error: FinanceError) -> Response:
    """Return the problem document of a named failure."""
    headers = []
    if isinstance(error, errors.NotFound) and request.url_rule is not None:
        return _word_problem(error)
    if isinstance(error, (errors.Unavailable, errors.TooManyRequests)):
        headers.append(("Retry-After", str(error.retry_after_s)))
    if isinstance(error, errors.Unauthenticated):
        headers.append(("WWW-Authenticate", "Bearer"))
    return problem(
        status_of(type(error)),
        code=error.code,
        detail=error.detail,
        errors=error.errors,
        extra=error.extra,
        headers=headers,
    )


def _word_problem(error: errors.NotFound) -> Response:
    """Return the problem of a number or code that isn't there: it may be a word, GET /customers/codes."""
    methods = nearby.methods_at(request.path)
    if methods and request.method not in methods:
        possible = ", ".join(sorted(methods))
        detail = said("{detail} Possible at this address: {possible}.", detail=error.detail, possible=possible)
        return problem(405, code="method_not_allowed", detail=detail, headers=[("Allow", possible)])
    nearest = _with_nearest_address(error.detail)
    return problem(404, code=error.code, detail=nearest, errors=error.errors, extra=error.extra)


def _nothing_here() -> str:
    detail = said("There is nothing at this address.")
    led_on = _with_nearest_address(detail)
    above = nearby.possible_above(request.path) if led_on == detail else None
    return led_on if above is None else said("{detail} {above}.", detail=detail, above=above)


def _with_nearest_address(detail: str) -> str:
    meant = nearby.nearest_address(request.path, other_than=request.url_rule)
    return detail if meant is None else said("{detail} Did you mean {meant}?", detail=detail, meant=meant)


def register_error_handlers(app: Flask) -> None:
    """Make every failure of `app` leave as one shape, Flask's own 404, 405, 413 and 500 too."""
    app.register_error_handler(FinanceError, problem_of)
    app.register_error_handler(DriverError, _driver_problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected_problem)


def _driver_problem(error: DriverError) -> Response:
    # Away or slow is known by its name; anything else is worth its traceback.
    known = isinstance(error, ConnectionLost) or error.timeout
    log.error("MongoDB: %s", type(error).__name__, exc_info=None if known else error)
    return problem_of(DatabaseUnavailable() if request.method in ("GET", "HEAD") else OutcomeUnknown())


def _http_problem(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:  # a redirect
        return error
    headers = [(k, v) for k, v in error.get_headers() if k.lower() != "content-type"]
    detail: str
    if error.code == 404:
        detail = _nothing_here()
    elif isinstance(error, MethodNotAllowed) and error.valid_methods:
        possible = nearby.possible_at(request.path, error.valid_methods)
        detail = said("This can't be done here. Possible: {possible}.", possible=possible)
    elif error.code == 400:  # what werkzeug says of it is about itself
        detail = said("This request can't be answered here: it asks for another protocol, or can't be understood.")
    else:
        detail = error.description or said("The request could not be carried out.")
    return problem(error.code, code=errors.wire_code(type(error)), detail=detail, headers=headers)


def _unexpected_problem(error: Exception) -> Response:
    log.error("Unexpected failure", exc_info=error)
    return problem_of(InternalError())
