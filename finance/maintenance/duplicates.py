"""Which numbers several documents carry, and which documents those are.

The collection is read once, in the order of an index, or sorted on MongoDB's disk where no index serves; neighbours are
compared, so memory stays the same for any number of documents. The members of the groups are then asked for together,
and MongoDB is told by which index: left to plan an `$or` of a hundred numbers, it once took 77 s for what takes 0.1 s.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

from bson import Decimal128

from finance.database import Document
from finance.maintenance.target import Progress, Target, scope_of, value_at

PROGRESS_STEP = 20_000
WALK_BATCH = 10_000
MEMBERS_BATCH = 5_000  # documents of groups that are asked for together


@dataclass(frozen=True)
class Group:
    """`documents` documents of one scope that carry one number.

    Their ids are known where no index served, and there are not more than are asked for together.
    """

    scope: tuple[Any, ...]
    number: Any
    documents: int
    ids: Sequence[Any] | None = field(default=None, compare=False)


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


def find_groups(target: Target, *, progress: Progress = lambda done: None) -> Iterator[Group]:
    """Yield every group of two or more documents with one number in one scope.

    Where no index serves, MongoDB sorts on its disk. Lists are gone through by themselves, if there are any: one stands
    among those that carry a member of it as their number, and would part them.
    """
    lists = yield from _find_among(target, of_lists=False, progress=progress)
    if lists:
        yield from _find_among(target, of_lists=True, progress=lambda done: None)


def _find_among(target: Target, *, of_lists: bool, progress: Progress) -> Generator[Group, None, int]:
    """Yield the groups of lists, or of all other numbers, and return how many documents were passed over."""
    index = find_walk_index(target)
    fields = (*target.scope_fields, target.number_field)
    name, dotted = target.number_field, "." in target.number_field
    last: Document = {}
    last_number: Any = None
    ids: list[Any] = []
    count = seen = passed = 0
    for seen, document in enumerate(_in_order(target, fields, index), start=1):
        number = value_at(document, name) if dotted else document.get(name)
        if not seen % PROGRESS_STEP:
            progress(seen)
        if (type(number) is list) is not of_lists:
            passed += 1
            continue
        # A text that differs from the one before settles it, nearly always.
        if (
            (number == last_number or type(number) is not str)
            and count
            and comparable(document, fields) == comparable(last, fields)
        ):
            count += 1
            if index is None and count <= MEMBERS_BATCH:
                ids.append(document["_id"])
            continue
        if count > 1:
            yield from _group(target, last, count, ids)
        last, last_number, count = document, number, 1
        if index is None:
            ids = [document["_id"]]
    if count > 1:
        yield from _group(target, last, count, ids)
    progress(seen)
    return passed


def in_batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """Yield groups whose documents may be asked for together; a larger one comes alone."""
    batch: list[Group] = []
    documents = 0
    for group in groups:
        if batch and documents + group.documents > MEMBERS_BATCH:
            yield batch
            batch, documents = [], 0
        batch.append(group)
        documents += group.documents
    if batch:
        yield batch


def read_members(target: Target, groups: Sequence[Group], then: Sequence[Document]) -> Iterable[Document]:
    """Return what the stages `then` make of the documents of a batch of groups."""
    known = [group.ids for group in groups if group.ids is not None]
    by_id = len(known) == len(groups)
    wanted = {"_id": {"$in": list(chain(*known))}} if by_id else {"$or": list(_by_value(target, groups))}
    index = "_id_" if by_id else find_walk_index(target)
    options: dict[str, Any] = {} if index is None else {"hint": index}
    return target.collection.aggregate([{"$match": wanted}, *then], allowDiskUse=True, **options)


def find_list(target: Target) -> Document | None:
    """Return a document whose number is a list; a unique index counts each of its members."""
    return target.collection.find_one({target.number_field: {"$type": "array"}}, {"_id": True})


def _by_value(target: Target, groups: Sequence[Group]) -> Iterator[Document]:
    """Yield a filter for each scope; one of many numbers side by side is one seek for each of them."""
    for _scope, of_scope in groupby(groups, key=lambda group: comparable_all(group.scope)):
        numbers = list(of_scope)
        scope = dict(zip(target.scope_fields, numbers[0].scope, strict=True))
        yield {**scope, target.number_field: {"$in": [group.number for group in numbers]}}


def _group(target: Target, document: Document, documents: int, ids: Sequence[Any]) -> Iterator[Group]:
    number = value_at(document, target.number_field)
    if number is not None or target.missing_is_a_number:
        yield Group(scope_of(target, document), number, documents, ids if len(ids) == documents else None)


def _in_order(target: Target, fields: tuple[str, ...], index: str | None) -> Iterable[Document]:
    projection = {"_id": index is None, **dict.fromkeys(fields, True)}
    cursor = target.collection.find({}, projection).batch_size(WALK_BATCH)
    if index is None:
        return cursor.sort([(field, 1) for field in fields]).allow_disk_use(True)
    keys = target.collection.index_information()[index]["key"]
    return cursor.sort(list(keys)).hint(index)


def comparable(document: Mapping[str, Any], fields: Iterable[str]) -> tuple[Any, ...]:
    """Return the values of an index entry, equal where MongoDB holds them for equal."""
    return comparable_all(value_at(document, field) for field in fields)


def comparable_all(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return these values so that they are equal where MongoDB holds them for equal."""
    return tuple(_comparable(value) for value in values)


def _comparable(value: Any) -> Any:
    """Only these differ in Python: `True` is not 1 in an index, and Decimal128 1 is 1.0."""
    if isinstance(value, bool):
        return "bool", value
    return value.to_decimal() if isinstance(value, Decimal128) and not value.to_decimal().is_nan() else value
