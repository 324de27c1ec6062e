"""What a customer is: one document with all parts of the form, so that it is saved whole or not at all.

Stored: tenant, customer_code, number_seq (of codes that the server could have given), the fields of the form (amounts
as `unit_price_minor` and `credit_limit_minor`), status, status_reason, version, history, created_at, created_by,
updated_at, updated_by; `name_folded` serves the search, `identity_claims` (PAN and GSTINs) keeps two customers from
being made of one, `idempotency_key`, `request_hash` and `action_keys` recognise repeats. What SEARCHABLE_BY_SECRET
names is encrypted wherever it stands, in the history too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from finance.history import as_of
from finance.numbering.series import Series
from finance.text import fold

KIND = "customer"
CODE_PREFIX = "CUST-"
CODE_DIGITS_MIN = 6
CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,39}", re.ASCII)
STATUSES = ("active", "inactive")
GST_DETAILS_MAX = 50
PRODUCTS_SERVICES_MAX = 100
BANKING_MAX = 20
HISTORY_MAX = 1_000
# Each order ends in what makes it total, so that a cursor names one place.
ORDER_BY_SORT: dict[str, tuple[str, ...]] = {
    "customer_code": ("customer_code",),
    "customer_name": ("name_folded", "_id"),
    "created_at": ("created_at", "_id"),
}
SORTS = tuple(sign + name for name in ORDER_BY_SORT for sign in ("", "-"))

Customer = dict[str, Any]
Form = dict[str, Any]

FORM_FIELDS = (
    "customer_name",
    "customer_category",
    "pan_number",
    "contact_person",
    "email_address",
    "contact_number",
    "gst_details",
    "products_services",
    "tds",
    "banking",
    "terms_conditions",
)

# True where equality is searched for, so that equal texts have equal ciphertexts. A GSTIN contains the PAN.
SEARCHABLE_BY_SECRET: Mapping[str, bool] = {
    "pan_number": True,
    "gstin": True,
    "identity_claims": True,
    "tan_number": False,
    "account_number": False,
    "iban": False,
    "request_hash": False,  # from the rest of the document a PAN could be found out with it
}
_MASKED = re.compile(r"\*+[0-9A-Z]{0,4}", re.ASCII)
SHOWN_MAX = 4


def customer_series(tenant: str) -> Series:
    """Return the series of a tenant's customer codes: CUST-000001, CUST-000002, …"""
    return Series(tenant=tenant, kind=KIND, prefix=CODE_PREFIX, digits_min=CODE_DIGITS_MIN)


def parse_code(text: str) -> str | None:
    """Return a customer code as it is stored, in capitals, or None where it can't be one."""
    code = text.upper() if text.isascii() else ""
    return code if CODE.fullmatch(code) else None


def new_customer(
    form: Form,
    *,
    tenant: str,
    idempotency_key: str | None,
    fingerprint: str,
    claims: list[str],
    created_by: str,
    now: datetime,
) -> Customer:
    """Return the document of a customer that has everything but its code."""
    customer: Customer = {
        "tenant": tenant,
        **form,
        "name_folded": fold(form["customer_name"]),
        "status": "active",
        "version": 1,
        "history": [],
        "created_at": now,
        "created_by": created_by,
        "updated_at": now,
        "updated_by": created_by,
    }
    if claims:
        customer["identity_claims"] = claims
    if idempotency_key is not None:
        customer |= {"idempotency_key": idempotency_key, "request_hash": fingerprint}
    return customer


def with_code(customer: Customer, customer_code: str) -> Customer:
    """Return the customer under this code; `number_seq` tells which number of the series it uses up."""
    numbered = {**customer, "customer_code": customer_code}
    number_seq = customer_series(customer["tenant"]).parse(customer_code)
    return numbered if number_seq is None else {**numbered, "number_seq": number_seq}


def form_of(customer: Customer) -> Form:
    """Return what the form of a customer held when it was saved last."""
    return {name: customer[name] for name in FORM_FIELDS if customer.get(name) is not None}


def as_of_version(customer: Customer, version: int) -> Customer:
    """Return the customer as it was at this version: what a repeat is answered with."""
    earlier = as_of(customer, history_length=version - 1)
    latest = (
        earlier["history"][-1] if earlier["history"] else {"at": customer["created_at"], "by": customer["created_by"]}
    )
    return {**earlier, "version": version, "updated_at": latest["at"], "updated_by": latest["by"]}


def etag_of(customer: Customer) -> str:
    """Return what tells this state of the customer from its others."""
    return str(version_of(customer))


def version_of(customer: Customer) -> int:
    """Return how often the customer was stored; 0 where another system did it."""
    return int(customer.get("version") or 0)


def status_of(customer: Customer) -> str:
    return str(customer.get("status") or "active")


def identities_of(form: Form) -> dict[str, str]:
    """Return the PAN and the GSTINs of a form with the JSON pointer of each."""
    pan = {form["pan_number"]: "/pan_number"} if "pan_number" in form else {}
    details = enumerate(form.get("gst_details", []))
    return pan | {row["gstin"]: f"/gst_details/{place}/gstin" for place, row in details if "gstin" in row}


def map_secrets(value: Any, change: Callable[[str, str, str], Any], *, name: str = "", pointer: str = "") -> Any:
    """Return a copy of `value` in which each secret text is `change(field name, text, JSON pointer)`."""
    if isinstance(value, Mapping):
        return {
            key: map_secrets(
                member,
                change,
                name=name if key in ("from", "to") else key,  # in a history entry the field's name is one level up
                pointer=f"{pointer}/{key}",
            )
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [map_secrets(v, change, name=name, pointer=f"{pointer}/{place}") for place, v in enumerate(value)]
    return change(name, value, pointer) if name in SEARCHABLE_BY_SECRET and isinstance(value, str) else value


def secrets_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield each secret text with the name of its field."""
    found: list[tuple[str, str]] = []
    map_secrets(value, lambda name, text, _pointer: found.append((name, text)))
    yield from found


def mask(text: str) -> str:
    """Return a secret as those may see it who may not see all of it: its last four characters."""
    shown = text[-SHOWN_MAX:] if len(text) > SHOWN_MAX else ""
    return "*" * (len(text) - len(shown)) + shown


def is_masked(text: str) -> bool:
    return _MASKED.fullmatch(text) is not None
