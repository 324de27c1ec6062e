"""A change to a customer: what its history tells of it, and storing both at once."""

from collections.abc import Mapping

from finance.asked import Asked
from finance.customers import store
from finance.customers.model import HISTORY_MAX, Book, Customer, Entry
from finance.damaged import documents_in
from finance.errors import Conflict, Unavailable
from finance.said import said


class CustomerErased(Conflict):
    detail_default = said(
        "This customer was erased. Nothing of it can be changed any more, and its code is not given again."
    )


class CustomerBusy(Unavailable):
    detail_default = said(
        "Others kept changing this customer, and nothing was changed by this request. A retry is safe."
    )


FAILURES = (store.CustomerHistoryFull, CustomerBusy, CustomerErased)  # what a change may meet


def require_not_erased(customer: Customer | None) -> None:
    """Raise CustomerErased where nothing of the customer, if there is one, may change any more."""
    if customer is not None and customer.get("status") == "erased":
        raise CustomerErased


def require_room(customer: Customer) -> None:
    """Raise CustomerHistoryFull where the history takes no further entry."""
    if len(documents_in(customer.get("history"))) >= HISTORY_MAX:
        raise store.CustomerHistoryFull


def entry_of(asked: Asked, customer: Customer, values: Mapping[str, object], *, action: str) -> Entry:
    """Return the history entry of setting `values` on the customer."""
    before: Mapping[str, object] = customer
    changes = {name: {"from": before.get(name), "to": value} for name, value in values.items()}
    return {"at": asked.now, "by": asked.by, "by_name": asked.by_name, "action": action, "changes": changes}


def store_change(
    book: Book, customer: Customer, values: Mapping[str, object], entry: Entry
) -> Customer | store.Taken | None:
    """Set `values` and add `entry` to the history; see store.update_customer. Raises CustomerHistoryFull."""
    require_room(customer)
    stamped = {**values, "updated_at": entry["at"], "updated_by": entry["by"], "updated_by_name": entry.get("by_name")}
    return store.update_customer(book, customer, values=stamped, entry=entry)
