"""`/credit-notes/AV-…/allocate`: what is left of a credit note is given to open invoices of its customer.

The oldest due comes first, and gets as much as it takes. The button says what will be given: where the amounts are
others than those that it was made from, it is made anew, and nothing is given yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import redirect, request

from finance.auth.guard import caller
from finance.context import parts
from finance.damaged import text_of
from finance.errors import FieldError, FinanceError, Invalid
from finance.invoices import note_giving, service
from finance.invoices.model import OPEN, CreditNote, Invoice
from finance.invoices.schemas import GIVEN_MAX, GiveCreditNoteSchema
from finance.invoices.seen import masked_credit_note, settling, tags_of_credit_note
from finance.money import shown_amount
from finance.paging import PageWanted
from finance.said import said
from finance.text import fold
from finance.web.asking import ask_page, refused, unchanged
from finance.web.credit_notes import address_of, find_note, has_rest
from finance.web.formats import amount, money_text
from finance.web.forms import Form, load
from finance.web.invoices import shown_invoice
from finance.web.languages import _, ngettext
from finance.web.pages import asked, page, see_other

OPEN_MAX = 50
SEARCH, WORDS = "q", "words"  # what is looked for among the open invoices; what stood on the button
GIVE, AMOUNT = "give-", "-amount"  # around an invoice's number: the field of what it gets
Row = Mapping[str, str]


@page("/credit-notes/<credit_note_number>/allocate", methods=["GET", "POST"])
def allocate_credit_note(credit_note_number: str) -> Any:
    """Give what is left of a credit note to open invoices of its customer: as is suggested, or as was typed."""
    note = find_note(credit_note_number)
    if request.method == "POST":
        form = Form.sent()
        return _ask(note, form) if form.does == "search" else _give(note, form)
    if not has_rest(note):
        return redirect(address_of(credit_note_number), 303)
    form = Form.opened({SEARCH: request.args.get(SEARCH)})
    invoices = _open_invoices(note, form[SEARCH])
    suggested = note_giving.suggest(note, [_open_minor(invoice) for invoice in invoices])
    given = {invoice["invoice_number"]: part for invoice, part in zip(invoices, suggested, strict=True) if part}
    if WORDS not in form.values:  # and not as somebody left it who had to sign in again
        form.values |= {f"{GIVE}{number}{AMOUNT}": amount(part, note["currency"]) for number, part in given.items()}
    return _ask(note, form, wanted=[{"invoice_number": number, "amount": part} for number, part in given.items()])


def _give(note: CreditNote, form: Form) -> Any:
    number, rows = note["credit_note_number"], list[dict[str, str]]()
    try:
        rows = _rows_of(form)
        wanted = load(GiveCreditNoteSchema(), {"allocations": rows})["allocations"]
        if form[WORDS] != _words(note, wanted):
            form.notice = _("What will happen is other than was shown. Look at it below, and send it again.")
            return _ask(note, form, wanted=wanted)
        note_giving.allocate_credit_note(
            parts().db,
            asked(form.key),
            credit_note_number=number,
            posted=wanted,
            settling=settling(),
            condition=unchanged(form, tags_of_credit_note),
        )
    except FinanceError as failure:
        now = find_note(number)
        return _ask(now, refused(form, _at_fields(failure, rows), masked_credit_note(now)))
    total = money_text(note_giving.total_of(note, wanted), note["currency"])
    done = ngettext(
        "%(amount)s is given to %(num)s invoice.",
        "%(amount)s is given to %(num)s invoices.",
        len(wanted),
        amount=total,
    )
    return see_other(address_of(number), done=done)


def _ask(note: CreditNote, form: Form, *, wanted: Sequence[Row] | None = None) -> tuple[str, int]:
    """Return the form with the open invoices, the oldest due first, and with what was typed beside each."""
    number, currency = note["credit_note_number"], note.get("currency")
    invoices = [
        {**shown_invoice(invoice), "open": shown_amount(_open_minor(invoice), currency)}
        for invoice in _open_invoices(note, form[SEARCH])
    ]
    listed = {f"{GIVE}{invoice['invoice_number']}{AMOUNT}" for invoice in invoices}
    # What was typed of others before somebody searched isn't lost: they stand below.
    others = [name for name in form.values if name.startswith(GIVE) and form.has(name) and name not in listed]
    form.values[WORDS] = _words(note, wanted) if wanted else form[WORDS]
    return ask_page(
        "credit_notes/allocate.html",
        _("Give %(number)s to invoices", number=number),
        masked_credit_note(note),
        form,
        invoices=invoices,
        others=[name.removeprefix(GIVE).removesuffix(AMOUNT) for name in others][:OPEN_MAX],
    )


def _open_invoices(note: CreditNote, search: str) -> list[Invoice]:
    """Return invoices of the note's customer of which something is outstanding, the oldest due first; or the one that
    has the number that is looked for.
    """
    code, name = note.get("customer_code"), note.get("customer_name")
    whose = {"customer_code": code} if isinstance(code, str) else {"customer_folded": fold(str(name))}
    # At least one minor unit: by this the indexes of what is open can be used.
    filters = {**whose, "currency": note.get("currency"), "status": OPEN, "min_outstanding": 1}
    if search.strip():
        filters["invoice_number"] = search.strip()[:100]
    wanted = PageWanted("due_on", None, OPEN_MAX)
    found = service.list_invoices(
        parts().db, tenant=caller().tenant, filters=filters, wanted=wanted, settling=settling()
    )
    # Who has no code is known by the whole name alone.
    own = [invoice for invoice in found.rows if code is not None or invoice.get("customer_name") == name]
    return [invoice for invoice in own if text_of(invoice.get("invoice_number"))]  # else nothing can be given to it


def _open_minor(invoice: Invoice) -> int:
    return int(invoice["free_minor"])  # by which it was found


def _rows_of(form: Form) -> list[dict[str, str]]:
    """Return what was typed as allocations of the API; those left empty are none."""
    typed = {name: value for name, value in form.values.items() if name.startswith(GIVE) and value.strip()}
    if not typed:
        raise Invalid(said("Write how much to give, in one of the lines at least."))
    names = list(typed)[: GIVEN_MAX + 1]  # one more than the API takes, so that it says so
    read = Form({f"{place}-amount": typed[name] for place, name in enumerate(names)})
    try:
        rows: Any = read.body()
    except Invalid:
        form.errors |= {names[int(name.partition("-")[0])]: texts for name, texts in read.errors.items()}
        raise
    return [
        {"invoice_number": name.removeprefix(GIVE).removesuffix(AMOUNT), **row}
        for name, row in zip(names, rows, strict=True)
    ]


def _at_fields(failure: FinanceError, rows: Sequence[Row]) -> FinanceError:
    """Return a refusal with its errors at the fields of the form: /allocations/0/amount is that of an invoice."""
    moved = []
    for error in failure.errors:
        names = (error.pointer or "").split("/")
        place = names[2] if len(names) > 2 and names[1] == "allocations" else ""
        if place.isdigit() and int(place) < len(rows):
            error = FieldError(error.detail, pointer=f"/{GIVE}{rows[int(place)]['invoice_number']}{AMOUNT}")
        moved.append(error)
    failure.errors = moved
    return failure


def _words(note: CreditNote, wanted: Sequence[Row]) -> str:
    """Return what the button says: how much is given to how many."""
    return ngettext(
        "Give %(amount)s to %(num)s invoice",
        "Give %(amount)s to %(num)s invoices",
        len(wanted),
        amount=money_text(note_giving.total_of(note, wanted), note["currency"]),
    )
