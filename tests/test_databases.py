"""A database that tests share one after the other is as new for each."""

import pytest

from finance import database
from finance.config import Config
from finance.database import Db
from finance.indexes import INDEXES
from tests.databases import IN_TURN, Databases


@pytest.fixture
def in_turn(mongodb_uri: str) -> Databases:
    return Databases(lambda name: database.connect(Config(mongodb_uri=mongodb_uri, database_name=name)))


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
    taken = [in_turn.take() for _ in range(IN_TURN)]
    before = {name: taken[0][name].index_information() for name in {index.collection for index in INDEXES}}
    leave_much_behind(taken[0])
    again = in_turn.take()
    assert again.name == taken[0].name
    assert {name: again[name].index_information() for name in again.list_collection_names()} == before
    assert all(again[name].find_one() is None for name in before)
    again.audit_events.insert_one({"tenant": "acme"})
    in_turn.drop(again.client.drop_database)


def test_databases_are_taken_in_turn(in_turn: Databases) -> None:
    names = [in_turn.take().name for _ in range(2 * IN_TURN)]
    assert names == [*dict.fromkeys(names)] * 2
    assert len(set(names)) == IN_TURN
    in_turn.drop(in_turn.take().client.drop_database)
