"""A document that goes from one number to another: forth by a repair, back by its undoing.

Either is one atomic update with compare-and-set on id and number, and leaves its trace in the document. One that comes
back to a number which another document holds is marked, in the same update, with the number that is taken from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern

from finance.asked import Asked
from finance.database import UNDONE_FIELD, Document
from finance.history import changed
from finance.maintenance.target import PREVIOUS_FIELD, Target
from finance.numbering.series import Series

BATCH = 200  # documents changed together: one reservation a series, one insert of changes, one bulk write


@dataclass(frozen=True)
class Change:
    """A document that a run took from `old_number` to `new_number`, or was about to when it was killed."""

    document_id: Any
    scope: tuple[Any, ...]
    old_number: Any
    old_seq: int | None
    new_number: str
    new_seq: int
    series: Series


def author(run: str) -> str:
    """Return what stands in a document's history as the one who changed it."""
    return f"repair:{run}"


def renumbering(
    target: Target,
    change: Change,
    *,
    run: str,
    now: datetime,
    back_from: Document | None = None,
    beside_another: bool = False,
) -> UpdateOne:
    """Return the update that gives a document its new number; or its old one, if it still is as `back_from` was read.

    `beside_another` document, which holds the old number, it is marked.

    A foreign document's `history`, if it has one, is of a shape we don't know: there the stored run is the trace.
    """
    numbers, seqs = [change.old_number, change.new_number], [change.old_seq, change.new_seq]
    unchanged: Document = {"_id": change.document_id, **dict(zip(target.scope_fields, change.scope, strict=True))}
    if back_from is not None:
        numbers.reverse()
        seqs.reverse()
        unchanged |= {"history": {"$size": len(back_from["history"])}} if target.is_ours else {}
    update: Document = {"$set": {target.number_field: numbers[1]}}
    if beside_another:
        update["$set"][UNDONE_FIELD] = change.new_number
    else:
        update["$unset"] = {UNDONE_FIELD: True}
    if numbers[0] is not None:
        update["$addToSet"] = {PREVIOUS_FIELD: numbers[0]}
    if target.is_ours:
        update["$set"]["number_seq"] = seqs[1]
        fields = {target.number_field: numbers, "number_seq": seqs}
        changes = {name: {"from": old, "to": new} for name, (old, new) in fields.items()}
        asked = Asked(change.scope[0], author(run), now)
        update["$push"] = {"history": changed(asked, action="renumbered", changes=changes)}
    return UpdateOne({**unchanged, target.number_field: numbers[0]}, update)


def documents_now(target: Target, ids: Sequence[Any]) -> dict[bytes, Document]:
    """Return the scopes, numbers and traces that these documents have now, by `id_key`."""
    latest = target.collection.with_options(read_concern=ReadConcern("local"))
    fields = dict.fromkeys((*target.scope_fields, target.number_field, "history", PREVIOUS_FIELD), True)
    return {id_key(document["_id"]): document for document in latest.find({"_id": {"$in": ids}}, fields)}


def id_key(document_id: Any) -> bytes:
    """Return what identifies an id of any BSON type in a dict; not every one is hashable."""
    return bson.encode({"": document_id})
