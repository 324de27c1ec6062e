"""What payments come to, as it is asked for and answered."""

from marshmallow import fields

from finance.edge.fields import AnswerSchema
from finance.edge.filters import OF_LISTS
from finance.payments.schemas import ASKED_OTHERWISE, PaymentFiltersSchema

_TOTAL = "What they come to; null where that can't be read, as in what older systems left behind."


class PaymentSummaryFiltersSchema(PaymentFiltersSchema):
    fixed = OF_LISTS | ASKED_OTHERWISE


class PaymentTotalSchema(AnswerSchema):
    """How many payments, and what they come to."""

    currency = fields.String(allow_none=True)
    direction = fields.String(allow_none=True)
    status = fields.String(allow_none=True)
    count = fields.Integer()
    total = fields.String(allow_none=True, metadata={"description": _TOTAL, "example": "1250.50"})


class PaymentMonthSchema(PaymentTotalSchema):
    """The same of one month."""

    month = fields.String(allow_none=True, metadata={"description": "That of paid_on.", "example": "2026-11"})


class PaymentSummarySchema(AnswerSchema):
    as_of = fields.DateTime(metadata={"description": "All that was answered as recorded before is in it."})
    data = fields.List(fields.Nested(PaymentMonthSchema))
    totals = fields.List(fields.Nested(PaymentTotalSchema))
