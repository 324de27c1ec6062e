"""`/invoices/new`: an invoice is issued, once however often its form is sent."""

from collections.abc import Mapping
from typing import Any

from flask import request

from finance.auth.guard import caller
from finance.context import parts
from finance.customers.model import Book
from finance.errors import FieldError, FinanceError, Invalid
from finance.invoices import issuing, likeness
from finance.invoices.answers import dump_totals
from finance.invoices.credit_limits import OverCreditLimit
from finance.invoices.schemas import LinesSchema, NewInvoiceSchema
from finance.invoices.sequences import IssuedOnBeforeLast
from finance.invoices.totals import computed
from finance.money import require_currency
from finance.said import said
from finance.shops import service as shops
from finance.shops.model import Shop
from finance.web import line_fields
from finance.web.customer_finding import FOUND, find_customers, take_found
from finance.web.formats import money_text, today
from finance.web.forms import Form, load
from finance.web.invoices import address_of, find_invoice, shown_invoice
from finance.web.languages import _
from finance.web.pages import asked, page, render, see_other

ALIKE, OVER_LIMIT = "confirmed", "confirm_over_limit"  # the boxes that are ticked where something was asked
ON = "on-"  # before the day that the button of the earliest possible one names
COPIED = ("shop", "customer_code", "customer_name", "customer_address", "currency", "notes")


@page("/invoices/new", methods=["GET", "POST"])
def issue_invoice() -> Any:
    """Issue an invoice; a form that names another one (?like=) is filled in as that was."""
    if request.method != "POST":
        return _form(Form.opened(_prefilled()))
    form = take_found(Form.sent())
    if form.does == "find":
        return _form(form, customers=find_customers(form["customer_code"] or form["customer_name"]))
    if form.does == "anew":
        kept = {name: value for name, value in form.values.items() if name not in (ALIKE, OVER_LIMIT)}
        return _form(Form(kept))
    if line_fields.change(form):
        return _form(form)
    line_fields.leave_out_empty(form)
    if form.does == "totals":
        return _form(form, totals=_totals(form))
    if form.does.startswith(ON):
        form.values["issued_on"] = form.does.removeprefix(ON)
    return _issue(form)


def _issue(form: Form) -> Any:
    shared, now_asked = parts(), asked(form.key)
    try:
        posted = load(NewInvoiceSchema(), line_fields.body_of(form, without=(OVER_LIMIT, FOUND)))
        alike = None if form.confirmed else likeness.find_like(shared.db, now_asked, posted=posted)
        if alike is not None:
            form.status = 422
            return _form(form, totals=_totals(form), alike=alike)
        answer = issuing.issue_invoice(
            Book(shared.db, shared.cipher),
            now_asked,
            submit=shared.submit_invoice,
            posted=posted,
            over_limit_confirmed=form.has(OVER_LIMIT),
        )
    except IssuedOnBeforeLast as refused:
        return _form(form.refuse(refused), totals=_totals(form), earliest=(refused.extra or {}).get("earliest"))
    except OverCreditLimit as refused:
        return _form(form.refuse(_over_limit(refused, form)), totals=_totals(form), is_over_limit=True)
    except FinanceError as refused:
        return _form(_with_stored(form.refuse(refused)))
    number = answer.document["invoice_number"]
    said = _("%(number)s is issued.", number=number)
    if answer.replayed:
        said = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    return see_other(address_of(number), done=said)


def _form(form: Form, **shown: Any) -> tuple[str, int]:
    title = _("Issue an invoice")
    body = render(
        "invoices/new.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if form.status != 200 else title,
        form=form,
        shops=[(shop["shop"], _words(shop)) for shop in _offered()],
        lines=range(line_fields.count_of(form)),
        **shown,
    )
    return body, form.status


def _totals(form: Form) -> Mapping[str, Any] | None:
    """Return what the lines come to, by the API's own reckoning; None where they can't be read, and why at them."""
    try:
        body = line_fields.body_of(form, without=(OVER_LIMIT, FOUND))
        loaded = load(LinesSchema(), {"lines": body.get("lines", [])})
        return dump_totals(computed(loaded, _currency(body)))
    except FinanceError as refused:
        form.refuse(refused)
        return None


def _currency(body: Mapping[str, Any]) -> str:
    """Return the currency that was typed, else the shop's."""
    if body.get("currency"):
        return require_currency(body["currency"])
    shop = shops.find_shop(parts().db, tenant=caller().tenant, shop=str(body.get("shop", "")).lower())
    if shop is None:
        raise Invalid.field("shop", said("Choose the shop, or write a currency: it says how the totals are rounded."))
    return shop["currency"]


def _prefilled() -> dict[str, Any]:
    """Return what a form begins with: as another invoice, else for a customer that the address names."""
    begins: dict[str, Any] = {"issued_on": today()}
    like = request.args.get("like")
    if like is None:
        code = request.args.get("customer_code")
        return {**begins, "customer_code": code, "lines-0-quantity": "1"}
    shown = shown_invoice(find_invoice(like))
    copied = {name: shown[name] for name in COPIED if isinstance(shown[name], str)}
    if "customer_code" in copied:  # its name and its address are those of the day of issue
        copied = {name: value for name, value in copied.items() if name not in ("customer_name", "customer_address")}
    return {**begins, **copied, **line_fields.fields_of(shown["lines"])}


def _over_limit(refused: OverCreditLimit, form: Form) -> Invalid:
    """Return the refusal in the words of a page, which has a box to tick where the API has a parameter."""
    currency = form["currency"].strip() or _currency(form.values)
    told = refused.extra or {}
    detail = _(
        "%(outstanding)s is outstanding of this customer. With this invoice it is more than its credit limit, "
        "%(limit)s.",
        outstanding=money_text(told.get("outstanding"), currency),
        limit=money_text(told.get("credit_limit"), currency),
    )
    return Invalid(errors=[FieldError(detail, pointer="/customer_code")])


def _with_stored(form: Form) -> Form:
    """Return a form that was stored already, with other values, knowing as what."""
    if form.reused:
        number = likeness.find_number_of_key(parts().db, tenant=caller().tenant, key=form.key)
        form.stored = (number, address_of(number)) if number else None
    return form


def _offered() -> list[Shop]:
    """Return the shops that can be asked for; one that is damaged says so when it is."""
    return [shop for shop in shops.list_shops(parts().db, tenant=caller().tenant) if shop["shop"] is not None]


def _words(shop: Shop) -> str:
    return f"{shop.get('name') or '–'} ({shop['shop']})"
