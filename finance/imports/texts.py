"""Texts that are kept with what they were made of, so that each reader has them in their language."""

from collections.abc import Mapping
from typing import Any

from finance.said import Said


def dump_said(text: str) -> Any:
    """Return a text as it is stored."""
    if not isinstance(text, Said):
        return str(text)
    return {"template": text.template, "values": {name: _dumped(value) for name, value in text.values.items()}}


def load_said(stored: Any) -> str:
    """Return the text of what is stored."""
    if not isinstance(stored, Mapping):
        return str(stored or "")
    values = {
        name: load_said(value) if isinstance(value, Mapping) else value for name, value in stored["values"].items()
    }
    return Said(stored["template"], values)


def _dumped(value: object) -> Any:
    if isinstance(value, Said):
        return dump_said(value)
    return value if isinstance(value, int) else str(value)
