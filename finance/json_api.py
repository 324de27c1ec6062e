"""The edge: strict JSON in, JSON and problem+json (RFC 9457) out, cursors, Idempotency-Key.

The one table from a kind of failure to an HTTP status is `STATUS_BY_KIND`.
"""

import base64
import binascii
import functools
import hashlib
import http
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlencode

import flask_smorest
import marshmallow
import orjson
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.urls import iri_to_uri

from finance import errors
from finance.database import ConnectionLost, DriverError
from finance.errors import FieldError, FinanceError, Invalid
from finance.logs import request_id_now

log = logging.getLogger(__name__)

NESTING_MAX = 32
ERRORS_SHOWN_MAX = 100
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class NotParseable(FinanceError):
    """Not JSON, or JSON that two readers could understand differently."""


class LengthRequired(FinanceError):
    detail_default = "Send the body with a Content-Length; chunked bodies are not taken."


class BodyTooLarge(FinanceError):
    detail_default = "The body is too large."


class UnsupportedMediaType(FinanceError):
    detail_default = "Send the body as application/json in UTF-8."


class DatabaseUnavailable(errors.Unavailable):
    detail_default = "The database did not answer in time. A retry is safe."


class OutcomeUnknown(errors.Unavailable):
    detail_default = (
        "The database did not answer in time, so it is unknown whether this took effect. "
        "With the same Idempotency-Key a retry is always safe; without one, look first."
    )


STATUS_BY_KIND: dict[type[FinanceError], int] = {
    NotParseable: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    LengthRequired: 411,
    errors.PreconditionFailed: 412,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    Invalid: 422,
    errors.Unavailable: 503,
}


# --- JSON in -----------------------------------------------------------------------------------------------------


def read_json_object() -> dict[str, Any]:
    """Return the request's body. Numbers with a point come as Decimal, with the digits that were written.

    Raises NotParseable, LengthRequired, BodyTooLarge, UnsupportedMediaType, or Invalid where it isn't an object.
    """
    asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
    if asked.mimetype != "application/json" or asked.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType
    length, length_max = asked.content_length, asked.max_content_length
    if length is None:
        raise LengthRequired
    if length_max is not None and length > length_max:
        raise BodyTooLarge(f"The body must be at most {length_max} bytes.")
    raw = asked.get_data(cache=False)
    if len(raw) != length:
        raise NotParseable("The body ended before its Content-Length.")
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object.", errors=[FieldError("must be a JSON object.", pointer="")])
    return body


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text; raises NotParseable on anything that isn't plain, unambiguous JSON."""
    if _nesting(raw) > NESTING_MAX:
        raise NotParseable(f"The JSON is nested more than {NESTING_MAX} levels deep.")
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotParseable("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotParseable(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except ValueError:  # an integer of thousands of digits
        raise NotParseable("The body holds a number that is too long.") from None
    if b"\\u" in raw:  # the only way to write a NUL or half a surrogate pair
        _refuse_unstorable_text(value)
    return value


def _nesting(raw: bytes) -> int:
    if raw.count(b"[") + raw.count(b"{") <= NESTING_MAX:
        return 0
    deepest = depth = 0
    for token in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', raw, re.DOTALL):
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _value in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise NotParseable(f"The member {repeated[:100]!r} stands twice in one object.")
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise NotParseable(f"{text} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_repeats, parse_float=Decimal, parse_constant=_refuse_constant
)


def _refuse_unstorable_text(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
            raise NotParseable("The body holds a NUL or half a surrogate pair.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_unstorable_text(name)
            _refuse_unstorable_text(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable_text(item)


class StrictParser(FlaskParser):
    """Reads arguments for flask-smorest: strict JSON bodies, and queries without unknown or repeated parameters."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, Any] = {"json": marshmallow.RAISE, "query": marshmallow.RAISE}

    def load_json(self, req: Any, schema: Any) -> Any:
        return read_json_object()

    def load_querystring(self, req: Any, schema: Any) -> Any:
        for name, values in req.args.lists():
            if len(values) > 1:
                raise Invalid.parameter(name, "must be given once.")
        return req.args.to_dict()

    def handle_error(self, error: marshmallow.ValidationError, req: Any, schema: Any, **kwargs: Any) -> NoReturn:
        messages = error.messages_dict
        raise Invalid(errors=_body_errors(messages["json"]) if "json" in messages else _query_errors(messages["query"]))


def _body_errors(messages: Any) -> list[FieldError]:
    found = [FieldError(detail, pointer=pointer) for pointer, detail in _flatten(messages, "")]
    return found[:ERRORS_SHOWN_MAX]


def _query_errors(messages: Any) -> list[FieldError]:
    found = [FieldError(detail, parameter=pointer.strip("/")) for pointer, detail in _flatten(messages, "")]
    return found[:ERRORS_SHOWN_MAX]


def _flatten(messages: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            here = pointer if name == "_schema" else f"{pointer}/{_escape(str(name))}"
            yield from _flatten(inner, here)
    elif isinstance(messages, list):
        for message in messages:
            yield from _flatten(message, pointer)
    else:
        yield pointer, str(messages)


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with strict arguments; a route that declares no query parameters refuses all."""

    ARGUMENTS_PARSER = StrictParser()

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any) -> None:
        parameters = getattr(view_func, "_apidoc", {}).get("arguments", {}).get("parameters", [])
        if view_func is not None and not any(parameter.get("in") == "query" for parameter in parameters):
            view_func = _without_query(view_func)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)


def _without_query(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.query_string:
            name = next(iter(request.args), "")
            raise Invalid.parameter(name, "is not a parameter of this operation; it takes none.")
        return view(*args, **kwargs)

    return checked


# --- Once --------------------------------------------------------------------------------------------------------


def idempotency_key() -> str | None:
    """Return the request's Idempotency-Key, without the quotes it may stand in, or None; raises Invalid."""
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    if IDEMPOTENCY_KEY.fullmatch(value) is None:
        raise Invalid.parameter("Idempotency-Key", "must be 1 to 255 visible ASCII characters.")
    return value


def if_match() -> frozenset[str] | None:
    """Return the strong entity tags of If-Match, without their quotes; "*" stands for any. None without the header."""
    if "If-Match" not in request.headers:
        return None
    tags = request.if_match
    return frozenset({"*"} if tags.star_tag else tags.as_set())


# --- JSON out ----------------------------------------------------------------------------------------------------


def reply(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, replayed: bool = False
) -> Response:
    """Return `data` as a JSON response; instants are ISO 8601 in UTC."""
    response = Response(orjson.dumps(data, option=orjson.OPT_UTC_Z), status=status, mimetype="application/json")
    response.headers.update(headers or {})
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def page_reply(rows: list[dict[str, Any]], *, next_cursor: str | None) -> Response:
    """Return one page of a list, with the address of the next one in a Link header (RFC 8288)."""
    response = reply({"data": rows, "has_more": next_cursor is not None, "next_cursor": next_cursor})
    if next_cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": next_cursor})
        response.headers["Link"] = f'<{iri_to_uri(request.base_url)}?{query}>; rel="next"'
    return response


class OrjsonProvider(JSONProvider):
    """Flask's own JSON, by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_UTC_Z, default=str).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return parse_json(s if isinstance(s, bytes) else s.encode())


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Any = None,
) -> Response:
    """Return a problem document (RFC 9457)."""
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
    response = Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status=status, headers=headers)
    response.headers["Content-Type"] = "application/problem+json"
    return response


def problem_of(error: FinanceError) -> Response:
    """Return the problem document of a named failure."""
    status = next(STATUS_BY_KIND[kind] for kind in type(error).__mro__ if kind in STATUS_BY_KIND)
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        status, code=error.code, detail=error.detail, errors=error.errors, extra=error.extra, headers=headers
    )


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
    headers = Headers([(k, v) for k, v in error.get_headers() if k.lower() != "content-type"])
    if error.code == 404:
        detail = "There is nothing at this address."
    elif error.code == 405:
        detail = f"{request.method} is not possible here; see the Allow header."
    else:
        detail = error.description or "The request could not be carried out."
    return problem(error.code, code=errors.wire_code(type(error)), detail=detail, headers=headers)


def _unexpected_problem(error: Exception) -> Response:
    log.error("Unexpected failure", exc_info=error)
    return problem(
        500,
        code="internal_error",
        detail="Something failed here that should not. With the same Idempotency-Key a retry is safe.",
    )


# --- Cursors -----------------------------------------------------------------------------------------------------


def encode_cursor(query: Mapping[str, Any], position: Sequence[Any]) -> str:
    """Return an opaque cursor that goes on after `position` in the list that `query` asks for."""
    return base64.urlsafe_b64encode(orjson.dumps([_fingerprint(query), *position])).decode().rstrip("=")


def decode_cursor(query: Mapping[str, Any], cursor: str) -> list[Any]:
    """Return the position in a cursor; raises Invalid where it isn't ours, or was given for other filters."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        fingerprint, *position = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValueError, TypeError):
        raise Invalid.parameter("cursor", "must be the next_cursor of the page before.") from None
    if fingerprint != _fingerprint(query):
        raise Invalid.parameter("cursor", "belongs to a list with other filters or another sort.")
    return position


def _fingerprint(query: Mapping[str, Any]) -> str:
    relevant = {name: str(value) for name, value in query.items() if name not in ("cursor", "limit")}
    return hashlib.sha256(orjson.dumps(relevant, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
