"""The marshmallow fields that all schemas are made of: strict, with errors that say what would be right."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError, fields

from finance.edge.characters import character_problem, is_blank
from finance.edge.hints import Later, are_several, nearest
from finance.money import DECIMALS_BY_CURRENCY, MINUS_SIGNS, why_no_number
from finance.said import Said, said
from finance.text import holds_key

CURSOR_LENGTH_MAX = 2000
EXPONENT_MAX = 100  # 0.0000001 has seven decimals; Decimal itself would write it as 1E-7

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_EXACT = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)

_LENGTH = said("must be {length_min} to {length_max} characters long.")
_WHOLE = said("must be a whole number from {smallest} to {largest}.")
_WHOLE_BARE = said("must be a whole number from {smallest} to {largest} without quotes.")
_REQUIRED: dict[str, Any] = {"required": said("is required."), "null": said("must not be null.")}


class AnswerSchema(Schema):
    """The shape of an answer, for the OpenAPI document: every field is always there, though perhaps null."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True


class PageSchema(AnswerSchema):
    """One page of a list; `data` is added by each list."""

    has_more = fields.Boolean()
    next_cursor = fields.String(allow_none=True)


class Text(fields.String):
    """A text of `length_min` to `length_max` characters, not blank, of which all is seen (`characters.py`)."""

    def __init__(self, length_max: int, *, length_min: int = 1, lines: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(minLength=length_min, maxLength=length_max)
        super().__init__(error_messages=_REQUIRED, **kwargs)
        self._lengths = (length_min, length_max)
        self._lines = lines

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        length_min, length_max = self._lengths
        if not isinstance(value, str):
            raise ValidationError(said("must be a text in double quotes."))
        if not length_min <= len(value) <= length_max:
            raise ValidationError(_LENGTH.format(length_min=length_min, length_max=length_max))
        if length_min and is_blank(value):
            raise ValidationError(said("must not be blank."))
        problem = character_problem(value, lines=self._lines)
        if problem is not None:
            raise ValidationError(problem)
        return value


class TextWithoutKey(Text):
    """A text for everyone, such as a reason or a name; what is stored so can't be taken back."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if holds_key(text):
            raise ValidationError(said("must not hold an API key: it is shown to everyone."))
        return text


class PageCursor(Text):
    """Where a list goes on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CURSOR_LENGTH_MAX, metadata={"description": "The next_cursor of the page before."}, **kwargs)


class Choice(fields.String):
    """One of a few texts; an enumeration that has a name is one type of generated clients, wherever it stands.

    `right` is what a refusal says, without its full stop.
    """

    def __init__(
        self, choices: Sequence[str], *, name: str | None = None, right: Said | None = None, **kwargs: Any
    ) -> None:
        named = {"x-name": name} if name else {}
        kwargs.setdefault("metadata", {}).update(enum=list(choices), **named)
        super().__init__(error_messages=_REQUIRED, **kwargs)
        self._choices = tuple(choices)
        self._known = frozenset(choices)
        self._right = right or said("must be one of: {choices}", choices=", ".join(choices))

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self._known:
            raise ValidationError([Later(partial(self._refusal, value))])
        return value

    def _refusal(self, value: Any) -> str:
        meant = self._nearest(value) if isinstance(value, str) and not are_several(value) else None
        if meant:
            return said("{right}; did you mean {meant}?", right=self._right, meant=meant)
        return said("{right}.", right=self._right)

    def _nearest(self, value: str) -> str | None:
        return nearest(value, self._choices)


class CurrencyCode(Choice):
    """A currency of ISO 4217."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            sorted(DECIMALS_BY_CURRENCY),
            name="Currency",
            right=said("must be an ISO 4217 code in capitals, such as EUR"),
            **kwargs,
        )

    def _nearest(self, value: str) -> str | None:
        """Of three letters any two are near: only the same in capitals is meant."""
        return value.upper() if value.upper() in self._known else None


class AmountText(fields.String):
    """The digits of an amount, from a string or a JSON number; what they are worth depends on the currency."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(
            type=["string", "number"], pattern=r"^[0-9]+(\.[0-9]+)?$", example="1250.50"
        )
        super().__init__(error_messages=_REQUIRED, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        written = _as_written(value)
        if isinstance(written, str):
            return written
        raise ValidationError(said('must be an amount as a text of digits, such as "1250.50".'))


class Day(fields.Date):
    """A civil date, written YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages=_REQUIRED, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        try:
            if isinstance(value, str) and _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ValidationError(said("must be a day that exists, written YYYY-MM-DD."))


class Instant(fields.DateTime):
    """An instant as RFC 3339 writes it, with Z or an offset; loading gives it in UTC, in whole milliseconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages=_REQUIRED, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            if isinstance(value, str) and _INSTANT.fullmatch(value):
                instant = datetime.fromisoformat(value).astimezone(UTC)
                return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
        except (ValueError, OverflowError):  # no such day, or none in UTC
            pass
        raise ValidationError(said("must be an instant with Z or an offset, such as 2027-01-31T12:00:00Z."))


class InstantOrDay(Instant):
    """An instant as above, or a day; loading gives a `datetime` in UTC, or a `date`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            if isinstance(value, str) and _DAY.fullmatch(value):
                return date.fromisoformat(value)
            return super()._deserialize(value, attr, data, **kwargs)
        except (ValueError, ValidationError):
            raise ValidationError(
                said(
                    "must be a day such as 2027-01-31, or an instant such as 2027-01-31T12:00:00Z (the + of "
                    "an offset is written %2B in an address)."
                )
            ) from None


class Count(fields.Integer):
    """A whole number of a query, from `smallest` to `largest`."""

    def __init__(self, smallest: int, largest: int, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(minimum=smallest, maximum=largest)
        super().__init__(**kwargs)
        self._range = (smallest, largest)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        smallest, largest = self._range
        if not _COUNT.fullmatch(str(value)) or not smallest <= int(value) <= largest:
            raise ValidationError(_WHOLE.format(smallest=smallest, largest=largest))
        return int(value)


class WholeNumber(fields.Integer):
    """A whole number of a JSON body, from `smallest` to `largest`; not one in quotes, nor 1.0, nor true."""

    def __init__(self, smallest: int, largest: int, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(minimum=smallest, maximum=largest)
        super().__init__(error_messages=_REQUIRED, **kwargs)
        self._range = (smallest, largest)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        smallest, largest = self._range
        if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
            right = _WHOLE_BARE if isinstance(value, str) else _WHOLE
            raise ValidationError(right.format(smallest=smallest, largest=largest))
        return value


class Flag(fields.Boolean):
    """true or false, and nothing that only looks like it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages=_REQUIRED, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(said("must be true or false, without quotes."))
        return value


class Checked(Text):
    """A text that `parse` brings into the form in which it is stored, or refuses with a ValueError that says why."""

    def __init__(self, parse: Callable[[str], str], length_max: int, *, numeric: bool = False, **kwargs: Any) -> None:
        super().__init__(length_max, **kwargs)
        self._parse = parse
        self._numeric = numeric
        if numeric:
            self.metadata = {**self.metadata, "type": ["string", "number"]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(_as_written(value) if self._numeric else value, attr, data, **kwargs)
        try:
            return self._parse(text)
        except ValueError as refused:
            raise ValidationError(refused.args[0]) from None


class ExactNumber(fields.String):
    """A decimal number that isn't negative, in digits; loading gives it without needless zeros, "2.50" as "2.5"."""

    def __init__(self, *, digits_max: int, decimals_max: int, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {}).update(
            type=["string", "number"], pattern=rf"^[0-9]{{1,{digits_max}}}(\.[0-9]{{1,{decimals_max}}})?$"
        )
        super().__init__(error_messages=_REQUIRED, **kwargs)
        self._limits = (digits_max, decimals_max)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        written = _as_written(value)
        match = _EXACT.fullmatch(written) if isinstance(written, str) else None
        if match is None:
            text = written if isinstance(written, str) else ""
            is_negative = text.startswith(MINUS_SIGNS)
            raise ValidationError(said("must not be negative.") if is_negative else why_no_number(text, example="12.5"))
        major, minor = match[1].lstrip("0") or "0", (match[2] or "").rstrip("0")
        digits_max, decimals_max = self._limits
        if len(major) > digits_max or len(minor) > decimals_max:
            raise ValidationError(
                said(
                    "must have at most {digits_max} digits before the point and {decimals_max} after it.",
                    digits_max=digits_max,
                    decimals_max=decimals_max,
                )
            )
        return f"{major}.{minor}" if minor else major


def _as_written(value: Any) -> Any:
    """Return a JSON number as text, in the digits that it was written with; anything else as it is.

    An exponent stays one, so that 1e999999 doesn't become a million digits; what is no plain number, nor a text of
    digits, is for the field to refuse.
    """
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return f"{value:f}" if isinstance(exponent, int) and -EXPONENT_MAX <= exponent <= 0 else str(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
