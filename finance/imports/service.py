"""What people do with an upload: look at it, have it stored, stop that, go on, throw it away."""

from collections.abc import Iterable
from typing import Any

from finance.asked import Asked
from finance.database import Db
from finance.errors import Conflict, NotFound
from finance.events import record_event
from finance.imports import store
from finance.imports.model import (
    KEPT,
    KEPT_MIN,
    KEPT_WHILE_STORED,
    STORABLE,
    Import,
    ImportRow,
)
from finance.said import said

LISTED_MAX = 50


class ImportNotFound(NotFound):
    detail_default = said("There is no such import: its file is kept for seven days.")


class ImportChanged(Conflict):
    detail_default = said("This import is at another step now, and nothing was changed.")


class ImportEnding(Conflict):
    detail_default = said("This file is about to be removed: upload it again.")


# --- Look --------------------------------------------------------------------------------------------------------


def get_import(db: Db, *, tenant: str, import_id: str) -> Import:
    """Return an upload; raises ImportNotFound."""
    upload = store.find_import(db, tenant=tenant, import_id=import_id)
    if upload is None:
        raise ImportNotFound
    if upload["status"] == "stopped" and "rows_of" in upload:  # whatever has stopped it may not have counted
        upload["counts"] = store.count_verdicts(db, tenant=tenant, rows_of=upload["rows_of"])
    return upload


def list_imports(db: Db, *, tenant: str) -> list[Import]:
    """Return the newest uploads."""
    return store.list_imports(db, tenant=tenant, at_most=LISTED_MAX)


def list_rows(db: Db, upload: Import, *, verdicts: Iterable[str], after: int = 0, at_most: int) -> list[ImportRow]:
    """Return the rows of these verdicts after a line."""
    if "rows_of" not in upload:
        return []
    return store.list_rows(
        db,
        tenant=upload["tenant"],
        rows_of=upload["rows_of"],
        verdicts=list(verdicts),
        after=after,
        at_most=at_most,
    )


def storable_count(upload: Import, *, alike_too: bool = False) -> int:
    """Return how many rows Store would store."""
    verdicts = (*STORABLE[upload["kind"]], *(("alike",) if alike_too else ()))
    return sum(upload.get("counts", {}).get(verdict, 0) for verdict in verdicts)


# --- Store -------------------------------------------------------------------------------------------------------


def start_storing(db: Db, asked: Asked, *, import_id: str, alike_too: bool) -> Import:
    """Have the rows stored that can be; a second press of the button finds it under way. Raises ImportChanged."""
    upload = get_import(db, tenant=asked.tenant, import_id=import_id)
    if upload["status"] in ("to_store", "storing", "stored"):
        return upload
    to_store = storable_count(upload, alike_too=alike_too)
    if upload["status"] != "checked" or not to_store:
        raise ImportChanged
    if upload["expires_at"] - asked.now < KEPT_MIN:
        raise ImportEnding
    details = {"file": upload["name"], "kind": upload["kind"], "rows": upload.get("rows", 0), "to_store": to_store}
    record_event(db, asked, action="imported", of=("import", import_id), details=details, once="store")
    if upload["expires_at"] - asked.now < KEPT_WHILE_STORED:
        store.keep_until(db, upload, asked.now + KEPT)
    values: dict[str, Any] = {
        "status": "to_store",
        "alike_too": alike_too,
        "to_store": to_store,
        "stored": 0,
        "stored_line": 0,
        "parts": 0,
        "done": 0,
        "attempts": 0,
        "stop_asked": False,
        "stored_by": {"by": asked.by, "by_name": asked.by_name, "address": asked.address, "role": asked.role},
    }
    return _changed(db, asked, import_id, of="checked", values=values)


def go_on(db: Db, asked: Asked, *, import_id: str) -> Import:
    """Have the rest stored of what was stopped. Raises ImportChanged."""
    upload = get_import(db, tenant=asked.tenant, import_id=import_id)
    if upload["status"] in ("to_store", "storing", "stored"):
        return upload
    values = {"status": "to_store", "attempts": 0, "stop_asked": False, "failure": None}
    return _changed(db, asked, import_id, of="stopped", values=values)


def _changed(db: Db, asked: Asked, import_id: str, *, of: Any, values: dict[str, Any]) -> Import:
    changed = store.change_status(db, tenant=asked.tenant, import_id=import_id, of=(of,), values=values)
    if changed is None:  # another press was a moment earlier
        return get_import(db, tenant=asked.tenant, import_id=import_id)
    return changed


def stop(db: Db, asked: Asked, *, import_id: str) -> Import:
    """Have storing end after the step that it is at."""
    store.ask_to_stop(db, tenant=asked.tenant, import_id=import_id)
    return get_import(db, tenant=asked.tenant, import_id=import_id)


def throw_away(db: Db, asked: Asked, *, import_id: str) -> None:
    """Remove a file of which nothing was stored, with its rows; raises ImportNotFound, ImportChanged."""
    removed = store.remove_import(db, tenant=asked.tenant, import_id=import_id)
    if removed is None:
        get_import(db, tenant=asked.tenant, import_id=import_id)
        raise ImportChanged
    store.drop_chunks(db, tenant=asked.tenant, files_id=removed["chunks_of"])
    if "rows_of" in removed:
        store.drop_rows(db, tenant=asked.tenant, rows_of=removed["rows_of"])
