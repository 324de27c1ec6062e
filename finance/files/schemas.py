"""A file that is being made as it is answered."""

from typing import Any

from finance.files.model import Export


def address_of(export: Export) -> str:
    return f"/api/v1/exports/{export['_id']}"


def dump_export(export: Export) -> dict[str, Any]:
    """Return a file that isn't ready yet as it is answered."""
    shown: dict[str, Any] = {"export_id": export["_id"], "address": address_of(export)}
    return shown | {name: export.get(name) for name in ("table", "status", "rows", "created_at", "expires_at")}
