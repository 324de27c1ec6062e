"""What happened to a payment, a line each: when, what, and who did it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from finance.damaged import documents_in, mapping_of
from finance.web.formats import money_text
from finance.web.languages import _, ngettext
from finance.web.pages import label

HISTORY_SHOWN = 50
# What the words for the action say already.
_UNTOLD = frozenset(("status", "voided_at", "void_reason", "allocated", "allocated_minor", "number_seq"))
_KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def changes_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the newest changes of a payment as it is answered, and last of all that it was recorded."""
    history = shown["history"]
    newest = [_change(shown["currency"], entry) for entry in reversed(history[-HISTORY_SHOWN:])]
    missing = len(history) - len(newest)
    if missing > 0:
        left_out = ngettext("%(num)s earlier change is not shown.", "%(num)s earlier changes are not shown.", missing)
        newest.append({"what": [left_out]})
    recorded = {"at": shown["created_at"], "what": [_("Recorded")]}
    return [*newest, recorded | _who(shown["created_by"], shown.get("created_by_name"))]


def _change(currency: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
    changes = mapping_of(entry.get("changes"))
    says = _SAYS.get(str(entry.get("action")))
    what = [says(_given(currency, entry)) if says else str(entry.get("action") or "–")]
    what += [_field(name, mapping_of(change)) for name, change in changes.items() if name not in _UNTOLD]
    why = entry.get("reason") or mapping_of(changes.get("void_reason")).get("to")
    who = _who(entry.get("by"), entry.get("by_name"))
    return {"at": entry.get("at"), "what": [line for line in what if line], "why": why, **who}


def _field(name: str, change: Mapping[str, Any]) -> str:
    """Return what a field was, and what it became."""
    return f"{label(name)} {_quoted(change.get('from'))} → {_quoted(change.get('to'))}"


def _quoted(value: Any) -> str:
    return "–" if value in (None, "", [], {}) else _("“%(text)s”", text=value)


def _given(currency: Any, entry: Mapping[str, Any]) -> str:
    """Return what was given, or taken back: the numbers with their amounts."""
    return ", ".join(
        f"{one.get('invoice_number') or one.get('credit_note_number') or '–'} {money_text(one.get('amount'), currency)}"
        for one in documents_in(entry.get("allocations"))
    )


def _who(by: Any, name: Any) -> dict[str, Any]:
    """Return who did it: the name of the key, and how its id begins; of a repair who ran it."""
    is_key = isinstance(by, str) and _KEY_ID.fullmatch(by)
    return {"by": name if isinstance(name, str) else None if is_key else by, "key": f"{by[:4]}…" if is_key else None}


_SAYS: Mapping[str, Callable[[str], str]] = {
    "edited": lambda _given: "",
    "voided": lambda _given: _("Voided"),
    "allocated": lambda given: _("Given: %(parts)s", parts=given),
    "released": lambda given: _("Taken back: %(parts)s", parts=given),
    "renumbered": lambda _given: _("Given another number by a repair"),
    "imported": lambda _given: _("Imported"),
}
