"""The OpenAPI 3.1 document at /api/v1/openapi.json: what blueprints say of their routes, and what all have in common.

Names are for generated clients: an operation is called as its view is (`recordPayment`), an enumeration as its field
says (`x-name`), a page of a list as its rows.
"""

from typing import Any

import flask_smorest
import orjson
from flask import Flask

from finance.edge.docs import create_pages
from finance.edge.failures import MEMBER, document_failures, operations_of
from finance.errors import PreconditionFailed

_DESCRIPTION = """Record payments on MongoDB: numbers that are never given twice, requests that take effect once.

Send `Authorization: Bearer <key>`. Send an `Idempotency-Key` with every POST: a repeat with the same key and body is
answered with the first result and `Idempotent-Replayed: true`; with another body it is 422 `idempotency_key_reused`.
Every error is `application/problem+json` with a `code` that programs can rely on."""

NEEDS_KEY = "x-needs-key"  # of an operation, until its parameters are made of it: an Idempotency-Key is required
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    # No example: the pages would send it, the same for everybody.
    "description": "1 to 255 visible ASCII characters, bare or in double quotes; it never expires.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the state that was read: a change of a newer one is refused (412). Or *.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "* makes what is new and refuses (412) to change what is there.",
    "schema": {"type": "string"},
}
_UNLESS_KNOWN = {
    **_IF_NONE_MATCH,
    "description": "The ETag of the state that the caller has: 304 where it is the same.",
}
_HEADERS = {
    "ETag": "What this state is called, for If-Match and If-None-Match.",
    "Idempotent-Replayed": '"true" where an earlier request with this Idempotency-Key was answered so already.',
    "Link": 'Where there is more, the address of the next page: <…>; rel="next" (RFC 8288).',
    "Location": "The address of what was made.",
    "Retry-After": "After how many seconds to send the same again.",
    "WWW-Authenticate": "Bearer",
    "X-Request-Id": "What this request is called in the service's log.",
}
LOCATION, ETAG = ({name: {"$ref": f"#/components/headers/{name}"}} for name in ("Location", "ETag"))


class Api(flask_smorest.Api):
    """flask-smorest's document; failures leave through `json_api`, not through its own handler."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        pass


def create_api(app: Flask) -> Api:
    """Return the Api that blueprints are registered with."""
    app.config |= {"API_TITLE": "Finance", "API_VERSION": "v1", "OPENAPI_VERSION": "3.1.0"}
    # A path alone: right behind whatever host and proxy.
    api = Api(app, spec_kwargs={"info": {"description": _DESCRIPTION}, "servers": [{"url": "/"}]})
    api.spec.components.security_scheme("apiKey", {"type": "http", "scheme": "bearer"})
    return api


def serve(api: Api, app: Flask) -> None:
    """Serve the document, made once after the last blueprint, and its pages."""
    app.register_blueprint(create_pages(orjson.dumps(_complete(api.spec.to_dict()))))


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what all operations share, and bring it into the form that generators of clients make most of."""
    document["components"]["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
    }
    for method, operation in operations_of(document):
        operation.setdefault("responses", {}).pop("422", None)  # flask-smorest's own: ours follow
        if method == "post":
            required = {"required": operation.pop(NEEDS_KEY, False)}
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY | required)
        _add_conditions(method, operation)
        _add_headers(method, operation)
    _add_path_examples(document)
    _open_answers(document)
    document_failures(document)
    schemas = document["components"]["schemas"]
    named: dict[str, Any] = {}
    document = _with_named_enums(document, named)
    document["components"]["schemas"] = schemas = document["components"]["schemas"] | named
    for schema in schemas.values():
        _tell_defaults(schema)
    referred = _references(document)  # flask-smorest's own schemas aren't
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(schemas) if name in referred}
    used = {tag for _, operation in operations_of(document) for tag in operation["tags"]}
    document["tags"] = [tag for tag in document["tags"] if tag["name"] in used]
    return document


def _add_conditions(method: str, operation: dict[str, Any]) -> None:
    """Document If-Match where a state may be refused for it, and 304 where an answer has an ETag."""
    parameters = operation.setdefault("parameters", [])
    if PreconditionFailed in operation.get(MEMBER, ()):
        parameters.append(_IF_MATCH)
        if method == "put":
            parameters.append(_IF_NONE_MATCH)
    if method == "get" and "ETag" in operation["responses"].get("200", {}).get("headers", {}):
        parameters.append(_UNLESS_KNOWN)
        operation["responses"]["304"] = {"description": "The caller has this state already.", "headers": {**ETAG}}


def _add_headers(method: str, operation: dict[str, Any]) -> None:
    """Document the headers that follow from what an operation is; the others stand beside its route."""
    for response in operation["responses"].values():
        names = ["X-Request-Id"]
        if method == "post":
            names.append("Idempotent-Replayed")
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
            names.append("Link")
        headers = response.setdefault("headers", {})
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _add_path_examples(document: dict[str, Any]) -> None:
    """Give a part of an address the example of the answers' member with the same name."""
    examples = {
        name: member["example"]
        for schema in document["components"]["schemas"].values()
        for name, member in schema.get("properties", {}).items()
        if "example" in member
    }
    for path in document["paths"].values():
        for parameter in path.get("parameters", []):
            if parameter["name"] in examples:
                parameter["example"] = examples[parameter["name"]]


def _open_answers(document: dict[str, Any]) -> None:
    """Leave it to bodies, and what is in them, to take no other members: answers may get more."""
    schemas = document["components"]["schemas"]
    waiting = [operation["requestBody"] for _, operation in operations_of(document) if "requestBody" in operation]
    closed: set[str] = set()
    while waiting:
        for name in _references(waiting.pop()) - closed:
            closed.add(name)
            waiting.append(schemas[name])
    for name in schemas.keys() - closed:
        schemas[name].pop("additionalProperties", None)


def _references(node: Any) -> set[str]:
    """Return the names of the schemas that are referred to in a part of the document."""
    if isinstance(node, dict):
        found = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
        return found.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


def _with_named_enums(node: Any, named: dict[str, Any]) -> Any:
    """Return a copy in which each enumeration with an `x-name` is a schema of that name, put into `named`."""
    if isinstance(node, list):
        return [_with_named_enums(item, named) for item in node]
    if not isinstance(node, dict):
        return node
    if not isinstance(node.get("x-name"), str):
        return {name: _with_named_enums(member, named) for name, member in node.items()}
    rest = {name: member for name, member in node.items() if name not in ("x-name", "enum", "type")}
    named[node["x-name"]] = {"type": "string", "enum": node["enum"]}
    choices = [{"$ref": f"#/components/schemas/{node['x-name']}"}]
    if "null" in node["type"]:
        return {"anyOf": [*choices, {"type": "null"}], **rest}
    return {"allOf": choices, **rest} if rest else choices[0]


def _tell_defaults(schema: dict[str, Any]) -> None:
    """Tell the defaults of a schema's members in words: generators take members with a `default` for always there."""
    for member in schema.get("properties", {}).values():
        if "default" in member:
            default = orjson.dumps(member.pop("default")).decode().strip('"')
            member["description"] = f"{member.get('description', '')} Default: {default}.".strip()
