"""What stands in a document that is damaged, or of another system: it is shown as far as it can be, and hides nothing.

One such document must not keep a list or an export from being read.
"""

from collections.abc import Mapping
from typing import Any


def documents_in(value: object) -> list[Mapping[str, Any]]:
    """Return the documents of a list; none where it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def mapping_of(value: object) -> Mapping[str, Any]:
    """Return a document; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: object) -> str | None:
    """Return a text; None where it is none."""
    return value if isinstance(value, str) else None


def as_text(value: object) -> str:
    """Return a value that JSON has no type for as text."""
    return value.hex() if isinstance(value, bytes) else str(value)
