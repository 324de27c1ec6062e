"""Saving a whole form again, over the customer that has its code, or as a new one."""

from dataclasses import dataclass

from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.customers import banking, store
from finance.customers.changes import CustomerBusy, entry_of, require_not_erased, require_room, store_change
from finance.customers.forms import require_cipher, require_consistent, unmask
from finance.customers.likeness import PossibleDuplicateCustomer, require_unlike_others
from finance.customers.model import (
    CODE_HINT,
    Book,
    Customer,
    Form,
    PostedForm,
    form_of,
    identities_of,
    name_fields,
    new_customer,
    parse_code,
    status_of,
)
from finance.errors import Invalid
from finance.said import said


@dataclass(frozen=True)
class NewCustomer:
    """The code of a customer that is stored for the first time; `claim` keeps a second one from being made of it."""

    customer_code: str
    claim: str | None = None


def save_customer(
    book: Book,
    asked: Asked,
    *,
    customer_code: str,
    posted: PostedForm,
    confirmed: bool,
    condition: Condition = ALWAYS,
    may_change_banking: bool = True,
) -> tuple[Customer, bool]:
    """Make the customer hold exactly what was posted, and return it and whether it is new.

    Saving what is stored already changes nothing. Raises Invalid, PreconditionFailed, BankDetailsProtected (where
    stored accounts change, unless `may_change_banking`), PossibleDuplicateCustomer (unless `confirmed`),
    CustomerErased, CustomerHistoryFull, CustomerBusy.
    """
    code = _code_of(posted, customer_code)

    def save() -> tuple[Customer, bool] | None:
        stored = store.find_customer(book, tenant=asked.tenant, customer_code=code)
        require_not_erased(stored)
        form = unmask(form_of(posted), form_of(stored))
        require_consistent(form)
        require_cipher(book.cipher, form)
        condition.require(stored, is_done=stored is not None and form_of(stored) == form)
        if stored is not None and not may_change_banking:
            banking.require_unchanged(form_of(stored), form)
        if stored is None:
            saved = _create(book, asked, NewCustomer(code), form, confirmed=confirmed)
        else:
            saved = _replace(book, asked, stored, form, confirmed=confirmed)
        return None if saved is None else (saved, stored is None)

    return until_unchanged_meanwhile(save, busy=CustomerBusy)


def save_as_known(
    book: Book, asked: Asked, *, stored: Customer | None, form: Form, new: NewCustomer, confirmed: bool
) -> Customer | None:
    """Store the form over the customer that was read, or as a new one, and return it; None where that was overtaken.

    It is to be read, and the form made, again then. Raises as save_customer does.
    """
    require_not_erased(stored)
    require_consistent(form)
    require_cipher(book.cipher, form)
    if stored is not None:
        return _replace(book, asked, stored, form, confirmed=confirmed)
    return _create(book, asked, new, form, confirmed=confirmed)


def require_savable(book: Book, *, tenant: str, form: Form, stored: Customer | None, confirmed: bool) -> None:
    """Raise what saving the form over `stored` would raise now, and store nothing."""
    require_not_erased(stored)
    require_consistent(form)
    require_cipher(book.cipher, form)
    added = {} if confirmed else _added_identities(form, form_of(stored))
    other_than = stored["customer_code"] if stored else None
    require_unlike_others(book, tenant=tenant, identities=added, other_than=other_than)


def _code_of(posted: PostedForm, customer_code: str) -> str:
    """Return the code of the address as it is stored; raises Invalid where it is none, or the form names another."""
    code = parse_code(customer_code)
    if code is None:
        raise Invalid.parameter("customer_code", CODE_HINT)
    if posted.get("customer_code", code) != code:
        raise Invalid.field(
            "customer_code", said("must be the code in the address, or be left out: codes never change.")
        )
    return code


def _create(book: Book, asked: Asked, new: NewCustomer, form: Form, *, confirmed: bool) -> Customer | None:
    """Store a customer under a code that seems to be free; None where another request was faster."""
    identities = {} if confirmed else identities_of(form)
    require_unlike_others(book, tenant=asked.tenant, identities=identities, other_than=new.customer_code)
    customer = new_customer(asked, form, customer_code=new.customer_code, confirmed=confirmed)
    if new.claim is not None:
        customer["identity_claims"] = [*customer.get("identity_claims", []), new.claim]
    stored = store.insert_customer(book, customer)
    if not isinstance(stored, store.Taken):
        return stored
    is_same = stored.customer["customer_code"] == new.customer_code
    if not is_same and new.claim not in (stored.customer.get("identity_claims") or []):
        raise PossibleDuplicateCustomer.of(stored.customer, identities)
    return None


def _replace(book: Book, asked: Asked, stored: Customer, form: Form, *, confirmed: bool) -> Customer | None:
    """Store the form in the place of the customer's; None where the customer changed meanwhile."""
    before = form_of(stored)
    values = _changed_values(before, form)
    if not values:
        return stored
    identities = identities_of(form)
    added = {} if confirmed else _added_identities(form, before)
    require_unlike_others(book, tenant=asked.tenant, identities=added, other_than=stored["customer_code"])
    entry = entry_of(asked, stored, values, action="saved")
    held = stored.get("identity_claims") or []
    claims = [i for i in identities if i in held or i in added] if status_of(stored) == "active" else []
    values |= {"identity_claims": claims or None, **name_fields(form)}
    require_room(stored)
    banking.record_change(book, asked, stored["customer_code"], before, form)
    changed = store_change(book, stored, values, entry)
    if isinstance(changed, store.Taken):
        raise PossibleDuplicateCustomer.of(changed.customer, identities)
    return changed


def _changed_values(before: Form, after: Form) -> dict[str, object]:
    """Return what the form holds now in each field that has changed, None where it holds nothing there any more."""
    old, new = dict(before), dict(after)
    return {name: new.get(name) for name in old.keys() | new.keys() if new.get(name) != old.get(name)}


def _added_identities(form: Form, before: Form) -> dict[str, str]:
    known = identities_of(before)
    return {identity: pointer for identity, pointer in identities_of(form).items() if identity not in known}
