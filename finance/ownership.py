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
from finance.said import said

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
_NOT_OUR_TENANT: list[Document] = [
    {"tenant": None},
    *({"tenant": {"$type": kind}} for kind in ("objectId", "number", "object")),
]
# What every document of ours has had in every version, the number first, and no other software names so.
OUR_FIELDS: Mapping[str, tuple[str, ...]] = {
    "payments": ("payment_number", "number_seq", "amount_minor"),
    "invoices": ("invoice_number", "number_seq", "total_minor"),
    "credit_notes": ("credit_note_number", "number_seq", "total_minor"),
    "customers": ("customer_code", "number_seq", "name_folded"),
    "customer_codes": ("customer_code", "number_seq", "handed_out_at"),
    "shops": ("shop", "rules"),
}


class DatabaseNotOurs(Unavailable):
    """Another software's documents or unique indexes are where ours should be."""

    detail_default = said(
        "The database holds another software's documents where ours should be. Nothing was "
        "built, changed or stored. Whoever runs the service names a database of its own in "
        "FINANCE_DATABASE."
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
    """Return whether a collection of ours holds a document that can't be ours; see `not_ours`."""
    return _missing_in(db, collection) is not None


def not_ours(collection: str) -> Document:
    """Return the filter of documents that can't be ours: without a tenant of ours, or with none of OUR_FIELDS.

    Another software may have a text as its tenant too; where it has none of our fields, our unique index would take
    all of its documents for the same. One of ours that lost its number (by hand, in a shell) has another of them left:
    it is damaged, and the service goes on. So a document is another's only where all of them are missing.

    Each branch is an index seek; the last one is two seeks a tenant, and reads only the documents without a number.
    """
    fields = OUR_FIELDS.get(collection)
    nothing_of_ours = [{"tenant": {"$gte": ""}, **dict.fromkeys(fields)}] if fields else []
    return {"$or": [*_NOT_OUR_TENANT, *nothing_of_ours]}


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
    missing = _missing_in(db, collection)
    if missing is not None:
        yield f"{collection} holds documents without our {missing}"
    for name, fields in foreign_unique_indexes(collection, indexes).items():
        yield f"{collection} has the unique index {name} on {fields}"


def _missing_in(db: Database[Document], collection: str) -> str | None:
    """Return which field of ours a document of a collection lacks that can't be ours; None where there is none."""
    if collection not in _TENANTS:
        return None
    found = db[collection].find_one(not_ours(collection), {"tenant": True})
    if found is None:
        return None
    return OUR_FIELDS[collection][0] if isinstance(found.get("tenant"), str) else "tenant"


def _is_narrower(index: Mapping[str, Any], expected: Iterable[Index]) -> bool:
    fields = {field for field, _direction in index["key"]}
    return any(fields <= {field for field, _direction in ours.keys} for ours in expected if ours.unique)


# MongoDB's own form of a key vault is the one collection of the list whose documents have no tenant.
_TENANTS = {index.collection for index in INDEXES if index.keys[0][0] == "tenant"}
