"""The form of a customer: its parts as fields, its rows that come and go, and what is stored as it stands in them.

A row of a part that may be several has fields such as `gst_details-0-gstin`. Numbers that are secret stand in the form
as they are masked; what is left so is stored as it was.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from finance.customers.masking import masked
from finance.customers.merging import as_posted
from finance.customers.model import BANKING_MAX, GST_DETAILS_MAX, PRODUCTS_SERVICES_MAX, Customer, form_of
from finance.damaged import documents_in, mapping_of
from finance.web.formats import amount, number
from finance.web.forms import MONEY, Form
from finance.web.languages import _

# What a row of each part has, in the order of the form.
ROWS: Mapping[str, Sequence[str]] = {
    "gst_details": ("gstin", "state", "registration_type", "address"),
    "products_services": ("name", "hsn_sac", "unit_price", "currency", "tax_rate"),
    "banking": ("bank_name", "account_number", "iban", "ifsc", "branch", "primary"),
}
ROWS_MAX = {"gst_details": GST_DETAILS_MAX, "products_services": PRODUCTS_SERVICES_MAX, "banking": BANKING_MAX}
PARTS = ("general", "gst_details", "products_services", "tds", "banking", "terms_conditions")
RATES = frozenset(("rate", "tax_rate"))
_DAYS = "terms_conditions-payment_terms_days"
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_RATE = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
_FLAGS = {"true": True, "false": False}


class Part(NamedTuple):
    """A part of the form as it is shown: its rows, and how much of it is filled in or wrong."""

    name: str
    title: str
    rows: Sequence[int]
    filled: int
    wrong: int


def values_of(customer: Customer) -> dict[str, str]:
    """Return what the fields of the form hold for a stored customer, secrets masked."""
    shown = masked(as_posted(form_of(customer)))
    return {name: value for name, value in _flat(shown, "", {}) if value}


def body_of(form: Form) -> dict[str, Any]:
    """Return what was typed as a body of the API, rows without anything in them left out of the form too.

    Raises Invalid where an amount can be read in two ways.
    """
    drop_blank_rows(form)
    body = form.body(money=MONEY | RATES)
    for account in documents_in(body.get("banking")):
        _put(account, "primary", account.get("primary") == "true")
    tds, terms = mapping_of(body.get("tds")), mapping_of(body.get("terms_conditions"))
    if "applicable" in tds:
        _put(tds, "applicable", _FLAGS.get(str(tds["applicable"]), tds["applicable"]))
    if "payment_terms_days" in terms:  # what is no whole number is refused as one out of range, in the API's words
        days = "".join(str(terms["payment_terms_days"]).split())
        _put(terms, "payment_terms_days", int(days) if _WHOLE.fullmatch(days) else -1)
    return body


def parts_of(form: Form) -> list[Part]:
    """Return the parts of the form as they are to be shown; one that may be several has a row to begin with."""
    titles = {
        "general": _("Customer"),
        "gst_details": _("GST"),
        "products_services": _("Products and services"),
        "tds": _("TDS"),
        "banking": _("Bank accounts"),
        "terms_conditions": _("Terms"),
    }
    return [
        Part(name, titles[name], rows_of(form, name) or [0], _filled(form, name), _wrong(form, name)) for name in PARTS
    ]


def open_part(parts: Sequence[Part], wanted: str | None) -> str:
    """Return the part that stands open: the first in which something is wrong, else the one that was worked in."""
    wrong = [part.name for part in parts if part.wrong]
    return wrong[0] if wrong else wanted if wanted in PARTS else PARTS[0]


def rows_of(form: Form, part: str) -> list[int]:
    """Return the places of a part's rows, from 0 on."""
    return list(range(min(len(_places(form, part)), ROWS_MAX.get(part, 0) + 1)))


def change_rows(form: Form) -> str | None:
    """Do what a button such as "add banking" or "remove banking 1" asks for, and return the part; None for no such."""
    does, _space, rest = form.does.partition(" ")
    part, _space, place = rest.partition(" ")
    if does not in ("add", "remove") or part not in ROWS:
        return None
    _renumber(form, part, keep=lambda row: does == "add" or str(row) != place)
    count = len(_places(form, part))
    if does == "add" and count < ROWS_MAX[part]:
        form.values[f"{part}-{count}-{ROWS[part][0]}"] = ""
    return part


def drop_blank_rows(form: Form) -> None:
    """Take away the rows in which nothing was typed, so that what is wrong stands at the row that is shown."""
    for part in ROWS:
        _renumber(form, part, keep=partial(_is_filled, form, part))


def _places(form: Form, part: str) -> list[int]:
    """Return the numbers that the rows of a part were sent with, in order."""
    found = re.compile(rf"{part}-(\d{{1,4}})-[a-z_]+", re.ASCII)
    return sorted({int(match[1]) for name in form.values if (match := found.fullmatch(name))})


def _renumber(form: Form, part: str, *, keep: Callable[[int], bool]) -> None:
    """Have the rows of a part that are kept stand at 0, 1, 2 …; no more of them than are refused for being too many."""
    kept = [row for row in _places(form, part) if keep(row)][: ROWS_MAX[part] + 1]
    rows = {
        f"{part}-{place}-{name}": form.values[f"{part}-{row}-{name}"]
        for place, row in enumerate(kept)
        for name in ROWS[part]
        if f"{part}-{row}-{name}" in form.values
    }
    others = {name: value for name, value in form.values.items() if not name.startswith(f"{part}-")}
    form.values = others | rows


def _filled(form: Form, part: str) -> int:
    """Return how many rows of a part hold anything; of one that has no rows, whether it does."""
    if part == "general":
        return 0
    if part in ROWS:
        return sum(_is_filled(form, part, row) for row in _places(form, part))
    return int(any(value.strip() for name, value in form.values.items() if name.startswith(f"{part}-")))


def _is_filled(form: Form, part: str, row: int) -> bool:
    return any(form.has(f"{part}-{row}-{name}") for name in ROWS[part] if name != "primary")


def _wrong(form: Form, part: str) -> int:
    parts = [name.partition("-")[0] for name in form.errors if name]
    return sum(name == part if part != "general" else name not in PARTS for name in parts)


def _put(part: Mapping[str, Any], name: str, value: Any) -> None:
    cast(dict[str, Any], part)[name] = value  # of a body that was made here


def _flat(value: Any, path: str, around: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each field of a form with its text; what no field can hold, as it is damaged, is left out."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _flat(member, f"{path}-{name}" if path else str(name), value)
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from _flat(member, f"{path}-{place}", {})
    elif isinstance(value, bool):
        yield path, "true" if value else "false" if path == "tds-applicable" else ""
    elif isinstance(value, str | int):
        yield path, _written(path.rpartition("-")[2], str(value), around.get("currency"))


def _written(name: str, value: str, currency: Any) -> str:
    if name in MONEY:
        return amount(value, currency)
    return number(value) if name in RATES and _RATE.fullmatch(value) else value
