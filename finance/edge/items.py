"""Lists of objects in a body."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from finance.said import said

ERRORS_MAX = 100  # collected of one list, and shown of one request

_REQUIRED: dict[str, Any] = {"required": said("is required."), "null": said("must not be null.")}


class Items(fields.List):
    """A list of objects. Its length is judged before any of them is looked at, and no more errors are collected than
    are shown: what is wrong thousands of times costs no more than what is wrong a hundred times.
    """

    def __init__(self, schema: Schema, length_max: int, *, length_min: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(minItems=length_min, maxItems=length_max)
        super().__init__(fields.Nested(schema), error_messages=_REQUIRED, **kwargs)
        self.length_min, self.length_max = length_min, length_max

    def check_length(self, value: Any) -> None:
        """Raise ValidationError unless it is a list, and not too long or too short."""
        if not isinstance(value, list):
            raise ValidationError(said("must be a list."))
        if not self.length_min <= len(value) <= self.length_max:
            raise ValidationError(
                said(
                    "must hold {length_min} to {length_max} items.",
                    length_min=self.length_min,
                    length_max=self.length_max,
                )
            )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        self.check_length(value)
        loaded: list[Any] = []
        errors: dict[int, Any] = {}
        collected = 0
        for position, item in enumerate(value):
            try:
                loaded.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as refused:
                errors[position] = refused.messages
                collected += count_messages(refused.messages)
                if collected >= ERRORS_MAX:
                    break
        if errors:
            raise ValidationError(errors)
        return loaded


def count_messages(messages: Any) -> int:
    """Return how many errors these are."""
    if isinstance(messages, Mapping):
        return sum(map(count_messages, messages.values()))
    return len(messages) if isinstance(messages, list) else 1
