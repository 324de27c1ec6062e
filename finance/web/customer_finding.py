"""The button "Find" beside a customer's code: customers by how their name begins, to choose one of."""

from finance.auth.guard import caller
from finance.context import parts
from finance.customers import service
from finance.customers.model import Book, Customer, parse_code
from finance.paging import PageWanted
from finance.text import fold
from finance.web.forms import Form

FOUND = "found_customer"  # the radios; what is chosen there becomes the code
FOUND_MAX = 20


def find_customers(typed: str) -> list[tuple[str, str]]:
    """Return (code, words) of the customers whose name, or a word in it, begins so, or who have this code."""
    typed = typed.strip()[:200]
    code = parse_code(typed)
    rows = _list({"customer_code": code}, sort="-created_at") if code else []
    rows = rows or _list({"name_folded": fold(typed)}, sort="customer_name")
    return [(row["customer_code"], f"{row.get('customer_name') or '–'} ({row['customer_code']})") for row in rows]


def take_found(form: Form) -> Form:
    """Return a form as it was sent, with the code that was chosen among those found."""
    chosen = form.values.pop(FOUND, None)
    if chosen and form.does != "find":
        form.values["customer_code"] = chosen
    return form


def _list(filters: dict[str, str], *, sort: str) -> list[Customer]:
    book, wanted = Book(parts().db, parts().cipher), PageWanted(sort, None, FOUND_MAX)
    filters = {**filters, "status": "active"}
    return service.list_customers(book, tenant=caller().tenant, filters=filters, wanted=wanted).rows
