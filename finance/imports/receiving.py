"""An upload arrives: its bytes are kept in chunks, once, and it waits to be checked."""

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
from finance.errors import FieldError, Invalid, TooManyRequests
from finance.imports import store
from finance.imports.model import (
    CHUNK_BYTES,
    FILE_BYTES_MAX,
    KEPT,
    KEPT_MAX,
    KEPT_WHILE_STORED,
    NAME_LENGTH_MAX,
    UNFINISHED_MAX,
    WORKING,
    Import,
    ImportChunk,
    Kind,
)
from finance.imports.service import ImportChanged
from finance.said import said

RETRY_AFTER_S = 30
DEADLINE_S = 8.0  # for one question to the database: an upload may take longer than a request otherwise has
_TOO_MANY = said("Too many files are being checked or kept. Store or throw away those that are there, then try again.")
_NOT_IN_NAMES = re.compile(r"[^\w .()+,=@-]")


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
