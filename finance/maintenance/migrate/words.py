"""The words of names that an older version stored without them: only how such a name begins is found until then."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pymongo import UpdateOne

from finance.database import Db, Document
from finance.text import words_of

BATCH = 500


@dataclass(frozen=True)
class SearchedName:
    """A name that is searched by its words: `folded` is the field of the text, `words` that of its words."""

    collection: str
    folded: str
    words: str

    @property
    def without_words(self) -> Document:
        """The filter for documents of an older version."""
        has_text, has_list = {"$type": "string"}, {"$type": "array"}
        return {"$and": [{self.folded: has_text}, {self.words: {"$not": has_list}}]}


NAMES = (
    SearchedName("payments", folded="payer_folded", words="payer_folded"),
    SearchedName("customers", folded="name_folded", words="name_words"),
)


def count_without_words(db: Db, name: SearchedName) -> int:
    return db[name.collection].count_documents(name.without_words)


def store_words(db: Db, name: SearchedName) -> int:
    """Store the words of every name that has none and return how many there were. Safe to end and to run again.

    A name that somebody changes or erases meanwhile is no more the one that was read, and is left alone.
    """
    stored, changes = 0, _changes(db, name)
    while batch := list(islice(changes, BATCH)):
        stored += db[name.collection].bulk_write(batch, ordered=False).modified_count
    return stored


def _changes(db: Db, name: SearchedName) -> Iterator[UpdateOne]:
    found = db[name.collection].find(name.without_words, {name.folded: True}, batch_size=BATCH).sort("_id", 1)
    for document in found:
        folded = document[name.folded]
        unchanged = {"_id": document["_id"], name.folded: folded}
        yield UpdateOne(unchanged, {"$set": {name.words: words_of(folded)}})
