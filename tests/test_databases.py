"""A database that tests share one after the other is as new for each."""

from collections.abc import Iterator
from contextlib import ExitStack

import pymongo
import pytest

from finance import database
from finance.config import Config
from finance.database import Db
from finance.indexes import INDEXES
from tests.databases import IN_TURN, Databases


@pytest.fixture
def in_turn(mongodb_uri: str) -> Iterator[Databases]:
    made = Databases(lambda name: database.connect(Config(mongodb_uri=mongodb_uri, database_name=name)))
    yield made
    with pymongo.MongoClient(mongodb_uri) as client:
        made.drop(client.drop_database)


def leave_much_behind(db: Db) -> None:
    db.payments.insert_one({"tenant": "acme"})
    db.payments.drop_index("payment_number_unique")
    db.invoices.create_index("another")
    db.customers.drop()
    db.other.insert_one({})
    db.command({"collMod": "audit_events", "validator": {"never": True}})
    db.command("profile", 2)
    db.counters.find_one({})


def test_what_a_test_left_is_gone_when_its_database_is_taken_again(in_turn: Databases) -> None:
    names = {index.collection for index in INDEXES}
    with in_turn.take() as first:
        before = {name: first[name].index_information() for name in names}
        leave_much_behind(first)
    for _other in range(IN_TURN - 1):
        with in_turn.take() as other:
            assert other.name != first.name
    with in_turn.take() as again:
        assert again.name == first.name
        assert {name: again[name].index_information() for name in again.list_collection_names()} == before
        assert all(again[name].find_one() is None for name in names)
        again.audit_events.insert_one({"tenant": "acme"})


def test_two_tests_never_have_one_database_at_once(in_turn: Databases) -> None:
    with ExitStack() as held:
        taken = [held.enter_context(in_turn.take()).name for _ in range(IN_TURN + 1)]
        assert len(set(taken)) == len(taken)
