"""What the OpenAPI document says of an answer: every client of the tests holds each answer to it."""

import functools
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from finance.app import create_app
from finance.config import Config

HEADERS = ("ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After", "WWW-Authenticate")


def assert_documented(method: str, path: str, *, status: int, headers: Any, problem: Any) -> None:
    """Assert that an operation documents this status with these headers, and a problem's code and members.

    What no operation answers (another address, another method) is nothing that the document tells.
    """
    operation = _operation(method, path)
    if operation is None or (problem or {}).get("code") == "method_not_allowed":  # a word in the place of a number
        return
    name, document = operation["operationId"], _served()[1]
    assert str(status) in operation["responses"], f"{name} answered {status}: add it beside its route"
    response = _resolved(document, operation["responses"][str(status)])
    undocumented = {header for header in HEADERS if header in headers} - response["headers"].keys()
    assert not undocumented, f"{name} answered {status} with {undocumented}: add them beside its route"
    if status < 400:
        return
    schema = _resolved(document, response["content"]["application/problem+json"]["schema"])
    own = schema["allOf"][1]["properties"]
    codes = own["code"]["enum"]
    assert problem["code"] in codes, f"{name} answered {status} {problem['code']}: add it to @fails beside its route"
    for error in problem["errors"]:
        assert error.keys() in ({"pointer", "detail"}, {"parameter", "detail"}), error
        assert "parameter" in error or "requestBody" in operation, f"{name} takes no body: {error}"
        assert "parameter" in error or status in (403, 409, 422), f"{status} has a pointer"
    members = document["components"]["schemas"]["Problem"]["properties"] | own
    assert problem.keys() <= members.keys(), f"{problem['code']} has {problem.keys() - members.keys()}: extra_members"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    app, document = _served()
    try:
        rule, _arguments = app.url_map.bind("localhost").match(path.partition("?")[0], method=method, return_rule=True)
    except (HTTPException, RequestRedirect):
        return None
    template = rule.rule.replace("<", "{").replace(">", "}")
    found: dict[str, Any] | None = document["paths"].get(template, {}).get(method.lower())
    return found


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _root, _components, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = document["components"][kind][name]
    return found


@functools.cache
def _served() -> tuple[Any, dict[str, Any]]:
    app = create_app(Config())
    return app, app.test_client().get("/api/v1/openapi.json").json
