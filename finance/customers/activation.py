"""Deactivating customers, and making them active again."""

from dataclasses import dataclass

from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.customers import store
from finance.customers.changes import CustomerBusy, entry_of, require_not_erased, store_change
from finance.customers.likeness import PossibleDuplicateCustomer, require_unlike_others
from finance.customers.model import Book, Customer, Status, as_of_version, form_of, identities_of, status_of
from finance.customers.service import get_customer
from finance.errors import Conflict
from finance.once import Answer, request_hash, require_same_request
from finance.said import said

ACTION_BY_STATUS = {"active": "activated", "inactive": "deactivated"}


class CustomerAlreadyInactive(Conflict):
    detail_default = said("This customer is deactivated already.")


class CustomerAlreadyActive(Conflict):
    detail_default = said("This customer is active already.")


@dataclass(frozen=True)
class StatusChange:
    status: Status
    reason: str
    confirmed: bool = False


def set_status(
    book: Book, asked: Asked, *, customer_code: str, change: StatusChange, condition: Condition = ALWAYS
) -> Answer[Customer]:
    """Deactivate a customer or make it active again.

    Raises CustomerNotFound, CustomerAlreadyInactive, CustomerAlreadyActive, CustomerErased, IdempotencyKeyReused,
    PreconditionFailed, and PossibleDuplicateCustomer where another active customer has the PAN or a GSTIN (unless
    confirmed).
    """
    action_key = None if asked.key is None else f"{change.status}:{asked.key}"

    def set_now() -> Answer[Customer] | None:
        customer = get_customer(book, tenant=asked.tenant, customer_code=customer_code)
        fingerprint = request_hash({"customer": str(customer["_id"]), "reason": change.reason})
        repeated = action_key and store.find_customer_by_action_key(book, tenant=asked.tenant, action_key=action_key)
        if repeated:
            return _replay(repeated, action_key, fingerprint)
        require_not_erased(customer)
        values = {"status": change.status, "status_reason": change.reason}
        entry = entry_of(asked, customer, values, action=ACTION_BY_STATUS[change.status])
        entry |= {"reason": change.reason, "action_key": action_key, "request_hash": fingerprint}
        identities = _identities_to_claim(book, customer, change)
        condition.require(customer)
        changed = store_change(book, customer, {**values, "identity_claims": list(identities) or None}, entry)
        if not isinstance(changed, store.Taken):
            return None if changed is None else Answer(changed)
        if "identity_claims" in changed.fields:
            raise PossibleDuplicateCustomer.of(changed.customer, identities)
        return None  # this request was sent twice at once: the other is found as its repeat

    return until_unchanged_meanwhile(set_now, busy=CustomerBusy)


def _identities_to_claim(book: Book, customer: Customer, change: StatusChange) -> dict[str, str]:
    """Return the PAN and GSTINs that are this customer's alone from now on; raises what keeps it as it is."""
    if status_of(customer) == change.status:
        raise CustomerAlreadyActive if change.status == "active" else CustomerAlreadyInactive
    if change.status == "inactive" or change.confirmed:
        return {}
    identities = identities_of(form_of(customer))
    code = customer["customer_code"]
    require_unlike_others(book, tenant=customer["tenant"], identities=identities, other_than=code)
    return identities


def _replay(customer: Customer, action_key: str | None, fingerprint: str) -> Answer[Customer]:
    require_not_erased(customer)  # the first result is no more
    history = customer["history"]
    place = next(place for place, entry in enumerate(history) if entry.get("action_key") == action_key)
    require_same_request(history[place]["request_hash"], fingerprint)
    return Answer(as_of_version(customer, place + 2), replayed=True)
