"""The API keys of the demo tenant. A database has only hashes of keys, so scripts/serve remembers them in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finance.database import Db

TENANT = "demo"


def make_or_recall(db: Db, file: Path) -> list[dict[str, str]]:
    """Return the demo keys that this database knows, after making them in one that has no key at all."""
    from finance.auth import service as keys
    from finance.auth.model import ROLES, WantedKey
    from finance.context import utc_now
    from finance.maintenance.cli import asked_by

    remembered = _read(file)
    stored = keys.list_keys(db, tenant=None)
    if not stored:
        asked = asked_by("serve", tenant=TENANT, now=utc_now())
        made = [keys.create_key(db, asked, WantedKey(role, f"demo {role}")) for role in ROLES]
        new = [{"role": key.document["role"], "key_id": key.key_id, "key": key.key} for key in made]
        _write_private(file, json.dumps(remembered + new, indent=1))
        return new
    valid = {document["_id"] for document in stored if document.get("revoked_at") is None}
    return [key for key in remembered if key["key_id"] in valid]


def _read(file: Path) -> list[dict[str, str]]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return [{name: str(entry[name]) for name in ("role", "key_id", "key")} for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # then serve says how to make new ones


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at no moment anybody else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
