"""Invoices and credit notes as they are posted and asked for."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from marshmallow import Schema, ValidationError, post_load, validates_schema

from finance.customers.schemas import CustomerCode
from finance.edge.fields import Choice, Count, CurrencyCode, Day, ExactNumber, PageCursor, Text, TextWithoutKey
from finance.edge.filters import OF_EXPORTS, OF_LISTS, FiltersSchema
from finance.edge.hints import given_by_server
from finance.edge.items import Items
from finance.invoices.model import SORTS, STATUSES
from finance.numbering.series import SLUG

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
LINES_MAX = 500
RATE_MAX = 100
TOTALS = ("total_net", "total_tax", "total")


class ShopName(Text):
    """The name of a shop, in any case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(40, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        slug = super()._deserialize(value, attr, data, **kwargs).lower()
        if SLUG.fullmatch(slug) is None:
            raise ValidationError("must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or a digit.")
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
            raise ValidationError("must be at most 100%.")
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
            raise ValidationError({"quantity": ["must be greater than zero."]})
        if Fraction(data["tax_rate"]) > RATE_MAX:
            raise ValidationError({"tax_rate": [f"must be at most {RATE_MAX} percent."]})
        discount = data.get("discount") or "0"
        gross = Fraction(data["quantity"]) * Fraction(data["unit_price"])
        if not discount.endswith("%") and Fraction(discount) > gross:
            raise ValidationError({"discount": ["must not be more than the line comes to."]})


class NewInvoiceSchema(Schema):
    """An invoice as posted."""

    fixed = given_by_server(
        *("id", "invoice_number", "period", "taxes", "amount_paid", "outstanding", "status", "cancel_reason"),
        *("cancelled_at", "credit_note_number", "history", "created_at", "created_by"),
    )
    shop = ShopName(required=True)
    customer_code = CustomerCode(allow_none=True, metadata={"description": "The code of an active customer."})
    customer_name = Text(200, allow_none=True, metadata={"description": "Needed where there is no customer_code."})
    issued_on = Day(allow_none=True, metadata={"description": "Default: today in the shop's time zone."})
    due_on = Day(allow_none=True)
    currency = CurrencyCode(allow_none=True, metadata={"description": "Default: the shop's."})
    lines = Items(LineSchema(), LINES_MAX, length_min=1, required=True)
    notes = Text(2000, lines=True, allow_none=True)
    total_net = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})
    total_tax = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})
    total = ExactNumber(digits_max=13, decimals_max=6, allow_none=True, metadata={"description": "Must agree."})

    @validates_schema(skip_on_field_errors=False)
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if not (data.get("customer_code") or data.get("customer_name")):
            raise ValidationError({"customer_name": ["is required where there is no customer_code."]})

    @post_load
    def _without_nulls(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        posted = {name: value for name, value in data.items() if value is not None and name not in TOTALS}
        posted["lines"] = [{n: v for n, v in line.items() if v is not None} for line in posted["lines"]]
        sent = {name: Fraction(data[name]) for name in TOTALS if data.get(name) is not None}
        return {**posted, "sent_totals": sent} if sent else posted


class CancelSchema(Schema):
    reason = TextWithoutKey(500, lines=True, required=True)


class InvoiceFiltersSchema(FiltersSchema):
    """Which invoices are meant; the same for lists and exports."""

    shop = ShopName()
    status = Choice(STATUSES, name="InvoiceStatus")
    customer_code = CustomerCode()
    currency = CurrencyCode()
    issued_from = Day(metadata={"description": "The first day, inclusive."})
    issued_to = Day(metadata={"description": "The last day, inclusive."})
    due_from = Day(metadata={"description": "The first day due, inclusive."})
    due_to = Day(metadata={"description": "The last day due, inclusive."})
    idempotency_key = Text(255)


class InvoiceListSchema(InvoiceFiltersSchema):
    """The filters, the order and the place of one page."""

    fixed = OF_LISTS

    sort = Choice(SORTS, name="InvoiceSort", load_default="-issued_on")
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class InvoiceExportSchema(InvoiceFiltersSchema):
    fixed = OF_EXPORTS

    sort = Choice(SORTS, name="InvoiceSort", load_default="issued_on")


class CreditNoteListSchema(FiltersSchema):
    fixed = OF_LISTS

    shop = ShopName()
    invoice_number = Text(100)
    issued_from = Day(metadata={"description": "The first day, inclusive."})
    issued_to = Day(metadata={"description": "The last day, inclusive."})
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class CreditNoteExportSchema(CreditNoteListSchema):
    fixed = OF_EXPORTS

    class Meta:
        exclude = ("limit", "cursor")


def filters_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a loaded query as the store's filters: days as they are stored."""
    return {
        name: value.isoformat() if name.endswith(("_from", "_to")) else value
        for name, value in query.items()
        if name not in ("sort", "limit", "cursor")
    }
