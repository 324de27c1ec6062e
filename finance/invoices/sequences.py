"""Which series an invoice or a credit note belongs to, what it has to follow there, and how the series stand."""

import logging
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import cast
from zoneinfo import ZoneInfo

from finance import metrics
from finance.database import Db, Document
from finance.errors import FieldError, FinanceError, Invalid
from finance.invoices import store
from finance.invoices.model import KIND, CreditNote, Invoice, credit_note_series, invoice_series
from finance.invoices.notes import cancelling_note, give_day
from finance.numbering import counters
from finance.numbering.drafts import Draft, NumberTakenElsewhere
from finance.numbering.following import find_refusal
from finance.numbering.series import Series
from finance.said import said
from finance.shops import service as shops
from finance.shops.model import Period, Rule, Shop, format_of_period
from finance.shops.rules import numbering_on

log = logging.getLogger(__name__)

NEARLY_FULL_PERCENT = 90


class IssuedOnBeforeLast(Invalid):
    """The series is chronological: after an invoice of one day none of an earlier day can follow."""

    extra_members = {"earliest": "The first day that is possible, YYYY-MM-DD."}

    def __init__(self, earliest: str) -> None:
        detail = said(
            "must be {earliest} or later: the newest invoice of this sequence is of that day.", earliest=earliest
        )
        super().__init__(
            said("issued_on: {detail}", detail=detail),
            errors=[FieldError(detail, pointer="/issued_on")],
            extra={"earliest": earliest},
        )


@dataclass(frozen=True, eq=False)
class ShopDraft(Draft):
    """A draft of a shop. Where it isn't known that what its rule writes is this shop's, its number is looked at."""

    is_claimed: bool = True


def numbering_of(shop: Shop, day: date) -> tuple[Rule, Period]:
    """Return the rule and the period that number an invoice or a credit note of this day."""
    return numbering_on(shop["rules"], day)


def invoice_draft(invoice: Invoice, shop: Shop, rule: Rule, period: Period, latest: date | None) -> Draft:
    """Return the draft of an invoice. `latest` is how far its day may move where the client named none."""
    asked = invoice["issued_on"]
    wanted = format_of_period(rule["invoice_format"], shop=shop["shop"], period=period)

    def series(number_format: str) -> Series:
        return invoice_series(invoice["tenant"], shop, period.label, number_format)

    def follow(newest: Document | None) -> Series | FinanceError:
        last = newest["issued_on"] if newest else asked
        if last > asked and (latest is None or last > latest.isoformat()):
            return IssuedOnBeforeLast(last)
        invoice["issued_on"] = max(asked, last)
        invoice["number_format"] = _format_after(newest, rule, wanted)
        return series(invoice["number_format"])

    return ShopDraft(series(wanted), cast(Document, invoice), follow, is_claimed=rule.get("claimed", False))


def credit_note_draft(invoice: Invoice, shop: Shop) -> Draft:
    """Return the draft of the credit note over a cancelled invoice."""
    return note_draft(cancelling_note(invoice), shop, not_before=invoice["issued_on"])


def note_draft(note: CreditNote, shop: Shop, *, not_before: str) -> Draft:
    """Return the draft of a credit note, dated when it was asked for, or later where its invoice is (`not_before`) or
    the newest credit note of its series.
    """
    made_on = note["created_at"].astimezone(ZoneInfo(shop["timezone"])).date()
    day = max(made_on, _day_in(not_before))
    rule, period = numbering_of(shop, day)
    wanted = format_of_period(rule["credit_note_format"], shop=shop["shop"], period=period)
    note["period"] = period.label

    def series(number_format: str) -> Series:
        return credit_note_series(note["tenant"], shop, period.label, number_format)

    def follow(newest: Document | None) -> Series | FinanceError:
        give_day(note, max(day.isoformat(), newest["issued_on"]) if newest else day.isoformat())
        note["number_format"] = _format_after(newest, rule, wanted)
        return series(note["number_format"])

    return ShopDraft(series(wanted), cast(Document, note), follow, is_claimed=rule.get("claimed", False))


def _day_in(stored: object) -> date:
    """Return a stored day; where an invoice that is damaged has none, one before all others."""
    try:
        return date.fromisoformat(stored) if isinstance(stored, str) else date.min
    except ValueError:
        return date.min


def _format_after(newest: Document | None, rule: Rule, wanted: str) -> str:
    """Return how the number after `newest` is written: as that one, unless its period never ends, or it met another's
    numbers.
    """
    is_kept = newest is not None and rule["reset"] != "never" and not rule.get("at_once")
    return str(newest["number_format"]) if is_kept and newest is not None else wanted


def checked(db: Db, draft: Draft, *, now: datetime) -> Draft:
    """Return the draft, with a look at each number where another shop, or another kind, may write the same ones.

    That can be so only where shops were set up before what they write was claimed (shops/claims.py).
    """
    if not isinstance(draft, ShopDraft) or draft.is_claimed:
        return draft
    shop, kind, tenant = draft.document["shop"], draft.series.kind, draft.series.tenant
    if shops.hold_series(db, tenant=tenant, shop=shop, now=now):
        return draft

    def check(number: str) -> FinanceError | None:
        if shops.is_free(db, tenant=tenant, shop=shop, kind=kind, number=number):
            return None
        return NumberTakenElsewhere(
            said(
                "The next number of this series, {number}, belongs to a document of another kind. A "
                "number is never given twice: change how shop {shop} writes one of the two.",
                number=number,
                shop=shop,
            )
        )

    return replace(draft, check=check)


def require_numberable(db: Db, draft: Draft) -> None:
    """Raise SeriesFull or NumberTakenElsewhere where this credit note couldn't be numbered as things stand."""
    refusal = find_refusal(store.numbered_credit_notes(db), checked(db, draft, now=draft.document["created_at"]))
    if refusal is not None:
        raise refusal


def is_nearly_full(series: Series, number_seq: int) -> bool:
    """Return whether nine of ten numbers that the series has room for are given."""
    return series.last is not None and number_seq * 100 >= series.last * NEARLY_FULL_PERCENT


def warn_where_nearly_full(draft: Draft) -> None:
    """Count a number of a series' last tenth, and log each hundredth of it: it has to be made longer, or to end."""
    written, number_seq = draft.document["number_format"], draft.document["number_seq"]
    series = replace(draft.series, prefix=written.partition("{")[0], suffix=written.partition("}")[2])
    if not series.last or not is_nearly_full(series, number_seq):
        return
    metrics.nearly_full_numbers.labels(kind=series.kind).inc()
    if number_seq * 100 // series.last > (number_seq - 1) * 100 // series.last:
        log.warning(
            "The series %s is nearly full: %d numbers are left of %d. Raise max_length of its shop.",
            *(series.counter_id, series.last - number_seq, series.last),
        )


def list_sequences(db: Db, *, tenant: str, shop: str) -> list[Document]:
    """Return every sequence of a shop with its newest number, its count, and whether no number is missing in it.

    A sequence taken over from an older system begins after the last number given there.
    """
    standing = shops.get_readable_shop(db, tenant=tenant, shop=shop)
    sequences = store.list_sequences(db, tenant=tenant, shop=shop)
    for sequence in sequences:
        newest = store.find_newest(
            db,
            kind=sequence["kind"],
            tenant=tenant,
            shop=shop,
            period=sequence["period"],
            number_seq=sequence["newest"],
        )
        sequence["newest_document"] = newest or {}
        sequence["taken_over"] = _taken_over(db, tenant, shop, sequence)
        first = sequence["taken_over"] + 1
        sequence["is_whole"] = sequence["first"] == first and sequence["count"] == sequence["newest"] - first + 1
        sequence |= _capacity(standing, sequence)
    return sequences


def _capacity(shop: Shop, sequence: Document) -> Document:
    """Return how many numbers are left, None for no end, and whether that is less than a tenth."""
    written = sequence["newest_document"].get("number_format")
    if sequence["kind"] != KIND or not isinstance(written, str):
        return {"capacity_left": None, "is_nearly_full": False}
    series, newest = invoice_series(shop["tenant"], shop, sequence["period"], written), sequence["newest"]
    left = None if series.last is None else max(0, series.last - newest)
    return {"capacity_left": left, "is_nearly_full": is_nearly_full(series, newest)}


def _taken_over(db: Db, tenant: str, shop: str, sequence: Document) -> int:
    series = Series(
        tenant=tenant, kind=sequence["kind"], prefix="", digits_min=1, scope=shop.upper(), period=sequence["period"]
    )
    return counters.read_taken_over(db, series)
