"""Issuing invoices: once, under the next number of their series."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, cast
from zoneinfo import ZoneInfo

from finance import metrics
from finance.asked import Asked
from finance.customers import service as customers
from finance.database import Db, before_writing
from finance.errors import Invalid
from finance.invoices import sequences, store
from finance.invoices.model import (
    CLIENT_AHEAD_DAYS_MAX,
    DUE_AFTER_DAYS_MAX,
    KIND,
    Invoice,
    as_issued,
    hash_of,
    new_invoice,
    possible_days,
)
from finance.invoices.totals import computed
from finance.numbering.drafts import Draft, Outcome, Stored, Taken
from finance.numbering.issue import issue_no_gap
from finance.numbering.lane import Submit
from finance.once import Answer, RefusedByForeignIndex, first_result, require_same_request
from finance.shops import service as shops
from finance.shops.model import Shop

REPEAT_FIELDS = frozenset(("tenant", "idempotency_key"))


def commit_invoices(db: Db, drafts: Sequence[Draft], *, now: datetime) -> list[Outcome]:
    """Store the invoices and credit notes that wait in the lane; one outcome each."""
    outcomes: dict[Draft, Outcome] = {}
    for is_invoice, group in groupby(sorted(drafts, key=_is_invoice), key=_is_invoice):
        same_kind = list(group)
        numbered = store.numbered(db) if is_invoice else store.numbered_credit_notes(db)
        looked_at = [sequences.checked(db, draft, now=now) for draft in same_kind]
        outcomes.update(zip(same_kind, issue_no_gap(numbered, looked_at, now=now), strict=True))
        if is_invoice:
            stored = [draft for draft in same_kind if isinstance(outcomes[draft], Stored)]
            metrics.invoices_issued.inc(len(stored))
            for draft in stored:
                sequences.warn_where_nearly_full(draft)
    return [outcomes[draft] for draft in drafts]


def issue_invoice(db: Db, asked: Asked, *, submit: Submit, posted: Mapping[str, Any]) -> Answer[Invoice]:
    """Store an invoice under the next number of its series.

    `posted` is a body after validation. Raises Invalid (no such shop or customer, totals that don't agree, a day that
    can't be), IssuedOnBeforeLast, IdempotencyKeyReused, SeriesFull, or Unavailable.
    """
    checked = first_result(
        before_writing(partial(_checked_invoice, db, asked, posted)), partial(_find_repeat, db, asked, posted)
    )
    if isinstance(checked, Answer):
        return checked
    outcome = submit(checked)
    if isinstance(outcome, Taken):
        return _repeat_of(outcome, posted)
    return Answer(cast(Invoice, outcome.document))


def _checked_invoice(db: Db, asked: Asked, posted: Mapping[str, Any]) -> Draft:
    """Return the invoice to store; raises Invalid where it can't be issued, as things are now."""
    shop = shops.find_shop(db, tenant=asked.tenant, shop=posted["shop"])
    if shop is None:
        raise Invalid.field("shop", "there is no shop of this name.")
    today = asked.now.astimezone(ZoneInfo(shop["timezone"])).date()
    issued_on = posted.get("issued_on") or today
    _require_possible_days(issued_on, posted.get("due_on"), today, ahead_days=_ahead_days(asked, shop))
    if "customer_code" in posted:
        customers.require_customer(db, tenant=asked.tenant, customer_code=posted["customer_code"])
    rule, period = sequences.numbering_of(shop, issued_on)
    totals = computed(posted, posted.get("currency") or shop["currency"])
    invoice = new_invoice(posted, asked, totals=totals, period=period.label, issued_on=issued_on)
    latest = None if "issued_on" in posted else today + timedelta(days=1)  # midnight may pass while this waits
    return sequences.invoice_draft(invoice, shop, rule, period, latest)


def _ahead_days(asked: Asked, shop: Shop) -> int:
    """Return how many days ahead an invoice may be dated: by accountants as far as the shop says."""
    ahead_days = shop["issue_ahead_days"]
    return min(ahead_days, CLIENT_AHEAD_DAYS_MAX) if asked.role == "client" else ahead_days


def _require_possible_days(issued_on: date, due_on: date | None, today: date, *, ahead_days: int) -> None:
    first, last = possible_days(today, ahead_days=ahead_days)
    if not first <= issued_on <= last:
        raise Invalid.field("issued_on", f"must be from {first} to {last}.")
    if due_on is not None and not issued_on <= due_on <= issued_on + timedelta(days=DUE_AFTER_DAYS_MAX):
        raise Invalid.field("due_on", f"must be from issued_on, {issued_on}, to {DUE_AFTER_DAYS_MAX} days after it.")


def _find_repeat(db: Db, asked: Asked, posted: Mapping[str, Any]) -> Answer[Invoice] | None:
    """Return the first result of an earlier request with the same key, None where there is none."""
    if asked.key is None:
        return None
    stored = store.find_invoice_by_key(db, tenant=asked.tenant, idempotency_key=asked.key)
    return None if stored is None else _repeated(stored, posted)


def _repeat_of(taken: Taken, posted: Mapping[str, Any]) -> Answer[Invoice]:
    """Return the first result where the unique key that is taken is the request's own."""
    if taken.fields != REPEAT_FIELDS:
        raise RefusedByForeignIndex.on("invoices", taken.fields)
    return _repeated(cast(Invoice, taken.document), posted)


def _repeated(stored: Invoice, posted: Mapping[str, Any]) -> Answer[Invoice]:
    require_same_request(stored.get("request_hash"), hash_of(posted))
    return Answer(as_issued(stored), replayed=True)


def _is_invoice(draft: Draft) -> bool:
    return draft.series.kind == KIND
