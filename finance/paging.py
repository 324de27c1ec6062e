"""Pages by position: each begins after the last row of the one before, so it costs the same however deep it is."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from bson import DatetimeMS, Decimal128, ObjectId, Regex, Timestamp, json_util
from bson.errors import BSONError
from pymongo.collection import Collection
from pymongo.cursor import Cursor

from finance.database import Document
from finance.errors import Invalid
from finance.said import said

T = TypeVar("T", bound=Mapping[str, Any])

# The type of each field that an order may name; all others are text.
_TYPE_BY_FIELD: dict[str, type] = {
    "number_seq": int,
    "number_year": int,
    "total_minor": int,
    "amount_minor": int,
    "created_at": datetime,
    "at": datetime,
    "_id": ObjectId,
}
_INT64_MAX = 2**63 - 1
_ODD = "bson"  # in a position: what is of another type than its field, as extended JSON
# The types as MongoDB sorts them, after null. A range is of one type alone, so what follows is asked for by type. No
# arrays: one is sorted by one of its elements, and has its type too.
_TYPES = ("number", "string", "object", "binData", "objectId", "bool", "date", "timestamp", "regex")
_PYTHON_TYPES: tuple[tuple[str, Any], ...] = (
    ("bool", bool),  # before the numbers: Python's is one
    ("number", (int, float, Decimal128)),
    ("string", str),
    ("object", Mapping),
    ("binData", (bytes, UUID)),
    ("objectId", ObjectId),
    ("date", (datetime, DatetimeMS)),
    ("timestamp", Timestamp),
    ("regex", (re.Pattern, Regex)),
)


@dataclass(frozen=True)
class PageWanted:
    """Which page of a list: its order, the position after which it begins (None at the top), its rows at most."""

    sort: str
    after: Sequence[Any] | None
    limit: int


@dataclass(frozen=True)
class Page(Generic[T]):
    """The rows of a page, the position to go on from where there is more, and the order that positions are of."""

    rows: list[T]
    position: list[Any] | None
    order: Sequence[str]


class ListPage(Protocol[T]):
    """What finds one page of a list, with all but the page given already."""

    def __call__(self, *, wanted: PageWanted) -> Page[T]: ...


def take_page(queries: Iterable[Cursor[T]], *, order: Sequence[str], limit: int) -> Page[T]:
    """Return the first `limit` documents of `page_queries`."""
    found: list[T] = []
    for query in queries:
        found += query.limit(limit + 1 - len(found))
        if len(found) > limit:
            return Page(found[:limit], position_of(found[limit - 1], order=order), order)
    return Page(found, None, order)


def every_page(list_page: ListPage[T], *, sort: str, limit: int) -> Iterator[list[T]]:
    """Yield the rows of every page of a list, one page after the other."""
    after: list[Any] | None = None
    while True:
        page = list_page(wanted=PageWanted(sort, after, limit))
        yield page.rows
        after = page.position
        if after is None:
            return


def page_queries(
    collection: Collection[T],
    query: Document,
    *,
    order: Sequence[str],
    descending: bool,
    after: Sequence[Any] | None,
    projection: Mapping[str, Any] | None = None,
) -> Iterator[Cursor[T]]:
    """Yield the queries that one after the other give what `query` finds after the position `after`, in this order.

    `order` ends in a field that makes it total. Raises Invalid where `after` is no position of this order.
    """
    sort = [(field, -1 if descending else 1) for field in order]
    places = iter([{}]) if after is None else _beyond(order, values_at(order, after), descending=descending)
    for place in places:
        yield collection.find({"$and": [query, place]}, projection).sort(sort)


def position_of(document: Mapping[str, Any], *, order: Sequence[str]) -> list[Any]:
    """Return the place of a document in the order, as JSON."""
    return [_shown(field, document.get(field)) for field in order]


def _shown(field: str, value: Any) -> Any:
    """Return a value as JSON; null where there is none, as MongoDB sorts it.

    What is damaged, or of another system, may have another type than ours has there.
    """
    if isinstance(value, list):  # the first is never before the one that it is sorted by: no page leads back
        return _shown(field, value[0] if value else None)
    if value is None:
        return None
    if type(value) is not _TYPE_BY_FIELD.get(field, str):
        return {_ODD: json_util.dumps(value)}
    return str(value) if isinstance(value, ObjectId) else value.isoformat() if isinstance(value, date) else value


def values_at(order: Sequence[str], after: Sequence[Any]) -> list[Any]:
    """Return a position's values with the types they have in the database; raises Invalid where it isn't one."""
    try:
        return [_value(field, value) for field, value in zip(order, after, strict=True)]
    # OverflowError: an offset at the years 1 and 9999.
    except (TypeError, ValueError, OverflowError, BSONError):
        raise Invalid.parameter("cursor", said("must be the next_cursor of the page before.")) from None


def _value(field: str, value: Any) -> Any:
    if value is None and field != "_id":
        return None
    if isinstance(value, dict) and value.keys() == {_ODD}:
        return json_util.loads(value[_ODD])
    wanted = _TYPE_BY_FIELD.get(field, str)
    if wanted is int:
        if type(value) is not int or abs(value) > _INT64_MAX:
            raise TypeError
        return value
    if not isinstance(value, str):
        raise TypeError
    if wanted is datetime:
        return datetime.fromisoformat(value).astimezone(UTC)
    return ObjectId(value) if wanted is ObjectId else value


def _beyond(order: Sequence[str], position: Sequence[Any], *, descending: bool) -> Iterator[Document]:
    """Yield the filters for what comes after `position`, nearest first: the rest of its day, then the other days.

    Plain ranges, one query each: for one query with $or the planner was seen to read a quarter of 100,000 documents
    for a page of 100.
    """
    same = [dict(zip(order[:depth], position[:depth], strict=True)) for depth in range(len(order))]
    depths = [*reversed(range(len(order)))]
    if order[-1] == "_id" and len(order) > 1 and position[-2] is not None:
        # Those equal in all but the _id are duplicates, or one batch: few, so they are read and left out: a query less.
        near, near_value = order[-2], position[-2]
        shown = [{near: near_value, **place} for place in _shown_ids(position[-1], descending=descending)]
        yield same[-2] | {near: {"$lte" if descending else "$gte": near_value}, "$nor": shown}
        yield from _of_further_types(same[-2], near, near_value, descending=descending)
        depths = depths[2:]
    for depth in depths:
        if position[depth] is not None:
            yield same[depth] | {order[depth]: {"$lt" if descending else "$gt": position[depth]}}
        yield from _of_further_types(same[depth], order[depth], position[depth], descending=descending)


def _shown_ids(last: Any, *, descending: bool) -> Iterator[Document]:
    """Yield the filters for the ids that were shown, of documents that are equal in all else."""
    yield {"_id": {"$gte" if descending else "$lte": last}}
    yield from _of_further_types({}, "_id", last, descending=not descending)


def _of_further_types(same: Document, field: str, value: Any, *, descending: bool) -> Iterator[Document]:
    """Yield the filters for what comes after all that is of the type of `value`. What isn't there is null."""
    rank = 0 if value is None else _TYPES.index(_type_of(value)) + 1
    types = _TYPES[: max(rank - 1, 0)] if descending else _TYPES[rank:]
    if types:
        yield same | {field: {"$type": list(types)}}
    if descending and value is not None and field != "_id":
        yield same | {field: None}


def _type_of(value: Any) -> str:
    """Return the name in _TYPES of a value's type."""
    for name, types in _PYTHON_TYPES:
        if isinstance(value, types):
            return name
    raise TypeError
