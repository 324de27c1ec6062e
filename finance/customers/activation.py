"""Deactivating customers, and making them active again."""

from datetime import datetime
from time import sleep

from finance.customers import store
from finance.customers.duplicates import PossibleDuplicateCustomer, refuse_duplicate
from finance.customers.model import Customer, as_of_version, form_of, identities_of, status_of
from finance.customers.service import (
    CHANGE_ATTEMPTS_MAX,
    CHANGE_PAUSE_S,
    Answer,
    CustomerBusy,
    change_entry,
    get_customer,
    store_change,
)
from finance.database import Db
from finance.encryption import FieldCipher
from finance.errors import Conflict
from finance.numbering.issue import Taken
from finance.once import IdempotencyKeyReused, request_hash

ACTION_BY_STATUS = {"active": "activated", "inactive": "deactivated"}


class CustomerAlreadyInactive(Conflict):
    detail_default = "This customer is deactivated already."


class CustomerAlreadyActive(Conflict):
    detail_default = "This customer is active already."


def set_status(
    db: Db,
    *,
    cipher: FieldCipher,
    tenant: str,
    customer_code: str,
    status: str,
    reason: str,
    confirmed: bool,
    idempotency_key: str | None,
    changed_by: str,
    now: datetime,
) -> Answer:
    """Deactivate a customer or make it active again.

    Raises CustomerNotFound, CustomerAlreadyInactive, CustomerAlreadyActive, IdempotencyKeyReused, and
    PossibleDuplicateCustomer where another active customer has the PAN or a GSTIN (unless `confirmed`).
    """
    action_key = None if idempotency_key is None else f"{status}:{idempotency_key}"
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        customer = get_customer(db, cipher=cipher, tenant=tenant, customer_code=customer_code)
        fingerprint = request_hash({"customer": str(customer["_id"]), "reason": reason})
        if action_key is not None:
            repeated = store.find_customer_by_action_key(db, cipher, tenant=tenant, action_key=action_key)
            if repeated is not None:
                return _replay_action(repeated, action_key, fingerprint)
        if status_of(customer) == status:
            raise CustomerAlreadyActive if status == "active" else CustomerAlreadyInactive
        identities = identities_of(form_of(customer)) if status == "active" and not confirmed else {}
        refuse_duplicate(db, cipher, tenant=tenant, identities=identities, other_than=customer["customer_code"])
        values = {"status": status, "status_reason": reason}
        entry = change_entry(customer, values, by=changed_by, now=now, action=ACTION_BY_STATUS[status])
        entry |= {"reason": reason, "action_key": action_key, "request_hash": fingerprint}
        updated = store_change(
            db, cipher, customer, {**values, "identity_claims": list(identities) or None}, entry, action_key=action_key
        )
        if isinstance(updated, Taken):
            if "identity_claims" in updated.fields:
                raise PossibleDuplicateCustomer.of(updated.document, identities)
        elif updated is not None:
            return Answer(updated)
        sleep(CHANGE_PAUSE_S)
    raise CustomerBusy


def _replay_action(customer: Customer, action_key: str, fingerprint: str) -> Answer:
    places = [place for place, entry in enumerate(customer["history"]) if entry.get("action_key") == action_key]
    if customer["history"][places[0]]["request_hash"] != fingerprint:
        raise IdempotencyKeyReused
    return Answer(as_of_version(customer, places[0] + 2), replayed=True)
