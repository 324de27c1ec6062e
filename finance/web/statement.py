"""`/customers/{code}/statement`: what a customer owed and owes, line by line, to be read, printed and sent."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Response, redirect, request, url_for

from finance.auth.guard import caller
from finance.context import parts
from finance.customers.model import Customer
from finance.customers.schemas import dump_listed_customer
from finance.edge.fields import Count
from finance.errors import Invalid
from finance.invoices.seen import settling
from finance.receivables import service
from finance.receivables.answers import dump_heading, dump_line
from finance.receivables.schemas import PAGE_SIZE_MAX, StatementSchema
from finance.receivables.service import Question
from finance.web.customers import get_customer, plain
from finance.web.exports import export_page, links_to
from finance.web.formats import today
from finance.web.languages import _, readers_text
from finance.web.lists import Filter, ListOf, ShownList, shown_list
from finance.web.pages import page, render

PAGE_SIZE = 200  # of most customers all lines, so that what is printed is whole
ADDRESS_BY_KIND = {
    "invoice": "/invoices/",
    "credit_note": "/credit-notes/",
    "payment": "/payments/",
    "transfer": "/payments/",
}

export_page("/customers/<customer_code>/statement", "receivables.export_statement")


class StatementPageSchema(StatementSchema):
    """The API's, with pages that print whole."""

    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)


STATEMENT = ListOf(
    schema=StatementPageSchema(), filters=(Filter("from", "day"), Filter("to", "day"), Filter("currency"))
)


@page("/customers/<customer_code>/statement")
def show_statement(customer_code: str) -> Any:
    """Show a customer's statement; of one currency, which has to be chosen where there are several."""
    customer = get_customer(customer_code)
    if customer["customer_code"] != customer_code:
        address = url_for("web.show_statement", customer_code=customer["customer_code"])
        return redirect(f"{address}?{urlencode(request.args.to_dict())}", 303)
    shown = shown_or_errors(STATEMENT, partial(_list_page, customer_code), dict)
    if isinstance(shown, Response):
        return shown
    return _shown_page(customer, shown), 422 if shown.errors else 200


def shown_or_errors(
    of: ListOf, list_page: Callable[[Mapping[str, Any]], Any], dump: Callable[[Any], dict[str, Any]]
) -> ShownList | Response:
    """Return what a list shows; what is refused once the books are asked stands in `errors` too.

    Such a list goes one way: there is no page before a page.
    """
    try:
        shown = shown_list(of, list_page, dump)
    except Invalid as refused:
        shown = ShownList(of, request.args.to_dict())
        shown.errors = {error.parameter or "": readers_text(error.detail) for error in refused.errors}
    if isinstance(shown, ShownList):
        shown.newer = shown.address() if "cursor" in shown.sent else None
    return shown


def _list_page(customer_code: str, query: Mapping[str, Any]) -> Any:
    return partial(service.get_statement, parts().db, _question(customer_code, query))


def _question(customer_code: str, query: Mapping[str, Any]) -> Question:
    return service.understand_statement(
        parts().db,
        tenant=caller().tenant,
        customer_code=customer_code,
        query=query,
        today=today(),
        settling=settling(),
    )


def _shown_page(customer: Customer, shown: ShownList) -> str:
    code = customer["customer_code"]
    heading: dict[str, Any] = dump_heading(shown.page.heading) if shown.page else {}
    lines = [dump_line(row, heading["currency"]) for row in shown.rows] if heading else []
    named: dict[str, str] = {name: heading[name] for name in ("from", "to", "currency") if name in heading}
    title = _("Statement of %(code)s", code=code)
    return render(
        "customers/statement.html",
        title=title,
        page_title=f"{title} ({heading['currency']})" if heading else title,
        code=code,
        customer=plain(dump_listed_customer(customer)),
        shown=shown,
        heading=heading,
        lines=lines,
        owed=_owed(heading),
        currencies=_currencies(code) if "currency" in shown.errors else [],
        files=links_to(f"/customers/{code}/statement", named) if heading else [],
        address_by_kind=ADDRESS_BY_KIND,
        kind_word=kind_word,
    )


def _owed(heading: Mapping[str, Any]) -> str | None:
    """Return who owes at the end: "them", "us", or "nobody"."""
    closing = heading.get("closing_balance")
    if closing is None:
        return None
    return "us" if closing.startswith("-") else "them" if closing.strip("0.") else "nobody"


def _currencies(customer_code: str) -> list[str]:
    return service.list_currencies(parts().db, tenant=caller().tenant, customer_code=customer_code)


def kind_word(kind: str) -> str:
    words = {
        "invoice": _("Invoice"),
        "credit_note": _("Credit note"),
        "payment": _("Payment"),
        "transfer": _("Transfer"),
    }
    return words.get(kind, kind)
