"""What every page is: `@page("/payments")` lets in whoever is signed in with the role, and sends HTML.

A view returns the text of a page (`render`), or a Response. What it raises becomes a page too (`problems.py`).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, current_app, g, redirect, render_template, request
from flask_wtf.csrf import generate_csrf

from finance.asked import Asked
from finance.auth import guard
from finance.auth.guard import caller
from finance.auth.model import Caller, Role
from finance.context import parts
from finance.edge.frames import client_address
from finance.errors import Forbidden
from finance.web import formats, languages, security, sessions
from finance.web.languages import _, translated_later
from finance.wording import column_title

blueprint = Blueprint("web", __name__, template_folder="templates")

View = Callable[..., Any]
SIGN_IN = "finance-pages-sign-in"  # in the app's extensions: the view that asks for a key before a page

OFFER_AGAIN = "finance-pages-offer-again"  # and the one that offers a form again that wasn't taken

# What the frame leads to: the endpoint, its name, and the role that it takes. Their order is that of the page.
NAV: Sequence[tuple[str, str, Role]] = (
    ("/payments", translated_later("Payments"), "accountant"),
    ("/invoices", translated_later("Invoices"), "accountant"),
    ("/customers", translated_later("Customers"), "accountant"),
    ("/receivables", translated_later("Receivables"), "accountant"),
    ("/numbers", translated_later("Numbers"), "accountant"),
    ("/imports", translated_later("Imports"), "accountant"),
    ("/keys", translated_later("Keys"), "admin"),
    ("/shops", translated_later("Shops"), "admin"),
    ("/activity", translated_later("Activity"), "admin"),
)


def page(
    rule: str, *, methods: Sequence[str] = ("GET",), role: Role = "accountant", body_bytes_max: int | None = None
) -> Callable[[View], View]:
    """Return a decorator: a view at an address, for those who are signed in with this role or one above it.

    `body_bytes_max` is how large its form may be with the file in it, where that isn't as any body may be.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            if request.method == "POST":
                security.require_same_site()
                security.read_form(bytes_max=body_bytes_max)
            found = sessions.find_caller()
            if found is None:
                return ask_to_sign_in()
            g.caller = found
            guarding: guard.Guard = current_app.extensions[guard.EXTENSION]
            guarding.requests_per_key.count(found.key_id)
            if not found.may(role):
                raise Forbidden(_("This needs an admin’s key; yours is an accountant’s."))
            if request.method == "POST":
                try:
                    security.require_token()
                except security.OfAnEarlierSession:
                    return offer_again()
            answer = as_page(view(*args, **kwargs))
            sessions.save()
            return answer

        guarded.role = role  # type: ignore[attr-defined]  # as guard.requires does: the tests ask for it
        blueprint.add_url_rule(rule, endpoint=view.__name__, view_func=guarded, methods=list(methods))
        return guarded

    return decorate


def open_page(rule: str, *, methods: Sequence[str] = ("GET",)) -> Callable[[View], View]:
    """Return a decorator for what anybody may see, signed in or not."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def shown(*args: Any, **kwargs: Any) -> Response:
            if request.method == "POST":
                security.require_same_site()
                security.read_form()
            return as_page(view(*args, **kwargs))

        blueprint.add_url_rule(rule, endpoint=view.__name__, view_func=shown, methods=list(methods))
        return shown

    return decorate


def as_page(answer: Any, *, status: int = 200) -> Response:
    """Return a response with what every page is sent with; a view may return its text, and a status beside it."""
    if isinstance(answer, tuple):
        answer, status = answer
    response = answer if isinstance(answer, Response) else Response(answer, status=status)
    if 300 <= response.status_code < 400:
        response.set_data(b"")  # nobody reads what werkzeug writes there, in English
    if response.mimetype == "text/html":
        response.content_type = "text/html; charset=utf-8"
    return security.add_headers(response)


def render(template: str, **values: Any) -> str:
    """Return a page in its frame. `title` is its <title> and, where no `heading` is given, its <h1>."""
    return render_template(template, **_frame(), **values)


def see_other(address: str, *, done: str | None = None) -> Response:
    """Return what leads on after a form was sent (303); `done` is said on the page that it leads to, once."""
    if done is not None:
        sessions.own()["done"] = done
    return redirect(address, 303)  # type: ignore[return-value]


def asked(key: str | None = None) -> Asked:
    """Return what is asked for now, as the API's guard does; `key` is the Idempotency-Key made with the form."""
    who = caller()
    return Asked(
        who.tenant, who.key_id, parts().clock(), key, by_name=who.name, address=client_address(), role=who.role
    )


def ask_to_sign_in() -> Response:
    """Lead to the sign-in, and back to this page afterwards; a form that was sent is carried along, unsent."""
    view: View = current_app.extensions[SIGN_IN]
    return as_page(view())


def offer_again() -> Response:
    """Return a page that leads back to a form as it was left, where it was opened before its reader signed in anew."""
    view: View = current_app.extensions[OFFER_AGAIN]
    answer = as_page(view())
    sessions.save()
    return answer


def _frame() -> dict[str, Any]:
    """Return what the frame of a page shows."""
    who: Caller | None = g.get("caller")
    reading = languages.reader()
    return {
        "caller": who,
        "nav": [(path, _(name)) for path, name, role in NAV if who is not None and who.may(role)],
        "language": reading.language,
        "languages": languages.NAMES,
        "zone": formats.zone_name(),
        "done": sessions.own().pop("done", None) if who is not None else None,
    }


def label(name: str) -> str:
    """Return what a field, a filter or a column is called."""
    return column_title(name, languages.reader().language)


def form_token() -> str:
    """Return the token of a form, by which it is known to come from this session's pages."""
    security.use_secret()
    return str(generate_csrf())
