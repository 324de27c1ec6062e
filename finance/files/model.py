"""What a file is that is made in the background: one document that is asked for, made, ready or failed; then chunks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired, TypedDict, get_args

Status = Literal["waiting", "making", "ready", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
UNFINISHED: tuple[Status, ...] = ("waiting", "making")

KEPT = timedelta(hours=24)  # after which MongoDB removes it (a TTL index)
UNFINISHED_MAX = 5  # of one tenant
KEPT_MAX = 50  # of one tenant
FILE_BYTES_MAX = 256 * 1024 * 1024
CHUNK_BYTES = 255 * 1024  # GridFS's own
ATTEMPTS_MAX = 3  # what kills a worker three times is not tried again
SIGN_OF_LIFE_S = 2.0
DEAD_AFTER_S = 15.0  # without a sign of life it is begun again, by whichever process looks


@dataclass(frozen=True)
class Wanted:
    """What is to be made: the request that asked for it, and for whom. `path` and `query` are those of an export."""

    tenant: str
    key_id: str
    by_name: str | None
    role: str
    path: str
    query: str
    language: str
    table: str
    now: datetime


class Export(TypedDict):
    """A file as stored. `holder` makes it now, and shows signs of life; `rows` is how far it is."""

    _id: str
    tenant: str
    key_id: str
    by_name: str | None
    role: str
    path: str
    query: str
    language: str
    table: str
    status: Status
    rows: int
    attempts: int
    created_at: datetime
    expires_at: datetime
    holder: NotRequired[str]
    alive_at: NotRequired[datetime]
    finished_at: NotRequired[datetime]
    bytes: NotRequired[int]
    sha256: NotRequired[str]  # of the file itself
    chunks_of: NotRequired[str]  # the holder whose chunks are the file
    failure: NotRequired[str]


class Chunk(TypedDict):
    """A part of a file, as GridFS has them, with when it is removed."""

    tenant: str
    files_id: str
    n: int
    data: bytes
    expires_at: datetime
    _id: NotRequired[Any]
