"""What the values of the API's choices are called."""

from collections.abc import Mapping
from typing import Any

from finance.web.languages import _, translated_later

_STATUSES = {
    "recorded": translated_later("Recorded"),
    "voided": translated_later("Voided"),
    "issued": translated_later("Issued"),
    "cancelled": translated_later("Cancelled"),
    "open": translated_later("Open"),
    "partly_paid": translated_later("Partly paid"),
    "paid": translated_later("Paid"),
    "overdue": translated_later("Overdue"),
    "active": translated_later("Active"),
    "inactive": translated_later("Inactive"),
    "erased": translated_later("Erased"),
    "whole": translated_later("Whole"),
    "missing": translated_later("Missing"),
    "unknown": translated_later("Not checked"),
    "revoked": translated_later("Revoked"),
    "expired": translated_later("Expired"),
    "new": translated_later("New"),
    "stored": translated_later("Stored"),
    "refused": translated_later("Refused"),
    "taken_over": translated_later("Taken over with its number"),
    "changed": translated_later("Changed"),
    "alike": translated_later("Looks like another"),
    "unchanged": translated_later("Stored already"),
    "differs": translated_later("Stored, with other values"),
    "twice": translated_later("Twice in the file"),
}
_METHODS = {
    "bank_transfer": translated_later("Bank transfer"),
    "card": translated_later("Card"),
    "cash": translated_later("Cash"),
    "cheque": translated_later("Cheque"),
    "direct_debit": translated_later("Direct debit"),
    "upi": "UPI",
    "other": translated_later("Other"),
}
_DIRECTIONS = {"incoming": translated_later("Incoming"), "outgoing": translated_later("Outgoing")}


def status_word(status: Any) -> str:
    """Return what a status is called; the macro `status` puts its glyph before it."""
    return _said(_STATUSES, status)


def method_word(method: Any) -> str:
    return _said(_METHODS, method)


def direction_word(direction: Any) -> str:
    return _said(_DIRECTIONS, direction)


def _said(words: Mapping[str, str], value: Any) -> str:
    """Return what a value is called; as it is, where an older system stored another one."""
    word = words.get(value) if isinstance(value, str) else None
    if word is None:
        return "–" if value is None else str(value)
    return _(word)
