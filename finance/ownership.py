"""Whose database is this? Our collections are ours alone: another software's documents and unique indexes can't stay
beside ours.

Our unique index on (tenant, payment_number) would refuse the second document of a software that knows neither field,
and its unique index on `paymentNumber` the second one of ours. So where one of them is found, nothing is built and
nothing is changed: the other software goes on, and ours wants a database of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pymongo.database import Database

from finance.errors import Unavailable
from finance.indexes import INDEXES, Index

Document = dict[str, Any]
Standing = Mapping[
    str, Mapping[str, Any]
]  # the indexes of a collection, by name; `key` is a list of (field, direction)

STAND_INS = (
    "_undone",
    "_untouched",
    "_beside",
    "_migrating",
)  # what the name of an index of ours may end in for a while
# Beside those of the list. What they hold has no tenant, so only a unique index shows that another software is there.
WITHOUT_INDEXES = ("counters", "secrets")
NAMED_MAX = 3
# Without a tenant, or with one of another software: theirs are ids, ours are short texts. Each branch is an index seek.
NOT_OURS = {"$or": [{"tenant": None}, *({"tenant": {"$type": kind}} for kind in ("objectId", "number", "object"))]}


class DatabaseNotOurs(Unavailable):
    """Another software's documents or unique indexes are where ours should be."""

    detail_default = (
        "The database holds another software's documents where ours should be. Nothing was built, changed or stored. "
        "Whoever runs the service names a database of its own in FINANCE_DATABASE."
    )

    found = ""

    @classmethod
    def of(cls, database: str, found: Iterable[str]) -> "DatabaseNotOurs":
        """Return the refusal that says what was found."""
        words = "; ".join(found)
        refusal = cls(
            f"The database {database} is another software's: {words}. Nothing was built, changed or stored. "
            "Name a database of our own in FINANCE_DATABASE."
        )
        refusal.found = words
        return refusal


def collections_of(indexes: Iterable[Index]) -> list[str]:
    """Return the collections to look at before these indexes are built, and numbers counted beside them."""
    return [*sorted({index.collection for index in indexes}), *WITHOUT_INDEXES]


def find_not_ours(db: Database[Document], standing: Mapping[str, Standing]) -> list[str]:
    """Return what is another software's in the collections of `standing`, in words; nothing where all is ours.

    Costs a few index seeks a collection; where no index of ours stands, a scan that ends at the first document
    that isn't ours.
    """
    found = [words for name, indexes in standing.items() if indexes for words in _find_in(db, name, indexes)]
    more = len(found) - NAMED_MAX
    return [*found[:NAMED_MAX], f"and {more} more"] if more > 0 else found


def has_foreign_documents(db: Database[Document], collection: str) -> bool:
    """Return whether a collection of ours holds a document without a tenant, or with one that can't be ours."""
    if collection not in _TENANTS:
        return False
    return db[collection].find_one(NOT_OURS, {"_id": True}) is not None


def foreign_unique_indexes(collection: str, standing: Standing) -> dict[str, str]:
    """Return the unique indexes that aren't ours: their names, and the fields they are on.

    One that begins with the tenant was made by somebody who knows our documents. One on fewer fields than ours, beside
    indexes of ours, is of an earlier version of our list; scripts/migrate_indexes.py replaces it.
    """
    expected = [index for index in INDEXES if index.collection == collection]
    among_ours = any(is_named_as(name, expected) for name in standing)
    return {
        name: ", ".join(field for field, _direction in index["key"])
        for name, index in standing.items()
        if (index.get("unique") or index.get("prepareUnique"))
        and not is_named_as(name, expected)
        and index["key"][0][0] != "tenant"
        and not (among_ours and _is_narrower(index, expected))
    }


def is_named_as(name: str, expected: Iterable[Index]) -> bool:
    """Return whether an index is called as one of these, or as what stands in for it for a while."""
    names = {index.name for index in expected}
    return name in names or any(name.removesuffix(ending) in names for ending in STAND_INS)


def _find_in(db: Database[Document], collection: str, indexes: Standing) -> Iterator[str]:
    if has_foreign_documents(db, collection):
        yield f"{collection} holds documents without our tenant"
    for name, fields in foreign_unique_indexes(collection, indexes).items():
        yield f"{collection} has the unique index {name} on {fields}"


def _is_narrower(index: Mapping[str, Any], expected: Iterable[Index]) -> bool:
    fields = {field for field, _direction in index["key"]}
    return any(fields <= {field for field, _direction in ours.keys} for ours in expected if ours.unique)


# MongoDB's own form of a key vault is the one collection of the list whose documents have no tenant.
_TENANTS = {index.collection for index in INDEXES if index.keys[0][0] == "tenant"}
