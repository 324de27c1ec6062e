"""What has happened to an invoice or a credit note, as its history is read."""

from collections.abc import Mapping
from typing import Any

from finance.damaged import documents_in, mapping_of
from finance.web.formats import money_text
from finance.web.languages import _

SHOWN_MAX = 50


def history_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the newest entries of what is answered as {at, by, words}, the newest first; the first is its issue."""
    entries = documents_in(shown.get("history"))[-SHOWN_MAX:]
    told = [
        {"at": entry.get("at"), "by": entry.get("by_name") or entry.get("by"), "words": _words(entry, shown)}
        for entry in reversed(entries)
    ]
    if len(entries) < SHOWN_MAX:
        by = shown.get("created_by_name") or shown.get("created_by")
        told.append({"at": shown.get("created_at"), "by": by, "words": _("Issued")})
    return told


def _words(entry: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    number = entry.get("payment_number") or entry.get("credit_note_number")
    words = {
        "paid": _("Paid"),
        "credited": _("Credited"),
        "cancelled": _("Cancelled"),
        "allocated": _("Given to invoices"),
        "released": _("Taken back"),
        "given_back": _("Taken back"),
    }.get(str(entry.get("action")), str(entry.get("action")))
    told = [words] + ([str(number)] if number else [])
    reason = entry.get("reason") or mapping_of(mapping_of(entry.get("changes")).get("cancel_reason")).get("to")
    gave = [_given(part, shown) for part in documents_in(entry.get("allocations"))]
    sums = [_change(change, shown) for change in mapping_of(entry.get("changes")).values() if _is_sum(change, shown)]
    return ", ".join([" ".join(told), *gave, *sums, *([f"“{reason}”"] if reason else [])])


def _given(part: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    number = part.get("invoice_number") or part.get("payment_number") or "–"
    return f"{number} {money_text(part.get('amount'), shown.get('currency'))}"


def _is_sum(change: Any, shown: Mapping[str, Any]) -> bool:
    ends = mapping_of(change)
    return all(isinstance(ends.get(end), str) and ends[end][:1].isdigit() for end in ("from", "to"))


def _change(change: Any, shown: Mapping[str, Any]) -> str:
    return " → ".join(money_text(change[end], shown.get("currency")) for end in ("from", "to"))
