"""The collection `payment_intents`: payments with allocations that are on their way, until they are stored.

One document each, and each function one atomic change of it: docs/decisions/0003-allocations.md says why.
"""

from datetime import datetime
from typing import NotRequired, TypedDict, cast

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.payments.model import Payment


class Intent(TypedDict):
    """A payment without its number, under the claim that it makes on invoices. `state`: claiming, then decided."""

    _id: str
    tenant: str
    state: str
    created_at: datetime
    payment: Payment
    idempotency_key: NotRequired[str]
    decided_at: NotRequired[datetime]


def _intents(db: Db) -> Collection[Intent]:
    return cast("Collection[Intent]", db.payment_intents)


def insert_intent(db: Db, intent: Intent) -> bool:
    """Store an intent; False where another request with the same idempotency key has one under way."""
    try:
        _intents(db).insert_one(intent)
    except DuplicateKeyError:
        return False
    return True


def find_intent(db: Db, *, tenant: str, claim: str) -> Intent | None:
    return _intents(db).find_one({"_id": claim, "tenant": tenant})


def find_intent_by_key(db: Db, *, tenant: str, idempotency_key: str) -> Intent | None:
    return _intents(db).find_one({"tenant": tenant, "idempotency_key": idempotency_key})


def decide_intent(db: Db, *, tenant: str, claim: str, decided_at: datetime) -> bool:
    """Decide that the payment will be stored, and for good; False where the intent was withdrawn."""
    wanted = {"_id": claim, "tenant": tenant, "state": "claiming"}
    change = {"$set": {"state": "decided", "decided_at": decided_at}}
    return _intents(db).find_one_and_update(wanted, change) is not None


def withdraw_intent(db: Db, *, tenant: str, claim: str) -> bool:
    """Make sure that an undecided intent never will be decided; False where it was, or is gone."""
    wanted = {"_id": claim, "tenant": tenant, "state": "claiming"}
    return _intents(db).delete_one(wanted).deleted_count == 1


def delete_intent(db: Db, *, tenant: str, claim: str) -> None:
    _intents(db).delete_one({"_id": claim, "tenant": tenant})
