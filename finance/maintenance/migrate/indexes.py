"""The expected indexes against those that stand: findings (`check`), and their application (`migrate`).

What is missing is built before anything wrong is dropped, and a unique index that must be replaced under its own name
has a stand-in meanwhile: at no moment can a duplicate be stored that could not be stored before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from finance.database import Db, Document, standing_indexes
from finance.indexes import INDEXES, Index
from finance.maintenance import fences
from finance.obsolete import OBSOLETE, obsolete_among
from finance.ownership import has_foreign_documents, is_named_as

State = Literal["right", "missing", "not unique", "on other fields", "in the way"]
Say = Callable[[str], None]

_OPTIONS = ("unique", "partialFilterExpression", "sparse", "collation", "expireAfterSeconds", "hidden")
_STAND_IN = "_migrating"


@dataclass(frozen=True)
class Finding:
    """How one index stands. `expected` is None for one that should not be there."""

    collection: str
    name: str
    state: State
    detail: str
    expected: Index | None = None

    def as_json(self) -> Document:
        return {"collection": self.collection, "name": self.name, "state": self.state, "detail": self.detail}


def check(db: Db, indexes: Iterable[Index] = INDEXES) -> list[Finding]:
    """Return one finding for each expected index and each one that is in the way of them. Changes nothing."""
    by_collection: dict[str, list[Index]] = {}
    for index in indexes:
        by_collection.setdefault(index.collection, []).append(index)
    findings: list[Finding] = []
    for collection, expected in by_collection.items():
        standing = standing_indexes(db, collection)
        findings += [_check_one(index, standing) for index in expected]
        findings += _find_in_the_way(collection, expected, standing)
    return findings


def migrate(db: Db, findings: Iterable[Finding], *, say: Say) -> None:
    """Build what is missing, then drop what is wrong, saying each step. Safe to end at any moment and to run again."""
    wrong = [finding for finding in findings if finding.state != "right"]
    for finding in wrong:
        if finding.expected is not None and finding.state in ("missing", "not unique"):
            _build(db, finding.expected, say)
    for finding in wrong:
        if finding.expected is not None and finding.state in ("on other fields", "in the way"):
            _replace(db, finding, finding.expected, say)
    for finding in wrong:
        if finding.expected is None:
            db[finding.collection].drop_index(finding.name)
            say(f"dropped {finding.collection}.{finding.name}")


def find_misplaced(db: Db) -> list[Finding]:
    """Return the indexes of ours on collections that hold documents of another software: they refuse its inserts."""
    findings = []
    for collection in sorted({index.collection for index in INDEXES}):
        if not has_foreign_documents(db, collection):
            continue
        expected = [index for index in (*INDEXES, *OBSOLETE) if index.collection == collection]
        standing = standing_indexes(db, collection)
        findings += [
            Finding(collection, name, "in the way", describe(found))
            for name, found in standing.items()
            if is_named_as(name, expected) and "tenant" in dict(found["key"])
        ]
    return findings


def _check_one(index: Index, standing: Mapping[str, Mapping[str, Any]]) -> Finding:
    def finding(state: State, detail: str, name: str = index.name) -> Finding:
        return Finding(index.collection, name, state, detail, index)

    found = standing.get(index.name)
    if found is None:
        for name, other in standing.items():
            if fences.is_equivalent(other, index) and bool(other.get("unique")) == index.unique:
                return finding("in the way", f"it stands under another name than {index.name}", name)
            if fences.is_equivalent(other, index) and index.unique:
                return finding("in the way", f"not unique, and under another name than {index.name}", name)
        return finding("missing", describe_index(index))
    if not fences.is_equivalent(found, index) or (found.get("unique") and not index.unique):
        return finding("on other fields", f"{describe(found)}, expected {describe_index(index)}")
    state = fences.standing_of(found)
    if not index.unique or state == "unique":
        return finding("right", describe(found))
    detail = "new duplicates are refused, old ones stand" if state == "prepared" else "nothing refuses duplicates"
    return finding("not unique", f"{describe(found)}: {detail}")


def _find_in_the_way(
    collection: str, expected: list[Index], standing: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield unique indexes on fewer fields than an expected one, and stand-ins that a killed run left.

    Other indexes that are not in the list are somebody's own and no concern of ours.
    """
    names = {index.name for index in expected}
    for name in obsolete_among(collection, standing):
        yield Finding(collection, name, "in the way", "of an earlier version: it refuses what this one stores")
    for name, found in standing.items():
        if name in names or name == "_id_":
            continue
        fields = {field for field, _direction in found["key"]}
        narrower = [index for index in expected if index.unique and fields < {field for field, _ in index.keys}]
        if found.get("unique") and narrower:
            detail = f"unique on {', '.join(fields)} alone, expected {describe_index(narrower[0])}"
            yield Finding(collection, name, "in the way", detail)
        elif name.removesuffix(_STAND_IN) in names or fences.is_left_by_undo(name, expected):
            yield Finding(collection, name, "in the way", "left by a run that was killed")


def _build(db: Db, index: Index, say: Say) -> None:
    if not index.unique:
        db[index.collection].create_indexes([index.as_model()])
        say(f"built {index.collection}.{index.name}")
    elif fences.make_unique(db, index):
        say(f"built {index.collection}.{index.name}, unique")
    else:
        say(
            f"{index.collection}.{index.name} refuses new duplicates from now on; old ones stand. "
            f"scripts/repair_duplicates.py --collection {index.collection} finds and repairs them."
        )


def _replace(db: Db, finding: Finding, index: Index, say: Say) -> None:
    """Put the expected index in the place of one with its name or its keys; a stand-in protects meanwhile."""
    stand_in = _stand_in(index)
    if index.unique:
        _fence_or_build(db, stand_in)
    db[index.collection].drop_index(finding.name)
    say(f"dropped {index.collection}.{finding.name}: {finding.detail}")
    _build(db, index, say)
    if index.unique:
        db[index.collection].drop_index(stand_in.name)


def _fence_or_build(db: Db, stand_in: Index) -> None:
    if not fences.make_unique(db, stand_in) and not fences.supports_prepare_unique(db):
        raise fences.CannotProtect(
            f"{stand_in.collection} holds duplicates, and this MongoDB can't refuse new ones over them. Repair first."
        )


def _stand_in(index: Index) -> Index:
    """Return one that refuses the same duplicates and may stand beside one on the same keys: its filter differs."""
    last = index.keys[-1][0]
    present: Document = {last: {"$exists": True}}
    partial: Document = {"$and": [dict(index.partial), present]} if index.partial else present
    return Index(index.collection, index.name + _STAND_IN, index.keys, unique=True, partial=partial)


def describe(found: Mapping[str, Any]) -> str:
    """Return an index in words: its fields, unique or not, its filter."""
    fields = ", ".join(field if direction == 1 else f"{field} {direction}" for field, direction in found["key"])
    options = [option for option in _OPTIONS if found.get(option)]
    return f"({fields})" + "".join(f" {_option(option, found[option])}" for option in options)


def describe_index(index: Index) -> str:
    return describe({"key": index.keys, "unique": index.unique, "partialFilterExpression": index.partial})


def _option(name: str, value: Any) -> str:
    if name == "partialFilterExpression":
        if "$and" in value:
            return "partial"
        return "where " + ", ".join(
            f"{field} is present" if isinstance(wanted, Mapping) else f"{field} is {wanted}"
            for field, wanted in value.items()
        )
    return name if value is True else f"{name}={value}"
