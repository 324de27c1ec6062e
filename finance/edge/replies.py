"""JSON out."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

from finance.damaged import as_text


def reply(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, replayed: bool = False
) -> Response:
    """Return `data` as a JSON response; instants are ISO 8601 in UTC."""
    response = Response(_dumps(data), status=status, mimetype="application/json")
    response.headers.update(headers or {})
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


class OrjsonProvider(JSONProvider):
    """Flask's own JSON, by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return _dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read an answer, as tests do; what clients send is read by edge/bodies.py."""
        return orjson.loads(s)


def _dumps(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_UTC_Z, default=as_text)
