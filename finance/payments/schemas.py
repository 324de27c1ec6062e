"""Payments as they are posted, asked for and answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, post_load, validates_schema

from finance.customers.schemas import CustomerCode
from finance.edge.fields import (
    AmountText,
    Choice,
    Count,
    CurrencyCode,
    Day,
    PageCursor,
    Text,
    TextWithoutKey,
)
from finance.edge.filters import OF_EXPORTS, OF_LISTS, FiltersSchema, NameSearch
from finance.edge.hints import given_by_server
from finance.edge.items import Items
from finance.edge.metadata import Metadata
from finance.errors import Invalid
from finance.money import DECIMALS_BY_CURRENCY, MINUS_SIGNS, parse_amount
from finance.payments.model import DIRECTIONS, METHODS, SORTS, STATUSES
from finance.said import said
from finance.text import fold

_PAYS_BY_DIRECTION = {
    "incoming": said("an incoming payment pays invoices; name an invoice_number in each."),
    "outgoing": said("an outgoing payment pays credit notes back; name a credit_note_number in each."),
}
PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
ALLOCATIONS_MAX = 100


# Of an answer, but no part of what is posted: whoever sends back what was read is told so.
_GIVEN = given_by_server(
    *("id", "payment_number", "allocated", "unallocated", "previous_numbers", "history", "created_at", "created_by"),
    *("void_reason", "voided_at"),
)
_FOR_GOOD = ("amount", "currency", "payer", "method", "direction", "paid_on", "customer_code", "allocations")


class PaymentEditSchema(Schema):
    """What may be said of a payment when it is recorded, and corrected afterwards; null removes it."""

    fixed = {
        **_GIVEN,
        **dict.fromkeys(_FOR_GOOD, said("can't be changed; void the payment and record it again.")),
        "status": said("can't be set; POST /payments/{payment_number}/void voids the payment."),
    }

    reference = Text(100, allow_none=True)
    note = Text(1000, lines=True, allow_none=True)
    metadata = Metadata(allow_none=True)


class NewPaymentSchema(PaymentEditSchema):
    """A payment as posted. Loading gives `amount_minor` in the place of `amount`."""

    fixed = _GIVEN | {"status": said("is given by the server; POST /payments/{payment_number}/void voids a payment.")}
    amount = AmountText(required=True)
    currency = CurrencyCode(required=True)
    payer = Text(200, required=True)
    method = Choice(METHODS, name="PaymentMethod", required=True)
    direction = Choice(DIRECTIONS, name="PaymentDirection", load_default="incoming")
    paid_on = Day(allow_none=True, metadata={"description": "Default: today. 2000-01-01 to one year ahead."})
    customer_code = CustomerCode(allow_none=True, metadata={"description": "The code of an active customer."})

    @validates_schema(skip_on_field_errors=False)
    def _check_amount(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data.get("amount", "").startswith(MINUS_SIGNS):
            raise ValidationError(
                {"amount": [said("must be greater than zero; money that goes out is direction: outgoing.")]}
            )
        if "amount" in data and "currency" in data:
            _minor(data["amount"], data["currency"], "amount")

    @post_load
    def _to_minor_units(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        posted = {name: value for name, value in data.items() if value is not None}
        posted["amount_minor"] = _minor(posted.pop("amount"), posted["currency"], "amount")
        return posted


class _NamesOneSchema(Schema):
    """What names an invoice, or a credit note."""

    invoice_number = Text(100)
    credit_note_number = Text(100)

    @validates_schema(skip_on_field_errors=False)
    def _check_names_one(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        named = [name for name in ("invoice_number", "credit_note_number") if name in data]
        if not named:
            raise ValidationError({"invoice_number": [said("is required, or credit_note_number.")]})
        if len(named) == 2:
            raise ValidationError(
                {"credit_note_number": [said("must not stand beside invoice_number; name one of them.")]}
            )


class AllocationSchema(_NamesOneSchema):
    """What an incoming payment pays of one invoice, or an outgoing one pays back of one credit note."""

    amount = AmountText(required=True)


class AllocationsSchema(Schema):
    """What more of a stored payment is given to which invoices; of an outgoing one, which credit notes it pays back."""

    allocations = Items(AllocationSchema(), ALLOCATIONS_MAX, length_min=1, required=True)

    @validates_schema
    def _check_names(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        _require_each_once(data["allocations"])


class ReleaseSchema(_NamesOneSchema):
    """What is taken back; without an amount all that is allocated there."""

    amount = AmountText(allow_none=True, metadata={"description": "Default: all that is allocated there."})
    reason = TextWithoutKey(500, lines=True, required=True)


class ConfirmSchema(Schema):
    """Said by somebody who knows that a payment of one customer pays what another one owes."""

    confirm_other_customer = Choice(("true", "false"), load_default="false")


class AllocatedPaymentSchema(NewPaymentSchema):
    """A payment that may say which invoices it pays. Loading gives `amount_minor` in each allocation."""

    allocations = Items(AllocationSchema(), ALLOCATIONS_MAX, allow_none=True)

    @validates_schema
    def _check_allocations(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        allocations = data.get("allocations") or []
        if not allocations:
            return
        name = "invoice_number" if data["direction"] == "incoming" else "credit_note_number"
        if any(name not in allocation for allocation in allocations):
            raise ValidationError({"allocations": [_PAYS_BY_DIRECTION[data["direction"]]]})
        _require_each_once(allocations)
        total_minor = sum(_allocated_minor(data, position) for position in range(len(allocations)))
        if total_minor > _minor(data["amount"], data["currency"], "amount"):
            raise ValidationError({"allocations": [said("must not come to more than the payment.")]})

    @post_load
    def _allocations_to_minor_units(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        allocations = data.pop("allocations", None)
        if allocations:
            data["allocations"] = [
                _named(a) | {"amount_minor": parse_amount(a["amount"], data["currency"])} for a in allocations
            ]
        return data


class VoidSchema(Schema):
    reason = TextWithoutKey(500, lines=True, required=True)


# What a list is often asked for, and how it is asked here.
ASKED_OTHERWISE = (
    dict.fromkeys(
        ("paid_on", "date", "day", "payment_date"),
        said(
            "is not a parameter here; paid_from and paid_to say from which day to which, the same in both for one day."
        ),
    )
    | {
        "from": said("is not a parameter here; did you mean paid_from?"),
        "to": said("is not a parameter here; did you mean paid_to?"),
    }
    | dict.fromkeys(
        ("amount", "value"),
        said("is not a parameter here; min_amount and max_amount, with currency, say from which amount to which."),
    )
    | dict.fromkeys(
        ("q", "query", "search", "name"), said("is not a parameter here; payer finds a name, reference a reference.")
    )
)


class PaymentFiltersSchema(FiltersSchema):
    """Which payments are meant; the same for lists, totals and exports."""

    paid_from = Day(metadata={"description": "The first day, inclusive."})
    paid_to = Day(metadata={"description": "The last day, inclusive."})
    status = Choice(STATUSES, name="PaymentStatus")
    currency = CurrencyCode()
    method = Choice(METHODS, name="PaymentMethod")
    direction = Choice(DIRECTIONS, name="PaymentDirection")
    customer_code = CustomerCode()
    payer = NameSearch(
        200, metadata={"description": "How the payer's name, or a word in it, begins; case and accents aside."}
    )
    reference = Text(100)
    previous_number = Text(60, metadata={"description": "A number that a repair took away."})
    idempotency_key = Text(255)
    invoice_number = Text(100, metadata={"description": "The invoice that it pays."})
    unallocated = Choice(
        ("true",), name="OnlyUnallocated", metadata={"description": "Those of which something is left."}
    )
    min_amount = AmountText(metadata={"description": "The smallest amount; needs currency.", "type": "string"})
    max_amount = AmountText(metadata={"description": "The largest amount; needs currency.", "type": "string"})

    @validates_schema
    def _check_amounts(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        by_amount = ["sort"] if data.get("sort", "").endswith("amount") else []
        for name in (*(name for name in ("min_amount", "max_amount") if name in data), *by_amount):
            if "currency" not in data:
                raise ValidationError({name: [said("needs the parameter currency beside it.")]})
        minor = [_minor(data[name], data["currency"], name) for name in ("min_amount", "max_amount") if name in data]
        if minor != sorted(minor):
            raise ValidationError(
                {
                    "min_amount": [said("must not be more than max_amount.")],
                    "max_amount": [said("must not be less than min_amount.")],
                }
            )


class PaymentExportSchema(PaymentFiltersSchema):
    fixed = OF_EXPORTS | ASKED_OTHERWISE

    sort = Choice(SORTS, name="PaymentSort", load_default="payment_number")


class PaymentListSchema(PaymentFiltersSchema):
    """The filters, the order and the place of one page."""

    fixed = OF_LISTS | ASKED_OTHERWISE

    sort = Choice(SORTS, name="PaymentSort", load_default="-payment_number")
    limit = Count(1, PAGE_SIZE_MAX, load_default=PAGE_SIZE)
    cursor = PageCursor()


class CustomerPaymentListSchema(PaymentListSchema):
    """The same for the payments of one customer, whose code is in the path."""

    class Meta:
        exclude = ("customer_code",)


class CustomerPaymentExportSchema(PaymentExportSchema):
    """The same for the payments of one customer, whose code is in the path."""

    class Meta:
        exclude = ("customer_code",)


class AllocationExportSchema(PaymentFiltersSchema):
    """Whose allocations are meant: the filters of payments; the order is that of their numbers."""

    fixed = OF_EXPORTS | ASKED_OTHERWISE


def filters_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a loaded query as the store's filters: folded text, minor units, days as they are stored."""
    filters = {name: value for name, value in query.items() if name not in ("sort", "limit", "cursor")}
    if "payer" in filters:
        filters["payer_folded"] = fold(filters.pop("payer"))
    for name in ("paid_from", "paid_to"):
        if name in filters:
            filters[name] = filters[name].isoformat()
    for name in ("min_amount", "max_amount"):
        if name in filters:
            filters[name] = _minor(filters[name], filters["currency"], name)
    return filters


def _named(allocation: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in allocation.items() if name != "amount"}


def _require_each_once(allocations: Sequence[Mapping[str, Any]]) -> None:
    numbers = {tuple(_named(allocation).items()) for allocation in allocations}
    if len(numbers) < len(allocations):
        raise ValidationError({"allocations": [said("must name each invoice once.")]})


def _allocated_minor(data: Mapping[str, Any], position: int) -> int:
    try:
        return _minor(data["allocations"][position]["amount"], data["currency"], "amount")
    except ValidationError as refused:
        raise ValidationError({"allocations": {position: refused.normalized_messages()}}) from None


def _minor(text: str, currency: str, name: str) -> int:
    if currency not in DECIMALS_BY_CURRENCY:
        return 0  # reported for its own field
    try:
        return parse_amount(text, currency, name=name)
    except Invalid as refused:
        raise ValidationError({name: [error.detail for error in refused.errors]}) from None
