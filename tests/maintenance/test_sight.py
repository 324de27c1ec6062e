"""What a command sees first: the server, what it may do there, and whose documents these are."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pymongo
import pytest

from finance.database import Db
from finance.maintenance import set_up, sight
from tests.maintenance.conftest import COMMANDS, Run
from tests.maintenance.test_set_up import Guarded
from tests.older_systems import mongoose_application


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
        shop_system = client[f"finance_test_{uuid4().hex[:16]}"]
        for name in ("sequencefactures", "factures", *"abcde"):
            shop_system.create_collection(name)
        seen = sight.look(shop_system)
        client.drop_database(shop_system)

    assert (seen.documents, seen.is_ours) == ("nothing of ours is here yet; it holds a, b, c, d, e and 2 more", True)


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
