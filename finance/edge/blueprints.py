"""Routes with strict arguments: a body or a query is loaded by its schema, or refused field by field."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import flask_smorest
import marshmallow
from flask import request
from webargs.flaskparser import FlaskParser

from finance.edge.bodies import read_json_object
from finance.edge.fields import ERRORS_MAX
from finance.errors import FieldError, Invalid

PARAMETERS_MAX = 100  # of one query: more than any of ours has


class StrictParser(FlaskParser):
    """Reads arguments for flask-smorest: strict JSON bodies, and queries without unknown or repeated parameters."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, Any] = {"json": marshmallow.RAISE, "query": marshmallow.RAISE}

    def load_json(self, req: Any, schema: Any) -> Any:
        return read_json_object()

    def load_querystring(self, req: Any, schema: Any) -> Any:
        if len(req.args) > PARAMETERS_MAX:
            name = next(itertools.islice(req.args, PARAMETERS_MAX, None))
            raise Invalid.parameter(name, f"is one too many: at most {PARAMETERS_MAX} parameters are taken.")
        for name, values in req.args.lists():
            if len(values) > 1:
                raise Invalid.parameter(name, "must be given once.")
        return req.args.to_dict()

    def handle_error(self, error: marshmallow.ValidationError, req: Any, schema: Any, **kwargs: Any) -> NoReturn:
        messages = error.messages_dict
        raise Invalid(errors=_body_errors(messages["json"]) if "json" in messages else _query_errors(messages["query"]))


def _body_errors(messages: Any) -> list[FieldError]:
    found = [FieldError(detail, pointer=pointer) for pointer, detail in _flatten(messages, "")]
    return found[:ERRORS_MAX]


def _query_errors(messages: Any) -> list[FieldError]:
    found = [FieldError(detail, parameter=pointer.strip("/")) for pointer, detail in _flatten(messages, "")]
    return found[:ERRORS_MAX]


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
