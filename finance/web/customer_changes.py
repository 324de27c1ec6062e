"""`/customers/new`, `…/edit`: the whole form of a customer. `…/deactivate`, `…/activate`, `…/erase` ask first."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from flask import request, url_for

from finance.auth.guard import caller
from finance.conditions import Condition
from finance.context import parts
from finance.customers import activation, codes, erasure, saving, service
from finance.customers.activation import StatusChange
from finance.customers.changes import require_not_erased
from finance.customers.likeness import PossibleDuplicateCustomer
from finance.customers.masking import is_masked, mask
from finance.customers.model import Customer, parse_code, version_of
from finance.customers.schemas import CustomerFormSchema, ReasonSchema, dump_listed_customer
from finance.customers.service import CustomerCodeTaken
from finance.errors import FinanceError, PreconditionFailed
from finance.once import Answer, IdempotencyKeyReused
from finance.web import asking, customer_form
from finance.web.customers import accounts_of, book, get_customer, plain
from finance.web.forms import OURS, SECRET, Form, load
from finance.web.languages import _
from finance.web.pages import asked, label, page, render, see_other

T = TypeVar("T")

TAKE_CODE = "take "  # before the code that is offered, in what a button does


@page("/customers/new", methods=["GET", "POST"])
def onboard_customer() -> Any:
    """Onboard a customer, once however often the form is sent."""
    if request.method != "POST":
        return _new_page(Form.opened({"tds-applicable": ""}))
    form = Form.sent()
    if form.does and form.does != "save":
        return _new_page(form, worked_in=_without_storing(form))
    try:
        answer = _onboard(form)
    except FinanceError as refused:
        return _new_page(_refused(form, refused), suggested=_suggested(refused))
    code = answer.document["customer_code"]
    said = _("%(code)s is stored.", code=code)
    if answer.replayed:
        said = _("This form was already stored as %(number)s. Nothing was stored twice.", number=code)
    return see_other(url_for("web.show_customer", customer_code=code), done=said)


@page("/customers/<customer_code>/edit", methods=["GET", "POST"])
def edit_customer(customer_code: str) -> Any:
    """Save the whole form again, unless somebody else did so meanwhile."""
    customer = get_customer(customer_code)
    require_not_erased(customer)
    if request.method != "POST":
        form = Form.opened({**customer_form.values_of(customer), "state": state_of(customer)})
        return _edit_page(customer, form)
    form = Form.sent()
    if form.does and form.does != "save":
        return _edit_page(customer, form, worked_in=_without_storing(form))
    try:
        saved, _created = _save(customer["customer_code"], form)
    except PreconditionFailed:
        return _changed_meanwhile(get_customer(customer_code), form)
    except FinanceError as refused:
        return _edit_page(customer, _refused(form, refused))
    code = saved["customer_code"]
    return see_other(url_for("web.show_customer", customer_code=code), done=_("%(code)s is saved.", code=code))


@page("/customers/<customer_code>/deactivate", methods=["GET", "POST"])
def deactivate_customer(customer_code: str) -> Any:
    """Ask whether to deactivate a customer, and then do so."""
    return _set_status(customer_code, "inactive")


@page("/customers/<customer_code>/activate", methods=["GET", "POST"])
def activate_customer(customer_code: str) -> Any:
    """Ask whether to make a customer active again, and then do so."""
    return _set_status(customer_code, "active")


@page("/customers/<customer_code>/erase", methods=["GET", "POST"], role="admin")
def erase_customer(customer_code: str) -> Any:
    """Ask whether to erase a customer for good, and then do so."""

    def erase(form: Form, reason: str, condition: Condition) -> Answer[Customer]:
        return erasure.erase_customer(
            book(), asked(form.key), customer_code=customer_code, reason=reason, condition=condition
        )

    return _ask_first(customer_code, "erase", erase, done=_("%(code)s is erased."))


def state_of(customer: Customer) -> str:
    """Return what the state of a customer that a form was opened with is called; each change raises the version."""
    return str(version_of(customer))


def _onboard(form: Form) -> Answer[Customer]:
    posted = load(CustomerFormSchema(), customer_form.body_of(form))
    parts().protect()
    onboard = partial(service.onboard_customer, book(), asked(form.key), posted=posted)
    return _unless_asked(form, lambda confirmed: onboard(confirmed=confirmed))


def _save(customer_code: str, form: Form) -> tuple[Customer, bool]:
    posted = load(CustomerFormSchema(), customer_form.body_of(form))
    parts().protect()
    save = partial(
        saving.save_customer,
        book(),
        asked(form.key),
        customer_code=customer_code,
        posted=posted,
        condition=_as_shown(form),
        may_change_banking=caller().may(parts().config.bank_changes),
    )
    return _unless_asked(form, lambda confirmed: save(confirmed=confirmed))


def _unless_asked(form: Form, save: Callable[[bool], T]) -> T:
    """Save it; where it may be another customer, only if that is the one that was asked about, and it was confirmed."""
    try:
        return save(False)
    except PossibleDuplicateCustomer as possible:
        if form["confirmed"] != possible.extra["duplicate_of"]:
            raise
        return save(True)


def _as_shown(form: Form) -> Condition:
    """Return the condition that the customer is still as it was when the form was opened."""
    return asking.unchanged(form, lambda customer: (state_of(customer),))


def _without_storing(form: Form) -> str | None:
    """Do what a button asks for that stores nothing, and return the part that it is about."""
    if form.does.startswith(TAKE_CODE):
        form.values["customer_code"] = parse_code(form.does.removeprefix(TAKE_CODE)) or ""
    elif form.does == "anew":
        form.key = str(uuid.uuid4())
    elif form.does == "code":
        parts().protect()
        form.values["customer_code"] = codes.hand_out_code(parts().db, asked(form.key)).document
    return customer_form.change_rows(form)


def _refused(form: Form, refused: FinanceError) -> Form:
    """Take over why a form was not stored; that another customer has the same PAN is asked about once."""
    form.refuse(refused)
    if isinstance(refused, PossibleDuplicateCustomer):
        form.duplicate_of = str(refused.extra["duplicate_of"])
        form.errors.pop("", None)
        if not form.errors:
            form.errors[""] = [_("Another active customer has the same PAN or GSTIN.")]
    if isinstance(refused, IdempotencyKeyReused):
        code = service.find_code_of_request(book(), tenant=caller().tenant, idempotency_key=form.key)
        form.stored = (code, url_for("web.show_customer", customer_code=code)) if code else None
    return form


def _suggested(refused: FinanceError) -> str | None:
    return str(refused.extra["suggested_code"]) if isinstance(refused, CustomerCodeTaken) else None


def _new_page(form: Form, *, worked_in: str | None = None, suggested: str | None = None) -> tuple[str, int]:
    title = _("New customer")
    return _form_page(form, title=title, worked_in=worked_in, suggested=suggested, code=None)


def _edit_page(customer: Customer, form: Form, *, worked_in: str | None = None) -> tuple[str, int]:
    code = customer["customer_code"]
    return _form_page(form, title=_("Edit %(code)s", code=code), worked_in=worked_in, code=code)


def _form_page(form: Form, *, title: str, worked_in: str | None, **shown: Any) -> tuple[str, int]:
    form_parts = customer_form.parts_of(form)
    body = render(
        "customers/form.html",
        title=title,
        page_title=_("Problem: %(title)s", title=title) if form.status != 200 else title,
        form=form,
        parts=form_parts,
        open_part=customer_form.open_part(form_parts, worked_in),
        rows_max=customer_form.ROWS_MAX,
        **shown,
    )
    return body, form.status


def _changed_meanwhile(customer: Customer, sent: Form) -> tuple[str, int]:
    """Show the customer as it stands now, and beside it what was typed otherwise."""
    now = customer_form.values_of(customer)
    form = Form({**now, "state": state_of(customer)})
    form.status = 422
    form.notice = _("This changed while you were looking. This is how it stands now; nothing of yours was stored.")
    names = [name for name in {**now, **sent.values} if name not in OURS and sent[name].strip() != now.get(name, "")]
    typed = [(_name_of(name), _seen(name, now.get(name, "")), _seen(name, sent[name])) for name in names]
    return _form_page(
        form,
        title=_("Edit %(code)s", code=customer["customer_code"]),
        worked_in=None,
        code=customer["customer_code"],
        typed=typed,
    )


def _name_of(field: str) -> str:
    """Return what a field is called, with the number of its row where it has one."""
    *above, name = field.split("-")
    return f"{label(name)} {int(above[-1]) + 1}" if above and above[-1].isdecimal() else label(name)


def _seen(field: str, value: str) -> str:
    """Return a value as it may be shown beside another; a number that is secret is masked there."""
    return mask(value) if field.rpartition("-")[2] in SECRET and not is_masked(value) else value


def _set_status(customer_code: str, status: Any) -> Any:
    def change(form: Form, reason: str, condition: Condition) -> Answer[Customer]:
        set_status = partial(
            activation.set_status, book(), asked(form.key), customer_code=customer_code, condition=condition
        )
        return _unless_asked(form, lambda confirmed: set_status(change=StatusChange(status, reason, confirmed)))

    if status == "active":
        return _ask_first(customer_code, "activate", change, done=_("%(code)s is active again."))
    return _ask_first(customer_code, "deactivate", change, done=_("%(code)s is deactivated."))


def _ask_first(
    customer_code: str, what: str, change: Callable[[Form, str, Condition], Answer[Customer]], *, done: str
) -> Any:
    """Ask for the reason and do it, to the customer as it was shown."""
    customer = get_customer(customer_code)
    if request.method != "POST":
        require_not_erased(customer)
        return _ask_page(customer, what, Form.opened({"state": state_of(customer)}))
    form = Form.sent()
    try:
        reason = load(ReasonSchema(), form.body())["reason"]
        parts().protect()
        change(form, reason, _as_shown(form))
    except PreconditionFailed:
        customer = get_customer(customer_code)
        form.values["state"] = state_of(customer)
        form.status = 422
        form.notice = _("This changed while you were looking. This is how it stands now; nothing of yours was stored.")
        return _ask_page(customer, what, form)
    except FinanceError as refused:
        return _ask_page(customer, what, _refused(form, refused))
    code = customer["customer_code"]
    return see_other(url_for("web.show_customer", customer_code=code), done=done % {"code": code})


def _ask_page(customer: Customer, what: str, form: Form) -> tuple[str, int]:
    code = customer["customer_code"]
    titles = {
        "deactivate": _("Deactivate %(code)s?", code=code),
        "activate": _("Make %(code)s active again?", code=code),
        "erase": _("Erase %(code)s?", code=code),
    }
    body = render(
        "customers/ask.html",
        title=titles[what],
        page_title=_("Problem: %(title)s", title=titles[what]) if form.status != 200 else titles[what],
        form=form,
        what=what,
        code=code,
        name=plain(dump_listed_customer(customer))["customer_name"],
        accounts=accounts_of(code),
    )
    return body, form.status
