"""Duplicate numbers: findings (`find_groups`), and the plan that would leave each number to one document.

An index is walked in its order and neighbours are compared, so memory stays the same for any number of documents. Only
the documents of a group are looked at themselves.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bson import Decimal128

from finance.database import Document
from finance.maintenance.target import PREVIOUS_FIELD, Progress, Target, scope_of, series_or_obstacle, value_at
from finance.numbering.series import Series

Keep = Literal["oldest", "newest"]

PROGRESS_STEP = 20_000
GROUPS_BATCH = 100  # groups whose documents are asked for in one query
WALK_BATCH = 10_000


@dataclass(frozen=True)
class Group:
    """`documents` documents of one scope that carry one number."""

    scope: tuple[Any, ...]
    number: Any
    documents: int


@dataclass(frozen=True)
class Planned:
    """A document that must give up its number: it gets the next of `series`, or stays because of `obstacle`."""

    document_id: Any
    scope: tuple[Any, ...]
    number: Any
    number_seq: int | None
    kept_id: Any
    why: str
    series: Series | None
    obstacle: str | None

    def as_json(self) -> Document:
        """Return what a report says of it; ids keep their types."""
        known: Document = {
            "id": self.document_id,
            "scope": list(self.scope),
            "old_number": self.number,
            "kept_id": self.kept_id,
            "why": self.why,
            "renumber": self.obstacle is None,
        }
        if self.obstacle is not None:
            known["obstacle"] = self.obstacle
        return known


def find_walk_index(target: Target) -> str | None:
    """Return the name of an index whose order puts equal numbers of one scope side by side, None where there is none.

    A partial, sparse or collated index would not show every document, or not each number as it is written.
    """
    wanted = {*target.scope_fields, target.number_field}
    for name, index in target.collection.index_information().items():
        first = index["key"][: len(wanted)]
        whole = not any(index.get(option) for option in ("partialFilterExpression", "sparse", "collation", "hidden"))
        if whole and {field for field, _ in first} == wanted and all(direction in (1, -1) for _, direction in first):
            return str(name)
    return None


def find_groups(target: Target, *, progress: Progress | None = None) -> Iterator[Group]:
    """Yield every group of two or more documents with one number in one scope.

    Where no index serves, MongoDB sorts on its disk.
    """
    fields = (*target.scope_fields, target.number_field)
    name, dotted = target.number_field, "." in target.number_field
    last: Document = {}
    last_number: Any = None
    count = seen = 0
    for seen, document in enumerate(_in_order(target, fields), start=1):
        number = value_at(document, name) if dotted else document.get(name)
        if not seen % PROGRESS_STEP and progress is not None:
            progress(seen)
        # A text that differs from the one before settles it, nearly always.
        if (number == last_number or type(number) is not str) and count and _are_equal(document, last, fields):
            count += 1
            continue
        if count > 1:
            yield from _group(target, last, count)
        last, last_number, count = document, number, 1
    if count > 1:
        yield from _group(target, last, count)
    if progress is not None:
        progress(seen)


def plan(target: Target, groups: Iterable[Group], *, keep: Keep) -> Iterator[Planned]:
    """Yield every document that must give up its number, in the order of the groups."""
    remaining = iter(groups)
    while batch := list(itertools.islice(remaining, GROUPS_BATCH)):
        documents = _documents_of(target, batch, keep=keep)
        for members in _by_number(target, documents):
            kept = next(members)
            for member in members:
                yield _planned(target, member, kept, keep)


def _group(target: Target, document: Document, documents: int) -> Iterator[Group]:
    number = value_at(document, target.number_field)
    if number is not None or target.missing_is_a_number:
        yield Group(scope_of(target, document), number, documents)


def _in_order(target: Target, fields: tuple[str, ...]) -> Iterable[Document]:
    projection = {"_id": False, **dict.fromkeys(fields, True)}
    cursor = target.collection.find({}, projection).batch_size(WALK_BATCH)
    name = find_walk_index(target)
    if name is None:
        return cursor.sort([(field, 1) for field in fields]).allow_disk_use(True)
    keys = target.collection.index_information()[name]["key"]
    return cursor.sort(list(keys)).hint(name)


def _documents_of(target: Target, groups: list[Group], *, keep: Keep) -> Iterable[Document]:
    """Return the documents of these groups, side by side, and of each group the one that keeps the number first.

    Recorded before voided, then by creation time (that of the id where the field has none, unknown ones last), then
    by id. MongoDB sorts, because ids can be of any type.
    """
    fields = (*target.scope_fields, target.number_field)
    wanted = [dict(zip(fields, (*group.scope, group.number), strict=True)) for group in groups]
    time_of_id = {"$cond": [{"$eq": [{"$type": "$_id"}, "objectId"]}, {"$toDate": "$_id"}, None]}
    created = f"${target.created_field}"
    order = {
        "voided": {"$cond": [{"$eq": ["$status", "voided"]}, 1, 0]},
        "at": {"$convert": {"input": created, "to": "date", "onError": time_of_id, "onNull": time_of_id}},
    }
    direction = 1 if keep == "oldest" else -1
    pipeline: list[Document] = [
        {"$match": {"$or": wanted}},
        {"$set": {"_order": order}},
        {"$set": {"_order.unknown": {"$cond": [{"$eq": ["$_order.at", None]}, 1, 0]}}},
        {
            "$sort": {
                **dict.fromkeys(fields, 1),
                "_order.voided": 1,
                "_order.unknown": 1,
                "_order.at": direction,
                "_id": direction,
            }
        },
        {"$project": dict.fromkeys((*fields, *target.read_fields, PREVIOUS_FIELD, "_order"), 1)},
    ]
    return target.collection.aggregate(pipeline, allowDiskUse=True)


def _by_number(target: Target, documents: Iterable[Document]) -> Iterator[Iterator[Document]]:
    fields = (*target.scope_fields, target.number_field)
    for _number, members in itertools.groupby(documents, key=lambda document: _Comparable(_values(document, fields))):
        yield members


def _planned(target: Target, document: Document, kept: Document, keep: Keep) -> Planned:
    found = series_or_obstacle(target, document)
    if document["_order"]["voided"] and not kept["_order"]["voided"]:
        why = "a recorded one keeps the number, this one is voided"
    elif document["_order"]["at"] == kept["_order"]["at"]:
        why = f"created at the same time as the one that keeps the number, which has the {_smaller(keep)} id"
    else:
        why = f"the {keep} keeps the number"
    number_seq = document.get("number_seq") if target.is_ours else None
    return Planned(
        document_id=document["_id"],
        scope=scope_of(target, document),
        number=value_at(document, target.number_field),
        number_seq=number_seq,
        kept_id=kept["_id"],
        why=why,
        series=found if isinstance(found, Series) else None,
        obstacle=found if isinstance(found, str) else None,
    )


def _smaller(keep: Keep) -> str:
    return "smaller" if keep == "oldest" else "larger"


def _are_equal(document: Document, other: Document, fields: tuple[str, ...]) -> bool:
    return _equal(_values(document, fields), _values(other, fields))


def _values(document: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(value_at(document, field) for field in fields)


class _Comparable:
    """Values of an index entry, equal where MongoDB holds them for equal: `True` is not 1, and 1.0 is Decimal128 1."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Comparable) and _equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]


def _equal(values: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    if values != others:
        # Only these differ in Python and are one value in an index.
        return any(isinstance(value, Decimal128) for value in (*values, *others)) and _decimals(values) == _decimals(
            others
        )
    return not any(
        isinstance(value, bool) != isinstance(other, bool) for value, other in zip(values, others, strict=True)
    )


def _decimals(values: tuple[Any, ...]) -> list[Any]:
    return [value.to_decimal() if isinstance(value, Decimal128) else value for value in values]
