"""Cursors: where a list goes on, as an opaque text that fits no other list."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from finance.errors import Invalid


def encode_cursor(query: Mapping[str, Any], position: Sequence[Any]) -> str:
    """Return an opaque cursor that goes on after `position` in the list that `query` asks for."""
    return base64.urlsafe_b64encode(orjson.dumps([_fingerprint(query), *position])).decode().rstrip("=")


def decode_cursor(query: Mapping[str, Any], cursor: str) -> list[Any]:
    """Return the position in a cursor; raises Invalid where it isn't ours, or was given for other filters."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        fingerprint, *position = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValueError, TypeError):
        raise Invalid.parameter("cursor", "must be the next_cursor of the page before.") from None
    if fingerprint != _fingerprint(query):
        raise Invalid.parameter("cursor", "belongs to a list with other filters or another sort.")
    return position


def _fingerprint(query: Mapping[str, Any]) -> str:
    relevant = {name: str(value) for name, value in query.items() if name not in ("cursor", "limit")}
    return hashlib.sha256(orjson.dumps(relevant, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
