"""Databases that tests take in turn, each as new: building sixty indexes takes longer than most tests do.

A database is handed out with all indexes and without a document. What a test has left is removed before the next one
gets it, and a collection that isn't as it was built (another index, a validator) is dropped and built again. Several
are taken in turn, so that a write which a killed process has left on its way meets a database that nobody uses.
"""

import random
import string
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import OperationFailure

from finance.database import Db, create_indexes
from finance.indexes import INDEXES

IN_TURN = 4
_QUICK = WriteConcern(w=1)
_Built = dict[str, Any]  # per collection its options, and its indexes


def new_name() -> str:
    """Return the name of a test's own database: letters alone, as digits among them may look like an account number."""
    return "finance_test_" + "".join(random.choices(string.ascii_lowercase, k=16))


class Databases:
    """Hands out databases and takes them back. `connect` gives one of a name."""

    def __init__(self, connect: Callable[[str], Db]) -> None:
        self._connect = connect
        self._built: _Built | None = None
        self._names: list[str] = []
        self._waiting: deque[str] = deque()

    @contextmanager
    def take(self) -> Iterator[Db]:
        """Give a database with all indexes and no documents, connected anew."""
        db = self._make_new(self._waiting.popleft()) if len(self._waiting) >= IN_TURN else self._build()
        try:
            yield db
        finally:
            db.client.close()
            self._waiting.append(db.name)

    def drop(self, drop: Callable[[str], None]) -> None:
        """Drop them all."""
        for name in self._names:
            drop(name)

    def _build(self) -> Db:
        db = self._connect(new_name())
        self._names.append(db.name)
        create_indexes(db)
        self._built = self._built or _standing(db)
        return db

    def _make_new(self, name: str) -> Db:
        assert self._built is not None
        db = self._connect(name)
        db.command("profile", 0)
        standing = _standing(db)
        wrong = [name for name in standing if standing[name] != self._built.get(name)]
        for name in wrong:
            db.drop_collection(name)
        left = [name for name in standing if name not in wrong and db[name].find_one({}, {"_id": True}) is not None]
        for name in left:
            db[name].with_options(write_concern=_QUICK).delete_many({})
        rebuilt = {name for name in self._built if name in wrong or name not in standing}
        create_indexes(db, [index for index in INDEXES if index.collection in rebuilt])
        if left:  # a majority has it: whoever reads what a majority has finds nothing any more
            db.client["finance_test"]["cleaned"].insert_one({})
        return db


def _standing(db: Db) -> _Built:
    return {each["name"]: (each["options"], _indexes(db, each["name"])) for each in db.list_collections()}


def _indexes(db: Db, collection: str) -> Any:
    try:
        return sorted(map(str, db[collection].list_indexes()))
    except OperationFailure:  # a view
        return None
