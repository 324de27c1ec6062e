"""What several kinds of answers have in common: what was changed, when and by whom."""

from marshmallow import Schema, fields


class ChangeSchema(Schema):
    """What a field held before a change, where it held anything, and what it holds since."""

    before = fields.Raw(data_key="from", allow_none=True)
    after = fields.Raw(data_key="to", required=True, allow_none=True)


class HistoryEntrySchema(Schema):
    """One change. Why it was made, or by which payment, stands where it applies."""

    at = fields.DateTime(required=True)
    by = fields.String(required=True)
    action = fields.String(required=True)
    reason = fields.String()
    payment_number = fields.String()
    changes = fields.Dict(keys=fields.String(), values=fields.Nested(ChangeSchema), required=True)
