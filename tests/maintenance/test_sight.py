"""What a command sees first: the server, what it may do there, and whose documents these are."""

import json
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from bson import ObjectId

from finance.database import Db
from finance.maintenance import set_up, sight
from tests.databases import new_name
from tests.maintenance.conftest import COMMANDS, Run
from tests.maintenance.test_set_up import Guarded
from tests.older_systems import everything_in, mongoose_application

WRITES = [
    ("repair_duplicates.py", "--apply"),
    ("audit_numbers.py", "--record-gaps"),
    ("audit_numbers.py", "--sync-counters"),
]


@pytest.fixture
def theirs(mongodb_uri: str) -> Iterator[Db]:
    """A database in which nothing of ours is."""
    with pymongo.MongoClient(mongodb_uri, tz_aware=True) as client:
        made = client[new_name()]
        yield made
        client.drop_database(made)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    mongod = Guarded(Path(tmp_path_factory.mktemp("guarded"))).start()
    try:
        set_up.set_up(mongod.address, mongod.wanted())
        yield mongod
    finally:
        mongod.stop()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_first_what_it_sees(run: Run, db: Db, name: str) -> None:
    _code, output = run(name)

    assert f"Database: {db.name}, MongoDB {db.client.server_info()['version']}, replica set " in output
    assert "Privileges: no user is asked for\nWhose documents: ours\n" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_for_programs_it_stands_in_the_object(run: Run, db: Db, name: str) -> None:
    _code, output = run(name, "--json")
    printed, _end = json.JSONDecoder().raw_decode(output)
    assert "Privileges:" not in output
    assert printed["sight"] == sight.look(db).as_json()


def test_documents_of_another_software_are_named(db: Db) -> None:
    db.payments.drop()
    mongoose_application(db)

    seen = sight.look(db)

    assert not seen.is_ours
    assert seen.documents.startswith("another software's: payments holds documents without our tenant; payments has")
    assert max(map(len, seen.lines())) <= 80


def test_collections_of_other_names_are_named_before_anybody_builds_beside_them(
    mongodb_uri: str,
) -> None:
    with pymongo.MongoClient(mongodb_uri) as client:
        shop_system = client[new_name()]
        for name in ("sequencefactures", "factures", *"abcde"):
            shop_system.create_collection(name)
        seen = sight.look(shop_system)
        client.drop_database(shop_system)

    assert (seen.documents, seen.is_ours) == ("nothing of ours is here yet; it holds a, b, c, d, e and 2 more", True)


@pytest.mark.parametrize(("name", "option"), WRITES)
@pytest.mark.parametrize("collection", ["customers", "invoices"])
def test_nothing_is_written_where_any_collection_is_another_software_s(
    run: Run, theirs: Db, collection: str, name: str, option: str
) -> None:
    theirs[collection].insert_one({"name": "Ana", "customerCode": "C1", "invoiceNumber": "F1"})
    before = everything_in(theirs)

    code, output = run(name, "--database", theirs.name, option)

    assert (code, everything_in(theirs)) == (2, before)
    assert f"Whose documents: another software's: {collection} holds documents" in output
    assert "error: " in output


@pytest.mark.parametrize(("name", "option"), WRITES)
@pytest.mark.parametrize("collection", ["counters", "users"])
def test_nothing_is_written_where_nothing_of_ours_is(
    run: Run, theirs: Db, collection: str, name: str, option: str
) -> None:
    theirs[collection].insert_one({"_id": "paymentNumber", "seq": 12})
    before = everything_in(theirs)

    code, output = run(name, "--database", theirs.name, option)

    assert (code, everything_in(theirs)) == (2, before)
    assert f"error: {option}: nothing of ours is in {theirs.name} yet" in output


def test_a_collection_of_other_software_is_repaired_where_nothing_of_ours_is(run: Run, theirs: Db) -> None:
    theirs.old.insert_many([{"_id": ObjectId(), "no": "A-0001"} for _ in range(2)])
    options = ("--collection", "old", "--number-field", "no")

    code, _output = run("repair_duplicates.py", "--database", theirs.name, *options, "--apply")

    assert (code, sorted(theirs.old.distinct("no"))) == (0, ["A-0001", "A-0002"])


@pytest.mark.parametrize(
    ("user", "password", "missing"), [("finance", "ap%2Fi", ("collMod",)), ("finance-ops", "0ps", ())]
)
def test_privileges_that_are_missing_are_named(
    guarded: Guarded, user: str, password: str, missing: tuple[str, ...]
) -> None:
    with pymongo.MongoClient(guarded.uri(user, password)) as client:
        seen = sight.look(client.finance_suite)

    assert (seen.user, seen.missing) == (user, missing)
    assert seen.documents == "nothing of ours is here yet"
    assert f"Privileges: {user} {'may not: collMod' if missing else 'may do all'}" in seen.lines()[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_password_is_said_to_be_one(guarded: Guarded, run: Run, name: str) -> None:
    code, output = run(name, "--uri", guarded.uri("finance", "wr0ng"))

    assert code == 2
    assert "error: MongoDB refuses the user or the password of --uri (AuthenticationFailed)." in output
    assert "wr0ng" not in output
