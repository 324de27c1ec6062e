"""The plan that leaves each number to one document: who keeps it, and what the others get.

Only the documents that share a number are looked at themselves.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from finance.database import Document
from finance.maintenance.duplicates import Group, comparable, comparable_all, in_batches, read_members
from finance.maintenance.target import PREVIOUS_FIELD, Target, scope_of, series_or_obstacle, value_at
from finance.numbering.series import Series

Keep = Literal["oldest", "newest"]


@dataclass(frozen=True)
class Planned:
    """A document that must give up its number: it gets the next of `series`, or stays because of `obstacle`."""

    document_id: Any
    scope: tuple[Any, ...]
    number: Any
    number_seq: int | None
    kept_id: Any
    why: str
    series: Series | None
    obstacle: str | None

    @property
    def in_index(self) -> tuple[Any, ...]:
        """Its scope and number, equal to those of the one that keeps the number where MongoDB holds them for equal."""
        return comparable_all((*self.scope, self.number))

    def as_json(self) -> Document:
        """Return what a report says of it; ids keep their types."""
        return {
            "id": self.document_id,
            "scope": list(self.scope),
            "old_number": self.number,
            "kept_id": self.kept_id,
            "why": self.why,
            "renumber": self.obstacle is None,
            **({} if self.obstacle is None else {"obstacle": self.obstacle}),
        }


def plan(target: Target, groups: Iterable[Group], *, keep: Keep) -> Iterator[Planned]:
    """Yield every document that must give up its number, in the order of the groups."""
    for batch in in_batches(groups):
        documents = _documents_of(target, batch, keep=keep)
        for members in _by_number(target, documents):
            kept = next(members)
            for member in members:
                yield _planned(target, member, kept, keep)


def _documents_of(target: Target, groups: list[Group], *, keep: Keep) -> Iterable[Document]:
    """Return the documents of these groups, side by side, and of each group the one that keeps the number first.

    Recorded before voided, then by creation time (that of the id where the field has none, unknown ones last), then
    by id. MongoDB sorts, because ids can be of any type.
    """
    fields = (*target.scope_fields, target.number_field)
    time_of_id = {"$cond": [{"$eq": [{"$type": "$_id"}, "objectId"]}, {"$toDate": "$_id"}, None]}
    created = f"${target.created_field}"
    order = {
        # A list that holds the number is found with it, and would part those that carry it.
        "list": {"$isArray": f"${target.number_field}"},
        "voided": {"$cond": [{"$eq": ["$status", "voided"]}, 1, 0]},
        "at": {"$convert": {"input": created, "to": "date", "onError": time_of_id, "onNull": time_of_id}},
    }
    direction = 1 if keep == "oldest" else -1
    stages: list[Document] = [
        {"$set": {"_order": order}},
        {"$set": {"_order.unknown": {"$cond": [{"$eq": ["$_order.at", None]}, 1, 0]}}},
        {
            "$sort": {
                "_order.list": 1,
                **dict.fromkeys(fields, 1),
                "_order.voided": 1,
                "_order.unknown": 1,
                "_order.at": direction,
                "_id": direction,
            }
        },
        {"$project": dict.fromkeys((*fields, *target.read_fields, PREVIOUS_FIELD, "_order"), 1)},
    ]
    return read_members(target, groups, stages)


def _by_number(target: Target, documents: Iterable[Document]) -> Iterator[Iterator[Document]]:
    fields = (*target.scope_fields, target.number_field)
    for _number, members in itertools.groupby(documents, key=lambda document: comparable(document, fields)):
        yield members


def _planned(target: Target, document: Document, kept: Document, keep: Keep) -> Planned:
    found = series_or_obstacle(target, document)
    if document["_order"]["voided"] and not kept["_order"]["voided"]:
        why = "a recorded one keeps the number, this one is voided"
    elif document["_order"]["at"] == kept["_order"]["at"]:
        smaller = "smaller" if keep == "oldest" else "larger"
        why = f"created at the same time as the one that keeps the number, which has the {smaller} id"
    else:
        why = f"the {keep} keeps the number"
    return Planned(
        document_id=document["_id"],
        scope=scope_of(target, document),
        number=value_at(document, target.number_field),
        number_seq=document.get("number_seq") if target.is_ours else None,
        kept_id=kept["_id"],
        why=why,
        series=found if isinstance(found, Series) else None,
        obstacle=found if isinstance(found, str) else None,
    )
