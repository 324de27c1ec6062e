"""What the values of the API's choices are called."""

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
    return words.get(status, status)


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
    return words.get(method, method)


def direction_word(direction: str) -> str:
    return {"incoming": _("Incoming"), "outgoing": _("Outgoing")}.get(direction, direction)
