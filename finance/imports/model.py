"""What an upload is: one document that is checked and then stored, its bytes in chunks, and a verdict for each row."""

from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired, TypedDict, get_args

from finance.tables.cells import Limits

Kind = Literal["payments", "customers"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Choose gives "waiting"; Check ends in "checked" or "refused" (the file as a whole); Store in "stored" or "stopped".
Status = Literal["waiting", "checking", "checked", "refused", "to_store", "storing", "stopped", "stored"]
WORKING: dict[Status, Status] = {"waiting": "checking", "to_store": "storing"}  # what waits, and what it becomes
UNFINISHED: tuple[Status, ...] = (*WORKING.keys(), *WORKING.values())
BEFORE_STORING: tuple[Status, ...] = ("waiting", "checking", "checked", "refused")

# Of a row. `new` gets a number here, `taken_over` keeps its own; `alike` is stored only where that was confirmed.
Verdict = Literal["new", "taken_over", "changed", "alike", "unchanged", "differs", "twice", "refused", "stored"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NOT_STORED: tuple[Verdict, ...] = ("refused", "alike", "differs", "twice")
STORABLE: dict[Kind, tuple[Verdict, ...]] = {"payments": ("new", "taken_over"), "customers": ("new", "changed")}

KEPT = timedelta(days=7)  # after which MongoDB removes file, rows and verdicts (TTL indexes)
KEPT_MIN = timedelta(hours=1)  # what has to be left of it for storing to begin
KEPT_WHILE_STORED = timedelta(days=1)  # what is given to storing
KEPT_MAX = 100  # uploads of one tenant
UNFINISHED_MAX = 5  # of one tenant
FILE_BYTES_MAX = 10 * 1024 * 1024
ROWS_MAX = 50_000
# Fifty thousand rows of thirty columns are 60 MB as a sheet, however small they are packed.
LIMITS = Limits(rows=ROWS_MAX, unpacked_bytes=128 * 1024 * 1024, held_bytes=32 * 1024 * 1024, tags=2_000_000)
CHUNK_BYTES = 255 * 1024
NAME_LENGTH_MAX = 100
STEP_ROWS = 5_000  # stored together under one key, so that a repeat of it stores nothing twice
ATTEMPTS_MAX = 3  # what kills a worker three times is not tried again by itself
SIGN_OF_LIFE_S = 2.0
DEAD_AFTER_S = 15.0  # without a sign of life it is gone on with, by whichever process looks


class Part(TypedDict):
    """A step of storing that was begun: it stays what it is until it is done. `last` is the line of its last row."""

    number: int
    last: int


class Import(TypedDict):
    """An upload as stored. `holder` works on it now, and shows signs of life; `done` is how far it is, in rows."""

    _id: str
    tenant: str
    kind: Kind
    name: str  # of the file
    bytes: int
    sha256: str  # of the file; a tenant has each file of a kind once
    chunks_of: str
    key_id: str
    by_name: str | None
    role: str
    status: Status
    done: int
    attempts: int
    created_at: datetime
    expires_at: datetime
    holder: NotRequired[str]
    alive_at: NotRequired[datetime]
    failure: NotRequired[Any]  # a text, see texts.py
    rows: NotRequired[int]
    # What the check found.
    rows_of: NotRequired[str]  # the holder whose rows are those of the file
    checked_at: NotRequired[datetime]
    not_read: NotRequired[list[dict[str, str]]]  # columns: {name, meant}
    series: NotRequired[list[dict[str, Any]]]  # how far the numbers of the file count, by year
    counts: NotRequired[dict[str, int]]  # by verdict
    totals: NotRequired[list[dict[str, Any]]]  # by verdict, currency and direction; amounts as decimal texts
    # Storing.
    stored_by: NotRequired[dict[str, Any]]  # who pressed Store
    alike_too: NotRequired[bool]
    to_store: NotRequired[int]
    stored: NotRequired[int]
    stored_line: NotRequired[int]  # up to which line it is done
    part: NotRequired[Part | None]
    parts: NotRequired[int]
    stop_asked: NotRequired[bool]


class ImportRow(TypedDict):
    """A row with its verdict. `posted` (JSON) is what a new payment was validated to."""

    tenant: str
    rows_of: str
    line: int
    verdict: Verdict
    expires_at: datetime
    number: NotRequired[str]  # of the payment, or the code of the customer
    problems: NotRequired[list[str]]
    shown: NotRequired[dict[str, str]]  # what of it people know it by
    posted: NotRequired[str]
    _id: NotRequired[Any]


class ImportChunk(TypedDict):
    """A part of a file; of customers it is encrypted."""

    tenant: str
    files_id: str
    n: int
    data: Any
    expires_at: datetime
    _id: NotRequired[Any]
