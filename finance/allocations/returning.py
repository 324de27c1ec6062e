"""What a release and a void have in common: sinks are marked, the source decides, the sinks follow it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from finance.allocations import store
from finance.allocations.entries import claim_of, counts, entries_of, other_field
from finance.allocations.following import follow
from finance.allocations.model import CREDIT_NOTE, INVOICE, Place
from finance.asked import Asked
from finance.database import Db

Given = tuple[Place, str]  # a sink, and a claim on it

_KIND_BY_FIELD = {kind.number_field: kind for kind in (INVOICE, CREDIT_NOTE)}


class Returning:
    """What is about to be taken back, under one mark. `finish` ends it, whether it was decided or not."""

    def __init__(self, db: Db, asked: Asked) -> None:
        self.mark = uuid4().hex
        self._db = db
        self._asked = asked
        self._marked: set[Given] = set()

    def begin(self, given: Sequence[Given]) -> None:
        """Have those who read these sinks look at their source first, from now on."""
        for sink, claim in given:
            self._marked.add((sink, claim))
            store.mark_returning(self._db, sink, claim=claim, mark=self.mark, at=self._asked.now)

    def finish(self) -> None:
        """Let the sinks follow their source; what it did not decide counts again as before."""
        for sink, claim in sorted(self._marked, key=lambda given: (given[0].number, given[1])):
            follow(self._db, sink, claim, finish_unstored=lambda *_: True, now=self._asked.now, given_up=self.mark)


def given_by(source: Mapping[str, Any]) -> list[Given]:
    """Return all that a source has given to sinks, and not taken back."""
    found = list[Given]()
    for entry in entries_of(source):
        kind, claim = _KIND_BY_FIELD.get(other_field(entry) or ""), claim_of(source, entry)
        if kind is not None and claim is not None and counts(entry):
            found.append((Place(source["tenant"], kind, entry[kind.number_field]), claim))  # type: ignore[literal-required]
    return found
