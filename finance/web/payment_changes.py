"""What changes a payment: its note and reference are corrected, it is voided, what it gave is taken back.

Each form carries the state that it showed. Where the payment has another one by then nothing is stored, and the form is
shown again as things stand now.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, redirect, request, url_for

from finance.conditions import Condition
from finance.context import parts
from finance.edge.conditions import tag_of
from finance.errors import Conflict, FinanceError, PreconditionFailed
from finance.payments import allocating, service
from finance.payments.answers import dump_payment
from finance.payments.model import Payment
from finance.payments.schemas import PaymentEditSchema, ReleaseSchema, VoidSchema
from finance.web import asking
from finance.web.formats import amount
from finance.web.forms import Form, load
from finance.web.languages import _, readers_text
from finance.web.pages import asked, page, render, see_other
from finance.web.payment_words import becomes, voiding_of
from finance.web.payments import get_payment, payment_page

GIVEN_SHOWN = 20
CORRECTED = ("reference", "note")
Ask = Callable[..., tuple[str, int]]


@page("/payments/<payment_number>/edit", methods=["GET", "POST"])
def edit_payment(payment_number: str) -> Any:
    """Correct the note and the reference of a payment."""

    def store(form: Form) -> str:
        body = {name: form[name].strip() or None for name in CORRECTED}
        edits = load(PaymentEditSchema(), body)
        service.edit_payment(parts().db, asked(), payment_number=payment_number, edits=edits, condition=unchanged(form))
        return _("The reference and the note are as you wrote them.")

    def ask(payment: Payment, form: Form) -> tuple[str, int]:
        title = _("Correct %(number)s", number=payment["payment_number"])
        return ask_page("payments/edit.html", title, payment, form)

    return changing(payment_number, ask, store, opened=lambda payment: {name: payment.get(name) for name in CORRECTED})


@page("/payments/<payment_number>/void", methods=["GET", "POST"])
def void_payment(payment_number: str) -> Any:
    """Ask whether to void a payment, and why; then do so."""

    def store(form: Form) -> str:
        posted = load(VoidSchema(), form.body())
        answer = service.void_payment(
            parts().db,
            asked(form.key),
            payment_number=payment_number,
            reason=posted["reason"],
            condition=unchanged(form),
        )
        return _("%(number)s is voided.", number=answer.document["payment_number"])

    def ask(payment: Payment, form: Form) -> tuple[str, int]:
        shown = dump_payment(payment)
        given = [becomes(one, shown["currency"]) for one in shown["allocations"]]
        return ask_page(
            "payments/void.html",
            _("Void %(number)s", number=payment["payment_number"]),
            payment,
            form,
            question=voiding_of(shown),
            given=given[:GIVEN_SHOWN] if len(given) > 1 else [],
            not_shown=max(0, len(given) - GIVEN_SHOWN),
        )

    return changing(payment_number, ask, store, is_possible=is_open)


@page("/payments/<payment_number>/release", methods=["GET", "POST"])
def release_payment(payment_number: str) -> Any:
    """Ask how much to take back of what a payment gave to one invoice or credit note, and why; then do so."""

    def store(form: Form) -> str:
        posted = load(ReleaseSchema(), form.body())
        allocating.release_payment(
            parts().db,
            asked(form.key),
            payment_number=payment_number,
            sink=posted,
            amount=posted.get("amount"),
            reason=posted["reason"],
            condition=unchanged(form),
        )
        return _("It is taken back from %(number)s.", number=_sink_of(form.values)[1])

    def ask(payment: Payment, form: Form) -> tuple[str, int]:
        title = _("Take back from %(number)s", number=_sink_of(form.values)[1])
        given = _given_to(payment, form.values)
        return ask_page("payments/release.html", title, payment, form, given=given, sink=_sink_of(form.values))

    def opened(payment: Payment) -> dict[str, Any]:
        field, number = _sink_of(_of_query())
        given = _given_to(payment, {field: number}) or {}
        return {field: number, "amount": amount(given.get("amount"), payment.get("currency"))}

    def is_possible(payment: Payment) -> bool:
        values = request.form.to_dict() if request.method == "POST" else _of_query()
        return is_open(payment) and _given_to(payment, values) is not None

    return changing(payment_number, ask, store, opened=opened, is_possible=is_possible)


def changing(
    payment_number: str,
    ask: Ask,
    store: Callable[[Form], str],
    *,
    opened: Callable[[Payment], Mapping[str, Any]] = lambda payment: {},
    is_possible: Callable[[Payment], bool] = lambda payment: True,
) -> Any:
    """Return the page that asks before a payment is changed; sent, have it changed, and lead to the payment.

    `store` changes it and returns what is said of that; `is_possible` says whether there is anything to ask for.
    """
    payment = get_payment(payment_number)
    if request.method != "POST":
        return _opened(payment_number, payment, ask, opened, is_possible)
    form = Form.sent()
    try:
        done = store(form)
    except (PreconditionFailed, Conflict) as refused:
        return as_it_stands_now(payment_number, form, refused, ask, is_possible)
    except FinanceError as refused:
        return ask(payment, form.refuse(refused))
    return see_other(url_for("web.show_payment", payment_number=payment_number), done=done)


def as_it_stands_now(
    payment_number: str, form: Form, refused: FinanceError, ask: Ask, is_possible: Callable[[Payment], bool]
) -> tuple[str, int]:
    """Return the form again, or the payment where there is nothing left to ask, as things are now."""
    payment = get_payment(payment_number)
    notice = _("This changed while you were looking. This is how it stands now; nothing of yours was stored.")
    if isinstance(refused, Conflict):
        notice = f"{notice} {readers_text(refused.detail)}"
    if not is_possible(payment):
        return payment_page(payment, notice=notice, status=409)
    again = Form(form.values)  # a key of its own: what is sent now is another request
    again.values["state"] = state_of(payment)
    again.status, again.notice = 409, notice
    return ask(payment, again)


def ask_page(template: str, title: str, payment: Payment, form: Form, **shown: Any) -> tuple[str, int]:
    """Return a page that asks; the form carries the state of the payment that it shows."""
    form.values.setdefault("state", state_of(payment))
    page_title = _("Problem: %(title)s", title=title) if form.status != 200 else title
    values = {"payment": dump_payment(payment), "form": form, **shown}
    return render(template, title=title, page_title=page_title, **values), form.status


def state_of(payment: Payment) -> str:
    """Return the tag of a payment's state: that of the API."""
    return tag_of(dump_payment(payment))


def unchanged(form: Form) -> Condition:
    """Return what a service asks of the payment: that it is as the form showed it."""
    return asking.unchanged(form, lambda payment: (state_of(payment),))


def is_open(payment: Payment) -> bool:
    return payment.get("status") != "voided"


def _opened(
    payment_number: str, payment: Payment, ask: Ask, opened: Callable[[Payment], Any], is_possible: Any
) -> Response | tuple[str, int]:
    own = payment["payment_number"]
    if not is_possible(payment):
        return redirect(url_for("web.show_payment", payment_number=own), 303)  # type: ignore[return-value]
    if own != payment_number:  # one that a repair gave another number
        here: Any = {"payment_number": own, **request.args.to_dict()}
        return redirect(url_for(str(request.endpoint), **here), 303)  # type: ignore[return-value]
    return ask(payment, Form.opened(opened(payment)))


def _of_query() -> dict[str, str]:
    return {f"{kind}_number": request.args[kind] for kind in ("invoice", "credit_note") if kind in request.args}


def _sink_of(values: Mapping[str, str]) -> tuple[str, str]:
    """Return which field names what was given to, and the number."""
    field = "invoice_number" if values.get("invoice_number") else "credit_note_number"
    return field, values.get(field, "")


def _given_to(payment: Payment, values: Mapping[str, str]) -> Mapping[str, Any] | None:
    field, number = _sink_of(values)
    found = (one for one in dump_payment(payment)["allocations"] if number and one[field] == number)
    return next(found, None)
