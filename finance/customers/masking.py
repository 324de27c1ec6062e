"""What of a customer is secret: encrypted where it is stored, and masked for those who may not see all of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# True where equality is searched for, so that equal texts have equal ciphertexts. A GSTIN contains the PAN.
SEARCHABLE_BY_SECRET: Mapping[str, bool] = {
    "pan_number": True,
    "gstin": True,
    "identity_claims": True,
    "tan_number": False,
    "account_number": False,
    "iban": False,
    "request_hash": False,  # from the rest of the document a PAN could be found out with it
}
_MASKED = re.compile(r"\*+[0-9A-Z]{0,4}", re.ASCII)
SHOWN_MAX = 4


def map_secrets(value: T, change: Callable[[str, str, str], object]) -> T:
    """Return a copy of `value` in which each secret text is `change(field name, text, JSON pointer)`."""
    mapped: T = _map_secrets(value, change, "", "")
    return mapped


def secrets_in(value: object) -> Iterator[tuple[str, str]]:
    """Yield each secret text with the name of its field."""
    found: list[tuple[str, str]] = []
    map_secrets(value, lambda name, text, _pointer: found.append((name, text)))
    yield from found


def mask(text: str) -> str:
    """Return a secret as those may see it who may not see all of it: its last four characters."""
    shown = text[-SHOWN_MAX:] if len(text) > SHOWN_MAX else ""
    return "*" * (len(text) - len(shown)) + shown


def masked(value: T) -> T:
    """Return a copy in which each secret shows its last four characters."""
    return map_secrets(value, lambda _name, text, _pointer: mask(text))


def is_masked(text: str) -> bool:
    return _MASKED.fullmatch(text) is not None


def _map_secrets(value: Any, change: Callable[[str, str, str], object], name: str, pointer: str) -> Any:
    if isinstance(value, Mapping):
        return {  # in a history entry the field's name is one level up
            key: _map_secrets(member, change, name if key in ("from", "to") else key, f"{pointer}/{key}")
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_map_secrets(item, change, name, f"{pointer}/{place}") for place, item in enumerate(value)]
    return change(name, value, pointer) if name in SEARCHABLE_BY_SECRET and isinstance(value, str) else value
