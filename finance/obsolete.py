"""Indexes of earlier versions that would refuse what this one stores; each goes once those that follow it stand.

A worker of the earlier version that still runs goes on without them, but says at /readyz that one is missing; one that
starts builds it again. So they are looked for whenever a process starts, and where one refuses a document.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from finance.indexes import Index, unique

OBSOLETE: tuple[Index, ...] = (
    # An invoice had one credit note at most. Each has a claim now, which is unique: credit_notes.claim_unique.
    unique("credit_notes", "credit_note_invoice_unique", "tenant invoice_number"),
)


def drop_obsolete(db: Database[dict[str, Any]], collections: Iterable[str]) -> None:
    """Drop the obsolete indexes of these collections, where they stand; other processes may do so too."""
    for index in OBSOLETE:
        if index.collection in collections and index.name in find_obsolete(db, index.collection):
            with contextlib.suppress(OperationFailure):  # another process dropped it, or the next start does
                db[index.collection].drop_index(index.name)


def find_obsolete(db: Database[dict[str, Any]], collection: str) -> list[str]:
    """Return the names of the obsolete indexes that stand on a collection."""
    return obsolete_among(collection, db[collection].index_information())


def obsolete_among(collection: str, standing: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of those of `standing` that are obsolete; one of the name on other fields is somebody's own."""
    return [
        index.name
        for index in OBSOLETE
        if index.collection == collection and list(standing.get(index.name, {}).get("key", ())) == list(index.keys)
    ]
