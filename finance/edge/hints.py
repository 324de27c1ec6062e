"""What a name that nobody knows was meant to be. Nothing of it is repeated: it may be anything."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import SequenceMatcher

from marshmallow import Schema, fields

from finance.said import said

NAME_COMPARED_MAX = 60  # nobody mistypes a name by so much; comparing costs its length
NAME_SHOWN_MAX = 100
LISTED_MAX = 20
_LIKE_ENOUGH = 0.7
_CONTAINED_MIN = 3
_NEGATIONS = ("un", "in", "non", "not")
_SEVERAL = re.compile(r"[A-Za-z][\w.-]*(,\s*[A-Za-z][\w.-]*)+", re.ASCII)
UNKNOWN = [Schema().error_messages["unknown"]]  # what marshmallow says of a name that is none of the schema's

# What it says of a part that isn't one, in the words of our own fields.
_OUR_WORDS = {
    "Field may not be null.": said("must not be null."),
    "Invalid input type.": said("must be an object."),
    "Invalid type.": said("must be a list of objects."),
    "Not a valid list.": said("must be a list."),
}
FIELD, PARAMETER = said("field"), said("parameter")  # what a name can be one of


class Later:
    """A sentence that is made when it is shown: comparing names takes a fifth of a millisecond, and of 5,000 bad rows
    100 are shown."""

    def __init__(self, say: Callable[[], str]) -> None:
        self.say = say

    def __str__(self) -> str:
        return self.say()


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """Return which of `possible` was probably meant, None where none is near: payr, paymentMethod, time_zone."""
    if len(word) > NAME_COMPARED_MAX:
        return None
    plain = _plain(word)
    opposites = {plain.removeprefix(negation) for negation in _NEGATIONS} - {plain}
    meant = (name for name in possible if _plain(name) not in opposites)  # unpaid is not paid
    likeness = {name: SequenceMatcher(None, _plain(name), plain).ratio() for name in meant}
    best = max(likeness, key=likeness.__getitem__, default=None)
    if best is not None and likeness[best] >= _LIKE_ENOUGH:
        return best
    return next((name for name in likeness if _is_part(_plain(name), plain) or _is_part(plain, _plain(name))), None)


def unknown(word: str, possible: Collection[str], *, kind: str, fixed: Mapping[str, str] | None = None) -> str:
    """Return what to say of a name that isn't one of a FIELD or PARAMETER (its `kind`) here.

    `fixed` has a sentence of its own for each name that is known, though not taken here.
    """
    if fixed and word in fixed:
        return fixed[word]
    if len(word) > NAME_SHOWN_MAX:
        return said("holds a {kind} that is none here; its name has {length} characters.", kind=kind, length=len(word))
    meant = nearest(word, possible)
    if meant is not None:
        return said("is not a {kind} here; did you mean {meant}?", kind=kind, meant=meant)
    if 0 < len(possible) <= LISTED_MAX:
        return said("is not a {kind} here; possible: {possible}.", kind=kind, possible=", ".join(possible))
    return said("is not a {kind} here.", kind=kind)


def given_by_server(*names: str) -> dict[str, str]:
    """Return the sentences for fields of an answer that are no part of what is posted, and for a key in the body."""
    given: dict[str, str] = dict.fromkeys(names, said("is given by the server; leave it out."))
    return given | {"idempotency_key": said("is sent as the header Idempotency-Key; leave it out.")}


def are_several(text: str) -> bool:
    """Return whether a parameter looks like a list of values: card,cash."""
    return len(text) <= NAME_SHOWN_MAX and _SEVERAL.fullmatch(text) is not None


def in_our_words(message: object) -> str:
    """Return a message as it is answered."""
    text = message.say() if isinstance(message, Later) else message
    if not isinstance(text, str):
        return str(text)
    return _OUR_WORDS.get(text, text)


def names_of(schema: Schema) -> dict[str, fields.Field]:
    """Return the fields of a schema by the names they have outside."""
    return {field.data_key or name: field for name, field in schema.load_fields.items()}


def schema_of(field: fields.Field) -> Schema | None:
    """Return the schema of what a field holds, itself or in a list."""
    while isinstance(field, fields.List):
        field = field.inner
    return field.schema if isinstance(field, fields.Nested) else None


def fixed_of(schema: Schema) -> Mapping[str, str]:
    """Return what a schema's `fixed` says of the names that are known and yet not taken."""
    found: Mapping[str, str] = getattr(schema, "fixed", {})
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "")


def _is_part(part: str, whole: str) -> bool:
    return len(part) >= _CONTAINED_MIN and (whole.startswith(part) or whole.endswith(part))
