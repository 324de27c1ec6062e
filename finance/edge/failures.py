"""What can go wrong with an operation, for the OpenAPI document: `@fails(PaymentNotFound)` beside its route.

Statuses and codes come from `problems.STATUS_BY_KIND`; what every operation can answer is added by what it takes.
"""

import http
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from flask_smorest.utils import deepupdate

from finance.edge.bodies import BodyTooLarge, LengthRequired, UnsupportedMediaType
from finance.edge.problems import DatabaseUnavailable, InternalError, status_of
from finance.errors import FinanceError, Invalid, NotParseable, RequestTimeout, wire_code
from finance.once import OutcomeUnknown
from finance.ownership import DatabaseNotOurs

View = TypeVar("View", bound=Callable[..., Any])

MEMBER = "x-fails"  # of an operation, until its responses are made of it
OF_ALL = (Invalid, InternalError)
OF_A_BODY = (NotParseable, RequestTimeout, LengthRequired, BodyTooLarge, UnsupportedMediaType)
NAMED_MAX = 2
NO_OPERATION = ("method_not_allowed", "not_found")  # an address or a method that isn't ours

_SCHEMAS = "#/components/schemas"
_HEADERS = "#/components/headers"
_HEADERS_BY_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_REQUEST_ID = "0f3a9c1e5b7d4826a1c0e2f4d6b8a09c"


def fails(*kinds: type[FinanceError]) -> Callable[[View], View]:
    """Return a decorator that notes which failures of its own a view answers with; more than one adds them up."""

    def decorate(view: View) -> View:
        known = deepcopy(getattr(view, "_apidoc", {}))
        noted = known.get("manual_doc", {}).get(MEMBER, ())
        view._apidoc = deepupdate(known, {"manual_doc": {MEMBER: (*noted, *kinds)}})  # type: ignore[attr-defined]
        return view

    return decorate


def document_failures(document: dict[str, Any]) -> None:
    """Give every operation a response per status that it can fail with, with its codes as an enumeration."""
    components = document["components"]
    components["responses"] = {}
    codes = set(NO_OPERATION)
    for method, operation in operations_of(document):
        kinds = _kinds_of(method, operation)
        codes |= {wire_code(kind) for kind in kinds}
        for status in sorted({status_of(kind) for kind in kinds}):
            of_status = sorted({kind for kind in kinds if status_of(kind) == status}, key=wire_code)
            name = _name(operation["operationId"], status, of_status)
            components["schemas"][f"{name}Problem"] = _schema(of_status)
            components["responses"][name] = _response(name, status, of_status)
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{name}"}
    components["schemas"]["ProblemCode"] = {"type": "string", "enum": sorted(codes)}
    components["schemas"]["Problem"] = _PROBLEM
    components["schemas"]["FieldError"] = _FIELD_ERROR


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the method and the description of every operation."""
    for path in document["paths"].values():
        yield from ((method, operation) for method, operation in path.items() if method != "parameters")


def _kinds_of(method: str, operation: dict[str, Any]) -> list[type[FinanceError]]:
    of_method = (DatabaseUnavailable,) if method == "get" else (OutcomeUnknown, DatabaseNotOurs)
    kinds = [*OF_ALL, *of_method, *operation.pop(MEMBER, ())]
    if method == "post":
        kinds.append(NotParseable)  # an Idempotency-Key that stands twice
    return [*kinds, *OF_A_BODY] if "requestBody" in operation else kinds


def _name(operation_id: str, status: int, kinds: list[type[FinanceError]]) -> str:
    """Return what a response is called: by its failures where they are few, as then operations share it."""
    if len(kinds) <= NAMED_MAX:
        return "Or".join(kind.__name__ for kind in kinds)
    phrase = "Invalid" if status == 422 else http.HTTPStatus(status).phrase.title().replace(" ", "")
    return f"{operation_id[0].upper()}{operation_id[1:]}{phrase}"


def _schema(kinds: Iterable[type[FinanceError]]) -> dict[str, Any]:
    """Return the shape of a problem with the codes and the further members of these failures."""
    extra = {name: text for kind in kinds for name, text in kind.extra_members.items()}
    members = {
        "code": {"type": "string", "enum": [wire_code(kind) for kind in kinds]},
        **{name: {"type": "string", "description": text} for name, text in extra.items()},
    }
    own = {"type": "object", "properties": members, "required": ["code"]}
    return {"allOf": [{"$ref": f"{_SCHEMAS}/Problem"}, own]}


def _response(name: str, status: int, kinds: Iterable[type[FinanceError]]) -> dict[str, Any]:
    headers = (*_HEADERS_BY_STATUS.get(status, ()), "X-Request-Id")
    examples = {wire_code(kind): {"value": _example(kind, status)} for kind in kinds}
    content = {"schema": {"$ref": f"{_SCHEMAS}/{name}Problem"}, "examples": examples}
    return {
        "description": http.HTTPStatus(status).phrase,
        "headers": {header: {"$ref": f"{_HEADERS}/{header}"} for header in headers},
        "content": {"application/problem+json": content},
    }


def _example(kind: type[FinanceError], status: int) -> Mapping[str, Any]:
    pointed = [{"pointer": "/amount", "detail": "must be greater than zero."}] if kind is Invalid else []
    return {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": kind.detail_default,
        "code": wire_code(kind),
        "request_id": _REQUEST_ID,
        "errors": pointed,
    }


_FIELD_ERROR = {
    "type": "object",
    "description": "What is wrong with one field of a body, or with one parameter; it has one of the two names.",
    "properties": {
        "pointer": {"type": "string", "description": "Where in the body (RFC 6901), as in /lines/0/tax_rate."},
        "parameter": {"type": "string", "description": "Which query parameter, header, or part of the path."},
        "detail": {"type": "string", "description": "What would be right, for people."},
    },
    "required": ["detail"],
}
_PROBLEM = {
    "type": "object",
    "description": "What every error looks like (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people; it may change."},
        "code": {"$ref": f"{_SCHEMAS}/ProblemCode"},
        "request_id": {"type": "string", "description": "Also in the header X-Request-Id, and in the service's log."},
        "errors": {"type": "array", "items": {"$ref": f"{_SCHEMAS}/FieldError"}},
    },
    "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
}
