"""Invoices, credit notes and what they give as files: which columns, and whose time zone their instants have."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from finance.auth.guard import caller
from finance.context import parts
from finance.damaged import documents_in
from finance.edge.files.tables import Table
from finance.invoices.model import CreditNote
from finance.money import shown_amount
from finance.shops import service as shops

AMOUNTS = ("total_net", "total_tax", "total", "amount_paid", "amount_credited", "outstanding")
CREDIT_NOTE_AMOUNTS = ("total_net", "total_tax", "total", "allocated", "unallocated")
ALLOCATION_COLUMNS = (
    *("from_kind", "payment_number", "credit_note_number", "invoice_number", "amount", "currency", "on"),
    *("customer_code", "other_customer_code"),
)


def zone_of(filters: Mapping[str, str]) -> ZoneInfo | None:
    """Return the zone of the shop that is asked for, or of all shops where they have the same; None for no such."""
    db, tenant = parts().db, caller().tenant
    if "shop" in filters:
        shop = shops.find_readable_shop(db, tenant=tenant, shop=filters["shop"].lower())
        zones = set() if shop is None else {shop["timezone"]}
    else:
        zones = {shop["timezone"] for shop in shops.list_shops(db, tenant=tenant)}
    zones.discard(None)
    return ZoneInfo(zones.pop()) if len(zones) == 1 else None


EXPORTED = Table(
    name="invoices",
    columns=(
        *("invoice_number", "shop", "customer_code", "customer_name", "issued_on", "due_on", "currency"),
        *AMOUNTS,
        *("status", "credit_note_number", "notes", "created_at"),
    ),
    amounts=frozenset(AMOUNTS),
    totals_by=("currency", "status"),
    zone_of=zone_of,
)
CREDIT_NOTES = Table(
    name="credit_notes",
    columns=(
        *("credit_note_number", "invoice_number", "shop", "customer_code", "customer_name", "issued_on", "currency"),
        *CREDIT_NOTE_AMOUNTS,
        *("reason", "created_at", "created_by", "created_by_name", "id"),
    ),
    amounts=frozenset(CREDIT_NOTE_AMOUNTS),
    totals_by=("currency",),
    zone_of=zone_of,
)
CREDIT_NOTE_ALLOCATIONS = Table(
    name="credit_note_allocations",
    columns=ALLOCATION_COLUMNS,
    amounts=frozenset(("amount",)),
    kinds={"on": "day"},
    totals_by=("currency", "from_kind"),
)


def entries_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a source gives to others now. What an earlier version stored has no state and is settled."""
    entries = documents_in(document.get("allocations"))
    return [entry for entry in entries if entry.get("state", "settled") == "settled"]


def allocations_of_notes(notes: Sequence[CreditNote]) -> list[dict[str, Any]]:
    """Return a row for each part of a credit note that went to an invoice.

    What an earlier version stored has no entries: it took its cancelled invoice back whole.
    """
    return [_of_note(note, entry) for note in notes for entry in _given_by(note) if "invoice_number" in entry]


def dump_allocation(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row as it is shown: every column is there."""
    return {name: row.get(name) for name in ALLOCATION_COLUMNS}


def _given_by(note: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "allocations" in note:
        return entries_of(note)
    return [{"invoice_number": note.get("invoice_number"), "amount_minor": note.get("total_minor")}]


def _of_note(note: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "from_kind": "credit_note",
        "credit_note_number": note.get("credit_note_number"),
        "invoice_number": entry.get("invoice_number"),
        "amount": shown_amount(entry.get("amount_minor"), note.get("currency")),
        "currency": note.get("currency"),
        "on": entry.get("on") or note.get("issued_on"),
        "customer_code": note.get("customer_code"),
        "other_customer_code": entry.get("customer_code"),
    }
