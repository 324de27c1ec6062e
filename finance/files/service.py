"""Asking for a file that is made in the background, and fetching it."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from finance.database import Db
from finance.errors import Conflict, NotFound, TooManyRequests
from finance.files import store
from finance.files.model import (
    CHUNK_BYTES,
    FILE_BYTES_MAX,
    KEPT,
    KEPT_MAX,
    STATUSES,
    UNFINISHED,
    UNFINISHED_MAX,
    Chunk,
    Export,
    Wanted,
)
from finance.said import said

RETRY_AFTER_S = 30
_TOO_MANY = said("Too many files are being made or kept for you. Fetch those that you asked for, then try again.")
_TOO_LARGE = said(
    "The file would have more than {most} bytes: narrow the filters, or take the CSV.", most=FILE_BYTES_MAX
)


class ExportNotFound(NotFound):
    detail_default = said("There is no such file: it is kept for a day, for the key that asked for it.")


class ExportFailed(Conflict):
    detail_default = said("The file could not be made.")


class FileIncomplete(RuntimeError):
    """A part of a file is missing: the answer breaks off, shorter than it was announced."""


class TakenOver(RuntimeError):
    """Another process makes this file now."""


def ask_for(db: Db, wanted: Wanted) -> Export:
    """Store what is to be made; raises TooManyRequests."""
    for statuses, most in ((UNFINISHED, UNFINISHED_MAX), (STATUSES, KEPT_MAX)):
        if store.count_exports(db, tenant=wanted.tenant, statuses=statuses, at_most=most) >= most:
            raise TooManyRequests(_TOO_MANY, retry_after_s=RETRY_AFTER_S)
    export: Export = {
        "_id": secrets.token_hex(16),
        "tenant": wanted.tenant,
        "key_id": wanted.key_id,
        "by_name": wanted.by_name,
        "role": wanted.role,
        "path": wanted.path,
        "query": wanted.query,
        "language": wanted.language,
        "table": wanted.table,
        "status": "waiting",
        "rows": 0,
        "attempts": 0,
        "created_at": wanted.now,
        "expires_at": wanted.now + KEPT,
    }
    store.insert_export(db, export)
    return export


def get_export(db: Db, *, tenant: str, key_id: str, is_admin: bool, export_id: str) -> Export:
    """Return a file of the key that asked for it, or of any key of the tenant for an admin; raises ExportNotFound."""
    export = store.find_export(db, tenant=tenant, export_id=export_id)
    if export is None or not (is_admin or export["key_id"] == key_id):
        raise ExportNotFound
    return export


def keep_chunk(db: Db, export: Export, *, n: int, data: bytes, size: int) -> None:
    """Store the nth part of a file, which has `size` bytes with it; raises ExportFailed."""
    if size > FILE_BYTES_MAX:
        raise ExportFailed(_TOO_LARGE)
    chunk: Chunk = {
        "tenant": export["tenant"],
        "files_id": export["holder"],
        "n": n,
        "data": data,
        "expires_at": export["expires_at"],
    }
    store.insert_chunk(db, chunk)


def chunks_of(db: Db, export: Export, *, in_time: Callable[[Callable[[], Any]], Any]) -> Iterator[bytes]:
    """Yield a ready file; `in_time` bounds each question. Raises FileIncomplete where a part is missing."""
    count = -(-export["bytes"] // CHUNK_BYTES)
    chunks = store.each_chunk(db, tenant=export["tenant"], files_id=export["chunks_of"], count=count)
    for _n in range(count):
        data = in_time(lambda: next(chunks))
        if data is None:
            raise FileIncomplete(export["_id"])
        yield data
