"""What a request is asked with: its body or its query, loaded by a schema, or refused field by field."""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from flask import g, request
from marshmallow import Schema, ValidationError

from finance.edge import hints
from finance.edge.bodies import read_json_object
from finance.edge.items import ERRORS_MAX
from finance.edge.loading import Loader
from finance.errors import FieldError, Invalid
from finance.said import said

PARAMETERS_MAX = 100  # of one query: more than any of ours has
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_/]{0,99}", re.ASCII)


class Arguments:
    """What a schema makes of the body ("json") or of the query of a request."""

    def __init__(self, schema: Schema, *, location: str) -> None:
        self._loader = Loader(schema)
        self._location = location
        self._read = {"json": read_json_object, "query": read_query}[location]

    def load(self) -> Any:
        """Return what was sent, loaded; raises Invalid, and what reading a body raises."""
        sent = self._read()
        try:
            return self._loader.load(sent)
        except ValidationError as error:
            refuse(error, self._loader.schema, location=self._location)

    def load_only(self, names: Collection[str], sent: Mapping[str, Any]) -> Any:
        """Return what stands in `sent` under these names, loaded; the others are somebody else's to read."""
        try:
            return self._loader.load({name: value for name, value in sent.items() if name in names})
        except ValidationError as error:
            refuse(error, self._loader.schema, location=self._location)


def read_query() -> dict[str, str]:
    """Return the parameters of the request; raises Invalid where one stands twice, or there are too many.

    Those that were taken already, as what says how a file is wanted, are left out (g.taken_parameters).
    """
    if not request.query_string:  # as of most posts: reading nothing takes as long as reading an argument
        return {}
    args = request.args
    if len(args) > PARAMETERS_MAX:
        name = next(itertools.islice(args, PARAMETERS_MAX, None))
        raise Invalid(
            errors=[
                parameter_error(
                    name,
                    said("is one too many: {most} parameters are the most.", most=PARAMETERS_MAX),
                )
            ]
        )
    for name, values in args.lists():
        if len(values) > 1:
            raise Invalid(errors=[parameter_error(name, said("must be given once; send a request for each value."))])
    taken = g.get("taken_parameters", ())
    return {name: value for name, value in args.items() if name not in taken} if taken else args.to_dict()


def refuse(error: ValidationError, schema: Schema, *, location: str) -> NoReturn:
    """Raise Invalid with what is wrong, each with its pointer or parameter."""
    in_body = location == "json"
    kind = hints.FIELD if in_body else hints.PARAMETER
    found = itertools.islice(_flatten(error.messages, "", schema, kind), ERRORS_MAX)
    errors = [_body_error(*each) if in_body else _query_error(*each) for each in found]
    raise Invalid(_detail_of(errors), errors=errors)


def _detail_of(errors: list[FieldError]) -> str | None:
    """Return the only error with its field, for those who show the detail alone. A name that may be anything isn't."""
    if len(errors) > 1:
        return None
    name = (errors[0].pointer or errors[0].parameter or "").removeprefix("/")
    return said("{name}: {detail}", name=name, detail=errors[0].detail) if _PLAIN_NAME.fullmatch(name) else None


def _body_error(pointer: str, detail: str) -> FieldError:
    return FieldError(detail, pointer=pointer)


def _query_error(pointer: str, detail: str) -> FieldError:
    name = pointer.removeprefix("/")
    if hints.are_several(request.args.get(name, "")):
        detail = said("{detail} A filter takes one value; send a request for each.", detail=detail)
    return parameter_error(name, detail)


def parameter_error(name: str, detail: str) -> FieldError:
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
