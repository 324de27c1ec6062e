"""What several kinds of answers have in common: who did something, and what was changed."""

from typing import Any

from marshmallow import fields

from finance.edge.fields import AnswerSchema


class KeyId(fields.String):
    """The id of the API key that did something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"description": "The id of the API key, or the command."}, **kwargs)


class KeyName(fields.String):
    """What that key was called then; null where it had no name, and in what earlier versions stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, metadata={"description": "What the key was called then."}, **kwargs)


class HistoryEntrySchema(AnswerSchema):
    """One change, as answered."""

    at = fields.DateTime()
    by = KeyId()
    by_name = KeyName()
    action = fields.String()
    changes = fields.Dict(keys=fields.String(), metadata={"description": "{field: {from, to}}"})
