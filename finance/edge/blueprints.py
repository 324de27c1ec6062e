"""Routes with strict arguments: a body or a query is loaded by its schema, or refused field by field."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import flask_smorest
import marshmallow
from flask import request
from webargs.flaskparser import FlaskParser

from finance.edge import hints
from finance.edge.bodies import read_json_object
from finance.edge.items import ERRORS_MAX
from finance.errors import FieldError, Invalid

PARAMETERS_MAX = 100  # of one query: more than any of ours has
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_/]{0,99}", re.ASCII)


class StrictParser(FlaskParser):
    """Reads arguments for flask-smorest: strict JSON bodies, and queries without unknown or repeated parameters."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, Any] = {"json": marshmallow.RAISE, "query": marshmallow.RAISE}

    def load_json(self, req: Any, schema: Any) -> Any:
        return read_json_object()

    def load_querystring(self, req: Any, schema: Any) -> Any:
        if len(req.args) > PARAMETERS_MAX:
            name = next(itertools.islice(req.args, PARAMETERS_MAX, None))
            raise Invalid(
                errors=[_parameter_error(name, f"is one too many: {PARAMETERS_MAX} parameters are the most.")]
            )
        for name, values in req.args.lists():
            if len(values) > 1:
                raise Invalid(errors=[_parameter_error(name, "must be given once; send a request for each value.")])
        return req.args.to_dict()

    def handle_error(self, error: marshmallow.ValidationError, req: Any, schema: Any, **kwargs: Any) -> NoReturn:
        ((location, messages),) = error.messages_dict.items()
        in_body = location == "json"
        found = itertools.islice(_flatten(messages, "", schema, "field" if in_body else "parameter"), ERRORS_MAX)
        errors = [_body_error(*each) if in_body else _query_error(*each) for each in found]
        raise Invalid(_detail_of(errors), errors=errors)


def _detail_of(errors: list[FieldError]) -> str | None:
    """Return the only error with its field, for those who show the detail alone. A name that may be anything isn't."""
    if len(errors) > 1:
        return None
    name = (errors[0].pointer or errors[0].parameter or "").removeprefix("/")
    return f"{name}: {errors[0].detail}" if _PLAIN_NAME.fullmatch(name) else None


def _body_error(pointer: str, detail: str) -> FieldError:
    return FieldError(detail, pointer=pointer)


def _query_error(pointer: str, detail: str) -> FieldError:
    name = pointer.removeprefix("/")
    if hints.are_several(request.args.get(name, "")):
        detail += " A filter takes one value; send a request for each."
    return _parameter_error(name, detail)


def _parameter_error(name: str, detail: str) -> FieldError:
    return FieldError(detail, parameter=name[: hints.NAME_SHOWN_MAX])


def _flatten(messages: Any, pointer: str, schema: Any, kind: str) -> Iterator[tuple[str, str]]:
    """Yield each message with its pointer. `schema` is the one that found it, None inside of a single field."""
    if isinstance(messages, Mapping):
        names = None if schema is None else hints.names_of(schema)
        for name, inner in messages.items():
            here = _pointer_to(name, pointer)
            if names is not None and inner == hints.UNKNOWN:
                yield here, hints.unknown(name, names, kind=kind, fixed=hints.fixed_of(schema))
            else:
                below = hints.schema_of(names[name]) if names and name in names else schema
                yield from _flatten(inner, here, below, kind)
    elif isinstance(messages, list):
        for message in messages:
            yield from _flatten(message, pointer, schema, kind)
    else:
        yield pointer, hints.in_our_words(messages)


def _pointer_to(name: str | int, pointer: str) -> str:
    """Return the pointer to a member; to what holds it, where its name is too long to be repeated."""
    text = str(name)
    return pointer if name == "_schema" or len(text) > hints.NAME_SHOWN_MAX else f"{pointer}/{_escape(text)}"


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
            raise Invalid(errors=[_parameter_error(name, "is not a parameter of this operation; it takes none.")])
        return view(*args, **kwargs)

    return checked
