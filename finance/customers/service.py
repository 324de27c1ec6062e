"""Onboarding, saving, searching, deactivating customers, and what others may ask about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from time import sleep
from typing import Any

from finance.customers import codes, store
from finance.customers.duplicates import PossibleDuplicateCustomer, find_duplicate, refuse_duplicate
from finance.customers.forms import require_consistent, unmask
from finance.customers.model import (
    HISTORY_MAX,
    Customer,
    Form,
    as_of_version,
    etag_of,
    form_of,
    identities_of,
    new_customer,
    parse_code,
    secrets_in,
    status_of,
    with_code,
)
from finance.database import Db
from finance.encryption import FieldCipher
from finance.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed, Unavailable
from finance.history import HistoryEntry, changed
from finance.numbering.issue import ATTEMPTS_MAX, NumbersExhausted, Taken
from finance.once import IdempotencyKeyReused, request_hash
from finance.paging import Page, PageWanted
from finance.text import fold

CHANGE_ATTEMPTS_MAX = 50
CHANGE_PAUSE_S = 0.02  # what another request changed is seen once a majority has it


class CustomerNotFound(NotFound):
    detail_default = "There is no customer with this code."


class CustomerCodeTaken(Conflict):
    detail_default = "This customer code already exists."


class CustomerBusy(Unavailable):
    detail_default = "Others kept changing this customer, and nothing was changed by this request. A retry is safe."


@dataclass(frozen=True)
class Answer:
    """A customer, and whether it is the first result of an earlier request with the same idempotency key."""

    customer: Customer
    replayed: bool = False


def require_customer(db: Db, *, tenant: str, customer_code: str) -> None:
    """Raise Invalid unless the tenant has an active customer of this code."""
    status = store.find_status(db, tenant=tenant, customer_code=customer_code)
    if status is None:
        raise Invalid.field("customer_code", "no customer has this code.")
    if status != "active":
        raise Invalid.field("customer_code", "the customer of this code is deactivated.")


def get_code(db: Db, *, tenant: str, customer_code: str) -> str:
    """Return the code as it is stored; raises CustomerNotFound where no customer has it."""
    code = parse_code(customer_code)
    if code is None or not store.has_code(db, tenant=tenant, customer_code=code):
        raise CustomerNotFound
    return code


def onboard_customer(
    db: Db,
    *,
    cipher: FieldCipher,
    tenant: str,
    posted: Mapping[str, Any],
    confirmed: bool,
    idempotency_key: str | None,
    created_by: str,
    now: datetime,
) -> Answer:
    """Store a new customer, under the posted code or the next free one.

    Raises Invalid, IdempotencyKeyReused, CustomerCodeTaken, PossibleDuplicateCustomer (unless `confirmed`).
    """
    fingerprint = request_hash(posted)
    form = unmask({name: value for name, value in posted.items() if name != "customer_code"}, None)
    require_consistent(form)
    if idempotency_key is not None:
        repeated = store.find_customer_by_key(db, cipher, tenant=tenant, idempotency_key=idempotency_key)
        if repeated is not None:
            return _replay(repeated, fingerprint)
    _require_cipher(cipher, form)
    code = posted.get("customer_code")
    holder = code and store.find_customer(db, cipher, tenant=tenant, customer_code=code)
    if holder and not _is_twin(holder, idempotency_key):
        raise _code_taken(db, tenant=tenant, asked_by=created_by, now=now)
    identities = identities_of(form)
    if not confirmed:
        same = find_duplicate(db, cipher, tenant=tenant, identities=identities, other_than=None)
        if same is not None and _is_twin(same, idempotency_key):
            return _replay(same, fingerprint)
        if same is not None:
            raise PossibleDuplicateCustomer.of(same, identities)
    customer = new_customer(
        form,
        tenant=tenant,
        idempotency_key=idempotency_key,
        fingerprint=fingerprint,
        claims=[] if confirmed else list(identities),
        created_by=created_by,
        now=now,
    )
    return _insert_under_code(db, cipher, customer, customer_code=code, fingerprint=fingerprint)


def save_customer(
    db: Db,
    *,
    cipher: FieldCipher,
    tenant: str,
    customer_code: str,
    posted: Mapping[str, Any],
    confirmed: bool,
    if_match: frozenset[str] | None,
    saved_by: str,
    now: datetime,
) -> tuple[Customer, bool]:
    """Make the customer hold exactly what was posted, and return it and whether it is new.

    Saving what is stored already changes nothing. Raises Invalid, PreconditionFailed (where `if_match` doesn't name
    the present state), PossibleDuplicateCustomer (unless `confirmed`), CustomerHistoryFull, CustomerBusy.
    """
    code = parse_code(customer_code)
    if code is None:
        raise Invalid.parameter("customer_code", "is not a customer code.")
    if posted.get("customer_code", code) != code:
        raise Invalid.field("customer_code", "must be the code in the address, or be left out: codes never change.")
    posted_form = {name: value for name, value in posted.items() if name != "customer_code"}
    for _attempt in range(CHANGE_ATTEMPTS_MAX):
        stored = store.find_customer(db, cipher, tenant=tenant, customer_code=code)
        form = unmask(posted_form, form_of(stored) if stored else None)
        require_consistent(form)
        _require_cipher(cipher, form)
        # A repeat of the save that made the present state is no conflict (RFC 9110, 13.1.1): its answer was lost.
        if stored is None or form_of(stored) != form:
            _require_match(stored, if_match)
        if stored is None:
            saved = _create(db, cipher, tenant, code, form, confirmed=confirmed, created_by=saved_by, now=now)
        else:
            saved = _replace(db, cipher, stored, form, confirmed=confirmed, saved_by=saved_by, now=now)
        if saved is not None:
            return saved, stored is None
        sleep(CHANGE_PAUSE_S)
    raise CustomerBusy


def require_savable(
    db: Db, *, cipher: FieldCipher, tenant: str, form: Form, stored: Customer | None, confirmed: bool
) -> None:
    """Raise what saving the form over `stored` would raise now, and store nothing."""
    require_consistent(form)
    _require_cipher(cipher, form)
    added = {} if confirmed else _added_identities(form, form_of(stored) if stored else {})
    other_than = stored["customer_code"] if stored else None
    refuse_duplicate(db, cipher, tenant=tenant, identities=added, other_than=other_than)


def get_customer(db: Db, *, cipher: FieldCipher, tenant: str, customer_code: str) -> Customer:
    """Return the customer of this code; raises CustomerNotFound."""
    code = parse_code(customer_code)
    customer = code and store.find_customer(db, cipher, tenant=tenant, customer_code=code)
    if not customer:
        raise CustomerNotFound
    return customer


def list_customers(
    db: Db, *, cipher: FieldCipher, tenant: str, filters: Mapping[str, Any], wanted: PageWanted
) -> Page[Customer]:
    """Return one page of the customers that the filters mean."""
    return store.list_customers(db, cipher, tenant=tenant, filters=filters, wanted=wanted)


def store_change(
    db: Db,
    cipher: FieldCipher,
    customer: Customer,
    values: Mapping[str, Any],
    entry: Mapping[str, Any],
    *,
    action_key: str | None = None,
) -> Customer | Taken | None:
    """Set `values` and add `entry` to the history; see store.update_customer. Raises CustomerHistoryFull."""
    if len(customer.get("history", [])) >= HISTORY_MAX:
        raise store.CustomerHistoryFull
    stamped = {**values, "updated_at": entry["at"], "updated_by": entry["by"]}
    return store.update_customer(db, cipher, customer, values=stamped, entry=entry, action_key=action_key)


def change_entry(customer: Customer, values: Mapping[str, Any], *, by: str, now: datetime, action: str) -> HistoryEntry:
    """Return the history entry of setting `values` on the customer."""
    changes = {name: {"from": customer.get(name), "to": value} for name, value in values.items()}
    return changed(now, by=by, action=action, changes=changes)


def _insert_under_code(
    db: Db, cipher: FieldCipher, customer: Customer, *, customer_code: str | None, fingerprint: str
) -> Answer:
    tenant, key, now = customer["tenant"], customer.get("idempotency_key"), customer["created_at"]
    for _attempt in range(ATTEMPTS_MAX):
        code = customer_code or codes.reserve_code(db, tenant=tenant)
        outcome = store.insert_customer(db, cipher, with_code(customer, code))
        if not isinstance(outcome, Taken):
            return Answer(outcome.document)
        is_twin = _is_twin(outcome.document, key)
        if customer_code is None and outcome.document["customer_code"] != code:
            reason = "idempotent_replay" if is_twin else "not_stored"
            codes.give_up_code(db, tenant=tenant, customer_code=code, reason=reason, now=now)
        if is_twin:
            return _replay(outcome.document, fingerprint)
        if outcome.document["customer_code"] != code:
            raise PossibleDuplicateCustomer.of(outcome.document, identities_of(form_of(customer)))
        if customer_code is not None:
            raise _code_taken(db, tenant=tenant, asked_by=customer["created_by"], now=now)
    raise NumbersExhausted


def _code_taken(db: Db, *, tenant: str, asked_by: str, now: datetime) -> CustomerCodeTaken:
    """Return the refusal of a code that another customer has, with a fresh one that can be used at once."""
    suggested, _replayed = codes.hand_out_code(db, tenant=tenant, handed_out_to=asked_by, now=now)
    errors = [FieldError("is taken.", pointer="/customer_code")]
    return CustomerCodeTaken(errors=errors, extra={"suggested_code": suggested})


def _create(
    db: Db,
    cipher: FieldCipher,
    tenant: str,
    code: str,
    form: Form,
    *,
    confirmed: bool,
    created_by: str,
    now: datetime,
) -> Customer | None:
    """Store a customer under a code that seems to be free; None where another request was faster."""
    identities = identities_of(form)
    if not confirmed:
        refuse_duplicate(db, cipher, tenant=tenant, identities=identities, other_than=code)
    customer = new_customer(
        form,
        tenant=tenant,
        idempotency_key=None,
        fingerprint="",
        claims=[] if confirmed else list(identities),
        created_by=created_by,
        now=now,
    )
    outcome = store.insert_customer(db, cipher, with_code(customer, code))
    if not isinstance(outcome, Taken):
        return outcome.document
    if outcome.document["customer_code"] != code:
        raise PossibleDuplicateCustomer.of(outcome.document, identities)
    return None


def _replace(
    db: Db, cipher: FieldCipher, stored: Customer, form: Form, *, confirmed: bool, saved_by: str, now: datetime
) -> Customer | None:
    """Store the form in the place of the customer's; None where the customer changed meanwhile."""
    before = form_of(stored)
    values = {name: form.get(name) for name in form.keys() | before.keys() if form.get(name) != before.get(name)}
    if not values:
        return stored
    identities = identities_of(form)
    added = {} if confirmed else _added_identities(form, before)
    refuse_duplicate(db, cipher, tenant=stored["tenant"], identities=added, other_than=stored["customer_code"])
    entry = change_entry(stored, values, by=saved_by, now=now, action="saved")
    held = stored.get("identity_claims", [])
    claims = [i for i in identities if i in held or i in added] if status_of(stored) == "active" else []
    values |= {"identity_claims": claims or None, "name_folded": fold(form["customer_name"])}
    updated = store_change(db, cipher, stored, values, entry)
    if isinstance(updated, Taken):
        raise PossibleDuplicateCustomer.of(updated.document, identities)
    return updated


def _added_identities(form: Form, before: Form) -> dict[str, str]:
    known = identities_of(before)
    return {identity: pointer for identity, pointer in identities_of(form).items() if identity not in known}


def _require_cipher(cipher: FieldCipher, form: Form) -> None:
    """Raise EncryptionNotConfigured where the form has secrets and this server can't keep any."""
    if any(secrets_in(form)):
        cipher.require_configured()


def _require_match(stored: Customer | None, if_match: frozenset[str] | None) -> None:
    if if_match is None:
        return
    if stored is None or ("*" not in if_match and etag_of(stored) not in if_match):
        raise PreconditionFailed


def _is_twin(customer: Customer, idempotency_key: str | None) -> bool:
    """Return whether this customer was stored by another request with the same key: a double click."""
    return idempotency_key is not None and customer.get("idempotency_key") == idempotency_key


def _replay(customer: Customer, fingerprint: str) -> Answer:
    if customer.get("request_hash") != fingerprint:
        raise IdempotencyKeyReused
    return Answer(as_of_version(customer, 1), replayed=True)
