"""The pages of the OpenAPI document at /api/v1/docs, to which /api/v1 leads; with no request to another host."""

from pathlib import Path
from typing import Any

import flask_swagger_ui
from flask import Blueprint, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

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


def create_pages(document: bytes) -> Blueprint:
    """Return the addresses of the document and of its pages; the entrances lead to the pages."""
    pages = Blueprint("docs", __name__)
    for entrance in ("/api/v1", "/api/v1/"):
        pages.add_url_rule(entrance, endpoint="lead_to_docs", view_func=lead_to_docs)

    @pages.route("/api/v1/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    pages.add_url_rule("/api/v1/docs", view_func=page)
    pages.add_url_rule("/api/v1/docs/start.js", view_func=start)
    pages.add_url_rule("/api/v1/docs/<name>", view_func=asset)
    return pages


def lead_to_docs() -> AnyResponse:
    """Lead to the pages, by a path alone: the Host that a request names never comes back."""
    return redirect("/api/v1/docs", 302)


def page() -> Response:
    return Response(_PAGE, mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})


def start() -> Response:
    return Response(_START, mimetype="text/javascript")


def asset(name: str) -> Any:
    if name not in _ASSET_NAMES:
        raise NotFound
    return send_from_directory(_ASSETS, name, max_age=86_400)
