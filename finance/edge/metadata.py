"""The field for a client's own texts."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from finance.edge.characters import character_problem
from finance.said import said

METADATA_KEYS_MAX = 20
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500


class Metadata(fields.Dict):
    """A client's own texts by name. Names must not begin with $, which MongoDB gives a meaning to."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(
            maxProperties=METADATA_KEYS_MAX,
            propertyNames={"pattern": r"^[^$]", "maxLength": METADATA_KEY_LENGTH_MAX},
            additionalProperties={"type": "string", "maxLength": METADATA_VALUE_LENGTH_MAX},
        )
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError(said("must be an object of texts."))
        if len(value) > METADATA_KEYS_MAX:
            raise ValidationError(said("must have at most {most} members.", most=METADATA_KEYS_MAX))
        errors = {name: [problem] for name, text in value.items() if (problem := _metadata_problem(name, text))}
        if errors:
            raise ValidationError(errors)
        return dict(value)


def _metadata_problem(name: str, text: Any) -> str | None:
    if not 1 <= len(name) <= METADATA_KEY_LENGTH_MAX:
        return said("the name must be 1 to {most} characters long.", most=METADATA_KEY_LENGTH_MAX)
    if name.startswith("$"):
        return said("the name must not begin with $.")
    problem = character_problem(name)
    if problem is not None:
        return said("the name {problem}", problem=problem)
    if not isinstance(text, str):
        return said("must be a text in double quotes.")
    if len(text) > METADATA_VALUE_LENGTH_MAX:
        return said("must be at most {most} characters long.", most=METADATA_VALUE_LENGTH_MAX)
    return character_problem(text, lines=True)
