"""`/`, `/sign-in`, `/sign-out`, `/language`: somebody is let in by an API key, for as long as that key is valid."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from flask import current_app, g, redirect, request

from finance.auth import guard
from finance.auth.guard import caller
from finance.context import parts
from finance.edge.limits import TooManyFailedKeys
from finance.errors import Unauthenticated
from finance.events import record_event
from finance.web import languages, sessions
from finance.web.forms import KEPT, kept_of
from finance.web.languages import _
from finance.web.pages import asked, open_page, page, render

FIRST_PAGE = "/payments"
OVERVIEW = "/overview"
CARRIED = "carried-"  # before the names of fields of another form that waits until somebody has signed in
CARRIED_CHARACTERS_MAX = 200_000  # of their names and their values
NOT_CARRIED = frozenset(("csrf_token", "key"))
LANGUAGE_KEPT_S = 365 * 86_400
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}", re.ASCII)


@open_page("/")
def show_sign_in() -> Any:
    """Ask for a key, or lead to the payments where somebody is signed in."""
    if not sessions.is_possible():
        return _needs_https()
    if sessions.find_caller() is not None:
        return redirect(FIRST_PAGE, 303)
    return _sign_in_page(next_page=_local(request.args.get("next", "")))


def show_sign_in_between() -> Any:
    """Ask for a key before the page that was asked for, and carry along the form that was sent to it."""
    if not sessions.is_possible():
        return _needs_https()
    if request.method != "POST":
        address = _here()
        return redirect(f"/?next={_quoted(address)}" if _local(address) else "/", 303)
    fields = _fields_to_keep()
    text = _("You were signed out. Sign in, and your form is shown again as you left it.")
    if not fields:
        text = _("You were signed out, and nothing was stored. Sign in to go on.")
    return _sign_in_page(next_page=_page_of_form(), carried=fields, problem=text, status=401)


def show_form_again() -> Any:
    """Offer a form as it was left, which was opened before its reader signed in anew; nothing of it is stored."""
    address = _page_of_form()
    fields = _fields_to_keep()
    if address and fields:
        sessions.own().seal(KEPT, _kept(address, fields))
    return render("form_again.html", title=_("This form was not stored"), address=address or FIRST_PAGE), 403


@open_page("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    """Let somebody in by a key; a program's key opens no pages."""
    if request.method != "POST":
        return redirect("/", 303)
    if not sessions.is_possible():
        return _needs_https()
    next_page = _local(request.form.get("next", ""))
    carried = _carried()
    guarding: guard.Guard = current_app.extensions[guard.EXTENSION]
    try:
        key = request.form.get("key", "").strip()
        found = guard.get_caller(guarding, key if key.isascii() else "")
    except Unauthenticated:
        text = _(
            "This key is not known, was revoked or has expired. A whole key begins with fin_ and has 85 characters."
        )
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=422)
    except TooManyFailedKeys as too_many:
        text = _("Too many wrong keys. Try again in %(seconds)s seconds.", seconds=too_many.retry_after_s)
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=429)
    if not found.may("accountant"):
        text = _("This key is for programs. The pages need an accountant’s or an admin’s key.")
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=403)
    g.caller = found
    guarding.requests_per_key.count(found.key_id)
    record_event(parts().db, asked(), action="signed_in", of=("key", found.key_id))
    kept = {KEPT: _kept(next_page, carried)} if carried and next_page else {}
    token = sessions.start(found, now=parts().clock(), kept=kept)
    answer = redirect(next_page or OVERVIEW, 303)
    sessions.set_cookie(answer, token)  # type: ignore[arg-type]
    return answer


@page("/sign-out", methods=["GET", "POST"])
def sign_out() -> Any:
    """Ask whether to sign out, and then do so."""
    if request.method != "POST":
        return render("sign_out.html", title=_("Sign out"))
    record_event(parts().db, asked(), action="signed_out", of=("key", caller().key_id))
    sessions.end()
    answer = redirect("/", 303)
    sessions.delete_cookie(answer)  # type: ignore[arg-type]
    return answer


@open_page("/language", methods=["GET", "POST"])
def choose_language() -> Any:
    """Remember the reader's language, and lead back to the page that it was chosen on."""
    answer = redirect(_local(request.form.get("next", "")) or "/", 303)
    wanted = request.form.get("language", "")
    if request.method == "POST" and wanted in languages.NAMES:
        answer.set_cookie(
            languages.COOKIE, wanted, max_age=LANGUAGE_KEPT_S, secure=request.is_secure, samesite="Lax", httponly=True
        )
    return answer


def _sign_in_page(
    *, next_page: str, carried: dict[str, str] | None = None, problem: str | None = None, status: int = 200
) -> tuple[str, int]:
    body = render(
        "sign_in.html",
        title=_("Sign in"),
        next_page=next_page,
        carried={f"{CARRIED}{name}": value for name, value in (carried or {}).items()},
        problem=problem,
    )
    return body, status


def _needs_https() -> tuple[str, int]:
    return render("needs_https.html", title=_("These pages need HTTPS")), 403


def _carried() -> dict[str, str]:
    fields = request.form.items()
    return _bounded((name.removeprefix(CARRIED), value) for name, value in fields if name.startswith(CARRIED))


def _fields_to_keep() -> dict[str, str]:
    """Return what is kept of the form that was sent, without what may be in no page and no session."""
    return _bounded(kept_of({name: value for name, value in request.form.items() if name not in NOT_CARRIED}).items())


def _bounded(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the fields of a form that waits as they were typed, none of them where they are more than is kept."""
    typed = {name: value.replace("\r\n", "\n") for name, value in fields}
    return typed if sum(len(name) + len(value) for name, value in typed.items()) <= CARRIED_CHARACTERS_MAX else {}


def _kept(address: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return what a session keeps of a form that waits to be shown again."""
    return {"path": address.partition("?")[0], "fields": fields}


def _here() -> str:
    return request.full_path.rstrip("?")


def _page_of_form() -> str:
    """Return where the form stands that was sent: here, or on the page that it was sent from; "" where that is not
    known.
    """
    rule = request.url_rule
    if rule is not None and "GET" in (rule.methods or ()):
        return _local(_here())
    came_from = urlsplit(request.referrer or "")
    is_ours = came_from.netloc == request.host
    return _local(came_from.path + (f"?{came_from.query}" if came_from.query else "")) if is_ours else ""


def _local(address: str) -> str:
    """Return the address of a page of ours, "" where it may be another's."""
    return address if _LOCAL.fullmatch(address) and address != "/" else ""


def _quoted(address: str) -> str:
    return quote(address, safe="/")
