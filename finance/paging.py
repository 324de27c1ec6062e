"""Pages by position: each begins after the last row of the one before, so it costs the same however deep it is."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo.collection import Collection

from finance.database import Document
from finance.errors import Invalid

# The type of each field that an order may name; all others are text.
_TYPE_BY_FIELD: dict[str, type] = {"number_seq": int, "number_year": int, "created_at": datetime, "_id": ObjectId}
_INT64_MAX = 2**63 - 1


def find_page(
    collection: Collection[Document],
    query: Document,
    *,
    order: Sequence[str],
    descending: bool,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Document], list[Any] | None]:
    """Return up to `limit` documents after the position `after`, and the position to go on from where there is more.

    `order` ends in a field that makes it total. Raises Invalid where `after` is no position of this order.
    """
    sort = [(field, -1 if descending else 1) for field in order]
    places = [{}] if after is None else _beyond(order, _values(order, after), "$lt" if descending else "$gt")
    found: list[Document] = []
    for place in places:
        found += collection.find({"$and": [query, place]}).sort(sort).limit(limit + 1 - len(found))
        if len(found) > limit:
            return found[:limit], _position(order, found[limit - 1])
    return found, None


def _position(order: Sequence[str], document: Mapping[str, Any]) -> list[Any]:
    """Return the place of a document in the order, as JSON."""
    values = [document.get(field) for field in order]
    return [
        str(value) if isinstance(value, ObjectId) else value.isoformat() if isinstance(value, date) else value
        for value in values
    ]


def _values(order: Sequence[str], after: Sequence[Any]) -> list[Any]:
    """Return a position's values with the types they have in the database."""
    try:
        return [_value(field, value) for field, value in zip(order, after, strict=True)]
    except (TypeError, ValueError, InvalidId):
        raise Invalid.parameter("cursor", "must be the next_cursor of the page before.") from None


def _value(field: str, value: Any) -> Any:
    wanted = _TYPE_BY_FIELD.get(field, str)
    if wanted is int:
        if type(value) is not int or abs(value) > _INT64_MAX:
            raise TypeError
        return value
    if not isinstance(value, str):
        raise TypeError
    if wanted is datetime:
        return datetime.fromisoformat(value)
    return ObjectId(value) if wanted is ObjectId else value


def _beyond(order: Sequence[str], position: Sequence[Any], operator: str) -> list[Document]:
    """Return the filters for what comes after `position`, nearest first: equal in all fields but the last and further
    in that one, then equal in all but the last two, …

    Plain ranges, one query each: for one query with $or the planner was seen to read a quarter of a collection.
    """
    return [
        {**dict(zip(order[:depth], position[:depth], strict=True)), order[depth]: {operator: position[depth]}}
        for depth in reversed(range(len(order)))
    ]
