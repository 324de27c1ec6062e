"""Which numbers several documents carry.

An index is walked in its order and neighbours are compared, so memory stays the same for any number of documents.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson import Decimal128

from finance.database import Document
from finance.maintenance.target import Progress, Target, scope_of, value_at

PROGRESS_STEP = 20_000
WALK_BATCH = 10_000


@dataclass(frozen=True)
class Group:
    """`documents` documents of one scope that carry one number."""

    scope: tuple[Any, ...]
    number: Any
    documents: int


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

    Where no index serves, MongoDB sorts on its disk.
    """
    fields = (*target.scope_fields, target.number_field)
    name, dotted = target.number_field, "." in target.number_field
    last: Document = {}
    last_number: Any = None
    count = seen = 0
    for seen, document in enumerate(_in_order(target, fields), start=1):
        number = value_at(document, name) if dotted else document.get(name)
        if not seen % PROGRESS_STEP:
            progress(seen)
        # A text that differs from the one before settles it, nearly always.
        if (
            (number == last_number or type(number) is not str)
            and count
            and comparable(document, fields) == comparable(last, fields)
        ):
            count += 1
            continue
        if count > 1:
            yield from _group(target, last, count)
        last, last_number, count = document, number, 1
    if count > 1:
        yield from _group(target, last, count)
    progress(seen)


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


def comparable(document: Mapping[str, Any], fields: Iterable[str]) -> tuple[Any, ...]:
    """Return the values of an index entry, equal where MongoDB holds them for equal."""
    return tuple(_comparable(value_at(document, field)) for field in fields)


def _comparable(value: Any) -> Any:
    """Only these differ in Python: `True` is not 1 in an index, and Decimal128 1 is 1.0."""
    if isinstance(value, bool):
        return "bool", value
    return value.to_decimal() if isinstance(value, Decimal128) and not value.to_decimal().is_nan() else value
