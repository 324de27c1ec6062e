"""Customers as files: what a list shows of them, a row each; numbers that are secret are masked as they are there."""

from collections.abc import Mapping
from typing import Any

from finance.customers.model import Customer
from finance.customers.schemas import dump_listed_customer
from finance.edge.files.tables import Table

_OWN = ("customer_code", "customer_name", "customer_category", "contact_person", "email_address", "contact_number")
_ABOUT = ("status", "status_reason", "created_at", "created_by", "created_by_name", "updated_at", "id")

EXPORTED = Table(
    name="customers",
    columns=(
        *_OWN,
        *("pan_number", "gstins", "account_numbers", "tds_section", "payment_terms_days", "credit_limit", "currency"),
        *_ABOUT,
    ),
    amounts=frozenset(("credit_limit",)),
)


def dump_row(customer: Customer) -> dict[str, Any]:
    """Return a customer as a row."""
    shown = dump_listed_customer(customer)
    tds, terms = _part(shown, "tds"), _part(shown, "terms_conditions")
    return {name: shown.get(name) for name in (*_OWN, *_ABOUT, "pan_number")} | {
        "gstins": _all(shown, "gst_details", "gstin"),
        "account_numbers": _all(shown, "banking", "account_number"),
        "tds_section": tds.get("section"),
        "payment_terms_days": terms.get("payment_terms_days"),
        "credit_limit": terms.get("credit_limit"),
        "currency": terms.get("currency"),
    }


def _part(shown: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = shown.get(name)
    return part if isinstance(part, Mapping) else {}


def _all(shown: Mapping[str, Any], part: str, name: str) -> list[Any]:
    entries = shown.get(part)
    found = [entry.get(name) for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return [value for value in found if value is not None]
