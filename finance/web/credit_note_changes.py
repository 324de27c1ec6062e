"""What is done with the rest of a credit note: given to invoices, paid back; and what it gave is taken back."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import redirect, request

from finance.allocations.entries import unallocated_minor
from finance.allocations.suggesting import suggested
from finance.auth.guard import caller
from finance.context import parts
from finance.errors import FieldError, FinanceError, Invalid, PreconditionFailed
from finance.invoices import note_giving, service
from finance.invoices.model import OPEN, CreditNote, Invoice
from finance.invoices.schemas import GiveCreditNoteSchema, ReleaseCreditNoteSchema
from finance.invoices.seen import masked_credit_note, masked_invoice, settling, tags_of_credit_note
from finance.money import format_amount, parse_amount, shown_amount
from finance.paging import PageWanted
from finance.payments import likeness
from finance.payments import service as payments
from finance.payments.model import METHODS
from finance.payments.schemas import AllocatedPaymentSchema
from finance.text import fold
from finance.web.asking import ask_page, refused, unchanged
from finance.web.credit_notes import address_of, find_note, has_rest
from finance.web.formats import amount, money_text, today
from finance.web.forms import Form, load
from finance.web.languages import _, ngettext
from finance.web.pages import asked, page, see_other
from finance.web.words import method_word

OPEN_MAX = 50
SEARCH, WORDS = "q", "words"  # what is looked for among the open invoices; what stood on the button
GIVE = "give-"  # before an invoice's number: the field of what it gets
Row = Mapping[str, str]


@page("/credit-notes/<credit_note_number>/allocate", methods=["GET", "POST"])
def allocate_credit_note(credit_note_number: str) -> Any:
    """Give what is left of a credit note to open invoices of its customer: as is suggested, or as was typed."""
    note = find_note(credit_note_number)
    if request.method == "POST":
        form = Form.sent()
        return _ask_give(note, form) if form.does == "search" else _give(note, form)
    if not has_rest(note):
        return redirect(address_of(credit_note_number), 303)
    return _ask_give(note, Form.opened({SEARCH: request.args.get(SEARCH)}), is_suggested=True)


def _give(note: CreditNote, form: Form) -> Any:
    rows: Sequence[Row] = ()
    try:
        rows = _rows_of(form)
        wanted = load(GiveCreditNoteSchema(), {"allocations": rows})["allocations"]
        if form[WORDS] != _words(note, wanted):
            form.notice = _("What will happen is other than was shown. Look at it below, and send it again.")
            return _ask_give(note, form, wanted=wanted)
        note_giving.allocate_credit_note(
            parts().db,
            asked(form.key),
            credit_note_number=note["credit_note_number"],
            posted=wanted,
            settling=settling(),
            condition=unchanged(form, tags_of_credit_note),
        )
    except FinanceError as failure:
        now = find_note(note["credit_note_number"])
        at_fields = _at_fields(failure, rows) if isinstance(failure, Invalid) else failure
        return _ask_give(now, refused(form, at_fields, masked_credit_note(now)))
    total = money_text(_total(note, wanted), note["currency"])
    done = ngettext("%(amount)s is given to %(num)s invoice.", "%(amount)s is given to %(num)s invoices.",
                    len(wanted), amount=total)  # fmt: skip
    return see_other(address_of(note["credit_note_number"]), done=done)


def _ask_give(
    note: CreditNote, form: Form, *, is_suggested: bool = False, wanted: Sequence[Row] | None = None
) -> tuple[str, int]:
    """Return the form with the open invoices, the oldest due first, and with what each would get."""
    invoices = _open_invoices(note, form[SEARCH].strip())
    currency = note.get("currency")
    if is_suggested:
        minors = suggested(unallocated_minor(note) or 0, [_open_minor(invoice) for invoice in invoices])
        given = {invoice["invoice_number"]: minor for invoice, minor in zip(invoices, minors, strict=True) if minor}
        form.values |= {
            f"{GIVE}{number}": amount(shown_amount(minor, currency), currency) for number, minor in given.items()
        }
        wanted = [
            {"invoice_number": number, "amount": format_amount(minor, note["currency"])}
            for number, minor in given.items()
        ]
    shown_numbers = {invoice["invoice_number"] for invoice in invoices}
    others = [name.removeprefix(GIVE) for name in form.values if name.startswith(GIVE) and form.has(name)]
    words = _words(note, wanted) if wanted else form[WORDS] or _("Give")
    form.values[WORDS] = words
    return ask_page(
        "credit_notes/allocate.html",
        _("Give %(number)s to invoices", number=note["credit_note_number"]),
        masked_credit_note(note),
        form,
        invoices=[
            {**masked_invoice(invoice), "open": shown_amount(_open_minor(invoice), currency)} for invoice in invoices
        ],
        others=[number for number in others if number not in shown_numbers],
        words=words,
        open_max=OPEN_MAX,
    )


@page("/credit-notes/<credit_note_number>/release", methods=["GET", "POST"])
def release_credit_note(credit_note_number: str) -> Any:
    """Ask how much to take back of what a credit note gave to an invoice, and why; then do so."""
    note = find_note(credit_note_number)
    if request.method != "POST":
        number = request.args.get("invoice", "")
        given = _given_to(note, number)
        if given is None:
            return redirect(address_of(credit_note_number), 303)
        begins = {"invoice_number": number, "amount": amount(given, note.get("currency"))}
        return _ask_release(note, Form.opened(begins))
    form = Form.sent()
    try:
        posted = load(ReleaseCreditNoteSchema(), form.body())
        note_giving.release_credit_note(
            parts().db,
            asked(form.key),
            credit_note_number=credit_note_number,
            posted={name: value for name, value in posted.items() if value is not None},
            settling=settling(),
            condition=unchanged(form, tags_of_credit_note),
        )
    except FinanceError as failure:
        now = find_note(credit_note_number)
        return _ask_release(now, refused(form, failure, masked_credit_note(now)))
    return see_other(
        address_of(credit_note_number), done=_("It is taken back from %(number)s.", number=form["invoice_number"])
    )


def _ask_release(note: CreditNote, form: Form) -> tuple[str, int]:
    title = _("Take back from %(number)s", number=form["invoice_number"])
    given = _given_to(note, form["invoice_number"])
    return ask_page("credit_notes/release.html", title, masked_credit_note(note), form, given=given)


@page("/credit-notes/<credit_note_number>/refund", methods=["GET", "POST"])
def refund_credit_note(credit_note_number: str) -> Any:
    """Pay back what is left of a credit note, or a part of it: with an outgoing payment that is given to it."""
    note = find_note(credit_note_number)
    if request.method != "POST":
        if not has_rest(note):
            return redirect(address_of(credit_note_number), 303)
        left = amount(masked_credit_note(note)["unallocated"], note.get("currency"))
        begins = {"amount": left, "paid_on": today(), "payer": note.get("customer_name"), "method": "bank_transfer"}
        return _ask_refund(note, Form.opened(begins))
    form = Form.sent()
    try:
        _require_state(note, form)
        posted = load(AllocatedPaymentSchema(), _refund_of(note, form.body()))
        answer = payments.record_payment(
            parts().db, asked(form.key), submit=parts().submit_payment, posted=posted, today=today()
        )
    except FinanceError as failure:
        now = find_note(credit_note_number)
        return _ask_refund(now, refused(form, _at_amount(failure), masked_credit_note(now)))
    number = answer.document["payment_number"]
    done = _("%(number)s pays it back.", number=number)
    if answer.replayed:
        done = _("This form was already stored as %(number)s. Nothing was stored twice.", number=number)
    return see_other(address_of(credit_note_number), done=done)


def _ask_refund(note: CreditNote, form: Form) -> tuple[str, int]:
    title = _("Pay %(number)s back", number=note["credit_note_number"])
    methods = [(method, method_word(method)) for method in METHODS]
    return ask_page("credit_notes/refund.html", title, masked_credit_note(note), form, methods=methods)


def _require_state(note: CreditNote, form: Form) -> None:
    """Raise PreconditionFailed where the credit note changed since the form was shown, unless this form did it."""
    condition = unchanged(form, tags_of_credit_note)
    try:
        condition.require(note)
    except PreconditionFailed:
        if likeness.find_number_of_key(parts().db, tenant=caller().tenant, key=form.key) is None:
            raise


def _refund_of(note: CreditNote, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payment that pays a credit note back, as it is posted."""
    body = {**typed, "direction": "outgoing", "currency": note.get("currency")}
    if isinstance(note.get("customer_code"), str):
        body["customer_code"] = note["customer_code"]
    if "amount" in typed:
        part = {"credit_note_number": note["credit_note_number"], "amount": typed["amount"]}
        body["allocations"] = [part]
    return body


def _at_amount(failure: FinanceError) -> FinanceError:
    """Return a refusal of the one allocation as one of the amount, which is the field that the form has."""
    if not isinstance(failure, Invalid):
        return failure
    errors = {
        (("/amount" if (error.pointer or "").startswith("/allocations") else error.pointer), error.detail)
        for error in failure.errors
    }
    return Invalid(failure.detail, errors=[FieldError(detail, pointer=pointer) for pointer, detail in sorted(errors)])


def _open_invoices(note: CreditNote, search: str) -> list[Invoice]:
    """Return invoices of the note's customer of which something is outstanding, the oldest due first; or the one that
    has the number that is looked for.
    """
    code, name = note.get("customer_code"), note.get("customer_name")
    whose = {"customer_code": code} if isinstance(code, str) else {"customer_folded": fold(str(name))}
    # At least one minor unit: by this the indexes of what is open can be used.
    filters = {**whose, "currency": note.get("currency"), "status": OPEN, "min_outstanding": 1}
    if search:
        filters["invoice_number"] = search[:100]
    found = service.list_invoices(
        parts().db,
        tenant=caller().tenant,
        filters=filters,
        wanted=PageWanted("due_on", None, OPEN_MAX),
        settling=settling(),
    )
    return [
        invoice
        for invoice in found.rows
        if (invoice.get("customer_code"), invoice.get("customer_name")) == (code, name) or code
    ]


def _open_minor(invoice: Invoice) -> int:
    return int(invoice["free_minor"])  # by which it was found


def _rows_of(form: Form) -> list[dict[str, str]]:
    """Return what was typed as allocations of the API; those left empty are none."""
    typed = {name: value for name, value in form.values.items() if name.startswith(GIVE) and value.strip()}
    read = Form({f"{place}-amount": value for place, value in enumerate(typed.values())})
    try:
        amounts: Any = read.body()  # numbered from 0: a list
    except Invalid:
        names = list(typed)
        form.errors |= {names[int(name.partition("-")[0])]: texts for name, texts in read.errors.items()}
        raise
    rows = amounts if isinstance(amounts, list) else []
    return [{"invoice_number": name.removeprefix(GIVE), **row} for name, row in zip(typed, rows, strict=True)]


def _at_fields(failure: Invalid, rows: Sequence[Row]) -> Invalid:
    """Return a refusal whose errors stand at the fields of the form: /allocations/0/amount is that of its invoice."""
    errors = []
    for error in failure.errors:
        names = (error.pointer or "").split("/")
        place = int(names[2]) if len(names) > 2 and names[1] == "allocations" and names[2].isdigit() else len(rows)
        pointer = f"/{GIVE}{rows[place]['invoice_number']}" if place < len(rows) else error.pointer
        errors.append(FieldError(error.detail, pointer=pointer))
    return type(failure)(failure.detail, errors=errors) if type(failure) is Invalid else failure


def _total(note: CreditNote, wanted: Sequence[Row]) -> str:
    """Return what these parts come to; raises Invalid at the place of one that can't be."""
    minors = [
        parse_amount(one["amount"], note["currency"], name=f"allocations/{place}/amount")
        for place, one in enumerate(wanted)
    ]
    return format_amount(sum(minors), note["currency"])


def _words(note: CreditNote, wanted: Sequence[Row]) -> str:
    """Return what the button says: how much is given to how many."""
    return ngettext(
        "Give %(amount)s to %(num)s invoice",
        "Give %(amount)s to %(num)s invoices",
        len(wanted),
        amount=money_text(_total(note, wanted), note["currency"]),
    )


def _given_to(note: CreditNote, number: str) -> str | None:
    """Return what a credit note gives to an invoice, None where that is nothing."""
    given = masked_credit_note(note)["allocations"]
    return next((one["amount"] for one in given if number and one["invoice_number"] == number), None)
