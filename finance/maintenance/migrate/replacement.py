"""A wrong unique index in somebody else's collection: on the shop alone, where the key is shop, year and month.

Order: the right index refuses new duplicates first, then documents that are equal on the right fields are settled, the
right index is made unique, and only then the wrong one is dropped. Of equal documents the most advanced stays (the
largest `keep_max`, as a number, whatever type it is stored as); the others are copied to a backup collection before
they are deleted. A group in which one has no number is left as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from finance.database import Db, Document
from finance.indexes import Index
from finance.maintenance import fences
from finance.maintenance.duplicates import Group, find_groups
from finance.maintenance.migrate.numbers import as_number, number_of
from finance.maintenance.target import Target, foreign_kind, unique_index, value_at

PASSES_MAX = 20
GROUPS_SHOWN_MAX = 20
RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

Stored = Mapping[str, Any]


@dataclass(frozen=True)
class Replacement:
    """What is to be replaced, by what, and how equal documents are settled.

    `data_collection` holds what the documents count: no kept `keep_max` may be below its largest `data_field` for the
    same right fields.
    """

    db: Db
    collection: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    keep_max: str | None = None
    data_collection: str | None = None
    data_field: str | None = None

    @property
    def index(self) -> Index:
        return unique_index(self.collection, self.right)

    @property
    def target(self) -> Target:
        return Target(
            db=self.db,
            numbered=foreign_kind(self.collection, self.right[-1]),
            scope_fields=self.right[:-1],
            created_field="",
            unique_index=self.index,
            missing_is_a_number=True,
        )

    @property
    def backup(self) -> str:
        return f"{self.collection}_replaced"


@dataclass(frozen=True)
class Settled:
    """Documents equal on the right fields; `kept` is the largest `keep_max`, None where it can't be told."""

    group: Group
    kept: Any = None


@dataclass
class Found:
    """How things stand: the wrong indexes by name, the right one, and documents equal on the right fields."""

    wrong: list[str]
    right: fences.Standing
    groups: int = 0
    documents: int = 0
    left: int = 0  # groups that --keep-max can't settle
    first: list[Settled] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not self.wrong and self.right == "unique" and not self.groups


@dataclass
class Done:
    moved: int = 0
    raised: int = 0  # kept documents that were behind the data
    dropped: list[str] = field(default_factory=list)
    standing: fences.Standing = "missing"


def look(replacement: Replacement) -> Found:
    """Return how things stand. Changes nothing."""
    found = Found(wrong=_wrong_indexes(replacement), right=fences.find_standing(replacement.db, replacement.index)[1])
    if found.right != "unique":
        for group in find_groups(replacement.target):
            ranked = _most_advanced_first(replacement, group) if replacement.keep_max else []
            kept = value_at(ranked[0], replacement.keep_max or "") if ranked else None
            found.groups += 1
            found.documents += group.documents
            found.left += bool(replacement.keep_max) and not ranked
            if len(found.first) < GROUPS_SHOWN_MAX:
                found.first.append(Settled(group, kept))
    return found


def replace_index(replacement: Replacement, *, require: Callable[[], None] = lambda: None) -> Done:
    """Settle equal documents, make the right index unique, then drop the wrong one. Safe to kill and to run again.

    Without `keep_max` nothing is done where documents are equal: the right fields may be mistyped, and the index on
    them would refuse right documents. Where a group can't be settled, the right index refuses new ones, and the wrong
    index stays too. `require` is called before each change, and raises where it must not be made.
    """
    if not replacement.keep_max and any(find_groups(replacement.target)):
        return Done(standing=fences.find_standing(replacement.db, replacement.index)[1])
    done = Done()
    require()
    fences.fence(replacement.db, replacement.index)
    for _pass in range(PASSES_MAX):
        if fences.make_unique(replacement.db, replacement.index) or not replacement.keep_max:
            break
        settled = [_settle(replacement, group, done, require) for group in find_groups(replacement.target)]
        if not any(settled):
            break
    done.standing = fences.find_standing(replacement.db, replacement.index)[1]
    if done.standing == "unique":
        if replacement.data_collection:
            _raise_to_data(replacement, done)
        for name in _wrong_indexes(replacement):
            require()
            replacement.db[replacement.collection].drop_index(name)
            done.dropped.append(name)
    return done


def _wrong_indexes(replacement: Replacement) -> list[str]:
    return [
        name
        for name, found in replacement.db[replacement.collection].index_information().items()
        if found.get("unique") and {field for field, _direction in found["key"]} == set(replacement.wrong)
    ]


def _most_advanced_first(replacement: Replacement, group: Group) -> list[Stored]:
    """Return the documents of a group, the largest number first, then by id; none where one has no number."""
    assert replacement.keep_max is not None
    equal = _equal(replacement, group)
    documents = list(replacement.db[replacement.collection].with_options(RAW).find(equal).sort("_id", 1))
    ranked: list[tuple[Decimal, Stored]] = []
    for document in documents:
        number = number_of(value_at(document, replacement.keep_max))
        if number is None:
            return []
        ranked.append((number, document))
    return [document for _number, document in sorted(ranked, key=lambda one: one[0], reverse=True)]


def _settle(replacement: Replacement, group: Group, done: Done, require: Callable[[], None]) -> bool:
    """Keep the most advanced document of a group, and move the others to the backup; return whether it can be settled.

    Each is copied before it is deleted: killed in between, it is in both, and the next run deletes it. It is deleted
    only as it was copied, and while the one that stays is there as it was read.
    """
    ranked = _most_advanced_first(replacement, group)
    if not ranked:
        return False
    kept, *others = ranked
    collection = replacement.db[replacement.collection]
    for document in others:
        require()
        backup = replacement.db[replacement.backup].with_options(RAW)
        backup.replace_one({"_id": document["_id"]}, document, upsert=True)
        if collection.find_one(_unchanged(kept), {"_id": True}) is not None:
            done.moved += collection.delete_one(_unchanged(document)).deleted_count
    return True


def _equal(replacement: Replacement, group: Group) -> Document:
    return dict(zip(replacement.right, (*group.scope, group.number), strict=True))


def _unchanged(document: Stored) -> Document:
    return {"_id": document["_id"], "$expr": {"$eq": ["$$ROOT", {"$literal": document}]}}


def _raise_to_data(replacement: Replacement, done: Done) -> None:
    """Raise each document whose `keep_max` is behind the data that it counts; a text stays a text."""
    keep_max, right = replacement.keep_max or "", replacement.right
    keys = {f"k{n}": f"${name}" for n, name in enumerate(right)}
    newest = {"$max": as_number(f"${replacement.data_field}")}
    assert replacement.data_collection is not None
    data = replacement.db[replacement.data_collection]
    for counted in data.aggregate([{"$group": {"_id": keys, "newest": newest}}], allowDiskUse=True):
        if counted["newest"] is None:
            continue
        equal = {name: counted["_id"].get(f"k{n}") for n, name in enumerate(right)}
        number: Document = {"$literal": counted["newest"]}
        text = {"$eq": [{"$type": f"${keep_max}"}, "string"]}
        raised = {"$cond": [text, {"$toString": {"$toLong": number}}, {"$toLong": number}]}
        is_behind = {"$expr": {"$lt": [as_number(f"${keep_max}"), number]}, keep_max: {"$ne": None}}
        update = [{"$set": {keep_max: raised}}]
        done.raised += replacement.db[replacement.collection].update_one({**equal, **is_behind}, update).modified_count
