"""Many payments as they are posted in one request, and as they are answered."""

from marshmallow import Schema, fields

from finance.edge.fields import AnswerSchema
from finance.edge.items import Items
from finance.payments.answers import PaymentSchema
from finance.payments.bulk import ROWS_MAX
from finance.payments.schemas import NewPaymentSchema
from finance.said import said

BODY_BYTES_MAX = 4 * 1024 * 1024  # 838 bytes a row where there are as many as there may be; most take half of that


class BulkRowSchema(NewPaymentSchema):
    """A payment of many: as one that is posted alone, without allocations.

    All rows are judged before the first is stored, and what is free on an invoice can't be known so far ahead.
    """

    fixed = NewPaymentSchema.fixed | {
        "allocations": said(
            "can't be given in a bulk; POST /payments/{payment_number}/allocations gives them afterwards."
        )
    }


class BulkSchema(Schema):
    payments = Items(BulkRowSchema(), ROWS_MAX, length_min=1, required=True)


class BulkPaymentsSchema(AnswerSchema):
    """The payments in the order of the rows."""

    data = fields.List(fields.Nested(PaymentSchema))
