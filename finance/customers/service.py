"""Onboarding customers, reading them, and what others may ask about them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from finance.asked import Asked
from finance.customers import codes, store
from finance.customers.changes import CustomerErased, require_not_erased
from finance.customers.forms import require_cipher, require_consistent, unmask
from finance.customers.likeness import PossibleDuplicateCustomer, require_unlike_others
from finance.customers.masking import secrets_in
from finance.customers.model import (
    LATER_DEFAULTS,
    Book,
    Customer,
    Form,
    PostedForm,
    Status,
    as_of_version,
    form_of,
    identities_of,
    new_customer,
    parse_code,
)
from finance.database import Db
from finance.errors import Conflict, FieldError, Invalid, NotFound
from finance.events import record_event
from finance.numbering.drafts import NumbersExhausted
from finance.numbering.issue import ATTEMPTS_MAX
from finance.once import Answer, first_result, request_hash, require_same_request
from finance.paging import Page, PageWanted, every_page
from finance.said import said

EXPORT_PAGE_SIZE = 500
ANY_CUSTOMER = "search"  # what an event is about that concerns no customer in particular; codes are in capitals


class CustomerNotFound(NotFound):
    detail_default = said("There is no customer with this code.")
    named_like = said("the code of a customer, such as CUST-000123")


class CustomerCodeTaken(Conflict):
    detail_default = said("This customer code already exists.")
    extra_members = {"suggested_code": "A fresh code, kept for this form."}


_REFUSAL_BY_STATUS: Mapping[Status | None, str] = {
    None: said("no customer has this code."),
    "erased": said("is that of a customer that was erased."),
    "inactive": said("the customer of this code is deactivated."),
}


def require_customer(db: Db, *, tenant: str, customer_code: str) -> None:
    """Raise Invalid, or CustomerErased, unless the tenant has an active customer of this code."""
    require_active(store.find_status(db, tenant=tenant, customer_code=customer_code))


def require_active(status: Status | None) -> None:
    """Raise Invalid, or CustomerErased, unless this is an active customer's status; None where no customer is."""
    refusal = _REFUSAL_BY_STATUS.get(status)
    if refusal is None:
        return
    if status == "erased":
        raise CustomerErased(errors=[FieldError(refusal, pointer="/customer_code")])
    raise Invalid.field("customer_code", refusal)


def refused_codes(db: Db, *, tenant: str, customer_codes: Iterable[str]) -> dict[str, str]:
    """Return those of the codes that are not of an active customer, and why; all are looked up together."""
    codes = sorted(set(customer_codes))
    statuses = store.find_statuses(db, tenant=tenant, customer_codes=codes) if codes else {}
    refusals = {code: _REFUSAL_BY_STATUS.get(statuses.get(code)) for code in codes}
    return {code: refusal for code, refusal in refusals.items() if refusal is not None}


def get_code(db: Db, *, tenant: str, customer_code: str) -> str:
    """Return the code as it is stored; raises CustomerNotFound where no customer has it."""
    code = parse_code(customer_code)
    if code is None or store.find_status(db, tenant=tenant, customer_code=code) is None:
        raise CustomerNotFound.named(customer_code)
    return code


def get_customer(book: Book, *, tenant: str, customer_code: str) -> Customer:
    """Return the customer of this code; raises CustomerNotFound."""
    code = parse_code(customer_code)
    customer = code and store.find_customer(book, tenant=tenant, customer_code=code)
    if not customer:
        raise CustomerNotFound.named(customer_code)
    return customer


def list_customers(book: Book, *, tenant: str, filters: Mapping[str, str], wanted: PageWanted) -> Page[Customer]:
    """Return one page of the customers that the filters mean."""
    return store.list_customers(book, tenant=tenant, filters=filters, wanted=wanted)


def export_customers(book: Book, *, tenant: str, filters: Mapping[str, str], sort: str) -> Iterator[list[Customer]]:
    """Yield every customer of a list, some at a time."""
    list_page = partial(list_customers, book, tenant=tenant, filters=filters)
    return every_page(list_page, sort=sort, limit=EXPORT_PAGE_SIZE)


def search_customers(book: Book, asked: Asked, *, filters: Mapping[str, str], wanted: PageWanted) -> Page[Customer]:
    """Return one page as list_customers does. A search by PAN or GSTIN is on record before it is answered."""
    page = store.list_customers(book, tenant=asked.tenant, filters=filters, wanted=wanted)
    by = [name for name in ("pan_number", "gstin") if name in filters]
    if by:
        found = [customer["customer_code"] for customer in page.rows]
        of = ("customer", found[0] if len(found) == 1 else ANY_CUSTOMER)
        record_event(book.db, asked, action="customers_searched_by_pan", of=of, details={"by": by, "found": found})
    return page


def record_numbers_read(db: Db, asked: Asked, customer: Customer, *, brought: PostedForm | None = None) -> None:
    """Put on record which numbers of the customer are shown in full, but for those that the request itself brought."""
    shown = {*secrets_in(form_of(customer))} - {*secrets_in(brought)}
    if shown:
        of = ("customer", customer["customer_code"])
        fields = sorted({name for name, _number in shown})
        record_event(db, asked, action="numbers_read_in_full", of=of, details={"fields": fields})


def sealed_query(book: Book, *, tenant: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a query as a cursor may be bound to it; see store.sealed_query."""
    return store.sealed_query(book, tenant=tenant, query=query)


def onboard_customer(book: Book, asked: Asked, *, posted: PostedForm, confirmed: bool) -> Answer[Customer]:
    """Store a new customer, under the posted code or the next free one.

    Raises Invalid, IdempotencyKeyReused, CustomerCodeTaken, PossibleDuplicateCustomer (unless `confirmed`).
    """
    fingerprint = request_hash(posted, later_defaults=LATER_DEFAULTS)
    form = unmask(form_of(posted), {})
    require_consistent(form)
    find_repeat = partial(_find_repeat, book, asked, fingerprint)
    check = partial(_require_storable, book, asked, code=posted.get("customer_code"), form=form, confirmed=confirmed)
    repeat = find_repeat() or first_result(check, find_repeat)  # first of all, so that a repeat costs no number
    if repeat is not None:
        return repeat
    customer_of = partial(new_customer, asked, form, confirmed=confirmed, fingerprint=fingerprint)
    return _insert_under_code(book, asked, customer_of, posted.get("customer_code"))


def find_code_of_request(book: Book, *, tenant: str, idempotency_key: str) -> str | None:
    """Return the code of the customer that a request with this key has stored, None where none has."""
    stored = store.find_customer_by_key(book, tenant=tenant, idempotency_key=idempotency_key)
    return stored["customer_code"] if stored else None


def _find_repeat(book: Book, asked: Asked, fingerprint: str) -> Answer[Customer] | None:
    stored = asked.key and store.find_customer_by_key(book, tenant=asked.tenant, idempotency_key=asked.key)
    return _replay(stored, fingerprint) if stored else None


def _replay(customer: Customer, fingerprint: str) -> Answer[Customer]:
    require_not_erased(customer)  # the first result is no more
    require_same_request(customer.get("request_hash"), fingerprint)
    return Answer(as_of_version(customer, 1), replayed=True)


def _require_storable(book: Book, asked: Asked, *, code: str | None, form: Form, confirmed: bool) -> None:
    """Raise what keeps the form from being stored: another customer has the code, or (unless `confirmed`) the PAN."""
    require_cipher(book.cipher, form)
    holder = code and store.find_customer(book, tenant=asked.tenant, customer_code=code)
    if holder and not _is_twin(holder, asked):
        raise _code_taken(book.db, asked)
    identities = {} if confirmed else identities_of(form)
    require_unlike_others(book, tenant=asked.tenant, identities=identities, other_than=None)


def _insert_under_code(
    book: Book, asked: Asked, customer_of: Callable[..., Customer], posted_code: str | None
) -> Answer[Customer]:
    for _attempt in range(ATTEMPTS_MAX):
        code = posted_code or codes.reserve_code(book.db, tenant=asked.tenant)
        customer = customer_of(customer_code=code)
        stored = store.insert_customer(book, customer)
        if not isinstance(stored, store.Taken):
            return Answer(stored)
        other = stored.customer
        is_twin, has_code = _is_twin(other, asked), other["customer_code"] == code
        if posted_code is None and not has_code:
            codes.give_up_code(book.db, asked, code, reason="idempotent_replay" if is_twin else "not_stored")
        if is_twin:
            return _replay(other, customer["request_hash"])
        if not has_code:
            raise PossibleDuplicateCustomer.of(other, identities_of(customer))
        if posted_code is not None:
            raise _code_taken(book.db, asked)
    raise NumbersExhausted


def _is_twin(customer: Customer, asked: Asked) -> bool:
    """Return whether this customer was stored by another request with the same key: a double click."""
    return asked.key is not None and customer.get("idempotency_key") == asked.key


def _code_taken(db: Db, asked: Asked) -> CustomerCodeTaken:
    """Return the refusal of a code that another customer has, with a fresh one that can be used at once."""
    suggested = codes.hand_out_code(db, replace(asked, key=None)).document
    errors = [FieldError(said("is taken."), pointer="/customer_code")]
    return CustomerCodeTaken(errors=errors, extra={"suggested_code": suggested})
