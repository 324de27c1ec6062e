"""`/shops`: an admin sets up the shops, and how each writes the numbers of its invoices and credit notes."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from flask import request, url_for

from finance.auth.guard import caller
from finance.conditions import ANY, Condition
from finance.context import parts
from finance.edge.conditions import tag_of
from finance.errors import FinanceError, Invalid, PreconditionFailed
from finance.invoices import sequences
from finance.invoices.answers import dump_sequence
from finance.said import said
from finance.shops import service
from finance.shops.model import INVOICE_FORMAT, ISSUE_AHEAD_DAYS, MAX_LENGTH, RESETS, Shop
from finance.shops.schemas import ShopSettingsSchema, dump_shop, shop_slug
from finance.web import asking
from finance.web.forms import Form, load
from finance.web.languages import _
from finance.web.pages import asked, label, page, render, see_other

SETTINGS = (
    *("name", "timezone", "currency", "invoice_format", "credit_note_format"),
    *("reset", "max_length", "fiscal_year_start_month", "issue_ahead_days"),
)
_WHOLE_NUMBERS = ("max_length", "fiscal_year_start_month", "issue_ahead_days")
_WHOLE = re.compile(r"\d{1,6}", re.ASCII)
HISTORY_SHOWN = 50


def reset_word(reset: str | None) -> str | None:
    if reset is None:  # the rules are damaged
        return None
    return {"month": _("each month"), "year": _("each year"), "never": _("never")}.get(reset, reset)


@page("/shops", role="admin")
def list_shops() -> Any:
    """List the shops by name."""
    shops = [dump_shop(shop) for shop in service.list_shops(parts().db, tenant=caller().tenant)]
    return render("shops/list.html", title=_("Shops"), shops=shops, reset_word=reset_word)


@page("/shops/new", methods=["GET", "POST"], role="admin")
def make_shop() -> Any:
    """Set up a shop under a name that none has."""
    if request.method != "POST":
        defaults = {
            "timezone": str(parts().config.timezone),
            "invoice_format": INVOICE_FORMAT,
            "reset": "month",
            "max_length": MAX_LENGTH,
            "fiscal_year_start_month": 1,
            "issue_ahead_days": ISSUE_AHEAD_DAYS,
        }
        return _form(Form.opened(defaults))
    form = Form.sent()
    try:
        shop = _put(form, shop=_slug_in(form), condition=Condition(_tags, if_none_match=ANY))
    except PreconditionFailed:
        return _form(form.refuse(Invalid.field("shop", said("is the name of a shop already."))))
    except FinanceError as refused:
        return _form(form.refuse(refused))
    return see_other(url_for("web.show_shop", shop=shop), done=_("The shop %(shop)s is set up.", shop=shop))


@page("/shops/<shop>", role="admin")
def show_shop(shop: str) -> Any:
    """Show a shop; its sequences where they are asked for, since each number in them is counted."""
    stored = _get(shop)
    found = None
    if request.args.get("sequences") == "yes":
        listed = sequences.list_sequences(parts().db, tenant=caller().tenant, shop=stored["shop"])
        found = [dump_sequence(sequence) for sequence in listed]
    return render(
        "shops/one.html",
        title=stored["shop"],
        shop=dump_shop(stored),
        sequences=found,
        history_shown=HISTORY_SHOWN,
        changes_in_words=changes_in_words,
        reset_word=reset_word,
    )


@page("/shops/<shop>/edit", methods=["GET", "POST"], role="admin")
def edit_shop(shop: str) -> Any:
    """Change how a shop is set up, unless somebody else has meanwhile."""
    stored = _get(shop)
    if request.method != "POST":
        return _form(_opened(stored), shop=stored)
    form = Form.sent()
    try:
        _put(form, shop=stored["shop"], condition=asking.unchanged(form, _tags))
    except PreconditionFailed:
        changed = _opened(_get(shop))
        changed.status = 409
        changed.notice = _(
            "This changed while you were looking. This is how it stands now; nothing of yours was stored."
        )
        return _form(changed, shop=stored)
    except FinanceError as refused:
        return _form(form.refuse(refused), shop=stored)
    return see_other(url_for("web.show_shop", shop=stored["shop"]), done=_("The changes are stored."))


def changes_in_words(entry: Mapping[str, Any]) -> str:
    """Return what an entry of a shop's history changed, as "Name: A → B"."""
    changes = entry.get("changes")
    if not isinstance(changes, Mapping):
        return ""
    each = [(name, one if isinstance(one, Mapping) else {}) for name, one in changes.items()]
    return ", ".join(f"{label(name)}: {one.get('from', '–')} → {one.get('to', '–')}" for name, one in each)


def _get(shop: str) -> Shop:
    return service.get_readable_shop(parts().db, tenant=caller().tenant, shop=shop.lower())


def _put(form: Form, *, shop: str, condition: Condition) -> str:
    settings = load(ShopSettingsSchema(), _body(form))
    service.put_shop(parts().db, asked(), shop=shop, posted=settings, condition=condition)
    return shop


def _body(form: Form) -> dict[str, Any]:
    """Return the settings as the API takes them; what is no whole number is refused as one out of range."""
    body = form.body(without=("shop",))
    for name in _WHOLE_NUMBERS:
        if name in body:
            typed = body[name]
            body[name] = int(typed) if isinstance(typed, str) and _WHOLE.fullmatch(typed) else -1
    return body


def _slug_in(form: Form) -> str:
    try:
        return shop_slug(form["shop"].strip())
    except Invalid as refused:
        raise Invalid.field("shop", refused.errors[0].detail) from None


def _tags(shop: Shop) -> Collection[str]:
    return (tag_of(dump_shop(shop)),)


def _opened(shop: Shop) -> Form:
    shown = dump_shop(shop)
    return Form.opened({**{name: shown[name] for name in SETTINGS}, "state": tag_of(shown)})


def _form(form: Form, *, shop: Shop | None = None) -> tuple[str, int]:
    title = _("New shop") if shop is None else _("Change %(shop)s", shop=shop["shop"])
    body = render(
        "shops/form.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if form.status != 200 else title,
        form=form,
        shop=shop,
        resets=[(reset, reset_word(reset)) for reset in RESETS],
    )
    return body, form.status
