"""What invoices come to, as it is asked for and answered."""

from marshmallow import fields

from finance.edge.fields import AnswerSchema
from finance.edge.filters import OF_LISTS
from finance.invoices.schemas import InvoiceFiltersSchema

_UNREADABLE = "null where it can't be read, as in what older systems left behind"
_NO_NOTES = "null where a filter was given that credit notes don't have."


def _amount(description: str = "") -> fields.String:
    said = f"{description} {_UNREADABLE[0].upper()}{_UNREADABLE[1:]}.".strip()
    return fields.String(allow_none=True, metadata={"description": said})


class InvoiceSummaryFiltersSchema(InvoiceFiltersSchema):
    fixed = OF_LISTS


class InvoiceTotalSchema(AnswerSchema):
    """The invoices of one currency. Of a cancelled one nothing is outstanding."""

    currency = fields.String(allow_none=True)
    count = fields.Integer()
    total_net = _amount()
    total_tax = _amount()
    total = _amount()
    amount_paid = _amount()
    amount_credited = _amount("What credit notes took off.")
    outstanding = _amount()
    overdue = _amount("What is outstanding of those that were due before today (in FINANCE_TIMEZONE).")


class MonthTaxSchema(AnswerSchema):
    """What was issued in a month at one tax rate, what credit notes of that month took back, and what is left."""

    month = fields.String(allow_none=True, metadata={"description": "That of issued_on.", "example": "2026-11"})
    currency = fields.String(allow_none=True)
    rate = fields.String(allow_none=True, metadata={"description": "In percent.", "example": "18"})
    net_invoiced = _amount("Also of those that were cancelled since.")
    tax_invoiced = _amount()
    net_credited = _amount(f"Also {_NO_NOTES}")
    tax_credited = _amount(f"Also {_NO_NOTES}")
    net = _amount(f"What is left. Also {_NO_NOTES}")
    tax = _amount(f"What is left. Also {_NO_NOTES}")


class InvoiceSummarySchema(AnswerSchema):
    as_of = fields.DateTime(metadata={"description": "All that was answered as issued before is in it."})
    data = fields.List(fields.Nested(InvoiceTotalSchema))
    taxes = fields.List(fields.Nested(MonthTaxSchema))
