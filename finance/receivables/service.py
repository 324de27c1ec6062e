"""Statements of customers, and the ageing of all: right at any day, from the documents as they stand now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from finance.customers import service as customers
from finance.database import Db
from finance.errors import Invalid
from finance.invoices.settling import Settling, settle_all
from finance.money import is_whole
from finance.paging import Page, PageWanted
from finance.receivables import completing, open_items, store
from finance.receivables.model import BUCKETS, LAST_DAYS, STREAMS, Account, Line, Period, Row
from finance.said import Said, said
from finance.shops import service as shops

EXPORT_PAGE_SIZE = 2_000
POSITION = ("position",)
ACCOUNTS_MAX = 10  # currencies of one customer that are shown side by side


@dataclass(frozen=True)
class Heading:
    """What a statement is of, and what it comes to."""

    account: Account
    customer_name: str | None
    period: Period
    opening_minor: int
    closing_minor: int


@dataclass(frozen=True)
class StatementPage(Page[Line]):
    heading: Heading


@dataclass(frozen=True)
class AgeingPage(Page[Row]):
    """Rows of an ageing, and the total of all its rows."""

    currency: str
    total: Row


@dataclass(frozen=True)
class Question:
    """Whose statement is asked for; the day it ends with, and the first one where it is named."""

    account: Account
    first: str | None
    last: str


def understand_statement(
    db: Db, *, tenant: str, customer_code: str, query: Mapping[str, Any], today: date, settling: Settling
) -> Question:
    """Return what a query asks for, after settling what is on its way.

    Raises CustomerNotFound, Invalid, or ReceivablesBeingPrepared.
    """
    code = customers.get_code(db, tenant=tenant, customer_code=customer_code)
    _finish(db, tenant, settling)
    currency = query.get("currency") or _currency_of(db, tenant, code)
    last, first = query.get("last", today), query.get("first")
    if first is not None and first > last:
        raise Invalid.parameter("from", said("must not be after to, which is today where it isn't named."))
    return Question(Account(tenant, code, currency), None if first is None else first.isoformat(), last.isoformat())


def get_statement(db: Db, question: Question, *, wanted: PageWanted) -> StatementPage:
    """Return one page of a statement, with the balance after each line."""
    period, rank, after = _period(db, question), *_place(wanted.after)
    account = question.account
    sums = [
        store.sum_until(db, account, stream, period, after=_after(position, rank, after))
        for position, stream in enumerate(STREAMS)
    ]
    opening, balance, closing = (sum(column) for column in zip(*sums, strict=True))
    name = store.find_name(db, tenant=account.tenant, customer_code=account.customer_code)
    lines = _lines(db, account, period, rank, after, limit=wanted.limit + 1)
    has_more = len(lines) > wanted.limit
    del lines[wanted.limit :]
    _balance(lines, balance)
    heading = Heading(account, name, period, opening, closing)
    return StatementPage(lines, lines[-1]["position"] if has_more else None, POSITION, heading)


def export_statement(db: Db, question: Question) -> Iterator[list[Mapping[str, Any]]]:
    """Yield every line of a statement between a row for the opening and one for the closing balance."""
    page = get_statement(db, question, wanted=PageWanted("", None, EXPORT_PAGE_SIZE))
    heading, position, balance = page.heading, page.position, page.heading.opening_minor
    opening = {"date": heading.period.first, "kind": "opening_balance", "balance_minor": balance}
    currency = {"currency": heading.account.currency}
    yield [currency | opening]
    lines = page.rows
    while lines:
        balance = lines[-1]["balance_minor"]
        yield [currency | line for line in lines]
        if position is None:
            break
        # Summed once: each page goes on from the balance of the one before.
        rank, after = _place(position)
        lines = _lines(db, question.account, heading.period, rank, after, limit=EXPORT_PAGE_SIZE)
        _balance(lines, balance)
        position = lines[-1]["position"] if lines else None
    yield [currency | {"date": heading.period.last, "kind": "closing_balance", "balance_minor": balance}]


def understand_ageing(
    db: Db, *, tenant: str, query: Mapping[str, Any], today: date, settling: Settling
) -> tuple[str, date]:
    """Return the currency and the day that a query asks for, after settling what is on its way."""
    _finish(db, tenant, settling)
    currency = query.get("currency") or _only(_shops_currencies(db, tenant), several=_SHOPS_HAVE_SEVERAL)
    return currency, query.get("as_of", today)


def each_ageing_page(db: Db, *, tenant: str, currency: str, as_of: date) -> Iterator[list[Row]]:
    """Yield the rows of all customers, some hundred at a time, in the order of their codes; without a code last."""
    rows: list[Row] = []
    for row in _ageing(db, tenant, currency, as_of):
        rows.append(row)
        if len(rows) == EXPORT_PAGE_SIZE:
            yield _named(db, tenant, rows)
            rows = []
    yield _named(db, tenant, rows)


def list_ageing(db: Db, *, tenant: str, currency: str, as_of: date, wanted: PageWanted) -> AgeingPage:
    """Return one page of the rows, with the total of all rows."""
    after = None if wanted.after is None else wanted.after[0]
    rows: list[Row] = []
    total = no_row()
    for row in _ageing(db, tenant, currency, as_of):
        add_to(total, row)
        code = row["customer_code"]
        if len(rows) <= wanted.limit and (after is None or code is None or code > after):
            rows.append(row)
    has_more = len(rows) > wanted.limit
    del rows[wanted.limit :]
    position = [rows[-1]["customer_code"]] if has_more else None
    return AgeingPage(_named(db, tenant, rows), position, ("customer_code",), currency, total)


def list_accounts(db: Db, *, tenant: str, customer_code: str, as_of: date, settling: Settling) -> list[tuple[str, Row]]:
    """Return the customer's row of the ageing in each currency of its documents, zero where nothing is open."""
    _finish(db, tenant, settling)
    currencies = store.list_currencies(db, tenant=tenant, customer_code=customer_code)[:ACCOUNTS_MAX]
    return [
        (currency, next(_ageing(db, tenant, currency, as_of, customer_code=customer_code), no_row()))
        for currency in currencies
    ]


def list_shops_currencies(db: Db, *, tenant: str) -> list[str]:
    """Return the currencies in which the tenant's shops invoice."""
    return _shops_currencies(db, tenant)


def list_currencies(db: Db, *, tenant: str, customer_code: str) -> list[str]:
    """Return the currencies of a customer's documents."""
    return store.list_currencies(db, tenant=tenant, customer_code=customer_code)


def no_row() -> Row:
    return {"customer_code": None, "customer_name": None, "buckets": [0] * len(BUCKETS), "credit_minor": 0}


def add_to(total: Row, row: Row) -> None:
    """Add a row to a total."""
    total["buckets"] = [sum(pair) for pair in zip(total["buckets"], row["buckets"], strict=True)]
    total["credit_minor"] += row["credit_minor"]


def _finish(db: Db, tenant: str, settling: Settling) -> None:
    """Finish what is on its way, or was stored by an earlier version; raises ReceivablesBeingPrepared."""
    settle_all(db, tenant=tenant, settling=settling)
    completing.complete_tenant(db, tenant=tenant)


def _period(db: Db, question: Question) -> Period:
    first = question.first or store.find_first_day(db, question.account) or question.last
    return Period(min(first, question.last), question.last)


def _place(position: Sequence[Any] | None) -> tuple[int, list[Any] | None]:
    """Return the rank of the stream that a position is in, and the position there."""
    return (-1, None) if position is None else (position[0], list(position[1:]))


def _after(stream: int, rank: int, after: list[Any] | None) -> list[Any] | None:
    """Return where another stream goes on: those of a lower rank have shown the whole day of the position."""
    if after is None or stream == rank:
        return after
    day: str = after[0]
    return [f"{day}\0" if stream < rank else day]  # of all texts the next one after the day


def _lines(db: Db, account: Account, period: Period, rank: int, after: list[Any] | None, *, limit: int) -> list[Line]:
    """Return the lines after a position, without their balances."""
    lines: list[Line] = []
    for stream_rank, stream in enumerate(STREAMS):
        place = _after(stream_rank, rank, after)
        for row, position in store.list_rows(db, account, stream, period, after=place, limit=limit):
            minor = row.get(stream.amount)
            amount = minor if is_whole(minor) else 0
            lines.append(
                {
                    "date": row[stream.order[0]],
                    "kind": stream.kind,
                    "number": row.get(stream.number) or "",
                    "amount_minor": amount if stream.is_debit(row) else -amount,
                    "is_debit": stream.is_debit(row),
                    "balance_minor": 0,
                    "position": [stream_rank, *position],
                }
            )
    lines.sort(key=lambda line: (line["date"], line["position"][0]))  # stable: a stream keeps its own order
    return lines[:limit]


def _balance(lines: list[Line], balance_minor: int) -> None:
    """Give each line the balance after it."""
    for line in lines:
        balance_minor += line["amount_minor"]
        line["balance_minor"] = balance_minor


def _ageing(db: Db, tenant: str, currency: str, as_of: date, *, customer_code: str | None = None) -> Iterator[Row]:
    due_from = [date.fromordinal(max(1, as_of.toordinal() - days)).isoformat() for days in LAST_DAYS]
    found = open_items.each_customer(
        db,
        tenant=tenant,
        currency=currency,
        as_of=as_of.isoformat(),
        due_from=due_from,
        customer_code=customer_code,
    )
    for each in found:
        if each["credit_minor"] or any(each["buckets"]):
            yield Row(
                customer_code=each["_id"],
                customer_name=None,
                buckets=each["buckets"],
                credit_minor=each["credit_minor"],
            )


def _named(db: Db, tenant: str, rows: list[Row]) -> list[Row]:
    codes = [row["customer_code"] for row in rows if row["customer_code"] is not None]
    names = store.find_names(db, tenant=tenant, customer_codes=codes) if codes else {}
    for row in rows:
        row["customer_name"] = names.get(row["customer_code"] or "")
    return rows


_SHOPS_HAVE_SEVERAL = said("the tenant's shops have several: {currencies}")


def _currency_of(db: Db, tenant: str, customer_code: str) -> str:
    found = store.list_currencies(db, tenant=tenant, customer_code=customer_code)
    if found:
        return _only(found, several=said("this customer's documents have several: {currencies}"))
    return _only(_shops_currencies(db, tenant), several=_SHOPS_HAVE_SEVERAL)


def _shops_currencies(db: Db, tenant: str) -> list[str]:
    listed = shops.list_shops(db, tenant=tenant)
    return sorted({shop["currency"] for shop in listed if shop["currency"] is not None})


def _only(currencies: list[str], *, several: Said) -> str:
    """Return the one currency; raises Invalid where there are several, or none."""
    if len(currencies) == 1:
        return currencies[0]
    # Only shops can have none: a customer without documents is asked of them.
    named = several.format(currencies=", ".join(currencies)) if currencies else said("the tenant's shops have none")
    raise Invalid.parameter("currency", said("is needed here, {named}.", named=named))
