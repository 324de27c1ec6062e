"""What people do with an upload: choose a file, look at it, have it stored, stop that, go on, throw it away."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finance import database
from finance.asked import Asked
from finance.database import Db
from finance.encryption import FieldCipher
from finance.errors import Conflict, FieldError, Invalid, NotFound, TooManyRequests
from finance.events import record_event
from finance.imports import store
from finance.imports.model import (
    CHUNK_BYTES,
    FILE_BYTES_MAX,
    KEPT,
    KEPT_MAX,
    KEPT_MIN,
    KEPT_WHILE_STORED,
    NAME_LENGTH_MAX,
    STORABLE,
    UNFINISHED_MAX,
    WORKING,
    Import,
    ImportChunk,
    ImportRow,
    Kind,
)
from finance.said import said

RETRY_AFTER_S = 30
DEADLINE_S = 8.0  # for one question to the database: an upload may take longer than a request otherwise has
LISTED_MAX = 50
_TOO_MANY = said("Too many files are being checked or kept. Store or throw away those that are there, then try again.")
_NOT_IN_NAMES = re.compile(r"[^\w .()+,=@-]")


class ImportNotFound(NotFound):
    detail_default = said("There is no such import: its file is kept for seven days.")


class ImportChanged(Conflict):
    detail_default = said("This import is at another step now, and nothing was changed.")


class ImportEnding(Conflict):
    detail_default = said("This file is about to be removed: upload it again.")


class FileTooLarge(Invalid):
    @classmethod
    def of(cls, upload: Mapping[str, Any]) -> "FileTooLarge":
        """Return the refusal of a file, with the command that imports it."""
        told = said(
            "The file has more than {megabytes} MB. Nothing was stored. Whoever runs the service imports it: {command}",
            megabytes=FILE_BYTES_MAX // 1024 // 1024,
            command=command(upload),
        )
        return cls(told, errors=[FieldError(told, pointer="/file")])


class FileEmpty(Invalid):
    detail_default = said("The file is empty. Nothing was stored.")


class FileGone(RuntimeError):
    """A part of an uploaded file is missing."""


@dataclass(frozen=True)
class Received:
    """An upload, and whether its file was there already."""

    upload: Import
    is_known: bool


# --- Choose ------------------------------------------------------------------------------------------------------


def receive(db: Db, asked: Asked, *, kind: Kind, name: str, pieces: Iterable[bytes], cipher: FieldCipher) -> Received:
    """Keep a file so that it is checked; the same file of the same kind is there once, and is found again.

    A file of which nothing was stored yet is checked anew, as things are now. Raises FileTooLarge, FileEmpty,
    TooManyRequests, and EncryptionNotConfigured where a file of customers could not be kept unread.
    """
    _require_room(db, asked.tenant)
    if kind == "customers":
        cipher.require_configured()
    upload = _new_import(asked, kind=kind, name=name)
    size, digest = _keep(db, upload, pieces, cipher)
    upload |= {"bytes": size, "sha256": digest}
    with database.deadline(DEADLINE_S):
        if size and store.insert_import(db, upload):
            return Received(upload, is_known=False)
        store.drop_chunks(db, tenant=asked.tenant, files_id=upload["chunks_of"])
        if not size:
            raise FileEmpty
        return Received(_check_again(db, upload, now=asked.now), is_known=True)


def _require_room(db: Db, tenant: str) -> None:
    for statuses, most in ((tuple(WORKING), UNFINISHED_MAX), (None, KEPT_MAX)):
        if store.count_imports(db, tenant=tenant, statuses=statuses, at_most=most) >= most:
            raise TooManyRequests(_TOO_MANY, retry_after_s=RETRY_AFTER_S)


def _new_import(asked: Asked, *, kind: Kind, name: str) -> Import:
    return {
        "_id": secrets.token_hex(8),
        "tenant": asked.tenant,
        "kind": kind,
        "name": file_name(name),
        "bytes": 0,
        "sha256": "",
        "chunks_of": secrets.token_hex(16),
        "key_id": asked.by,
        "by_name": asked.by_name,
        "role": asked.role or "",
        "status": "waiting",
        "done": 0,
        "attempts": 0,
        "created_at": asked.now,
        "expires_at": asked.now + KEPT,
    }


def file_name(name: str) -> str:
    """Return what a file is called, without folders and what is no part of a name."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return _NOT_IN_NAMES.sub("_", last).strip(" .")[-NAME_LENGTH_MAX:] or "file"


def command(upload: Mapping[str, Any]) -> str:
    """Return the command that imports a file of any size."""
    name = f"'{upload['name']}'" if " " in upload["name"] else upload["name"]
    return f"scripts/import_{upload['kind']}.py {name} --tenant {upload['tenant']} --apply"


def _keep(db: Db, upload: Import, pieces: Iterable[bytes], cipher: FieldCipher) -> tuple[int, str]:
    """Store the bytes in chunks, and return how many they are and their SHA-256; raises FileTooLarge."""
    digest, size = hashlib.sha256(), 0
    for n, data in enumerate(_in_chunks(pieces)):
        size += len(data)
        digest.update(data)
        if size > FILE_BYTES_MAX:
            store.drop_chunks(db, tenant=upload["tenant"], files_id=upload["chunks_of"])
            raise FileTooLarge.of(upload)
        with database.deadline(DEADLINE_S):
            store.insert_chunk(db, _chunk(upload, n, data, cipher))
    return size, digest.hexdigest()


def _in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _chunk(upload: Import, n: int, data: bytes, cipher: FieldCipher) -> ImportChunk:
    # A file of customers holds tax and bank numbers, which are nowhere kept so that they can be read.
    is_secret = upload["kind"] == "customers"
    return {
        "tenant": upload["tenant"],
        "files_id": upload["chunks_of"],
        "n": n,
        "data": cipher.encrypt(data.decode("latin-1"), tenant=upload["tenant"], searchable=False)
        if is_secret
        else data,
        "expires_at": upload["expires_at"],
    }


def _check_again(db: Db, upload: Import, *, now: datetime) -> Import:
    """Have the file that is there already checked once more, unless storing has begun."""
    same = {name: upload[name] for name in ("tenant", "kind", "sha256")}
    found = store.find_same_file(db, **same)
    if found is None:  # thrown away just now
        raise ImportChanged
    if found["expires_at"] - now < KEPT_WHILE_STORED:
        store.keep_until(db, found, now + KEPT)
    values = {"status": "waiting", "done": 0, "attempts": 0}
    again = store.change_status(
        db, tenant=found["tenant"], import_id=found["_id"], of=("checked", "refused"), values=values
    )
    return again or found


def pieces_of(db: Db, upload: Import, *, cipher: FieldCipher) -> Iterator[bytes]:
    """Yield the bytes of the file; raises FileGone."""
    for n in range(-(-upload["bytes"] // CHUNK_BYTES)):
        with database.deadline(DEADLINE_S):
            chunk = store.find_chunk(db, tenant=upload["tenant"], files_id=upload["chunks_of"], n=n)
            if chunk is None:
                raise FileGone(upload["_id"])
            data = chunk["data"]
            yield cipher.decrypt(data).encode("latin-1") if upload["kind"] == "customers" else data


# --- Look --------------------------------------------------------------------------------------------------------


def get_import(db: Db, *, tenant: str, import_id: str) -> Import:
    """Return an upload; raises ImportNotFound."""
    upload = store.find_import(db, tenant=tenant, import_id=import_id)
    if upload is None:
        raise ImportNotFound
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
