"""What waits for a number, and what can become of it."""

from collections.abc import Callable
from dataclasses import dataclass

from pymongo.collection import Collection

from finance.database import Db, Document
from finance.errors import Conflict, FinanceError, Unavailable
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.said import said


class NumbersExhausted(Unavailable):
    """Every number tried was taken already. Nothing was stored."""

    detail_default = said("No free number was found, and nothing was stored. A retry is safe.")


class NotStored(Unavailable):
    """MongoDB refused the document for a reason that isn't a duplicate. Nothing was stored."""

    detail_default = said("The database refused the document, and nothing was stored. A retry is safe.")


class SeriesFull(Conflict):
    """The next number would be longer than the series allows. Nothing was stored."""


class NumberTakenElsewhere(Conflict):
    """A document of another series carries the number that is next. Nothing was stored."""


@dataclass(frozen=True)
class Numbered:
    """The documents of a kind in a database."""

    db: Db
    kind: NumberedKind

    @property
    def collection(self) -> Collection[Document]:
        return self.db[self.kind.collection]


@dataclass(frozen=True, eq=False)
class Draft:
    """A document that waits for a number of `series`. Issuing it fills in its `_id`, number and `number_seq`.

    In a no-gap series `follow` is asked each time before a number is tried: given the document that holds the number
    before it (None at the beginning), it returns the series as it is written from there on, or why this document can't
    follow. Since the number is stored only where nothing came between, what it finds holds. `check` is asked of each
    number that would be tried: why it can't be given, None where it can.
    """

    series: Series
    document: Document
    follow: Callable[[Document | None], Series | FinanceError] | None = None
    check: Callable[[str], FinanceError | None] | None = None


@dataclass(frozen=True)
class Stored:
    """The document is stored under a number of its own."""

    document: Document


@dataclass(frozen=True)
class Taken:
    """Another document has the same unique key (`fields`, not the number); nothing was stored."""

    document: Document
    fields: frozenset[str]


Outcome = Stored | Taken | Exception  # of one draft; an exception is its own instance
Issue = Callable[..., list[Outcome]]
