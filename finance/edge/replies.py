"""JSON out."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

from finance.damaged import as_text


def as_json(data: Any) -> bytes:
    """Return `data` as JSON; instants are ISO 8601 in UTC, and what JSON has no type for is shown as text."""
    return orjson.dumps(data, option=orjson.OPT_UTC_Z, default=as_text)


def reply(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, replayed: bool = False
) -> Response:
    """Return `data` as a JSON response."""
    response = Response(as_json(data), status=status, mimetype="application/json")
    response.headers.update(headers or {})
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


class OrjsonProvider(JSONProvider):
    """Flask's own JSON, by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return as_json(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read an answer, as tests do; what clients send is read by edge/bodies.py."""
        return orjson.loads(s)
