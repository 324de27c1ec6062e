"""What several kinds of answers have in common: what was changed, when and by whom."""

from typing import Any

from marshmallow import Schema, fields


class KeyId(fields.String):
    """The id of the API key that did something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"description": "The id of the API key, or the command."}, **kwargs)


class KeyName(fields.String):
    """What that key was called then; null where it had no name, and in what earlier versions stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, metadata={"description": "What the key was called then."}, **kwargs)


class ChangeSchema(Schema):
    """What a field held before a change, where it held anything, and what it holds since."""

    before = fields.Raw(data_key="from", allow_none=True)
    after = fields.Raw(data_key="to", required=True, allow_none=True)


class HistoryEntrySchema(Schema):
    """One change. Why it was made, or by which payment, stands where it applies."""

    at = fields.DateTime(required=True)
    by = KeyId(required=True)
    by_name = KeyName(required=True)
    action = fields.String(required=True)
    reason = fields.String()
    payment_number = fields.String()
    changes = fields.Dict(keys=fields.String(), values=fields.Nested(ChangeSchema), required=True)
