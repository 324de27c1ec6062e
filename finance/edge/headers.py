"""What a request says in its header Idempotency-Key; If-Match and If-None-Match are read by conditions.py."""

import re

from flask import request

from finance.errors import Invalid, NotParseable
from finance.said import said

# What the server sets in the environ (edge/worker.py): WSGI joins a header that stands twice with a comma, and a key
# may hold one.
REPEATED_HEADERS = "finance.repeated_headers"

_KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")  # no quote inside: it would be unclear where the key ends


def idempotency_key() -> str | None:
    """Return the request's Idempotency-Key, without the quotes it may stand in, or None.

    Raises Invalid, or NotParseable where there are two.
    """
    environ = request.environ
    value: str | None = environ.get("HTTP_IDEMPOTENCY_KEY")
    if value is None:
        return None
    if "IDEMPOTENCY-KEY" in environ.get(REPEATED_HEADERS, ()):
        raise NotParseable(said("The header Idempotency-Key stands twice."))
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    if _KEY.fullmatch(value) is None:
        raise Invalid.parameter(
            "Idempotency-Key", said("must be 1 to 255 visible ASCII characters, bare or between two double quotes.")
        )
    return value
