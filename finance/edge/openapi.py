"""The OpenAPI 3.1 document at /api/v1/openapi.json and its pages at /api/v1/docs, with no request to another host."""

from pathlib import Path
from typing import Any

import flask_smorest
import orjson
from flask import Blueprint, Flask, Response, send_from_directory
from flask_swagger_ui import flask_swagger_ui
from marshmallow import Schema, fields

from finance.errors import NotFound

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_ASSET_NAMES = ("swagger-ui.css", "index.css", "swagger-ui-bundle.js", "favicon-32x32.png")

# Swagger UI draws with style attributes and data: images; scripts come from files alone.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Finance API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/api/v1/docs/favicon-32x32.png">
<link rel="stylesheet" href="/api/v1/docs/swagger-ui.css">
<link rel="stylesheet" href="/api/v1/docs/index.css">
<div id="swagger-ui"></div>
<script src="/api/v1/docs/swagger-ui-bundle.js"></script>
<script src="/api/v1/docs/start.js"></script>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_DESCRIPTION = """Record payments on MongoDB: numbers that are never given twice, requests that take effect once.

Send `Authorization: Bearer <key>`. Send an `Idempotency-Key` with every POST: a repeat with the same key and body is
answered with the first result and `Idempotent-Replayed: true`; with another body it is 422 `idempotency_key_reused`.
Every error is `application/problem+json` with a `code` that programs can rely on."""

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible ASCII characters, bare or in double quotes; it never expires.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


class FieldErrorSchema(Schema):
    pointer = fields.String(metadata={"description": "Where in the body (RFC 6901)."})
    parameter = fields.String(metadata={"description": "Which query parameter or header."})
    detail = fields.String(required=True)


class ProblemSchema(Schema):
    """What every error looks like (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"example": "idempotency_key_reused"})
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema), required=True)


class Api(flask_smorest.Api):
    """flask-smorest's document; failures leave through `json_api`, not through its own handler."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        pass


def create_api(app: Flask) -> Api:
    """Return the Api that blueprints are registered with."""
    app.config |= {"API_TITLE": "Finance", "API_VERSION": "v1", "OPENAPI_VERSION": "3.1.0"}
    api = Api(app, spec_kwargs={"info": {"description": _DESCRIPTION}})
    api.spec.components.security_scheme("apiKey", {"type": "http", "scheme": "bearer"})
    return api


def serve(api: Api, app: Flask) -> None:
    """Serve the document, made once after the last blueprint, and its pages."""
    document = orjson.dumps(_complete(api.spec.to_dict()))
    pages = _pages()

    @pages.route("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    app.register_blueprint(pages)


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what all operations share: the problem of every failure, and the Idempotency-Key of every POST."""
    failure = {
        "description": "Any failure; see its code.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    document["components"]["responses"] = {"DEFAULT_ERROR": failure}
    for path in document["paths"].values():
        for method, operation in path.items():
            if method == "post":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            if method in ("get", "post", "put", "patch", "delete"):
                operation["responses"].pop("422", None)  # the default says it
    return document


def _pages() -> Blueprint:
    pages = Blueprint("docs", __name__, url_prefix="/api/v1")

    @pages.route("/docs")
    def page() -> Response:
        return Response(_PAGE, mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})

    @pages.route("/docs/start.js")
    def start() -> Response:
        return Response(_START, mimetype="text/javascript")

    @pages.route("/docs/<name>")
    def asset(name: str) -> Any:
        if name not in _ASSET_NAMES:
            raise NotFound
        return send_from_directory(_ASSETS, name, max_age=86_400)

    return pages
