"""Routes with strict arguments: a body or a query is loaded by its schema, or refused field by field."""

import functools
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import flask_smorest
from flask import request
from flask_smorest.utils import deepupdate
from marshmallow import Schema

from finance.edge.arguments import Arguments, parameter_error
from finance.errors import Invalid
from finance.said import said

View = Callable[..., Any]
Decorator = Callable[[View], Any]


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with strict arguments; a route that declares no query parameters refuses all.

    What it says of a route is flask-smorest's; what is done at a request is in here, without the layers of webargs.
    """

    def arguments(
        self, schema: Schema, *, location: str = "json", load: Callable[[], Any] | None = None, **documented: Any
    ) -> Decorator:
        """Return a decorator: what `schema` makes of the body (or the query) is an argument of the view.

        `load` does that instead, for a body that has to be read in another way (edge/rows.py).
        """
        load = load or Arguments(schema, location=location).load

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def loaded(*args: Any, **kwargs: Any) -> Any:
                return view(*args, load(), **kwargs)

            described = super(Blueprint, self).arguments(schema, location=location, **documented)(view)
            return _described(loaded, as_in=described)

        return decorate

    def response(self, status_code: int, schema: Any = None, **documented: Any) -> Decorator:
        """Return a decorator that describes what a view answers with; the view returns the Response itself."""

        def decorate(view: View) -> View:
            described = super(Blueprint, self).response(status_code, schema, **documented)(view)
            return _described(view, as_in=described)

        return decorate

    def alt_response(self, status_code: int, response: Any = None, **documented: Any) -> Decorator:
        def decorate(view: View) -> View:
            described = super(Blueprint, self).alt_response(status_code, response, **documented)(view)
            return _described(view, as_in=described)

        return decorate

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any) -> None:
        """Add a route under the name of its view, which is also its operationId: record_payment is recordPayment."""
        view_func._apidoc = deepupdate(
            deepcopy(getattr(view_func, "_apidoc", {})),
            {"manual_doc": {"operationId": _camel_case(view_func.__name__)}},
        )
        parameters = getattr(view_func, "_apidoc", {}).get("arguments", {}).get("parameters", [])
        if view_func is not None and not any(parameter.get("in") == "query" for parameter in parameters):
            view_func = _without_query(view_func)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)


def _described(view: View, *, as_in: View) -> View:
    """Return a view with what flask-smorest noted at its own wrapper of it."""
    view._apidoc = as_in._apidoc  # type: ignore[attr-defined]
    return view


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _without_query(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.query_string:
            name = next(iter(request.args), "")
            raise Invalid(errors=[parameter_error(name, said("is not a parameter of this operation; it takes none."))])
        return view(*args, **kwargs)

    return checked
