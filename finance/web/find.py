"""`/find?q=`: a number or a code leads to what carries it; other words list payments whose payer begins so."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlencode

from flask import redirect, request

from finance.auth.guard import caller
from finance.context import parts
from finance.customers import service as customers
from finance.database import Db
from finance.edge.arguments import Arguments
from finance.errors import Invalid, NotFound
from finance.invoices import credit_notes, seen
from finance.invoices import service as invoices
from finance.paging import PageWanted
from finance.payments import service as payments
from finance.payments.answers import dump_payment
from finance.payments.schemas import PaymentListSchema, filters_of
from finance.web.languages import _, readers_text
from finance.web.pages import page, render

FOUND_MAX = 20
WORDS_LENGTH_MAX = 200
NUMBER_LENGTH_MAX = 100
_SPACES = re.compile(r"[\s\u00a0\u202f\u200b]+")
_QUERY = Arguments(PaymentListSchema(), location="query")


@page("/find")
def find() -> Any:
    """Lead to what has this number, else show the payments whose payer begins with these words."""
    words = request.args.get("q", "").strip()[:WORDS_LENGTH_MAX]
    if not words:
        return render("find.html", title=_("Find"), words="", found=[], problem=None, others=[], more=False)
    address = _address_of(words)
    return redirect(address, 303) if address else _by_payer(words)


def _address_of(words: str) -> str | None:
    """Return where the object of a number or a code is shown; spaces and small letters in it don't matter."""
    if len(words) > NUMBER_LENGTH_MAX or not any(character.isdigit() for character in words):
        return None
    without_spaces = _SPACES.sub("", words)
    spellings = dict.fromkeys((without_spaces.upper(), without_spaces, words))
    return next(filter(None, map(_address_of_spelling, spellings)), None)


def _address_of_spelling(number: str) -> str | None:
    db, tenant, settling = parts().db, caller().tenant, seen.settling()
    looks: Iterable[tuple[str, Callable[[], str]]] = (
        ("/payments", lambda: payments.get_payment(db, tenant=tenant, payment_number=number)["payment_number"]),
        ("/customers", lambda: _code(db, tenant, number)),
        (
            "/invoices",
            lambda: invoices.get_invoice(db, tenant=tenant, invoice_number=number, settling=settling)["invoice_number"],
        ),
        (
            "/credit-notes",
            lambda: credit_notes.get_credit_note(db, tenant=tenant, credit_note_number=number, settling=settling)[
                "credit_note_number"
            ],
        ),
    )
    for path, look in looks:
        try:
            return f"{path}/{quote(look(), safe='')}"
        except NotFound:
            continue
    return None


def _code(db: Db, tenant: str, code: str) -> str:
    return customers.get_code(db, tenant=tenant, customer_code=code)


def _by_payer(words: str) -> tuple[str, int]:
    others = [
        (_("All payments of this payer"), f"/payments?{urlencode({'payer': words})}"),
        (_("Invoices whose customer begins so"), f"/invoices?{urlencode({'customer_name': words})}"),
        (_("Customers whose name begins so"), f"/customers?{urlencode({'customer_name': words})}"),
    ]
    found: list[dict[str, Any]] = []
    problem, more = None, False
    try:
        query = _QUERY.load_only(("payer",), {"payer": words})
        wanted = PageWanted(query["sort"], None, FOUND_MAX)
        listed = payments.list_payments(parts().db, tenant=caller().tenant, filters=filters_of(query), wanted=wanted)
        found, more = [dump_payment(payment) for payment in listed.rows], listed.position is not None
    except Invalid as refused:
        problem = readers_text(refused.errors[0].detail if refused.errors else refused.detail)
    values = {"words": words, "found": found, "problem": problem, "others": others, "more": more}
    return render("find.html", title=_("Find"), **values), 422 if problem else 200
