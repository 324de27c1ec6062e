"""From the fields of another system to those of a payment as it is posted. Nothing is rounded, and nothing guessed.

A value becomes the text that a client would have posted, and the schema decides: a float the shortest decimal that
means it, an instant the civil day of our time zone. What is none of that is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Any

from finance.edge.characters import character_problem
from finance.edge.hints import nearest
from finance.errors import Invalid
from finance.said import said
from finance.tables.cells import Cell, Kind, problem_of

DAYS, INSTANTS = ("paid_on",), ("created_at", "voided_at")
TEXTS = ("currency", "payer", "method", "direction", "customer_code", "reference", "note", "status", "void_reason")
OURS = ("payment_number", "amount", *DAYS, *TEXTS, *INSTANTS)
# In a workbook; of all others a number may have lost its zeros, and a date may be what the spreadsheet made of a text.
CELLS_TAKEN: Mapping[str, tuple[Kind, ...]] = {
    "amount": ("number",),
    **dict.fromkeys((*DAYS, *INSTANTS), ("date",)),
}
METADATA = "metadata."  # before the name that a field of theirs gets there
OWN_KEY = "_id"
ROW_KEY_LENGTH_MAX = 150
EXPONENT_MAX = 40
_BEYOND_64_BITS = 2**63

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_WRITTEN_ID = re.compile(r"ObjectId\(\"?([0-9a-f]{24})\"?\)", re.ASCII)


class UnknownField(Invalid):
    """A name that is no field of a payment."""

    @classmethod
    def called(cls, name: str) -> "UnknownField":
        meant = nearest(name, OURS)
        if meant:
            return cls(
                said(
                    "A payment that is imported has no field {name!r}; did you mean {meant}?",
                    name=name[:60],
                    meant=meant,
                )
            )
        return cls(
            said(
                "A payment that is imported has no field {name!r}; there are {known} and {metadata}<name>.",
                name=name[:60],
                known=", ".join(OURS),
                metadata=METADATA,
            )
        )


@dataclass(frozen=True)
class FieldMap:
    """How their rows are read: `fields` {ours: theirs}, `values` {ours: {theirs: ours}}, `constants` {ours: value}.

    What isn't named is taken from their field of our name; `fields` with "" leaves ours out. `values_met` are the
    (field, theirs) of `values` that a row had so far.
    """

    timezone: tzinfo = UTC
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    row_key: str | None = None
    values_met: set[tuple[str, str]] = field(default_factory=set, compare=False)

    def __post_init__(self) -> None:
        for name in (*self.fields, *self.values, *self.constants):
            if name not in OURS and not (name.startswith(METADATA) and name != METADATA):
                raise UnknownField.called(name)

    @cached_property
    def theirs_by_ours(self) -> Mapping[str, str]:
        """Return which of their fields is read for each of ours."""
        read = {name: name for name in OURS if name not in self.constants} | dict(self.fields)
        return {ours: theirs for ours, theirs in read.items() if theirs}

    def posted_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of theirs as it would be posted; raises Invalid."""
        found = dict(self.constants)
        for ours, theirs in self.theirs_by_ours.items():
            text = self._text_of(ours, value_at(row, theirs))
            if text:
                found[ours] = text
        posted: dict[str, Any] = {name: text for name, text in found.items() if not name.startswith(METADATA)}
        metadata = {name.removeprefix(METADATA): text for name, text in found.items() if name.startswith(METADATA)}
        return posted | ({"metadata": metadata} if metadata else {})

    def number_of(self, row: Mapping[str, Any]) -> str | None:
        """Return the payment number of a row; None where it has none. Raises Invalid."""
        return self.posted_part(row, "payment_number")

    def posted_part(self, row: Mapping[str, Any], ours: str) -> str | None:
        theirs = self.theirs_by_ours.get(ours)
        return self.constants.get(ours) or (self._text_of(ours, value_at(row, theirs)) if theirs else None)

    def key_of(self, row: Mapping[str, Any]) -> str | None:
        """Return what a row is known by when it comes again: their _id, the field that `row_key` names, its number."""
        named = self.row_key or OWN_KEY
        key = text_at(row, named)
        if key is None and self.row_key is None:
            return self.number_of(row)
        if key is None or len(key) > ROW_KEY_LENGTH_MAX or character_problem(key) is not None:
            raise Invalid(
                said(
                    "{named} must be a text or a number of 1 to {most} characters: it is the key.",
                    named=named,
                    most=ROW_KEY_LENGTH_MAX,
                )
            )
        written = _WRITTEN_ID.fullmatch(key)  # as mongoexport writes one into a CSV
        return written[1] if written else key

    def _text_of(self, ours: str, value: Any) -> str | None:
        if isinstance(value, Cell) and value.kind == "text" and self._knows(ours, value.text.strip()):
            return self.values[ours][value.text.strip()]  # before it is judged: --value may say what NULL means
        text = _text_of_bool(value) if isinstance(value, bool) else None
        try:
            if text is None:
                text = _in_its_form(ours, value_of_cell(value, *CELLS_TAKEN.get(ours, ())), self.timezone)
        except Invalid as refused:
            raise Invalid.field(ours, refused.detail) from None
        if text is not None and self._knows(ours, text):
            return self.values[ours][text]
        if isinstance(value, bool):
            raise Invalid.field(
                ours, said("is {text}; --value {ours}:{text}=… says what that means.", text=text, ours=ours)
            )
        return text

    def _knows(self, ours: str, text: str) -> bool:
        is_known = text in self.values.get(ours, ())
        if is_known:
            self.values_met.add((ours, text))
        return is_known


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Return the value of a field, or of one inside another (user.name); None where there is none."""
    for name in (path, path.lower()):  # columns of tables are in small letters
        if name in row:
            return row[name]
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text_at(row: Mapping[str, Any], path: str) -> str | None:
    """Return what a field says that is known by itself, a key or whose the row is; raises Invalid with its name."""
    try:
        return text_of(value_of_cell(value_at(row, path), "number"))
    except Invalid as refused:
        raise Invalid(said("{name} {problem}", name=path, problem=refused.detail)) from None


def value_of_cell(value: Any, *taken: Kind) -> Any:
    """Return what a cell of a table holds, if it is a text or one of `taken`; any other value as it is."""
    if not isinstance(value, Cell):
        return value
    problem = problem_of(value, *taken)
    if problem is not None:
        raise Invalid(problem)
    return Decimal(value.text) if value.kind == "number" else value.text


def text_of(value: Any) -> str | None:
    """Return a value as text: a number in plain digits, a float in the fewest that mean it. Raises Invalid."""
    if value is None:
        return None
    if isinstance(value, str):
        return _whole(value).strip() or None
    if isinstance(value, bool):
        return _text_of_bool(value)
    if isinstance(value, int):
        return str(value) if abs(value) < _BEYOND_64_BITS else _refuse(said("is a number beyond 64 bits."))
    if isinstance(value, float | Decimal):
        return _plain_digits(Decimal(repr(value)) if isinstance(value, float) else value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return _refuse(said("holds several values; name the one that is meant with a point, as in user.name."))
    return _refuse(said("can't be read: it is a {type}.", type=type(value).__name__))


def _in_its_form(ours: str, value: Any, timezone: tzinfo) -> str | None:
    if ours in DAYS:
        return _day_of(value, timezone)
    if ours in INSTANTS and isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text_of(value)


def _day_of(value: Any, timezone: tzinfo) -> str | None:
    """Return a civil day. An instant has the day of our time zone, a moment without one the day that it is written."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(timezone).date().isoformat()
        text = text_of(value)
        moment = _MOMENT.fullmatch(text) if text else None
        if moment is None:
            return text
        if moment[2] is None:
            return moment[1]
        assert text is not None
        return datetime.fromisoformat(text).astimezone(timezone).date().isoformat()
    except (ValueError, OverflowError):
        return _refuse(said("must be a day that exists."))


def _whole(text: str) -> str:
    """Return a text that can be stored; raises Invalid where it holds bytes that are no UTF-8, or half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse(said("holds what is no character of any language; it was damaged there."))
    return text


def _plain_digits(number: Decimal) -> str:
    """Return a number in plain digits, without zeros that say nothing. It isn't rounded: Decimal.normalize would."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() > EXPONENT_MAX or exponent < -EXPONENT_MAX:
        return _refuse(said("is no number that an amount can be."))
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text_of_bool(value: bool) -> str:
    return "true" if value else "false"


def _refuse(why: str) -> Any:
    raise Invalid(why)
