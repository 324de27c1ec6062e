"""Indexes of earlier versions that would refuse what this one stores, or cost each document something for nothing; each
goes once those that follow it stand.

A worker of the earlier version that still runs goes on without them, but says at /readyz that one is missing; one that
starts builds it again. So they are looked for whenever a process starts, and where one refuses a document.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from finance.indexes import Index, index, unique

OBSOLETE: tuple[Index, ...] = (
    # An invoice had one credit note at most. Each has a claim now, which is unique: credit_notes.claim_unique.
    unique("credit_notes", "credit_note_invoice_unique", "tenant invoice_number"),
    # Nearly all payments are incoming, which the order by number answers: payments.outgoing has the others.
    index("payments", "direction", "tenant direction number_year number_seq _id"),
    # invoices.due_on_order gives pages by due day; this one only found them.
    index("invoices", "due_on", "tenant due_on? _id"),
)


def drop_obsolete(db: Database[dict[str, Any]], collections: Iterable[str]) -> None:
    """Drop the obsolete indexes of these collections, where they stand; other processes may do so too."""
    for old in OBSOLETE:
        if old.collection in collections and old.name in find_obsolete(db, old.collection):
            with contextlib.suppress(OperationFailure):  # another process dropped it, or the next start does
                db[old.collection].drop_index(old.name)


def find_obsolete(db: Database[dict[str, Any]], collection: str) -> list[str]:
    """Return the names of the obsolete indexes that stand on a collection."""
    return obsolete_among(collection, db[collection].index_information())


def obsolete_among(collection: str, standing: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of those of `standing` that are obsolete; one of the name on other fields is somebody's own."""
    return [
        old.name
        for old in OBSOLETE
        if old.collection == collection and list(standing.get(old.name, {}).get("key", ())) == list(old.keys)
    ]
