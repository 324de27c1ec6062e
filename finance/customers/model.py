"""What a customer is: one document with all parts of the form, so that it is saved whole or not at all.

Stored: tenant, customer_code, number_seq (of codes that the server could have given), the fields of the form (amounts
as `unit_price_minor` and `credit_limit_minor`), status, status_reason, version, history, created_at, created_by,
updated_at, updated_by (and what these keys were called: created_by_name, updated_by_name), erased_at; `name_folded`
serves the order by name and `name_words` the search, `identity_claims` (PAN and GSTINs) keeps two customers from being
made of one, `idempotency_key`, `request_hash` and `action_keys` recognise repeats. What masking.py names is
encrypted wherever it stands, in the history too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal, NotRequired, Required, TypedDict, cast, get_args

from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import Db
from finance.encryption import FieldCipher
from finance.history import as_of
from finance.numbering.series import Series
from finance.said import said
from finance.text import fold, words_of

KIND = "customer"
CODE_PREFIX = "CUST-"
CODE_DIGITS_MIN = 6
CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,39}", re.ASCII)
CODE_HINT = said("must be 1 to 40 of A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit.")
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

Status = Literal["active", "inactive", "erased"]
STATUSES: tuple[Status, ...] = get_args(Status)


class GstDetail(TypedDict, total=False):
    gstin: Required[str]
    state: str
    registration_type: str
    address: str


class ProductService(TypedDict, total=False):
    name: Required[str]
    hsn_sac: str
    unit_price_minor: int
    currency: str
    tax_rate: str


class Tds(TypedDict, total=False):
    applicable: Required[bool]
    section: str
    rate: str
    tan_number: str


class BankAccount(TypedDict, total=False):
    bank_name: str
    account_number: str
    ifsc: str
    iban: str
    branch: str
    primary: Required[bool]


class TermsConditions(TypedDict, total=False):
    payment_terms_days: int
    credit_limit_minor: int
    currency: str
    notes: str


class Form(TypedDict, total=False):
    """What a form holds once it is loaded: nothing that is empty. Only a customer of an older system has no name."""

    customer_name: str
    customer_category: str
    pan_number: str
    contact_person: str
    email_address: str
    contact_number: str
    gst_details: list[GstDetail]
    products_services: list[ProductService]
    tds: Tds
    banking: list[BankAccount]
    terms_conditions: TermsConditions


class PostedForm(Form, total=False):
    customer_code: str


class Entry(TypedDict, total=False):
    """What the history tells of one change; `action_key` and `request_hash` recognise its repeat."""

    at: Required[datetime]
    by: Required[str]
    by_name: str | None
    action: Required[str]
    changes: Required[dict[str, Any]]
    reason: str
    action_key: str | None
    request_hash: str


class NameFields(TypedDict, total=False):
    """What is made of the name. An older version stored no `name_words`."""

    name_folded: str
    name_words: list[str]


class Customer(Form, NameFields, total=False):
    """A stored customer. One that an older system left may have no more than a tenant and a code."""

    _id: object
    tenant: Required[str]
    customer_code: Required[str]
    number_seq: int
    identity_claims: list[str]
    idempotency_key: str
    request_hash: str
    action_keys: list[str]
    status: Status
    status_reason: str
    erased_at: datetime
    version: int
    history: list[Entry]
    created_at: datetime
    created_by: str
    created_by_name: str | None
    updated_at: datetime
    updated_by: str
    updated_by_name: str | None


class HandedOutCode(TypedDict):
    tenant: str
    customer_code: str
    number_seq: int | None
    handed_out_at: datetime
    handed_out_to: str
    idempotency_key: NotRequired[str]


FORM_FIELDS = tuple(Form.__annotations__)
_LISTS = ("gst_details", "products_services", "banking")
_PARTS = ("tds", "terms_conditions")
# A field of the form that a later version adds goes here, with what it is where a form leaves it out: else a repeat of
# a form that was onboarded before would not be known again.
LATER_DEFAULTS: Mapping[str, object] = {}


@dataclass(frozen=True)
class Book:
    """The customers of all tenants, and what opens their secrets."""

    db: Db
    cipher: FieldCipher


def customer_series(tenant: str) -> Series:
    """Return the series of a tenant's customer codes: CUST-000001, CUST-000002, …"""
    return Series(tenant=tenant, kind=KIND, prefix=CODE_PREFIX, digits_min=CODE_DIGITS_MIN)


def parse_code(text: str) -> str | None:
    """Return a customer code as it is stored, in capitals, or None where it can't be one."""
    code = text.upper() if text.isascii() else ""
    return code if CODE.fullmatch(code) else None


def new_customer(
    asked: Asked, form: Form, *, customer_code: str, confirmed: bool, fingerprint: str | None = None
) -> Customer:
    """Return the document of a customer under this code; `number_seq` tells which number of the series it uses up."""
    customer: Customer = {
        "tenant": asked.tenant,
        **form,
        **name_fields(form),
        "status": "active",
        "version": 1,
        "history": [],
        "created_at": asked.now,
        "created_by": asked.by,
        "created_by_name": asked.by_name,
        "updated_at": asked.now,
        "updated_by": asked.by,
        "updated_by_name": asked.by_name,
        "customer_code": customer_code,
    }
    identities = identities_of(form)
    if identities and not confirmed:
        customer["identity_claims"] = list(identities)
    if asked.key is not None and fingerprint is not None:
        customer |= {"idempotency_key": asked.key, "request_hash": fingerprint}
    number_seq = customer_series(asked.tenant).parse(customer_code)
    if number_seq is not None:
        customer["number_seq"] = number_seq
    return customer


def name_fields(form: Form) -> NameFields:
    """Return what the order of names and the search by name compare."""
    folded = fold(form["customer_name"])
    return {"name_folded": folded, "name_words": words_of(folded)}


def form_of(customer: Customer | PostedForm | None) -> Form:
    """Return what the form of a customer holds; none holds nothing."""
    held: Mapping[str, object] = customer or {}
    known = {name: _well_formed(name, held[name]) for name in FORM_FIELDS if name in held}
    return cast(Form, {name: value for name, value in known.items() if value is not None})


def _well_formed(name: str, value: object) -> object:
    """Return what a form may hold there: what is damaged is as good as nothing, and a form can be saved over it."""
    if name in _LISTS:
        return documents_in(value) if isinstance(value, list) else None
    return value if isinstance(value, dict if name in _PARTS else str) else None


def as_of_version(customer: Customer, version: int) -> Customer:
    """Return the customer as it was at this version: what a repeat is answered with."""
    earlier = cast(Customer, as_of(dict(customer), history_length=version - 1))
    last = earlier["history"][-1:]
    if last:
        at, by, by_name = last[0]["at"], last[0]["by"], last[0].get("by_name")
    else:
        at, by, by_name = customer["created_at"], customer["created_by"], customer.get("created_by_name")
    return {**earlier, "version": version, "updated_at": at, "updated_by": by, "updated_by_name": by_name}


def version_of(customer: Customer) -> int:
    """Return how often the customer was stored; 0 where another system did it."""
    version: object = customer.get("version")
    return int(version) if isinstance(version, int | float) and isfinite(version) else 0


def status_of(customer: Customer) -> Status:
    return customer.get("status") or "active"


def identities_of(form: Form) -> dict[str, str]:
    """Return the PAN and the GSTINs of a form with the JSON pointer of each."""
    pan = {form["pan_number"]: "/pan_number"} if "pan_number" in form else {}
    details = enumerate(form.get("gst_details", []))
    return pan | {
        row["gstin"]: f"/gst_details/{place}/gstin" for place, row in details if isinstance(row.get("gstin"), str)
    }
