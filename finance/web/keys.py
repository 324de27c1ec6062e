"""`/keys`: an admin makes keys, sees who uses them, ends their sessions, and revokes them."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, request, url_for

from finance.auth import service
from finance.auth.guard import caller
from finance.auth.model import ROLES, ApiKey
from finance.auth.schemas import NewKeySchema, dump_key, dump_new_key
from finance.auth.service import ApiKeyAlreadyShown
from finance.context import parts
from finance.errors import FinanceError
from finance.events import record_event
from finance.web import sessions
from finance.web.forms import Form, load
from finance.web.languages import _
from finance.web.pages import asked, page, render, see_other
from finance.web.store import LISTED_MAX as SESSIONS_LISTED_MAX

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def role_word(role: Any) -> str:
    """Return what a role is called; as it is, where another system stored another one."""
    words = {"client": _("program"), "accountant": _("accountant"), "admin": _("admin")}
    if isinstance(role, str):
        return words.get(role, role)
    return "–" if role is None else str(role)


@page("/keys", role="admin")
def list_keys() -> Any:
    """List the tenant's keys, the newest first."""
    keys = [shown(key) for key in service.list_keys(parts().db, tenant=caller().tenant)]
    return render("keys/list.html", title=_("Keys"), keys=keys, role_word=role_word)


@page("/keys/new", methods=["GET", "POST"], role="admin")
def make_key() -> Any:
    """Make a key, and show it once: in the answer itself, so that no address and no session ever holds it."""
    if request.method != "POST":
        return _form(Form.opened({"role": "accountant"}))
    form = Form.sent()
    try:
        wanted = load(NewKeySchema(), {**form.body(), **_end_of(form)})
        made = service.create_key(parts().db, asked(form.key), wanted)
    except ApiKeyAlreadyShown as shown_before:
        title = _("This key was shown already")
        return render("keys/shown_before.html", title=title, key_id=shown_before.extra["key_id"]), 409
    except FinanceError as refused:
        return _form(form.refuse(refused))
    return render("keys/made.html", title=_("Copy the key now"), key=dump_new_key(made), role_word=role_word)


@page("/keys/<key_id>", role="admin")
def show_key(key_id: str) -> Any:
    """Show a key with the sessions that were begun with it."""
    key = _get(key_id)
    begun = sessions.list_of_key(parts().db, tenant=caller().tenant, key_id=key_id)
    now = parts().clock()
    return render(
        "keys/one.html",
        title=key["name"] or key["key_id"],
        key=key,
        sessions=[one for one in begun if one["expires_at"] > now],
        is_cut=len(begun) == SESSIONS_LISTED_MAX,
        own=sessions.own().stored,
        longest=sessions.LONGEST,
        role_word=role_word,
    )


@page("/keys/<key_id>/sessions/end", methods=["POST"], role="admin")
def end_sessions(key_id: str) -> Any:
    """Sign out everybody who is signed in with a key; the key stays valid."""
    _get(key_id)
    count = _end_sessions(key_id)
    if key_id == caller().key_id:
        return _signed_out()
    return see_other(url_for("web.show_key", key_id=key_id), done=_("Sessions ended: %(count)s.", count=count))


@page("/keys/<key_id>/revoke", methods=["GET", "POST"], role="admin")
def revoke_key(key_id: str) -> Any:
    """Ask, and then revoke a key and end its sessions."""
    key = _get(key_id)
    if request.method != "POST":
        count = len(sessions.list_of_key(parts().db, tenant=caller().tenant, key_id=key_id))
        title = _("Revoke %(name)s?", name=key["name"] or key_id)
        is_own = key_id == caller().key_id
        return render("keys/revoke.html", title=title, key=key, count=count, is_own=is_own, role_word=role_word)
    service.revoke_key(parts().db, asked(), key_id=key_id)
    _end_sessions(key_id)
    if key_id == caller().key_id:
        return _signed_out()
    done = _("%(name)s is revoked.", name=key["name"] or key_id)
    return see_other(url_for("web.show_key", key_id=key_id), done=done)


def shown(key: ApiKey) -> dict[str, Any]:
    """Return a key as its pages show it: as the API does, and whether it is still taken."""
    ends = key.get("expires_at")
    status = "active"
    if key.get("revoked_at") is not None:
        status = "revoked"
    elif isinstance(ends, datetime) and ends <= parts().clock():
        status = "expired"
    return {**dump_key(key), "status": status}


def _get(key_id: str) -> dict[str, Any]:
    return shown(service.get_key(parts().db, tenant=caller().tenant, key_id=key_id))


def _end_sessions(key_id: str) -> int:
    db, tenant = parts().db, caller().tenant
    begun = sessions.list_of_key(db, tenant=tenant, key_id=key_id)
    if begun:
        record_event(db, asked(), action="sessions_ended", of=("key", key_id), details={"sessions": len(begun)})
    return sessions.end_of_key(db, tenant=tenant, key_id=key_id)


def _signed_out() -> Response:
    answer = see_other("/")
    sessions.end()
    sessions.delete_cookie(answer)
    return answer


def _end_of(form: Form) -> Mapping[str, Any]:
    """Return the first instant at which a key isn't valid any more, where the form names its last day."""
    typed = form["expires_at"].strip()
    try:
        last = date.fromisoformat(typed) if _DAY.fullmatch(typed) else None
        if last is None:
            return {}  # nothing, or what the schema refuses as it stands
        after = datetime.combine(last + timedelta(days=1), time.min, tzinfo=parts().config.timezone).astimezone(UTC)
    except (ValueError, OverflowError):
        return {}
    return {"expires_at": f"{after:%Y-%m-%dT%H:%M:%SZ}"}


def _form(form: Form) -> tuple[str, int]:
    roles = [(role, words) for role, words in zip(ROLES, _roles_in_words(), strict=True)]
    title = _("New key")
    page_title = _("Problem: %(title)s", title=title) if form.status != 200 else title
    return render("keys/new.html", title=title, page_title=page_title, form=form, roles=roles), form.status


def _roles_in_words() -> tuple[str, str, str]:
    return (
        _("Program: records payments, invoices and customers, and reads single ones; it opens no pages"),
        _("Accountant: everything but keys, shops and the activity"),
        _("Admin: everything"),
    )
