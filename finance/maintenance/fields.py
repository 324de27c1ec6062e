"""What the fields of another software's documents are called: how many documents have each, and which an option means.

A name that no document has is refused: a repair by `usr` in the place of `user` would take right numbers from people.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from bson import ObjectId

from finance.database import Db, Document
from finance.errors import Invalid
from finance.ownership import OUR_FIELDS

SAMPLED_MAX = 2_000  # documents, for names and types only; what is counted is counted in all of them
NAMES_MAX = 20
SCOPES_TRIED_MAX = 3
CLEARLY_FEWER = 10  # times fewer numbers stand twice within a scope than without one, where the scope is meant
SHAPED_MIN = 0.5  # the share of a field's texts that look like a number

_NUMBER = re.compile(r".*[^0-9][0-9]{1,18}|[0-9]{4,18}", re.ASCII | re.DOTALL)
_CREATED = ("createdAt", "created_at", "created", "creationDate", "date_created", "insertedAt")
_OWNERS = (
    "user",
    "userId",
    "owner",
    "shop",
    "company",
    "companyId",
    "organisation",
    "organization",
    "account",
    "store",
)


class FieldUnknown(Invalid):
    """An option names a collection that isn't there, or a field that no document has."""


@dataclass(frozen=True)
class Coverage:
    """How many of all documents have each field."""

    documents: int
    by_field: Mapping[str, int]

    def in_words(self) -> str:
        """Return "user: 100 %, paymentNumber: 98.3 %"."""
        shares = (f"{field}: {_percent(count, self.documents)}" for field, count in self.by_field.items())
        return f"{', '.join(shares)} of {self.documents:,} documents"


@dataclass(frozen=True)
class Proposal:
    """The options that another software's documents are looked at with, and what says so.

    `scopes` are what numbers may be unique within. Where an index says it, it is one; else the data alone can't tell
    numbers that are counted within an owner from duplicates.
    """

    number_field: str
    created_field: str
    scopes: tuple[tuple[str, ...], ...]
    why: tuple[str, ...]

    def options(self, *, created: bool = True) -> list[str]:
        """Return the options for each scope, without --created-field for a command that has none."""
        fields = f"--number-field {self.number_field}" + (f" --created-field {self.created_field}" if created else "")
        return [fields + (f" --scope {','.join(scope)}" if scope else "") for scope in self.scopes]


def require_collection(db: Db, collection: str, *, option: str = "--collection") -> None:
    """Raise FieldUnknown where there is no such collection."""
    known = sorted(db.list_collection_names())
    if collection not in known:
        raise FieldUnknown(f"{option} {collection}: {db.name} has no such collection{_nearest(collection, known)}.")


def require_fields(db: Db, collection: str, *, by_option: Mapping[str, Sequence[str]]) -> Coverage:
    """Return how many documents have each field; raises FieldUnknown for one that none has."""
    require_collection(db, collection)
    covered = coverage(db, collection, [field for fields in by_option.values() for field in fields])
    for option, fields in by_option.items():
        for field in fields:
            if not covered.by_field[field]:
                known = sorted(_Sample(db, collection).names)
                raise FieldUnknown(
                    f"{option} {field}: no document of {db.name}.{collection} has it{_nearest(field, known)}. "
                    "Nothing was changed."
                )
    return covered


def coverage(db: Db, collection: str, fields: Iterable[str]) -> Coverage:
    """Return how many documents have each field, reading the collection once."""
    asked = list(dict.fromkeys(fields))
    counts = {f"f{n}": {"$sum": {"$cond": [{"$gt": [f"${field}", None]}, 1, 0]}} for n, field in enumerate(asked)}
    found = next(iter(db[collection].aggregate([{"$group": {"_id": None, "all": {"$sum": 1}, **counts}}])), None) or {}
    return Coverage(int(found.get("all", 0)), {field: int(found.get(f"f{n}", 0)) for n, field in enumerate(asked)})


def propose(db: Db, collection: str) -> Proposal | None:
    """Return the options that the documents and indexes of a collection ask for; None where no field has numbers.

    Documents with a field of ours are left out: our own fields are never proposed.
    """
    ours = OUR_FIELDS.get(collection, ())
    sample = _Sample(db, collection, {"$nor": [{name: {"$exists": True}} for name in ours]} if ours else {})
    unique = [tuple(name for name, _ in index["key"]) for index in sample.indexes.values() if index.get("unique")]
    number_field = next(iter(sorted(sample.number_fields(), key=lambda field: _rank(field, unique))), None)
    if number_field is None:
        return None
    scopes, why = _scopes(db, sample, number_field, unique)
    return Proposal(number_field, sample.created_field(), scopes, tuple(why))


class _Sample:
    """Some documents of a collection, for the names and the types of their fields."""

    def __init__(self, db: Db, collection: str, among: Mapping[str, Any] | None = None) -> None:
        self.collection = collection
        self.indexes = db[collection].index_information()
        self.documents = list(db[collection].find(among).limit(SAMPLED_MAX))
        self.names = Counter(name for document in self.documents for name in document if name != "_id")

    def values(self, name: str) -> list[Any]:
        return [document[name] for document in self.documents if document.get(name) is not None]

    def number_fields(self) -> Iterator[str]:
        """Yield the fields whose texts are letters with digits behind them, nearly all different."""
        for name in self.names:
            texts = [value for value in self.values(name) if isinstance(value, str)]
            shaped = [text for text in texts if _NUMBER.fullmatch(text)]
            if texts and len(shaped) >= SHAPED_MIN * len(texts) and len(set(shaped)) > len(shaped) / 10:
                yield name

    def created_field(self) -> str:
        """Return the field of the time of creation; `_id`, which tells it too, where there is none."""
        dates = [name for name in self.names if any(isinstance(value, datetime) for value in self.values(name))]
        known = [name for name in _CREATED if name in dates] + [name for name in dates if "creat" in name.lower()]
        return next(iter(known), "_id")

    def owner_fields(self, number_field: str) -> list[str]:
        """Return the fields that numbers may be unique within: those of an index with the number, ids, known names."""
        with_number = [key for key in self._keys() if number_field in key]
        in_indexes = [name for key in with_number for name in key if name != number_field]
        ids = [name for name in self.names if any(isinstance(value, ObjectId) for value in self.values(name))]
        candidates = dict.fromkeys([*in_indexes, *ids, *(name for name in _OWNERS if name in self.names)])
        return [name for name in candidates if self._owns_several(name)][:SCOPES_TRIED_MAX]

    def _keys(self) -> list[list[str]]:
        return [[name for name, _direction in index["key"]] for index in self.indexes.values()]

    def _owns_several(self, name: str) -> bool:
        """Return whether several documents share each value, as they do that of an owner, not that of an id."""
        values = self.values(name)
        return bool(values) and len(set(map(str, values))) <= len(values) / 2


def _rank(field: str, unique: Sequence[tuple[str, ...]]) -> tuple[bool, bool, str]:
    return (not any(field in key for key in unique), "number" not in field.lower(), field)


def _scopes(
    db: Db, sample: _Sample, number_field: str, unique: Sequence[tuple[str, ...]]
) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Return the fields that numbers may be unique within, and what the indexes and the data say, a line each."""
    by_index = [tuple(name for name in key if name != number_field) for key in unique if number_field in key]
    why = [f"a unique index says: {_within(fields)}" for fields in by_index]
    everywhere = _surplus(db, sample.collection, (number_field,))
    why.append(f"the data say: {everywhere:,} documents have another's number {_within(())}")
    likely: tuple[str, ...] = ()
    for name in sample.owner_fields(number_field) if everywhere else ():
        within = _surplus(db, sample.collection, (name, number_field))
        why.append(f"the data say: {within:,} documents have another's number {_within((name,))}")
        if not likely and within * CLEARLY_FEWER <= everywhere:
            likely = (name,)
    if by_index:
        return (by_index[0],), why
    return ((likely, ()) if likely else ((),)), why


def _surplus(db: Db, collection: str, fields: tuple[str, ...]) -> int:
    """Return how many documents would have to give up their number were it unique on these fields."""
    pipeline: list[Document] = [
        {"$match": {fields[-1]: {"$type": "string"}}},
        {"$group": {"_id": [f"${field}" for field in fields], "n": {"$sum": 1}}},
        {"$group": {"_id": None, "surplus": {"$sum": {"$subtract": ["$n", 1]}}}},
    ]
    found = next(iter(db[collection].aggregate(pipeline, allowDiskUse=True)), None)
    return int(found["surplus"]) if found else 0


def _within(fields: Sequence[str]) -> str:
    return f"within {', '.join(fields)}" if fields else "in the whole collection"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    listed = ", ".join(known[:NAMES_MAX]) or "nothing"
    return f" (did you mean {near[0]}?)" if near else f"; it has {listed}"


def _percent(count: int, documents: int) -> str:
    """Return a share that says 100 % and 0 % only of all and of none."""
    if not documents or count in (0, documents):
        return f"{100 if documents and count else 0} %"
    return f"{min(max(100 * count / documents, 0.1), 99.9):.1f} %"
