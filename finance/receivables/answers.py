"""Statements and the ageing as they are answered."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from finance.edge.fields import AnswerSchema, Choice, CurrencyCode, PageSchema
from finance.money import shown_amount
from finance.receivables.model import BUCKETS, KINDS, Row
from finance.receivables.service import Heading

AGEING_AMOUNTS = (*BUCKETS, "outstanding", "unallocated_credit", "balance")


class StatementLineSchema(AnswerSchema):
    """A line: `debit` is what the customer owes more, `credit` what the customer owes less; the other one is null."""

    date = fields.Date()
    kind = Choice(KINDS, name="StatementLineKind")
    number = fields.String(metadata={"example": "FAC-DKR1-202611-0001"})
    debit = fields.String(allow_none=True)
    credit = fields.String(allow_none=True)
    balance = fields.String(metadata={"description": "What the customer owes after this line."})


class StatementPageSchema(AnswerSchema):
    """One page of a statement; its balances are those of the whole."""

    customer_code = fields.String()
    customer_name = fields.String(allow_none=True)
    currency = CurrencyCode()
    first = fields.Date(data_key="from")
    last = fields.Date(data_key="to")
    opening_balance = fields.String(metadata={"description": "What the customer owed before the first day."})
    lines = fields.List(fields.Nested(StatementLineSchema))
    closing_balance = fields.String(metadata={"description": "What the customer owes at the end of the last day."})
    has_more = fields.Boolean()
    next_cursor = fields.String(allow_none=True)


class AgeingTotalSchema(AnswerSchema):
    current = fields.String(metadata={"description": "Not due before the next day, or later."})
    days_1_30 = fields.String(metadata={"description": "Due since 1 to 30 days; the others likewise."})
    days_31_60 = fields.String()
    days_61_90 = fields.String()
    days_over_90 = fields.String()
    outstanding = fields.String()
    unallocated_credit = fields.String(metadata={"description": "Payments and credit notes not given to invoices."})
    balance = fields.String(metadata={"description": "outstanding less unallocated_credit."})


class AgeingRowSchema(AgeingTotalSchema):
    customer_code = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True)


class AgeingPageSchema(PageSchema):
    as_of = fields.Date()
    currency = CurrencyCode()
    data = fields.List(fields.Nested(AgeingRowSchema))
    total = fields.Nested(AgeingTotalSchema)


def dump_heading(heading: Heading) -> dict[str, Any]:
    account = heading.account
    return {
        "customer_code": account.customer_code,
        "customer_name": heading.customer_name,
        "currency": account.currency,
        "from": heading.period.first,
        "to": heading.period.last,
        "opening_balance": shown_amount(heading.opening_minor, account.currency),
        "closing_balance": shown_amount(heading.closing_minor, account.currency),
    }


def dump_line(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a line as it is answered; a row of an export that shows a balance has no other amount."""
    amount = shown_amount(abs(line["amount_minor"]), currency) if "amount_minor" in line else None
    return {
        "date": line["date"],
        "kind": line["kind"],
        "number": line.get("number"),
        "debit": amount if line.get("is_debit") else None,
        "credit": None if line.get("is_debit") else amount,
        "balance": shown_amount(line["balance_minor"], currency),
    }


def dump_row(row: Row, currency: str) -> dict[str, Any]:
    return {
        "customer_code": row["customer_code"],
        "customer_name": row["customer_name"],
        **dump_total(row, currency),
    }


def dump_total(row: Row, currency: str) -> dict[str, Any]:
    outstanding, credit = sum(row["buckets"]), row["credit_minor"]
    amounts = (*row["buckets"], outstanding, credit, outstanding - credit)
    return {name: shown_amount(minor, currency) for name, minor in zip(AGEING_AMOUNTS, amounts, strict=True)}


def dump_exported_line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**dump_line(line, line["currency"]), "currency": line["currency"]}


def dump_exported_row(row: Any) -> dict[str, Any]:
    return {**dump_row(row, row["currency"]), "currency": row["currency"]}
