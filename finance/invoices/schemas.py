"""Invoices and credit notes as they are posted and asked for."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from marshmallow import Schema, ValidationError, post_load, validates_schema

from finance.customers.checks import parse_gstin
from finance.customers.masking import is_masked
from finance.customers.schemas import CustomerCode, Secret
from finance.edge.fields import (
    AmountText,
    Choice,
    Count,
    CurrencyCode,
    Day,
    ExactNumber,
    PageCursor,
    Text,
    TextWithoutKey,
)
from finance.edge.filters import OF_EXPORTS, OF_LISTS, FiltersSchema, NameSearch
from finance.edge.hints import given_by_server
from finance.edge.items import Items
from finance.errors import Invalid
from finance.invoices.model import OPEN, SORTS, STATUSES
from finance.money import parse_amount
from finance.numbering.series import SLUG
from finance.said import said
from finance.text import fold

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
LINES_MAX = 500
GIVEN_MAX = 100
RATE_MAX = 100
TOTALS = ("total_net", "total_tax", "total")


class ShopName(Text):
    """The name of a shop, in any case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(40, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        slug = super()._deserialize(value, attr, data, **kwargs).lower()
        if SLUG.fullmatch(slug) is None:
            raise ValidationError(said("must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or a digit."))
        return slug


class Discount(ExactNumber):
    """What is taken off a line: an amount ("5.00") or a share of it ("10%")."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(digits_max=13, decimals_max=6, **kwargs)
        self.metadata = {"type": ["string", "number"], "pattern": r"^[0-9]{1,13}(\.[0-9]{1,6})?%?$", "example": "10%"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not (isinstance(value, str) and value.endswith("%")):
            return super()._deserialize(value, attr, data, **kwargs)
        share = super()._deserialize(value[:-1], attr, data, **kwargs)
        if Fraction(share) > 100:
            raise ValidationError(said("must be at most 100%."))
        return f"{share}%"


class LineSchema(Schema):
    """A line as posted. Numbers may be strings or JSON numbers; they are taken as the digits written."""

    description = Text(500, lines=True, required=True)
    quantity = ExactNumber(digits_max=9, decimals_max=6, load_default="1")
    unit_price = ExactNumber(digits_max=13, decimals_max=6, required=True, metadata={"description": "Before tax."})
    tax_rate = ExactNumber(digits_max=3, decimals_max=4, load_default="0", metadata={"description": "In percent."})
    discount = Discount(allow_none=True)

    @validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if Fraction(data["quantity"]) == 0:
            raise ValidationError({"quantity": [said("must be greater than zero.")]})
        if Fraction(data["tax_rate"]) > RATE_MAX:
            raise ValidationError({"tax_rate": [said("must be at most {most} percent.", most=RATE_MAX)]})
        discount = data.get("discount") or "0"
        gross = Fraction(data["quantity"]) * Fraction(data["unit_price"])
        if not discount.endswith("%") and Fraction(discount) > gross:
            raise ValidationError({"discount": [said("must not be more than the line comes to.")]})


class LinesSchema(Schema):
    """Lines, and what they come to where the client says so."""

    lines = Items(LineSchema(), LINES_MAX, length_min=1, required=True)
    total_net = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})
    total_tax = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})
    total = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})

    @post_load
    def _without_nulls(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        posted = {name: value for name, value in data.items() if value is not None and name not in TOTALS}
        posted["lines"] = [{n: v for n, v in line.items() if v is not None} for line in posted["lines"]]
        sent = {name: Fraction(data[name]) for name in TOTALS if data.get(name) is not None}
        return {**posted, "sent_totals": sent} if sent else posted


class NewInvoiceSchema(LinesSchema):
    """An invoice as posted."""

    fixed = given_by_server(
        *("id", "invoice_number", "period", "taxes", "amount_paid", "outstanding", "status", "cancel_reason"),
        *("cancelled_at", "credit_note_number", "history", "created_at", "created_by"),
    ) | {"customer_pan_number": said("is taken from the customer; leave it out.")}
    shop = ShopName(required=True)
    customer_code = CustomerCode(allow_none=True, metadata={"description": "The code of an active customer."})
    customer_name = Text(
        200, allow_none=True, metadata={"description": "Needed without a customer_code; default: the customer's."}
    )
    customer_address = Text(
        500,
        lines=True,
        allow_none=True,
        metadata={"description": "Default: that of the customer's registration, see customer_gstin."},
    )
    customer_gstin = Secret(
        parse_gstin,
        40,
        allow_none=True,
        metadata={"description": "One of the customer's, in full or masked as it is shown; default: the only one."},
    )
    issued_on = Day(allow_none=True, metadata={"description": "Default: today in the shop's time zone."})
    due_on = Day(allow_none=True)
    currency = CurrencyCode(allow_none=True, metadata={"description": "Default: the shop's."})
    notes = Text(2000, lines=True, allow_none=True)

    @validates_schema(skip_on_field_errors=False)
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if not (data.get("customer_code") or data.get("customer_name")):
            raise ValidationError({"customer_name": [said("is required where there is no customer_code.")]})
        if not data.get("customer_code") and is_masked(data.get("customer_gstin") or ""):
            raise ValidationError({"customer_gstin": [said("is masked; without a customer_code write it in full.")]})


class NewCreditNoteSchema(LinesSchema):
    """What is credited of an invoice, as posted: the lines, in the invoice's currency, and why."""

    fixed = given_by_server(
        *("id", "shop", "period", "currency", "issued_on", "customer_code", "customer_name", "invoice_number"),
        *("credit_note_number", "taxes", "allocations", "allocated", "unallocated", "history"),
        *("created_at", "created_by"),
    )
    reason = TextWithoutKey(500, lines=True, required=True)


class GivenPartSchema(Schema):
    """What a credit note gives to one invoice."""

    invoice_number = Text(100, required=True)
    amount = AmountText(required=True)


class GiveCreditNoteSchema(Schema):
    allocations = Items(GivenPartSchema(), GIVEN_MAX, length_min=1, required=True)

    @validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if len({part["invoice_number"] for part in data["allocations"]}) < len(data["allocations"]):
            raise ValidationError({"allocations": [said("must name each invoice once.")]})


class ReleaseCreditNoteSchema(Schema):
    invoice_number = Text(100, required=True)
    amount = AmountText(allow_none=True, metadata={"description": "Default: all that is allocated there."})
    reason = TextWithoutKey(500, lines=True, required=True)


class OverLimitSchema(Schema):
    """Said by somebody who has seen that the customer will owe more than its credit limit allows."""

    confirm_over_limit = Choice(("true", "false"), load_default="false")


class CancelSchema(Schema):
    reason = TextWithoutKey(500, lines=True, required=True)


def _sort(default: str) -> Choice:
    description = f"Default: {default}; due_on where overdue is asked for. total needs currency."
    return Choice(SORTS, name="InvoiceSort", metadata={"description": description})


class InvoiceFiltersSchema(FiltersSchema):
    """Which invoices are meant; the same for lists and exports."""

    default_sort = "issued_on"

    shop = ShopName()
    status = Choice(
        (*STATUSES, OPEN),
        name="InvoiceStatusFilter",
        right=said(
            "must be open, for issued and partly_paid, or else it must be one of: {statuses}",
            statuses=", ".join(STATUSES),
        ),
        metadata={"description": "open: issued or partly_paid."},
    )
    customer_code = CustomerCode()
    customer_name = NameSearch(
        200, metadata={"description": "How the name on the invoice, or a word in it, begins; case and accents aside."}
    )
    overdue = Choice(
        ("true",),
        metadata={"description": "Due before today (in FINANCE_TIMEZONE), and something is outstanding."},
    )
    min_outstanding = AmountText(
        metadata={"description": "At least this much is outstanding; needs currency.", "type": "string"}
    )
    currency = CurrencyCode()
    issued_from = Day(metadata={"description": "The first day, inclusive."})
    issued_to = Day(metadata={"description": "The last day, inclusive."})
    due_from = Day(metadata={"description": "The first day due, inclusive."})
    due_to = Day(metadata={"description": "The last day due, inclusive."})
    idempotency_key = Text(255)

    @validates_schema
    def _check_amounts(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if "currency" not in data:
            needing = {"min_outstanding": "min_outstanding" in data, "sort": data.get("sort") in ("total", "-total")}
            alone = [said("needs the parameter currency beside it.")]
            if any(needing.values()):
                raise ValidationError({name: alone for name, needs in needing.items() if needs})
        elif "min_outstanding" in data:
            _minor(data["min_outstanding"], data["currency"], "min_outstanding")

    @post_load
    def _choose_sort(self, query: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"sort": "due_on" if "overdue" in query else self.default_sort, **query}


class InvoiceListSchema(InvoiceFiltersSchema):
    """The filters, the order and the place of one page."""

    fixed = OF_LISTS
    default_sort = "-issued_on"

    sort = _sort(default_sort)
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class InvoiceExportSchema(InvoiceFiltersSchema):
    fixed = OF_EXPORTS

    sort = _sort(InvoiceFiltersSchema.default_sort)


class CreditNoteListSchema(FiltersSchema):
    fixed = OF_LISTS

    shop = ShopName()
    invoice_number = Text(100)
    customer_code = CustomerCode()
    currency = CurrencyCode()
    unallocated = Choice(("true",), metadata={"description": "Those with a rest to give."})
    issued_from = Day(metadata={"description": "The first day, inclusive."})
    issued_to = Day(metadata={"description": "The last day, inclusive."})
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class CreditNoteExportSchema(CreditNoteListSchema):
    fixed = OF_EXPORTS

    class Meta:
        exclude = ("limit", "cursor")


def filters_of(query: Mapping[str, Any], *, today: date | None = None) -> dict[str, Any]:
    """Return a loaded query as the store's filters: folded text, minor units, days as they are stored.

    `today` is needed where `overdue` may be asked for.
    """
    filters = {
        name: value.isoformat() if name.endswith(("_from", "_to")) else value
        for name, value in query.items()
        if name not in ("sort", "limit", "cursor")
    }
    if "customer_name" in filters:
        filters["customer_folded"] = fold(filters.pop("customer_name"))
    if "min_outstanding" in filters:
        filters["min_outstanding"] = _minor(filters["min_outstanding"], filters["currency"], "min_outstanding")
    if filters.pop("overdue", None) and today is not None:
        filters["overdue_on"] = today.isoformat()
    return filters


def _minor(text: str, currency: str, name: str) -> int:
    try:
        return parse_amount(text, currency, name=name)
    except Invalid as refused:
        raise ValidationError({name: [error.detail for error in refused.errors]}) from None
