"""What the values of the API's choices are called."""

from collections.abc import Mapping

from finance.web.languages import _


def status_word(status: str) -> str:
    """Return what a status is called; the macro `status` puts its glyph before it."""
    words = {
        "recorded": _("Recorded"),
        "voided": _("Voided"),
        "issued": _("Issued"),
        "cancelled": _("Cancelled"),
        "open": _("Open"),
        "partly_paid": _("Partly paid"),
        "paid": _("Paid"),
        "overdue": _("Overdue"),
        "active": _("Active"),
        "inactive": _("Inactive"),
        "erased": _("Erased"),
        "whole": _("Whole"),
        "missing": _("Missing"),
        "unknown": _("Not checked"),
        "revoked": _("Revoked"),
        "expired": _("Expired"),
        "new": _("New"),
        "stored": _("Stored"),
        "refused": _("Refused"),
        "taken_over": _("Taken over with its number"),
        "changed": _("Changed"),
        "alike": _("Looks like another"),
        "unchanged": _("Stored already"),
        "differs": _("Stored, with other values"),
        "twice": _("Twice in the file"),
    }
    return _word(words, status)


def method_word(method: str) -> str:
    words = {
        "bank_transfer": _("Bank transfer"),
        "card": _("Card"),
        "cash": _("Cash"),
        "cheque": _("Cheque"),
        "direct_debit": _("Direct debit"),
        "upi": "UPI",
        "other": _("Other"),
    }
    return _word(words, method)


def direction_word(direction: str) -> str:
    return _word({"incoming": _("Incoming"), "outgoing": _("Outgoing")}, direction)


def _word(words: Mapping[str, str], value: object) -> str:
    """Return what a value is called; of a document that is damaged it may be anything."""
    if value is None:
        return "–"
    return words.get(value, value) if isinstance(value, str) else str(value)
