"""`/`, `/sign-in`, `/sign-out`, `/language`: somebody is let in by an API key, for as long as that key is valid."""

import re
from typing import Any
from urllib.parse import quote

from flask import current_app, g, redirect, request

from finance.auth import guard
from finance.context import parts
from finance.edge.limits import TooManyFailedKeys
from finance.errors import Unauthenticated
from finance.web import languages, sessions
from finance.web.forms import KEPT, kept_of
from finance.web.languages import _
from finance.web.pages import open_page, page, render

FIRST_PAGE = "/payments"
OVERVIEW = "/overview"
CARRIED = "carried-"  # before the names of fields of another form that waits until somebody has signed in
CARRIED_CHARACTERS_MAX = 200_000
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
        address = request.full_path.rstrip("?")
        return redirect("/" if address == FIRST_PAGE else f"/?next={_quoted(address)}", 303)
    fields = kept_of({name: value for name, value in request.form.items() if name not in ("csrf_token", "key")})
    if sum(map(len, fields.values())) > CARRIED_CHARACTERS_MAX:
        fields = {}
    text = _("You were signed out. Sign in, and your form is shown again as you left it.")
    return _sign_in_page(next_page=request.path, carried=fields, problem=text, status=401)


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
        caller = guard.get_caller(guarding, key if key.isascii() else "")
    except Unauthenticated:
        text = _(
            "This key is not known, was revoked or has expired. A whole key begins with fin_ and has 85 characters."
        )
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=422)
    except TooManyFailedKeys as too_many:
        text = _("Too many wrong keys. Try again in %(seconds)s seconds.", seconds=too_many.retry_after_s)
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=429)
    if not caller.may("accountant"):
        text = _("This key is for programs. The pages need an accountant’s or an admin’s key.")
        return _sign_in_page(next_page=next_page, carried=carried, problem=text, status=403)
    g.caller = caller
    kept = {KEPT: {"path": next_page, "fields": carried}} if carried and next_page else {}
    token = sessions.start(caller, now=parts().clock(), **kept)
    answer = redirect(next_page or OVERVIEW, 303)
    sessions.set_cookie(answer, token)  # type: ignore[arg-type]
    return answer


@page("/sign-out", methods=["GET", "POST"])
def sign_out() -> Any:
    """Ask whether to sign out, and then do so."""
    if request.method != "POST":
        return render("sign_out.html", title=_("Sign out"))
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
    return {name.removeprefix(CARRIED): value for name, value in fields if name.startswith(CARRIED)}


def _local(address: str) -> str:
    """Return the address of a page of ours, "" where it may be another's."""
    return address if _LOCAL.fullmatch(address) and address != "/" else ""


def _quoted(address: str) -> str:
    return quote(address, safe="/")
