"""JSON in: strict, so that no two readers could understand a body differently; judged in time that grows with its size.

Whoever sends a body isn't known to be harmless. So nothing here goes back over what it has read: no list is searched
for each of its items, no pattern can be tried from every place, and what is too much is refused where it is met.
"""

import gc
import json
import re
from decimal import Context, Decimal
from functools import partial
from typing import Any, NoReturn
from wsgiref.types import WSGIEnvironment

from flask import Request, request

from finance.edge.waiting import receiving
from finance.errors import FieldError, FinanceError, Invalid, NotParseable
from finance.said import said

NESTING_MAX = 32
MEMBERS_MAX = 100  # of one object: more than any of ours has

_AS_MOST_WRITE_IT = "application/json"


class LengthRequired(FinanceError):
    detail_default = said("Send the body with a Content-Length; chunked bodies are not taken.")


class BodyTooLarge(FinanceError):
    detail_default = said("The body is too large.")


class UnsupportedMediaType(FinanceError):
    detail_default = said("Send the body as application/json in UTF-8.")


def read_json_object() -> dict[str, Any]:
    """Return the request's body. Numbers with a point come as Decimal, with the digits that were written.

    Raises what `read_body` and `parse_json` do, or Invalid where it isn't an object.
    """
    return require_object(parse_json(read_body()))


def require_object(body: Any) -> dict[str, Any]:
    """Return a body that is an object; raises Invalid."""
    if not isinstance(body, dict):
        raise Invalid(
            said("The body must be a JSON object."), errors=[FieldError(said("must be a JSON object."), pointer="")]
        )
    return body


def read_body(*, bytes_max: int | None = None) -> bytes:
    """Return the whole of the request's body, of at most `bytes_max`: as many as any may have, unless it is given.

    Raises NotParseable, LengthRequired, BodyTooLarge, UnsupportedMediaType or RequestTimeout.
    """
    asked = request._get_current_object()  # type: ignore[attr-defined]  # once, not at every look
    environ = asked.environ
    if environ.get("CONTENT_TYPE") != _AS_MOST_WRITE_IT and not _is_json(asked):
        raise UnsupportedMediaType
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() not in ("identity", ""):
        raise UnsupportedMediaType(said("Send the body as it is, without a Content-Encoding."))
    length, length_max = asked.content_length, bytes_max or asked.max_content_length
    if length is None:
        raise LengthRequired
    if length_max is not None and length > length_max:
        raise BodyTooLarge(said("The body must be at most {most} bytes.", most=length_max))
    with receiving():
        raw = _read(environ, length)
    if len(raw) != length:
        raise NotParseable(said("The body ended before its Content-Length."))
    return raw


def _read(environ: WSGIEnvironment, length: int) -> bytes:
    try:
        return bytes(environ["wsgi.input"].read(length))
    except OSError:  # the client has gone away
        return b""


def _is_json(asked: Request) -> bool:
    return asked.mimetype == "application/json" and asked.mimetype_params.get("charset", "utf-8").lower() == "utf-8"


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises NotParseable on anything that isn't plain, unambiguous JSON, Invalid where an object has too many members.
    """
    # The collector goes through all that there is each time so many objects were made: a megabyte of empty lists took
    # four times as long with it. A JSON value has no cycles that it could find.
    gc.disable()
    try:
        return _parse(as_text(raw))
    finally:
        gc.enable()


def as_text(raw: bytes) -> str:
    """Return a body as text; raises NotParseable."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotParseable(said("The body is not UTF-8.")) from None


def not_json(text: str, error: json.JSONDecodeError) -> NotParseable:
    """Return what is said of a body that isn't JSON."""
    if not text.strip():
        return NotParseable(said("The body is empty; send a JSON object."))
    if text.startswith("\ufeff"):
        return NotParseable(said("The body begins with a byte order mark; send JSON in UTF-8 without one."))
    return NotParseable(
        said(
            "The body is not JSON: {reason} at line {line}, column {column}.",
            reason=error.msg.removesuffix(" at"),
            line=error.lineno,
            column=error.colno,
        )
    )


def parse_value(text: str, *, at: int = 0) -> tuple[Any, int]:
    """Return the value that begins at a place of a text, and where it ends.

    Raises json.JSONDecodeError, NotParseable on what is JSON and yet not plain and unambiguous, and Invalid where an
    object has too many members.
    """
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of thousands of digits
        raise NotParseable(said("The body holds a number that is too long.")) from None
    except RecursionError:  # hundreds of levels
        raise NotParseable(_TOO_DEEP) from None
    could_exceed = text.count("[", at, end) + text.count("{", at, end) > NESTING_MAX or (
        text.count(":", at, end) > MEMBERS_MAX
    )
    if could_exceed and isinstance(value, dict | list):
        _refuse_excess(value)
    if text.find("\\u", at, end) >= 0:  # the only way to write a NUL or half a surrogate pair
        _refuse_unstorable_text(value)
    return value, end


def _parse(text: str) -> Any:
    try:
        value, end = parse_value(text, at=_after_space(text, 0))
        end = _after_space(text, end)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except json.JSONDecodeError as error:
        raise not_json(text, error) from None
    return value


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _value in pairs:
            if name in seen:
                raise NotParseable(said("The member {name!r} stands twice in one object.", name=name[:100]))
            seen.add(name)
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise NotParseable(said("{text} is not JSON.", text=text))


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing at all, too


_SPACE = re.compile(r"[ \t\n\r]*+")
_TOO_DEEP = said("The JSON is nested more than {most} levels deep.", most=NESTING_MAX)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

# An exponent that no Decimal can hold raises an ArithmeticError by default. Without that trap it is a NaN, which JSON
# can't hold otherwise: no field takes it, so it is refused where it stands like every number that isn't plain digits.
_decimal = partial(Decimal, context=Context(traps=[]))

_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_repeats, parse_float=_decimal, parse_constant=_refuse_constant
)


def _refuse_excess(value: Any) -> None:
    """Refuse what is nested too deep, and objects with too many members."""
    names = _names_to_excess(value, depth=1)
    if names is not None:
        pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in reversed(names))
        problem = FieldError(said("must have at most {most} members.", most=MEMBERS_MAX), pointer=pointer)
        raise Invalid(said("An object of the body has too many members."), errors=[problem])


def _names_to_excess(value: Any, *, depth: int) -> list[str] | None:
    """Return the names that lead to an object with too many members, the innermost first, or None.

    Raises NotParseable where lists and objects are nested too deep. Half a million lists fit into a body: so it asks
    for `type`, twice as quick as `isinstance`, and looks for a name only where one is needed.
    """
    if depth > NESTING_MAX:
        raise NotParseable(_TOO_DEEP)
    if type(value) is dict and len(value) > MEMBERS_MAX:
        return []
    for inner in value.values() if type(value) is dict else value:
        if (type(inner) is list or type(inner) is dict) and (inner or depth == NESTING_MAX):
            names = _names_to_excess(inner, depth=depth + 1)
            if names is not None:
                members = value.items() if type(value) is dict else enumerate(value)
                return [*names, next(str(name) for name, member in members if member is inner)]
    return None


def _refuse_unstorable_text(value: Any) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise NotParseable(said("The body holds a NUL or half a surrogate pair."))
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_unstorable_text(name)
            _refuse_unstorable_text(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable_text(item)
