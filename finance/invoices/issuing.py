"""Issuing invoices: once, under the next number of their series."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, cast
from zoneinfo import ZoneInfo

from finance import metrics
from finance.asked import Asked
from finance.customers.buyers import Buyer, get_buyer
from finance.customers.model import Book
from finance.database import Db, Document, before_writing
from finance.errors import FinanceError, Invalid
from finance.invoices import sequences, store
from finance.invoices.credit_limits import require_within_limit
from finance.invoices.model import (
    CLIENT_AHEAD_DAYS_MAX,
    DUE_AFTER_DAYS_MAX,
    KIND,
    Invoice,
    Totals,
    as_issued,
    hash_of,
    new_invoice,
    possible_days,
)
from finance.invoices.tax_numbers import opened, sealed, sealed_request
from finance.invoices.totals import computed
from finance.numbering.drafts import Draft, Outcome, Stored, Taken
from finance.numbering.issue import issue_no_gap
from finance.numbering.lane import Submit
from finance.numbering.series import Series
from finance.once import Answer, RefusedByForeignIndex, first_result, require_same_request
from finance.said import said
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


def issue_invoice(
    book: Book, asked: Asked, *, submit: Submit, posted: Mapping[str, Any], over_limit_confirmed: bool = False
) -> Answer[Invoice]:
    """Store an invoice under the next number of its series, with the customer as it is today.

    `posted` is a body after validation. Raises Invalid (no such shop or customer, totals that don't agree, a day that
    can't be), IssuedOnBeforeLast, OverCreditLimit, IdempotencyKeyReused, SeriesFull, or Unavailable.
    """
    request = sealed_request(book.cipher, posted, tenant=asked.tenant)
    check = partial(_checked_invoice, book, asked, posted, request, over_limit_confirmed=over_limit_confirmed)
    checked = first_result(before_writing(check), partial(_find_repeat, book, asked, request))
    if isinstance(checked, Answer):
        return checked
    outcome = submit(checked)
    if isinstance(outcome, Taken):
        return _repeat_of(book, outcome, request)
    return Answer(opened(book.cipher, cast(Invoice, outcome.document)))


def _checked_invoice(
    book: Book, asked: Asked, posted: Mapping[str, Any], request: Mapping[str, Any], *, over_limit_confirmed: bool
) -> Draft:
    """Return the invoice to store; raises Invalid or Conflict where it can't be issued, as things are now."""
    db = book.db
    shop = shops.find_shop(db, tenant=asked.tenant, shop=posted["shop"])
    if shop is None:
        raise Invalid.field("shop", said("there is no shop of this name."))
    today = asked.now.astimezone(ZoneInfo(shop["timezone"])).date()
    issued_on = posted.get("issued_on") or today
    _require_possible_days(issued_on, posted.get("due_on"), today, ahead_days=_ahead_days(asked, shop))
    buyer = _buyer(book, asked, posted)
    rule, period = sequences.numbering_of(shop, issued_on)
    totals = computed(posted, posted.get("currency") or shop["currency"])
    if not over_limit_confirmed:
        _require_within_limit(db, asked, posted, buyer, totals)
    terms = None if "due_on" in posted else _terms(buyer)
    invoice = new_invoice(
        request,
        asked,
        customer=_kept_of(book, asked, posted, buyer),
        totals=totals,
        period=period.label,
        issued_on=issued_on,
        due_on=posted.get("due_on") if terms is None else issued_on + terms,
    )
    latest = None if "issued_on" in posted else today + timedelta(days=1)  # midnight may pass while this waits
    draft = sequences.invoice_draft(invoice, shop, rule, period, latest)
    return draft if terms is None else _due_after(draft, terms)


def _buyer(book: Book, asked: Asked, posted: Mapping[str, Any]) -> Buyer:
    """Return the customer that is named by its code, as it is now; else what is posted of one that has none."""
    gstin = posted.get("customer_gstin")
    if "customer_code" not in posted:
        return Buyer(gstin=gstin)
    return get_buyer(book, tenant=asked.tenant, customer_code=posted["customer_code"], gstin=gstin)


def _kept_of(book: Book, asked: Asked, posted: Mapping[str, Any], buyer: Buyer) -> dict[str, Any]:
    """Return what the invoice keeps of its buyer, whatever becomes of the customer. What is posted comes first."""
    kept = {
        "customer_name": posted.get("customer_name", buyer.name),
        "customer_address": posted.get("customer_address", buyer.address),
    }
    numbers = {"customer_gstin": buyer.gstin, "customer_pan_number": buyer.pan_number}
    given = {name: number for name, number in numbers.items() if number is not None}
    return {name: value for name, value in kept.items() if value is not None} | sealed(
        book.cipher, given, tenant=asked.tenant
    )


def _terms(buyer: Buyer) -> timedelta | None:
    """Return how long the customer has to pay; None where nothing is agreed."""
    days = buyer.payment_terms_days
    return None if days is None else timedelta(days=min(days, DUE_AFTER_DAYS_MAX))


def _due_after(draft: Draft, terms: timedelta) -> Draft:
    """Return a draft whose due day follows its day of issue, which may move while it waits."""

    def follow(newest: Document | None) -> Series | FinanceError:
        found = draft.follow(newest) if draft.follow else draft.series
        draft.document["due_on"] = (date.fromisoformat(draft.document["issued_on"]) + terms).isoformat()
        return found

    return replace(draft, follow=follow)


def _require_within_limit(db: Db, asked: Asked, posted: Mapping[str, Any], buyer: Buyer, totals: Totals) -> None:
    if buyer.credit_limit is not None:
        require_within_limit(
            db,
            tenant=asked.tenant,
            customer_code=posted["customer_code"],
            limit=buyer.credit_limit,
            currency=totals["currency"],
            total_minor=totals["total_minor"],
        )


def _ahead_days(asked: Asked, shop: Shop) -> int:
    """Return how many days ahead an invoice may be dated: by accountants as far as the shop says."""
    ahead_days = shop["issue_ahead_days"]
    return min(ahead_days, CLIENT_AHEAD_DAYS_MAX) if asked.role == "client" else ahead_days


def _require_possible_days(issued_on: date, due_on: date | None, today: date, *, ahead_days: int) -> None:
    first, last = possible_days(today, ahead_days=ahead_days)
    if not first <= issued_on <= last:
        raise Invalid.field("issued_on", said("must be from {first} to {last}.", first=first, last=last))
    if due_on is not None and not issued_on <= due_on <= issued_on + timedelta(days=DUE_AFTER_DAYS_MAX):
        raise Invalid.field(
            "due_on",
            said(
                "must be from issued_on, {issued_on}, to {days} days after it.",
                issued_on=issued_on,
                days=DUE_AFTER_DAYS_MAX,
            ),
        )


def _find_repeat(book: Book, asked: Asked, request: Mapping[str, Any]) -> Answer[Invoice] | None:
    """Return the first result of an earlier request with the same key, None where there is none."""
    if asked.key is None:
        return None
    stored = store.find_invoice_by_key(book.db, tenant=asked.tenant, idempotency_key=asked.key)
    return None if stored is None else _repeated(book, stored, request)


def _repeat_of(book: Book, taken: Taken, request: Mapping[str, Any]) -> Answer[Invoice]:
    """Return the first result where the unique key that is taken is the request's own."""
    if taken.fields != REPEAT_FIELDS:
        raise RefusedByForeignIndex.on("invoices", taken.fields)
    return _repeated(book, cast(Invoice, taken.document), request)


def _repeated(book: Book, stored: Invoice, request: Mapping[str, Any]) -> Answer[Invoice]:
    require_same_request(stored.get("request_hash"), hash_of(request))
    return Answer(opened(book.cipher, as_issued(stored)), replayed=True)


def _is_invoice(draft: Draft) -> bool:
    return draft.series.kind == KIND
