"""The MongoDB client, deadlines, and the building of the indexes that `indexes.py` lists.

Nothing is acknowledged before a majority has it in its journal (`w: majority`, `j: true`): what was answered 2xx is
there after any one process or node is killed.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeVar

import pymongo
from pymongo.database import Database
from pymongo.errors import ConfigurationError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from finance import uri_warnings
from finance.config import Config, ConfigError
from finance.errors import Unavailable
from finance.indexes import INDEXES, Index
from finance.obsolete import drop_obsolete
from finance.once import NothingStored
from finance.ownership import DatabaseNotOurs, collections_of, find_not_ours
from finance.said import said

log = logging.getLogger(__name__)

T = TypeVar("T")

Document = dict[str, Any]
Db = Database[Document]
DriverError = PyMongoError
ConnectionLost = ConnectionFailure

DUPLICATE_KEY = 11000
# Where a repair was taken back, documents have their old numbers again beside those that hold them. Each is marked with
# the number that was taken from it; a unique index of this name, wider by the mark, stands in the place of the other.
UNDONE, UNDONE_FIELD = "_undone", "undone_number"
BUILD_ATTEMPTS_MAX = 50  # longer than a request may take, which its own deadline ends
BUILD_PAUSE_S = 0.2
INDEX_CONFLICTS = (85, 86)  # IndexOptionsConflict, IndexKeySpecsConflict
_NAMESPACE_NOT_FOUND = 26
_BEING_BUILT = said("The unique indexes are being built; nothing was stored. A retry is safe.")
_IN_THE_WAY = said(
    "An index in the way of {index.collection}.{index.name} must be replaced. Run scripts/migrate_indexes.py."
)
_NOT_YET = said("{index.collection}.{index.name} does not stand yet; nothing was stored. A retry is safe.")
_DUPLICATES = said(
    "{index.collection} holds duplicates, so the unique index {index.name} can't be built. Run "
    "scripts/repair_duplicates.py."
)

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


class deadline:  # noqa: N801  read as `with deadline(8):`
    """Bounds all that is asked of MongoDB inside, in seconds; never longer than the one around it."""

    __slots__ = ("_seconds", "_timeout", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = pymongo.timeout(seconds)

    def __enter__(self) -> None:
        around, ends_at = _ends_at.get(), monotonic() + self._seconds
        self._token = _ends_at.set(ends_at if around is None else min(around, ends_at))
        self._timeout.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._timeout.__exit__(*error)
        _ends_at.reset(self._token)


def remaining_s() -> float | None:
    """Return how many seconds the deadline around leaves, None where there is none."""
    ends_at = _ends_at.get()
    return None if ends_at is None else ends_at - monotonic()


class IndexesMissing(Unavailable):
    """The unique indexes do not stand, so nothing may be numbered."""


def require_readable(config: Config) -> None:
    """Raise ConfigError where the driver can't read MONGODB_URI; nothing is asked of any server."""
    _client(config, connect=False).close()


def connect(config: Config) -> Db:
    """Return the database. No connection is waited for: the first operation finds out whether there is a server.

    Raises ConfigError where MONGODB_URI can't be read.
    """
    return _client(config)[config.database_name]


def _client(config: Config, **options: Any) -> pymongo.MongoClient[Document]:
    try:
        with uri_warnings.told(config.mongodb_uri_setting):
            return _new_client(config, **options)
    except OSError as error:  # a certificate
        named = f"a file that can't be read: {error.filename}" if error.filename else "a certificate that can't be used"
        raise ConfigError(f"{config.mongodb_uri_setting} names {named} ({error.strerror})") from None
    except (ValueError, ConfigurationError):  # the driver's words may hold a part of the password
        raise ConfigError.unreadable_uri(config.mongodb_uri_setting) from None


def _new_client(config: Config, **options: Any) -> pymongo.MongoClient[Document]:
    return pymongo.MongoClient(
        config.mongodb_uri,
        appname="finance",
        tz_aware=True,
        w="majority",
        journal=True,
        readPreference="primary",  # whatever the URI says: a secondary may not know yet what was stored
        readConcernLevel="majority",  # nothing is shown, or answered to a repeat, that a failover could still undo
        timeoutMS=int(config.database_deadline_s * 1000),
        # A primary that is frozen keeps its connections, and nobody is told: only a look at it that isn't answered in
        # time finds it out. By default that takes 10 s and more.
        serverMonitoringMode="poll",
        heartbeatFrequencyMS=1000,
        connectTimeoutMS=2000,
        **options,
    )


def before_writing(look: Callable[[], T]) -> Callable[[], T]:
    """Return `look` for what a request looks at before it writes: where MongoDB fails there, nothing was stored."""

    def looked() -> T:
        try:
            return look()
        except DriverError as error:
            log.error("MongoDB: %s", type(error).__name__)
            raise NothingStored.because_of(error) from error

    return looked


def shared_secret(db: Db, *, name: str, fresh: bytes) -> bytes:
    """Return the secret of this name that all processes share: `fresh`, made by the caller, where there is none yet."""
    kept = db.secrets.find_one({"_id": name})
    if kept is None:
        require_ours(db)
        with contextlib.suppress(DuplicateKeyError):  # another process made it just now
            db.secrets.update_one({"_id": name}, {"$setOnInsert": {"secret": fresh}}, upsert=True)
        kept = db.secrets.with_options(read_concern=ReadConcern("local")).find_one({"_id": name})
    if kept is None:
        raise Unavailable
    return bytes(kept["secret"])


def create_indexes(db: Db, indexes: Iterable[Index] = INDEXES) -> None:
    """Build every index that is missing, then drop the obsolete; quick where all stand.

    A unique index over data that already holds duplicates is built with `prepareUnique` (MongoDB 6.0): it refuses new
    duplicates from then on, and scripts/repair_duplicates.py makes it unique. Raises IndexesMissing where an index of
    the same name stands on other fields, or where duplicates can't be fenced off; and DatabaseNotOurs, before anything
    is built, where another software's documents or unique indexes are in one of these collections.
    """
    indexes = list(indexes)
    require_ours(db, indexes)
    by_collection: dict[str, list[Index]] = {}
    for index in indexes:
        by_collection.setdefault(index.collection, []).append(index)
    for collection, listed in by_collection.items():
        standing = standing_indexes(db, collection)
        # One that gave way to the wider one of an undo would refuse the numbers that the undo puts back.
        expected = [index for index in listed if not (index.unique and _undone_protects(standing, index))]
        duplicated: list[str] = []
        try:
            if expected:
                db[collection].create_indexes([index.as_model() for index in expected])
        except OperationFailure as error:
            if error.code != DUPLICATE_KEY and error.code not in INDEX_CONFLICTS:
                raise
            duplicated = list((error.details or {}).get("keyPattern", ()))
        standing = standing_indexes(db, collection)
        for index in expected:
            if not _is_done(standing, index):
                _create_index(db, index, has_duplicates=duplicated == [field for field, _direction in index.keys])
    drop_obsolete(db, by_collection)


def require_ours(db: Db, indexes: Iterable[Index] = INDEXES) -> None:
    """Raise DatabaseNotOurs where another software's documents or unique indexes are in the collections of these."""
    find_unprotected(db, indexes)


def protect(db: Db) -> None:
    """Make sure that every unique index stands, building what is missing; raises IndexesMissing and DatabaseNotOurs.

    A new database gets all its indexes here. Where a build takes longer than requests may, they are refused meanwhile.
    """
    try:
        if find_unprotected(db):
            create_indexes(db)
        drop_obsolete(db, collections_of(INDEXES))
    except PyMongoError as error:
        if error.timeout:
            raise IndexesMissing(_BEING_BUILT) from error
        raise


def find_unprotected(db: Db, indexes: Iterable[Index] = INDEXES) -> list[str]:
    """Return "collection.index" for every unique index that does not refuse duplicates now; raises DatabaseNotOurs."""
    indexes = sorted(indexes, key=lambda index: index.collection)
    standing = {name: standing_indexes(db, name) for name in collections_of(indexes)}
    not_ours = find_not_ours(db, standing)
    if not_ours:
        raise DatabaseNotOurs.of(db.name, not_ours)
    return [
        f"{index.collection}.{index.name}"
        for index in indexes
        if index.unique and not _protects(standing[index.collection], index)
    ]


def standing_indexes(db: Db, collection: str) -> dict[str, Document]:
    """Return the indexes that stand, by name; `key` is a list of (field, direction).

    One that is still being built is not among them: it refuses nothing yet, and duplicates may yet end the build.
    """
    try:
        answer = db.command({"listIndexes": collection, "includeBuildUUIDs": True})
    except OperationFailure as error:
        if error.code != _NAMESPACE_NOT_FOUND:
            raise
        return {}
    except NotImplementedError:  # mongomock, where an index stands at once
        known = db[collection].index_information()
        return {name: {**index, "key": list(index["key"])} for name, index in known.items()}
    found = [index for index in answer["cursor"]["firstBatch"] if "buildUUID" not in index]  # 64 at most
    return {index["name"]: {**index, "key": list(index["key"].items())} for index in found}


def _protects(standing: Mapping[str, Document], index: Index) -> bool:
    """Return whether an index refuses every new duplicate, or the wider one does where a repair was taken back."""
    return _refuses(standing.get(index.name, {}), index, list(index.keys)) or _undone_protects(standing, index)


def _undone_protects(standing: Mapping[str, Document], index: Index) -> bool:
    return _refuses(standing.get(index.name + UNDONE, {}), index, [*index.keys, (UNDONE_FIELD, 1)])


def _refuses(found: Document, index: Index, keys: list[tuple[str, int]]) -> bool:
    refuses = bool(found.get("unique") or found.get("prepareUnique"))
    # One without a filter refuses those that one with a filter would refuse, and more.
    all_documents = "partialFilterExpression" not in found or found["partialFilterExpression"] == index.partial
    return refuses and found["key"] == keys and all_documents


def _is_done(standing: Mapping[str, Document], index: Index) -> bool:
    return _protects(standing, index) if index.unique else index.name in standing


def _create_index(db: Db, index: Index, *, has_duplicates: bool) -> None:
    """Build one index, while other processes may build the same one or another under its name.

    What MongoDB answers isn't enough: of two that build one index over duplicates, one is told of the duplicates and
    the other that all went well (6.0). So look at what stands, and try again.
    """
    for _attempt in range(BUILD_ATTEMPTS_MAX):
        if has_duplicates:  # a second look at all documents would make those who post wait for nothing
            _prepare_unique(db, index)
        else:
            has_duplicates = _meets_duplicates(db, index)
            if has_duplicates:
                continue
        standing = standing_indexes(db, index.collection)
        if _is_done(standing, index):
            return
        if index.name in standing:
            raise IndexesMissing(_IN_THE_WAY.format(index=index))
        time.sleep(BUILD_PAUSE_S)
    raise IndexesMissing(_NOT_YET.format(index=index))


def _meets_duplicates(db: Db, index: Index) -> bool:
    """Build an index, and return whether duplicates prevented that."""
    try:
        db[index.collection].create_indexes([index.as_model()])
    except OperationFailure as error:
        if error.code not in (DUPLICATE_KEY, *INDEX_CONFLICTS):
            raise
        return error.code == DUPLICATE_KEY
    return False


def _prepare_unique(db: Db, index: Index) -> None:
    try:
        db[index.collection].create_indexes([index.as_model(prepareUnique=True)])
    except OperationFailure as error:
        if error.code in INDEX_CONFLICTS:
            return  # another process builds it
        raise IndexesMissing(_DUPLICATES.format(index=index)) from error
    log.error(
        "%s holds duplicates: new ones are refused from now on, scripts/repair_duplicates.py repairs the old.",
        index.collection,
    )
