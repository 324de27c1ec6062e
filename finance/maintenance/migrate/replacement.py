"""A wrong unique index in somebody else's collection: on the shop alone, where the key is shop, year and month.

Order: the right index refuses new duplicates first, then documents that are equal on the right fields are settled, the
right index is made unique, and only then the wrong one is dropped. Of equal documents the most advanced stays (the
largest `keep_max`); the others are copied to a backup collection before they are deleted.
"""

from dataclasses import dataclass, field
from itertools import islice

from finance.database import Db, Document
from finance.indexes import Index
from finance.maintenance import fences
from finance.maintenance.duplicates import Group, find_groups
from finance.maintenance.target import Target, foreign_kind, unique_index, value_at

PASSES_MAX = 20
GROUPS_SHOWN_MAX = 20


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


@dataclass
class Found:
    """How things stand: the wrong indexes by name, the right one, and documents equal on the right fields."""

    wrong: list[str]
    right: fences.Standing
    groups: int = 0
    documents: int = 0
    first: list[Group] = field(default_factory=list)

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
            found.groups += 1
            found.documents += group.documents
            if len(found.first) < GROUPS_SHOWN_MAX:
                found.first.append(group)
    return found


def replace_index(replacement: Replacement) -> Done:
    """Settle equal documents, make the right index unique, then drop the wrong one. Safe to kill and to run again.

    Without `keep_max` equal documents stay, the right index refuses new ones, and the wrong index stays too.
    """
    done = Done()
    fences.fence(replacement.db, replacement.index)
    for _pass in range(PASSES_MAX):
        if fences.make_unique(replacement.db, replacement.index) or replacement.keep_max is None:
            break
        for group in find_groups(replacement.target):
            _settle(replacement, group, done)
    done.standing = fences.find_standing(replacement.db, replacement.index)[1]
    if done.standing == "unique":
        if replacement.keep_max and replacement.data_collection and replacement.data_field:
            _raise_to_data(replacement, done)
        for name in _wrong_indexes(replacement):
            replacement.db[replacement.collection].drop_index(name)
            done.dropped.append(name)
    return done


def _wrong_indexes(replacement: Replacement) -> list[str]:
    return [
        name
        for name, found in replacement.db[replacement.collection].index_information().items()
        if found.get("unique") and {field for field, _direction in found["key"]} == set(replacement.wrong)
    ]


def _settle(replacement: Replacement, group: Group, done: Done) -> None:
    """Keep the most advanced document of a group, and move the others to the backup, each if it is unchanged."""
    assert replacement.keep_max is not None
    collection = replacement.db[replacement.collection]
    equal = dict(zip(replacement.right, (*group.scope, group.number), strict=True))
    for document in islice(collection.find(equal).sort([(replacement.keep_max, -1), ("_id", 1)]), 1, None):
        # Copied before it is deleted: killed in between, it is in both, and the next run deletes it.
        replacement.db[replacement.backup].replace_one({"_id": document["_id"]}, document, upsert=True)
        unchanged = {"_id": document["_id"], replacement.keep_max: value_at(document, replacement.keep_max)}
        done.moved += collection.delete_one({**equal, **unchanged}).deleted_count


def _raise_to_data(replacement: Replacement, done: Done) -> None:
    """Raise each document whose `keep_max` is behind the data that it counts."""
    assert replacement.keep_max is not None
    assert replacement.data_collection is not None
    pipeline: list[Document] = [
        {
            "$group": {
                "_id": {_key(name): f"${name}" for name in replacement.right},
                "newest": {"$max": f"${replacement.data_field}"},
            }
        }
    ]
    for counted in replacement.db[replacement.data_collection].aggregate(pipeline, allowDiskUse=True):
        newest = counted["newest"]
        if isinstance(newest, int | float):
            equal = {name: counted["_id"].get(_key(name)) for name in replacement.right}
            update = {"$max": {replacement.keep_max: newest}}
            done.raised += replacement.db[replacement.collection].update_one(equal, update).modified_count


def _key(name: str) -> str:
    return name.replace(".", "_")
