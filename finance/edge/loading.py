"""Loading what was sent by a marshmallow schema, in one flat loop as long as nothing is wrong with it.

marshmallow's own loop makes a function, a call and a handler for each field, to collect all that is wrong. Where
anything is, the schema is asked itself: so its errors are the only ones there are.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from marshmallow import RAISE, Schema, ValidationError, fields, missing
from marshmallow.decorators import POST_LOAD, PRE_LOAD, VALIDATES, VALIDATES_SCHEMA


class Loader:
    """Loads by one schema. A name that isn't one of its fields is refused."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._is_flat = _is_flat(schema)
        self._steps = [_step(name, field) for name, field in schema.load_fields.items()]
        self._validators = _hooks(schema, VALIDATES_SCHEMA)
        self._processors = _hooks(schema, POST_LOAD)

    def load(self, data: Any) -> Any:
        """Return what the schema makes of `data`; raises ValidationError."""
        if self._is_flat and isinstance(data, dict):
            try:
                return self._load_flat(data)
            except (ValidationError, _NotPlain):
                pass
        return self.schema.load(data, unknown=RAISE)

    def _load_flat(self, data: Mapping[str, Any]) -> Any:
        """Return what a schema makes of `data`; raises ValidationError or _NotPlain where the schema has to say."""
        loaded: dict[str, Any] = {}
        known = 0
        for name, attribute, deserialize, is_required, allows_none, default in self._steps:
            value = data.get(name, missing)
            if value is missing:
                if is_required:
                    raise _NotPlain
                if default is not missing:
                    loaded[attribute] = default
                continue
            known += 1
            if value is None and not allows_none:
                raise _NotPlain
            loaded[attribute] = None if value is None else deserialize(value, name, data)
        if known != len(data):
            raise _NotPlain
        for validate in self._validators:
            validate(loaded, partial=None, many=False, unknown=RAISE)
        for process in self._processors:
            loaded = process(loaded, partial=None, many=False, unknown=RAISE)
        return loaded


class _NotPlain(Exception):
    """Something is missing, unknown, or null where it mustn't be."""


class _Step(NamedTuple):
    """What to do with one field."""

    name: str
    attribute: str
    deserialize: Callable[..., Any]
    is_required: bool
    allows_none: bool
    default: Any


def _step(name: str, field: fields.Field[Any]) -> _Step:
    deserialize = field.deserialize if field.validators or field.post_load else field._deserialize
    outside = name if field.data_key is None else field.data_key
    return _Step(
        outside, field.attribute or name, deserialize, field.required, bool(field.allow_none), field.load_default
    )


def _is_flat(schema: Schema) -> bool:
    """Return whether a schema has nothing that this loop doesn't know."""
    hooks = [hook for tag in (VALIDATES_SCHEMA, POST_LOAD) for hook in schema._hooks[tag]]
    return not (
        schema._hooks[PRE_LOAD]
        or schema._hooks[VALIDATES]
        or schema.many
        or schema.partial
        or any(passes_many or options.get("pass_original") for _name, passes_many, options in hooks)
        or any(map(_is_special, schema.load_fields.values()))
    )


def _is_special(field: fields.Field[Any]) -> bool:
    own = type(field).deserialize is not fields.Field.deserialize
    return own or callable(field.load_default) or bool(field.pre_load) or "." in (field.attribute or "")


def _hooks(schema: Schema, tag: str) -> list[Callable[..., Any]]:
    return [getattr(schema, name) for name, _passes_many, _options in schema._hooks[tag]]
