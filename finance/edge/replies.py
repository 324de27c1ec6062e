"""JSON out."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson
from flask import Response
from flask.json.provider import JSONProvider
from werkzeug.datastructures import Headers
from werkzeug.urls import iri_to_uri

from finance.damaged import as_text

_PLAIN_ADDRESS = re.compile(r"[\w/.-]+", re.ASCII)


class Reply(Response):
    """A whole answer, whose headers go out as they were added.

    werkzeug's own copies the headers of each answer, goes through them for an address and a length, and searches them
    for each that is set: a tenth of what a post cost in here.
    """

    direct_passthrough = False

    def __init__(self, body: bytes, *, status: int, content_type: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.headers = Headers()
        self.response = [body]
        self.status_code = status
        self._on_close = []
        add = self.headers.add
        add("Content-Type", content_type)
        add("Content-Length", str(len(body)))
        for name, value in headers:
            add(name, _as_uri(value) if name == "Location" else value)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._on_close:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.response  # type: ignore[return-value]


def as_json(data: Any) -> bytes:
    """Return `data` as JSON; instants are ISO 8601 in UTC, and what JSON has no type for is shown as text."""
    return orjson.dumps(data, option=orjson.OPT_UTC_Z, default=as_text)


def reply(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, replayed: bool = False
) -> Response:
    """Return `data` as a JSON response."""
    return json_reply(as_json(data), status=status, headers=headers, replayed=replayed)


def json_reply(body: bytes, *, status: int, headers: Mapping[str, str] | None, replayed: bool) -> Response:
    """Return what is JSON already as a response."""
    response = Reply(body, status=status, content_type="application/json", headers=headers.items() if headers else ())
    if replayed:
        response.headers.add("Idempotent-Replayed", "true")
    return response


def not_modified(etag: str) -> Response:
    """Return the answer to whoever has the state of this tag already: 304 without a body (RFC 9110, 15.4.5)."""
    response = Reply(b"", status=304, content_type="", headers=[("ETag", etag)])
    del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


def _as_uri(address: str) -> str:
    """Return an address with what isn't plain in it quoted, as the number of a shop may hold it."""
    return address if _PLAIN_ADDRESS.fullmatch(address) else iri_to_uri(address)


class OrjsonProvider(JSONProvider):
    """Flask's own JSON, by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return as_json(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read an answer, as tests do; what clients send is read by edge/bodies.py."""
        return orjson.loads(s)
