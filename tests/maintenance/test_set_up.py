"""A new MongoDB gets its replica set and its users, over and over, and lets nobody in without a password."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import embedded_mongodb
import processes
import pymongo
import pytest
from pymongo.errors import OperationFailure

from finance import database
from finance.config import Config
from finance.maintenance import set_up
from finance.maintenance.cli import Stopped
from tests.clients import poll


class Guarded:
    """A mongod with a key file, started as docker-compose.yml starts it: a fresh key each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{processes.free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Guarded":
        key_file, data = self.folder / "keyfile", self.folder / "data"
        data.mkdir(exist_ok=True)
        key_file.unlink(missing_ok=True)
        key_file.write_text(os.urandom(700).hex()[:1000])
        key_file.chmod(stat.S_IRUSR)
        command = [str(embedded_mongodb.find_mongod()), "--replSet", "finance", "--keyFile", str(key_file)]
        command += ["--dbpath", str(data), "--port", self.address.partition(":")[2], "--nounixsocket"]
        command += ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]
        self.process = processes.start(command, log=self.folder / "log", env={**os.environ, "LC_ALL": "C"})
        poll(lambda: processes.accepts("127.0.0.1", int(self.address.partition(":")[2])), within_s=60)
        return self

    def stop(self) -> None:
        if self.process is not None:
            processes.stop(self.process, timeout_s=60)

    def uri(self, user: str, password: str) -> str:
        return f"mongodb://{user}:{password}@{self.address}/?replicaSet=finance&authSource=admin"

    def wanted(self, *, root: str = "r00t", api: str = "ap%2Fi", ops: str = "0ps") -> set_up.Wanted:
        roles_by_uri = {self.uri("finance", api): set_up.API_ROLES, self.uri("finance-ops", ops): set_up.OPS_ROLES}
        return set_up.wanted_by(root_password=root, roles_by_uri=roles_by_uri, database="finance_suite")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One that is set up; tests leave its users as they were."""
    mongod = Guarded(tmp_path_factory.mktemp("guarded")).start()
    try:
        set_up.set_up(mongod.address, mongod.wanted())
        yield mongod
    finally:
        mongod.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Guarded]:
    mongod = Guarded(tmp_path).start()
    try:
        yield mongod
    finally:
        mongod.stop()


def test_the_api_can_do_all_that_it_needs_and_nothing_else(guarded: Guarded) -> None:
    db = database.connect(Config(mongodb_uri=guarded.uri("finance", "ap%2Fi")))
    with db.client:
        database.create_indexes(db)
        assert database.find_unprotected(db) == []
        with pytest.raises(OperationFailure, match="not authorized"):
            db.client.other.things.insert_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            db.client.admin.command("createUser", "me", pwd="x", roles=["root"])


def test_ops_can_also_make_an_index_unique(guarded: Guarded) -> None:
    with pymongo.MongoClient(guarded.uri("finance-ops", "0ps")) as client:
        client.finance_suite.things.create_index("n", name="n", prepareUnique=True)
        client.finance_suite.command("collMod", "things", index={"name": "n", "unique": True})


@pytest.mark.parametrize("uri", ["mongodb://{}/?replicaSet=finance", "mongodb://finance:wrong@{}/?authSource=admin"])
def test_nobody_else_comes_in(guarded: Guarded, uri: str) -> None:
    with pymongo.MongoClient(uri.format(guarded.address)) as client, pytest.raises(OperationFailure):
        client.finance_suite.payments.find_one()


def test_a_second_run_changes_nothing(guarded: Guarded) -> None:
    assert set_up.set_up(guarded.address, guarded.wanted()) == []


def test_a_new_password_in_the_secret_takes_the_place_of_the_old_one(fresh: Guarded) -> None:
    set_up.set_up(fresh.address, fresh.wanted())

    done = set_up.set_up(fresh.address, fresh.wanted(api="new"))

    assert done == ["Gave the user finance its password and the roles readWrite."]
    with pymongo.MongoClient(fresh.uri("finance", "new")) as client:
        client.finance_suite.things.insert_one({})


def test_another_password_of_root_is_told_what_to_do(guarded: Guarded) -> None:
    with pytest.raises(Stopped, match="put the secret back that this data was made with"):
        set_up.set_up(guarded.address, guarded.wanted(root="another"))


def test_data_and_users_outlive_a_restart_with_another_key_file(fresh: Guarded) -> None:
    set_up.set_up(fresh.address, fresh.wanted())
    with pymongo.MongoClient(fresh.uri("finance", "ap%2Fi"), w="majority") as client:
        client.finance_suite.things.insert_one({"_id": 1})

    fresh.stop()
    fresh.start()

    assert set_up.set_up(fresh.address, fresh.wanted()) == []
    with pymongo.MongoClient(fresh.uri("finance", "ap%2Fi")) as client:
        assert client.finance_suite.things.find_one() == {"_id": 1}


def test_a_uri_without_a_user_is_told_what_is_missing() -> None:
    with pytest.raises(Stopped, match="user, a password"):
        set_up.wanted_by(root_password="x", roles_by_uri={"mongodb://db/?replicaSet=a": ()}, database="d")
