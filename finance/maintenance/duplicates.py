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


def _are_equal(document: Document, other: Document, fields: tuple[str, ...]) -> bool:
    return _equal(values_at(document, fields), values_at(other, fields))


def values_at(document: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(value_at(document, field) for field in fields)


class Comparable:
    """Values of an index entry, equal where MongoDB holds them for equal: `True` is not 1, and 1.0 is Decimal128 1."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparable) and _equal(self.values, other.values)

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
