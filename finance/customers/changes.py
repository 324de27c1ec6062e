"""A change to a customer: what its history tells of it, and storing both at once."""

from collections.abc import Mapping

from finance.asked import Asked
from finance.customers import store
from finance.customers.model import HISTORY_MAX, Book, Customer, Entry
from finance.errors import Unavailable


class CustomerBusy(Unavailable):
    detail_default = "Others kept changing this customer, and nothing was changed by this request. A retry is safe."


def entry_of(asked: Asked, customer: Customer, values: Mapping[str, object], *, action: str) -> Entry:
    """Return the history entry of setting `values` on the customer."""
    before: Mapping[str, object] = customer
    changes = {name: {"from": before.get(name), "to": value} for name, value in values.items()}
    return {"at": asked.now, "by": asked.by, "by_name": asked.by_name, "action": action, "changes": changes}


def store_change(
    book: Book, customer: Customer, values: Mapping[str, object], entry: Entry
) -> Customer | store.Taken | None:
    """Set `values` and add `entry` to the history; see store.update_customer. Raises CustomerHistoryFull."""
    if len(customer.get("history", [])) >= HISTORY_MAX:
        raise store.CustomerHistoryFull
    stamped = {**values, "updated_at": entry["at"], "updated_by": entry["by"], "updated_by_name": entry.get("by_name")}
    return store.update_customer(book, customer, values=stamped, entry=entry)
