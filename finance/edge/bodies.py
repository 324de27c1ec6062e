"""JSON in: strict, so that no two readers could understand a body differently."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from flask import request

from finance.errors import FieldError, FinanceError, Invalid

NESTING_MAX = 32


class NotParseable(FinanceError):
    """Not JSON, or JSON that two readers could understand differently."""


class LengthRequired(FinanceError):
    detail_default = "Send the body with a Content-Length; chunked bodies are not taken."


class BodyTooLarge(FinanceError):
    detail_default = "The body is too large."


class UnsupportedMediaType(FinanceError):
    detail_default = "Send the body as application/json in UTF-8."


def read_json_object() -> dict[str, Any]:
    """Return the request's body. Numbers with a point come as Decimal, with the digits that were written.

    Raises NotParseable, LengthRequired, BodyTooLarge, UnsupportedMediaType, or Invalid where it isn't an object.
    """
    asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
    if asked.mimetype != "application/json" or asked.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType
    length, length_max = asked.content_length, asked.max_content_length
    if length is None:
        raise LengthRequired
    if length_max is not None and length > length_max:
        raise BodyTooLarge(f"The body must be at most {length_max} bytes.")
    raw = asked.get_data(cache=False)
    if len(raw) != length:
        raise NotParseable("The body ended before its Content-Length.")
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object.", errors=[FieldError("must be a JSON object.", pointer="")])
    return body


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text; raises NotParseable on anything that isn't plain, unambiguous JSON."""
    if _nesting(raw) > NESTING_MAX:
        raise NotParseable(f"The JSON is nested more than {NESTING_MAX} levels deep.")
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotParseable("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotParseable(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except ValueError:  # an integer of thousands of digits
        raise NotParseable("The body holds a number that is too long.") from None
    if b"\\u" in raw:  # the only way to write a NUL or half a surrogate pair
        _refuse_unstorable_text(value)
    return value


def _nesting(raw: bytes) -> int:
    if raw.count(b"[") + raw.count(b"{") <= NESTING_MAX:
        return 0
    deepest = depth = 0
    for token in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', raw, re.DOTALL):
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _value in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise NotParseable(f"The member {repeated[:100]!r} stands twice in one object.")
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise NotParseable(f"{text} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_repeats, parse_float=Decimal, parse_constant=_refuse_constant
)


def _refuse_unstorable_text(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
            raise NotParseable("The body holds a NUL or half a surrogate pair.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_unstorable_text(name)
            _refuse_unstorable_text(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable_text(item)
