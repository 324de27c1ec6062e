"""What numbering asks of a collection of numbered documents: who has a key, what is newest, store these."""

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from pymongo.collection import Collection as MongoCollection
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern

from finance.database import DUPLICATE_KEY, Document
from finance.errors import FinanceError, own
from finance.numbering.drafts import Draft, NotStored, Numbered, Outcome, Taken
from finance.numbering.series import NO_PLACE, NUMBER_SEQ_MAX, Series
from finance.numbering.side_by_side import side_by_side
from finance.once import NothingStored, OutcomeUnknown

log = logging.getLogger(__name__)

READ_BACK_ATTEMPTS_MAX = 50
READ_BACK_PAUSE_S = 0.02
TENANTS_LOOKED_UP = 16  # in one query, which seeks every key under every tenant
SERIES_LOOKED_UP = 32

# With these MongoDB says that it refused a document for good. After any other code (a failover passed on by mongos,
# say) the document may be stored: nothing is claimed of it, and no gap recorded.
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
REFUSED_FOR_GOOD = frozenset(
    (
        DUPLICATE_KEY,
        2,  # BadValue
        9,  # FailedToParse
        13,  # Unauthorized
        14,  # TypeMismatch
        121,  # DocumentValidationFailure
        10334,  # BSONObjectTooLarge
    )
)

WriteErrors = Mapping[int, Mapping[str, Any]]


def find_repeats(numbered: Numbered, drafts: Collection[Draft]) -> dict[Draft, Outcome]:
    """Return the outcome of each draft whose idempotency key is stored already, or couldn't be looked for."""
    keyed: dict[str, dict[str, Draft]] = {}
    for draft in drafts:
        key = draft.document.get(numbered.kind.key_field)
        if key is not None:
            keyed.setdefault(draft.series.tenant, {})[key] = draft
    parts = list(_some_at_a_time(keyed))
    found = side_by_side([partial(_documents_of_keys, numbered, part) for part in parts])
    outcomes: dict[Draft, Outcome] = {}
    for part, documents in zip(parts, found, strict=True):
        if isinstance(documents, Exception):
            asking = [draft for by_key in part.values() for draft in by_key.values()]
            outcomes.update(failed_before_storing(asking, documents))
            continue
        for document in documents:
            repeated = part.get(document["tenant"], {}).get(document[numbered.kind.key_field])
            if repeated is not None:  # tenant and key may be of two drafts
                outcomes[repeated] = taken_by_key(numbered, document)
    return outcomes


def taken_by_key(numbered: Numbered, document: Document) -> Taken:
    return Taken(document, frozenset(("tenant", numbered.kind.key_field)))


def failed_before_storing(drafts: Collection[Draft], error: Exception) -> dict[Draft, Outcome]:
    """Return what each draft is told of a failure before its insert."""
    if isinstance(error, FinanceError):  # it says itself that nothing was stored
        return {draft: own(error) for draft in drafts}
    known = isinstance(error, PyMongoError)
    log.error("Nothing was stored: %s", type(error).__name__, exc_info=None if known else error)
    return {draft: NothingStored.because_of(error) for draft in drafts}


def newest_stored(numbered: Numbered, series: Series) -> int:
    """Return the largest `number_seq` stored in the series, 0 where there is none. One index seek."""
    newest = find_newest(numbered, series)
    return int(newest["number_seq"]) if newest else 0


def find_newest(numbered: Numbered, series: Series) -> Document | None:
    """Return the document of the largest number that a majority has.

    A number that a failover can still undo would leave a hole below the one after it. Who collides with such a number
    is answered by MongoDB when a majority has it, so that the next look finds it.
    """
    lasting = numbered.collection.with_options(read_concern=ReadConcern("majority"))
    return lasting.find_one(
        _has_number_of(series),
        projection=dict.fromkeys(("number_seq", *numbered.kind.followed_fields), True),
        sort=[("number_seq", -1)],
    )


def find_newest_of_each(numbered: Numbered, series: Sequence[Series]) -> dict[Series, Document | Exception | None]:
    """Return what `find_newest` does for each of several series, some of them in one round trip."""
    parts = [series[start : start + SERIES_LOOKED_UP] for start in range(0, len(series), SERIES_LOOKED_UP)]
    newest: dict[Series, Document | Exception | None] = {}
    for part, found in zip(parts, side_by_side([partial(_newest_of, numbered, part) for part in parts]), strict=True):
        newest |= dict.fromkeys(part, found) if isinstance(found, Exception) else found
    return newest


def take_places(numbered: Numbered, series: Series, drafts: Collection[Draft]) -> int:
    """Give documents that have one of the drafts' numbers without its place the place; return how many there were.

    Another system made such a number, from a clock perhaps; now the series has come to it.
    """
    numbers = [draft.document[numbered.kind.number_field] for draft in drafts]
    held = {"tenant": series.tenant, numbered.kind.number_field: {"$in": numbers}, "number_seq": NO_PLACE}
    placed = 0
    for document in list(numbered.collection.find({**held, **series.document_filter}, {numbered.kind.number_field: 1})):
        place = {"number_seq": series.parse(document[numbered.kind.number_field])}
        still = {"_id": document["_id"], "tenant": series.tenant, "number_seq": NO_PLACE}
        placed += numbered.collection.update_one(still, {"$set": place}).modified_count
    return placed


def _newest_of(numbered: Numbered, series: Sequence[Series]) -> dict[Series, Document | Exception | None]:
    lasting = numbered.collection.with_options(read_concern=ReadConcern("majority"))
    first, *others = [_newest_stages(numbered, one, position) for position, one in enumerate(series)]
    unions = [{"$unionWith": {"coll": numbered.kind.collection, "pipeline": stages}} for stages in others]
    found = {document["position"]: document for document in lasting.aggregate([*first, *unions])}
    return {one: found.get(position) for position, one in enumerate(series)}


def _newest_stages(numbered: Numbered, series: Series, position: int) -> list[Document]:
    shown = dict.fromkeys(("number_seq", *numbered.kind.followed_fields), 1)
    return [
        {"$match": _has_number_of(series)},
        {"$sort": {"number_seq": -1}},
        {"$limit": 1},
        {"$project": {**shown, "position": {"$literal": position}}},
    ]


def _has_number_of(series: Series) -> Document:
    return {"tenant": series.tenant, **series.document_filter, "number_seq": {"$gt": 0, "$lte": NUMBER_SEQ_MAX}}


def insert(numbered: Numbered, drafts: Sequence[Draft], *, ordered: bool) -> WriteErrors | PyMongoError:
    """Insert all drafts in one round trip and return the write error of each position that has one.

    Where MongoDB didn't say what became of them, the failure is returned. Whatever it is, the outcome is unknown: also
    "no server was found" may be said of the driver's own second attempt.
    """
    try:
        numbered.collection.insert_many([draft.document for draft in drafts], ordered=ordered)
    except BulkWriteError as error:
        details = error.details or {}
        if details.get("writeConcernErrors"):
            return error
        return {write_error["index"]: write_error for write_error in details["writeErrors"]}
    except PyMongoError as error:
        return error
    return {}


def is_number_collision(numbered: Numbered, error: Mapping[str, Any]) -> bool:
    if error["code"] != DUPLICATE_KEY:
        return False
    return numbered.kind.number_field in error["keyPattern"] or "number_seq" in error["keyPattern"]


def refusal(numbered: Numbered, error: Mapping[str, Any]) -> Outcome:
    """Return what a write error that isn't about the number means for its request."""
    if error["code"] not in REFUSED_FOR_GOOD:
        log.error("Whether a %s was stored is unknown: code %s", numbered.kind.name, error["code"])
        return OutcomeUnknown()
    if error["code"] != DUPLICATE_KEY or "_id" in error["keyPattern"]:
        log.error("MongoDB refused a %s: code %s", numbered.kind.name, error["code"])
        return NotStored()
    try:
        document = read_back(numbered.collection, error["keyValue"])
    except PyMongoError as unread:  # the one that has the key may be this request's own, stored by an earlier attempt
        return OutcomeUnknown.because_of(unread)
    return NotStored() if document is None else Taken(document, frozenset(error["keyPattern"]))


def read_back(collection: MongoCollection[Document], key_value: Mapping[str, Any]) -> Document | None:
    """Return the document that has these values of a unique index, None where there is none after all.

    Another process may have stored it just now, and not yet at a majority: wait until it can't be rolled back.
    """
    for _attempt in range(READ_BACK_ATTEMPTS_MAX):
        document = collection.find_one(dict(key_value))
        if document is not None:
            return document
        time.sleep(READ_BACK_PAUSE_S)
    return None


def _documents_of_keys(numbered: Numbered, keyed: Mapping[str, Mapping[str, Draft]]) -> list[Document]:
    """Return every document with one of the tenants and one of the keys; also those of another's key."""
    keys = [key for by_key in keyed.values() for key in by_key]
    tenants: Any = {"$in": list(keyed)} if len(keyed) > 1 else next(iter(keyed))
    return list(numbered.collection.find({"tenant": tenants, numbered.kind.key_field: {"$in": keys}}))


def _some_at_a_time(keyed: Mapping[str, dict[str, Draft]]) -> Iterator[dict[str, dict[str, Draft]]]:
    remaining = iter(keyed.items())
    while part := dict(islice(remaining, TENANTS_LOOKED_UP)):
        yield part
