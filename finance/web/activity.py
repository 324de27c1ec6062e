"""`/activity`: an admin reads who did what in their tenant, an event a line, in words."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response

from finance.audit_events import service
from finance.audit_events.schemas import AuditEventListSchema, dump_event, filters_of
from finance.auth.guard import caller
from finance.context import parts
from finance.events import ACTIONS
from finance.web.exports import export_page, file_links
from finance.web.formats import instant_text
from finance.web.languages import _
from finance.web.lists import Filter, ListOf, shown_list
from finance.web.pages import label, page, render

# Where the objects of events have a page.
_PAGE_BY_KIND = {
    "key": "/keys/",
    "customer": "/customers/",
    "invoice": "/invoices/",
    "payment": "/payments/",
    "credit_note": "/credit-notes/",
    "shop": "/shops/",
}
_PAGE_BY_LIST = {
    "payments": "/payments",
    "allocations": "/payments",
    "invoices": "/invoices",
    "credit_notes": "/credit-notes",
    "customers": "/customers",
    "audit_events": "/activity",
    "ageing": "/receivables",
}


def action_word(action: str) -> str:
    """Return what was done, in words."""
    words = {
        "key_created": _("Made a key"),
        "key_revoked": _("Revoked a key"),
        "numbers_read_in_full": _("Read tax or account numbers in full"),
        "bank_details_changed": _("Changed bank accounts"),
        "customers_searched_by_pan": _("Looked for customers by PAN or GSTIN"),
        "customer_erased": _("Erased a customer’s personal data"),
        "exported": _("Took a list away as a file"),
        "imported": _("Began an import"),
        "import_finished": _("Finished an import"),
        "repaired": _("Repaired duplicate numbers"),
        "repair_undone": _("Undid a repair"),
        "indexes_migrated": _("Migrated indexes"),
        "sequences_taken_over": _("Took over sequences of an older system"),
        "gaps_recorded": _("Recorded gaps in the numbers"),
        "counters_raised": _("Raised counters"),
        "encryption_key_rotated": _("Changed the encryption key"),
        "signed_in": _("Signed in"),
        "signed_out": _("Signed out"),
        "sessions_ended": _("Ended the sessions of a key"),
    }
    return words.get(action, action.replace("_", " ").capitalize())


EVENTS = ListOf(
    schema=AuditEventListSchema(),
    filters=(
        Filter("at_from", "day", is_open=True),
        Filter("at_to", "day", is_open=True),
        Filter("action", "choice", ACTIONS, action_word, is_open=True),
        Filter("by", is_open=True),
        Filter("object_kind"),
        Filter("object_id"),
    ),
    columns=("at", "action", "object_id", "details", "by_name", "address"),
    default_columns=("at", "action", "object_id", "details", "by_name"),
    sorts=("at",),
)


@page("/activity", role="admin")
def list_activity() -> Any:
    """List who did what, the newest first."""

    def list_page(query: Mapping[str, Any]) -> Any:
        filters = filters_of(query, timezone=parts().config.timezone)
        return partial(service.list_events, parts().db, tenant=caller().tenant, filters=filters)

    shown = shown_list(EVENTS, list_page, dump_event)
    if isinstance(shown, Response):
        return shown
    title = _("Activity")
    body = render(
        "activity/list.html",
        title=title,
        page_title=f"{title} ({shown.in_words()})" if shown.filters else title,
        shown=shown,
        files=file_links(shown, "/activity/export"),
        action_word=action_word,
        details_in_words=details_in_words,
        address_of=address_of,
    )
    return body, 422 if shown.errors else 200


export_page("/activity/export", "audit_events.export_audit_events", role="admin")


def address_of(event: Mapping[str, Any]) -> str | None:
    """Return the page of what an event is about, None where it has none."""
    kind, name = str(event["object_kind"]), str(event["object_id"])
    if kind == "list":
        return _PAGE_BY_LIST.get(name)
    if kind == "import":
        return None
    return _PAGE_BY_KIND[kind] + quote(name, safe="") if kind in _PAGE_BY_KIND and name != "search" else None


def details_in_words(details: Any) -> str:
    """Return what else is known of an event, as "Role: client, Name: Web shop"; what is empty is left out."""
    if not isinstance(details, Mapping):
        return ""
    return ", ".join(
        f"{label(str(name))}: {_said(value)}" for name, value in details.items() if value not in (None, "", [], {})
    )


def _said(value: Any) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Mapping):
        return f"({details_in_words(value)})" if value else "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
