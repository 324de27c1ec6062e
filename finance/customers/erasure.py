"""Erasing a customer: all that a person can be known by is overwritten, in the history too; code and books stay.

One conditional replacement does it, so that a save which read the customer before can't bring anything back. What is
kept is named here; whatever else stands in the document goes, also what only an older system knows of.
"""

from functools import partial
from typing import cast

from finance.asked import Asked
from finance.conditions import ALWAYS, Condition
from finance.contention import until_unchanged_meanwhile
from finance.customers import store
from finance.customers.changes import CustomerBusy, entry_of, require_not_erased
from finance.customers.model import Book, Customer, Entry, parse_code, version_of
from finance.customers.service import CustomerNotFound
from finance.damaged import documents_in
from finance.events import record_event
from finance.once import Answer, request_hash, require_same_request

# Idempotency-Keys stay, so that a late repeat of an earlier request brings nothing back.
KEPT = (
    *("_id", "tenant", "customer_code", "number_seq", "created_at", "created_by", "created_by_name"),
    *("idempotency_key", "action_keys"),
)
KEPT_OF_ENTRY = ("at", "by", "by_name", "action", "action_key")
_READ = (*KEPT, "status", "version", *(f"history.{name}" for name in KEPT_OF_ENTRY))


def erase_customer(
    book: Book, asked: Asked, *, customer_code: str, reason: str, condition: Condition = ALWAYS
) -> Answer[Customer]:
    """Erase a customer for good. Nothing is decrypted, so that it can be done without the encryption key too.

    Raises CustomerNotFound, CustomerErased, IdempotencyKeyReused, PreconditionFailed, CustomerBusy.
    """
    erase = partial(_erase_now, book, asked, customer_code=customer_code, reason=reason, condition=condition)
    return until_unchanged_meanwhile(erase, busy=CustomerBusy)


def _erase_now(
    book: Book, asked: Asked, *, customer_code: str, reason: str, condition: Condition
) -> Answer[Customer] | None:
    """Erase the customer as it stands; None where it changed meanwhile, or the key was used by another request."""
    code = parse_code(customer_code)
    found = code and store.find_fields(book.db, tenant=asked.tenant, customer_code=code, fields=_READ)
    if not found:
        raise CustomerNotFound
    action_key = None if asked.key is None else f"erased:{asked.key}"
    fingerprint = request_hash({"customer": str(found["_id"]), "reason": reason})
    repeated = action_key and store.find_customer_by_action_key(book, tenant=asked.tenant, action_key=action_key)
    if repeated:
        return _replay(repeated, fingerprint)
    require_not_erased(found)
    condition.require(found)
    of = ("customer", found["customer_code"])
    once = asked.now.isoformat()  # though a busy customer is tried again
    record_event(book.db, asked, action="customer_erased", of=of, details={"reason": reason}, once=once)
    entry = entry_of(asked, found, {}, action="erased") | {"reason": reason}
    if action_key is not None:
        entry |= {"action_key": action_key, "request_hash": fingerprint}
    erased = store.replace_customer(book.db, found, _erased(found, entry))
    return None if erased is None else Answer(erased)


def _erased(found: Customer, entry: Entry) -> Customer:
    """Return what is left of the customer, of which only what is kept was read: its history ends in this entry."""
    left: Customer = {**found, "status": "erased", "status_reason": entry["reason"], "erased_at": entry["at"]}
    left |= {"name_folded": "", "name_words": [], "version": version_of(found) + 1}
    left |= {"updated_at": entry["at"], "updated_by": entry["by"], "updated_by_name": entry.get("by_name")}
    before: list[Entry] = [{**earlier, "changes": {}} for earlier in _entries(found)]
    left["history"] = [*before, entry]
    if "action_key" in entry:
        left["action_keys"] = [*(found.get("action_keys") or []), str(entry["action_key"])]
    return left


def _entries(found: Customer) -> list[Entry]:
    return cast("list[Entry]", documents_in(found.get("history")))


def _replay(erased: Customer, fingerprint: str) -> Answer[Customer]:
    """Return the erased customer as it was then: nothing has changed of it since."""
    require_same_request(erased["history"][-1].get("request_hash"), fingerprint)
    return Answer(erased, replayed=True)
