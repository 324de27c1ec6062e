"""The parts of a customer in which numbers are answered as texts, though they may be posted as numbers."""

from marshmallow import Schema, fields


class AnsweredProductServiceSchema(Schema):
    name = fields.String(required=True)
    hsn_sac = fields.String()
    unit_price = fields.String()
    currency = fields.String()
    tax_rate = fields.String()


class AnsweredTdsSchema(Schema):
    applicable = fields.Boolean(required=True)
    section = fields.String()
    rate = fields.String()
    tan_number = fields.String()


class AnsweredTermsConditionsSchema(Schema):
    payment_terms_days = fields.Integer()
    credit_limit = fields.String()
    currency = fields.String()
    notes = fields.String()
