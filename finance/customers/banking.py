"""The bank accounts of a stored customer: whoever can change them can lead payments away."""

from collections.abc import Mapping, Sequence

from finance.asked import Asked
from finance.customers.model import Book, Form
from finance.errors import FieldError, Forbidden
from finance.events import record_event
from finance.said import said

Account = Mapping[str, object]


class BankDetailsProtected(Forbidden):
    detail_default = said("Only an accountant may change the bank accounts of a stored customer. Nothing was stored.")


def accounts_of(form: Form) -> list[Account]:
    """Return the accounts of a form as a form that is posted has them: older versions stored no `primary`."""
    return [{"primary": False, **account} for account in form.get("banking", [])]


def require_unchanged(before: Form, after: Form) -> None:
    """Raise BankDetailsProtected, with a pointer to each account that isn't what is stored in its place."""
    refused = [FieldError(said("must stay as it is stored."), pointer) for pointer in _differing(before, after)]
    if refused:
        raise BankDetailsProtected(errors=refused)


def record_change(book: Book, asked: Asked, customer_code: str, before: Form, after: Form) -> None:
    """Put on record that accounts change, if they do: how many, and no number."""
    if not _differing(before, after):
        return
    old, new = accounts_of(before), accounts_of(after)
    counts = {"added": _count_missing(new, old), "removed": _count_missing(old, new)}
    of, once = ("customer", customer_code), asked.now.isoformat()  # once, though a busy customer is tried again
    record_event(book.db, asked, action="bank_details_changed", of=of, details=counts, once=once)


def _differing(before: Form, after: Form) -> list[str]:
    """Return the pointers of the accounts that are others than in `before`, "/banking" where some are gone."""
    old, new = accounts_of(before), accounts_of(after)
    if len(new) < len(old):
        return ["/banking"]
    return [f"/banking/{place}" for place, account in enumerate(new) if [account] != old[place : place + 1]]


def _count_missing(accounts: Sequence[Account], elsewhere: Sequence[Account]) -> int:
    return sum(account not in elsewhere for account in accounts)
