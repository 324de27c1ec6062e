"""What a request says in its headers: Idempotency-Key and If-Match."""

import re

from flask import request

from finance.errors import Invalid

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key() -> str | None:
    """Return the request's Idempotency-Key, without the quotes it may stand in, or None; raises Invalid."""
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    if IDEMPOTENCY_KEY.fullmatch(value) is None:
        raise Invalid.parameter("Idempotency-Key", "must be 1 to 255 visible ASCII characters.")
    return value


def if_match() -> frozenset[str] | None:
    """Return the strong entity tags of If-Match, without their quotes; "*" stands for any. None without the header."""
    if "If-Match" not in request.headers:
        return None
    tags = request.if_match
    return frozenset({"*"} if tags.star_tag else tags.as_set())
