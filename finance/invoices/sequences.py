"""Which series an invoice or a credit note belongs to, what it has to follow there, and how the series stand."""

from datetime import date
from typing import cast
from zoneinfo import ZoneInfo

from finance.database import Db, Document
from finance.errors import FieldError, FinanceError, Invalid
from finance.invoices import store
from finance.invoices.model import CreditNote, Invoice, credit_note_series, invoice_series
from finance.invoices.notes import cancelling_note, give_day
from finance.numbering import counters
from finance.numbering.drafts import Draft
from finance.numbering.following import find_refusal
from finance.numbering.series import Series
from finance.shops import service as shops
from finance.shops.model import Period, Rule, Shop, format_of_period, period_of


class IssuedOnBeforeLast(Invalid):
    """The series is chronological: after an invoice of one day none of an earlier day can follow."""

    extra_members = {"earliest": "The first day that is possible, YYYY-MM-DD."}

    def __init__(self, earliest: str) -> None:
        detail = f"must be {earliest} or later: the newest invoice of this sequence is of that day."
        super().__init__(
            f"issued_on: {detail}", errors=[FieldError(detail, pointer="/issued_on")], extra={"earliest": earliest}
        )


def numbering_of(db: Db, shop: Shop, issued_on: date) -> tuple[Rule, Period]:
    """Return the rule and the period that number an invoice of this day.

    Where the shop changed when its numbers begin again, a sequence that has numbers goes on until its period ends.
    """
    for rule in shop["rules"][:-1]:
        replaced_in = _period(rule, date.fromisoformat(rule["replaced_on"]))
        period = _period(rule, issued_on)
        if issued_on <= replaced_in.last_day and store.has_numbers(
            db, tenant=shop["tenant"], shop=shop["shop"], period=period.label
        ):
            return rule, period
    newest = shop["rules"][-1]
    return newest, _period(newest, issued_on)


def _period(rule: Rule, day: date) -> Period:
    return period_of(day, reset=rule["reset"], fiscal_year_start_month=rule["fiscal_year_start_month"])


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
        invoice["number_format"] = newest["number_format"] if newest else wanted
        return series(invoice["number_format"])

    return Draft(series(wanted), cast(Document, invoice), follow)


def credit_note_draft(invoice: Invoice, shop: Shop) -> Draft:
    """Return the draft of the credit note over a cancelled invoice."""
    return note_draft(cancelling_note(invoice), shop, not_before=invoice["issued_on"])


def note_draft(note: CreditNote, shop: Shop, *, not_before: str) -> Draft:
    """Return the draft of a credit note, dated when it was asked for, or later where its invoice is (`not_before`) or
    the newest credit note of its series.
    """
    made_on = note["created_at"].astimezone(ZoneInfo(shop["timezone"])).date()
    day = max(made_on, date.fromisoformat(not_before))
    rule = shop["rules"][-1]
    period = _period(rule, day)
    wanted = format_of_period(rule["credit_note_format"], shop=shop["shop"], period=period)
    note["period"] = period.label

    def series(number_format: str) -> Series:
        return credit_note_series(note["tenant"], shop, period.label, number_format)

    def follow(newest: Document | None) -> Series | FinanceError:
        give_day(note, max(day.isoformat(), newest["issued_on"]) if newest else day.isoformat())
        note["number_format"] = newest["number_format"] if newest else wanted
        return series(note["number_format"])

    return Draft(series(wanted), cast(Document, note), follow)


def require_numberable(db: Db, draft: Draft) -> None:
    """Raise SeriesFull or NumberTakenElsewhere where this credit note couldn't be numbered as things stand."""
    refusal = find_refusal(store.numbered_credit_notes(db), draft)
    if refusal is not None:
        raise refusal


def list_sequences(db: Db, *, tenant: str, shop: str) -> list[Document]:
    """Return every sequence of a shop with its newest number, its count, and whether no number is missing in it.

    A sequence taken over from an older system begins after the last number given there.
    """
    shops.get_shop(db, tenant=tenant, shop=shop)
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
    return sequences


def _taken_over(db: Db, tenant: str, shop: str, sequence: Document) -> int:
    series = Series(
        tenant=tenant, kind=sequence["kind"], prefix="", digits_min=1, scope=shop.upper(), period=sequence["period"]
    )
    return counters.read_taken_over(db, series)
