"""`/payments/PAY…/allocate`: what is left is given to open invoices; an outgoing payment pays credit notes back.

The oldest due comes first, and gets as much as it takes. The button says what will be given: where the amounts are
others than those that it was made from, it is made anew, and nothing is given yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import redirect, request, url_for

from finance.allocations.model import OtherCustomersInvoice
from finance.context import parts
from finance.errors import Conflict, FieldError, FinanceError, Invalid, PreconditionFailed
from finance.payments import allocating
from finance.payments.model import Payment
from finance.payments.schemas import AllocationsSchema
from finance.said import said
from finance.web.formats import amount, money_text
from finance.web.forms import Form, load
from finance.web.languages import _, ngettext
from finance.web.open_lines import OPEN_MAX, OpenLine, open_lines
from finance.web.pages import asked, page, see_other
from finance.web.payment_changes import as_it_stands_now, ask_page, unchanged
from finance.web.payments import can_give, get_payment

OTHER_CUSTOMER = "confirm_other_customer"
_OURS = ("q", "button", OTHER_CUSTOMER)
Row = Mapping[str, str]


@page("/payments/<payment_number>/allocate", methods=["GET", "POST"])
def allocate_payment(payment_number: str) -> Any:
    """Give what is left of a payment: as is suggested, or as was typed."""
    payment = get_payment(payment_number)
    own = payment["payment_number"]
    if request.method == "POST":
        return _give(payment_number, payment, Form.sent())
    if own != payment_number or not can_give(payment):
        endpoint = "web.allocate_payment" if can_give(payment) else "web.show_payment"
        return redirect(url_for(endpoint, payment_number=own), 303)
    return _ask(payment, Form.opened({"q": request.args.get("q")}))


def _give(payment_number: str, payment: Payment, form: Form) -> Any:
    rows: Sequence[tuple[int, Row]] = ()
    try:
        rows = _rows_of(form)
        wanted = load(AllocationsSchema(), {"allocations": [row for _place, row in rows]})["allocations"]
        total = money_text(allocating.total_of(payment, wanted), payment["currency"])
        words = _words(payment, total, len(wanted))
        if form["button"] != words:
            return _ask(payment, form, typed=_typed(form), words=words, is_changed=True)
        allocating.allocate_payment(
            parts().db,
            asked(form.key),
            payment_number=payment_number,
            wanted=wanted,
            confirmed=form.has(OTHER_CUSTOMER),
            submit=parts().submit_payment,
            condition=unchanged(form),
        )
    except OtherCustomersInvoice:
        form.status = 422
        return _ask(payment, form, typed=_typed(form), words=form["button"], is_of_another=True)
    except (PreconditionFailed, Conflict) as refused:
        return as_it_stands_now(payment_number, form, refused, _ask, can_give)
    except FinanceError as refused:
        return _ask(payment, form.refuse(_at_places(refused, rows)), typed=_typed(form), words=form["button"])
    said = _said(payment, total, len(wanted))
    return see_other(url_for("web.show_payment", payment_number=payment["payment_number"]), done=said)


def _ask(
    payment: Payment,
    form: Form,
    *,
    typed: Mapping[str, str] | None = None,
    words: str | None = None,
    **shown: Any,
) -> tuple[str, int]:
    """Return the form with what is open: with the amounts that were typed, else with those that are suggested."""
    lines = open_lines(payment, search=form["q"])
    currency = payment["currency"]
    if typed is None:
        parts_of_it, total = allocating.suggest(payment, [line.open_minor for line in lines])
        given = [(line.number, part) for line, part in zip(lines, parts_of_it, strict=True)]
        typed = {number: amount(part, currency) for number, part in given if number and part}
        words = _words(payment, money_text(total, currency), len(typed)) if typed else ""
    form.values["button"] = words or ""
    _lay_out(form, lines, typed)
    outgoing = payment.get("direction") == "outgoing"
    title = _("Give %(number)s to invoices", number=payment["payment_number"])
    if outgoing:
        title = _("Pay credit notes back with %(number)s", number=payment["payment_number"])
    return ask_page("payments/allocate.html", title, payment, form, lines=lines, outgoing=outgoing, **shown)


def _words(payment: Payment, total: str, count: int) -> str:
    """Return what the button says: exactly what will be given."""
    if payment.get("direction") == "outgoing":
        return ngettext(
            "Pay back %(amount)s of %(num)s credit note",
            "Pay back %(amount)s of %(num)s credit notes",
            count,
            amount=total,
        )
    return ngettext("Give %(amount)s to %(num)s invoice", "Give %(amount)s to %(num)s invoices", count, amount=total)


def _said(payment: Payment, total: str, count: int) -> str:
    """Return what is said once it is done."""
    if payment.get("direction") == "outgoing":
        return ngettext(
            "%(amount)s of %(num)s credit note is paid back.",
            "%(amount)s of %(num)s credit notes is paid back.",
            count,
            amount=total,
        )
    return ngettext(
        "%(amount)s is given to %(num)s invoice.", "%(amount)s is given to %(num)s invoices.", count, amount=total
    )


def _rows_of(form: Form) -> list[tuple[int, Row]]:
    """Return the rows of the form in which an amount stands, each with its place; raises Invalid."""
    body = form.body(without=_OURS)
    listed = body.pop("allocations", None)
    rows = listed if isinstance(listed, list) else []
    found: list[tuple[int, Row]] = [
        (place, row) for place, row in enumerate(rows) if isinstance(row, dict) and _has_amount(row)
    ]
    if not found:
        raise Invalid(said("Write how much to give, in one of the lines at least."))
    return found


def _has_amount(row: Row) -> bool:
    amount = row.get("amount", "0")
    return isinstance(amount, str) and bool(set(amount) - set("0."))


def _at_places(refused: FinanceError, rows: Sequence[tuple[int, Row]]) -> FinanceError:
    """Return a refusal with its pointers at the places of the form, where the rows without an amount are too."""
    moved = []
    for error in refused.errors:
        parts_of_it = (error.pointer or "").split("/")
        place = parts_of_it[2] if len(parts_of_it) > 2 and parts_of_it[1] == "allocations" else ""
        if place.isdigit() and int(place) < len(rows):
            parts_of_it[2] = str(rows[int(place)][0])
            error = FieldError(error.detail, pointer="/".join(parts_of_it))
        moved.append(error)
    refused.errors = moved
    return refused


def _typed(form: Form) -> dict[str, str]:
    """Return the amounts that were typed, by the number that they stand beside."""
    return {
        _number_at(form, place): form[f"allocations-{place}-amount"]
        for place in range(OPEN_MAX)
        if _number_at(form, place)
    }


def _number_at(form: Form, place: int) -> str:
    return form[f"allocations-{place}-invoice_number"] or form[f"allocations-{place}-credit_note_number"]


def _lay_out(form: Form, lines: Sequence[OpenLine], typed: Mapping[str, str]) -> None:
    """Put what is open into the form's rows, with the amounts that were typed and what is wrong with them."""
    was = {_number_at(form, place): place for place in range(OPEN_MAX)}
    rows: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    for place, line in enumerate(lines):
        if line.number is None:
            continue
        rows[f"allocations-{place}-amount"] = typed.get(line.number, "")
        for field in ("amount", line.field):
            wrong = form.errors.pop(f"allocations-{was.get(line.number)}-{field}", None)
            if wrong:
                errors.setdefault(f"allocations-{place}-amount", []).extend(wrong)
    form.values = {name: value for name, value in form.values.items() if not name.startswith("allocations-")} | rows
    form.errors |= errors
