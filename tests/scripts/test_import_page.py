"""The commands of docs/import.md, run as they stand there on what the Mongoose application wrote."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from finance.database import Db
from tests.clients import Client
from tests.payments.conftest import an_old_payment, content_of
from tests.scripts import pages

WORD_BY_WORD = "The Mongoose application, word by word"


@pytest.fixture
def old(db: Db) -> Iterator[Db]:
    database = db.client[f"finance_suite_{uuid4().hex[:16]}"]
    database.payments.create_index("paymentNumber", unique=True)
    database.payments.insert_many([*map(an_old_payment, (1, 2, 4)), an_old_payment("PAY1767225600123")])
    yield database
    db.client.drop_database(database.name)


def commands_of(heading: str) -> list[str]:
    return pages.commands_of("import.md", WORD_BY_WORD, heading)


def run(block: str, uri: str, *, old: str, ours: str) -> list[int]:
    """Run a block with these databases; return the exit codes."""
    names = {"finance_suite": old, "finance_rehearsal": ours, "finance": ours}
    return pages.run(block, uri, names, database="finance").codes


def test_the_rehearsal_and_the_import_take_everything_and_leave_the_source_as_it_was(
    db: Db, old: Db, mongodb_uri: str
) -> None:
    before = content_of(old)
    look, rehearsal = commands_of("1. Rehearse")
    (import_,) = commands_of("3. Both systems run")

    assert run(look, mongodb_uri, old=old.name, ours=db.name) == [0, 0]
    assert db.payments.count_documents({}) == 0
    assert run(rehearsal, mongodb_uri, old=old.name, ours=db.name) == [0, 0]
    old.payments.insert_one(an_old_payment(5))
    before["payments"] = content_of(old)["payments"]
    assert run(import_, mongodb_uri, old=old.name, ours=db.name) == [0, 0]

    assert db.payments.count_documents({}) == old.payments.count_documents({}) == 5
    assert content_of(old) == before
    assert Client(db).pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY20260006"


def test_numbers_that_are_there_twice_are_repaired_there_and_taken_then(db: Db, old: Db, mongodb_uri: str) -> None:
    old.payments.drop_indexes()
    old.payments.insert_one(an_old_payment(4))
    (repair,) = commands_of("2. The same number twice")
    (import_,) = commands_of("3. Both systems run")

    assert run(import_, mongodb_uri, old=old.name, ours=db.name)[-1] == 1
    assert db.payments.count_documents({}) == 3
    assert run(f"{repair} --apply", mongodb_uri, old=old.name, ours=db.name) == [0]
    assert run(import_, mongodb_uri, old=old.name, ours=db.name)[-1] == 0

    assert db.payments.count_documents({}) == old.payments.count_documents({}) == 5


def test_a_view_with_the_names_is_the_same_rows(db: Db, old: Db, mongodb_uri: str) -> None:
    payment = old.payments.find_one()
    old.users.insert_one({"_id": payment["user"], "name": "Ada"})
    look_up = {"from": "users", "localField": "user", "foreignField": "_id", "as": "users"}
    named = [{"$lookup": look_up}, {"$set": {"name": {"$ifNull": [{"$first": "$users.name"}, "?"]}}}]
    old.create_collection("payments_with_names", viewOn="payments", pipeline=named)
    (import_,) = commands_of("3. Both systems run")
    options = "--from-collection payments_with_names --source-name payments"
    of_view = import_.replace("--from-collection payments", options).replace("payer=user", "payer=name")

    assert run(of_view, mongodb_uri, old=old.name, ours=db.name)[-1] == 0
    assert run(import_, mongodb_uri, old=old.name, ours=db.name)[-1] == 1  # the payers are others now
    assert db.payments.count_documents({}) == old.payments.count_documents({})
    assert db.payments.count_documents({"payer": "Ada"}) == 1
