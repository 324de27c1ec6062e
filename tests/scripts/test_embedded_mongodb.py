"""One's own mongod: where its data goes on, and what it says where it can't run."""

import os
from pathlib import Path

import embedded_mongodb
import processes
import pymongo
import pytest
from embedded_mongodb import EmbeddedMongodb, EmbeddedMongodbFailed

LOADER_ERROR = "error while loading shared libraries: libcurl.so.4: cannot open shared object file"

FATAL = '{"s": "F", "msg": "Wrong mongod version", "attr": {"error": "UPGRADE PROBLEM: 4.2"}}'


def _fake_mongod(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `mongod` first on the PATH."""
    mongod = folder / "bin" / "mongod"
    mongod.parent.mkdir()
    mongod.write_text(script)
    mongod.chmod(0o755)
    monkeypatch.setenv("PATH", str(mongod.parent), prepend=os.pathsep)


def test_what_was_stored_survives_a_kill_and_the_address_stays(own_mongod: EmbeddedMongodb) -> None:
    uri = own_mongod.uri
    with pymongo.MongoClient(uri, w="majority") as client:
        client.test.things.insert_one({"_id": 1})
        own_mongod.kill()
        own_mongod.start()

        assert own_mongod.uri == uri
        assert client.test.things.count_documents({}) == 1


def test_the_data_goes_on_when_the_port_is_another_one(own_mongod: EmbeddedMongodb) -> None:
    with pymongo.MongoClient(own_mongod.uri, w="majority") as client:
        client.test.things.insert_one({"_id": 1})
    own_mongod.stop()

    with EmbeddedMongodb(own_mongod.folder, port=processes.free_port()) as moved:
        assert moved.port != own_mongod.port
        with pymongo.MongoClient(moved.uri, w="majority") as client:
            client.test.things.insert_one({"_id": 2})
            assert client.test.things.count_documents({}) == 2


def test_it_listens_on_this_machine_only(own_mongod: EmbeddedMongodb) -> None:
    with pymongo.MongoClient(own_mongod.uri) as client:
        assert client.admin.command("getCmdLineOpts")["parsed"]["net"]["bindIp"] == "127.0.0.1"


def test_a_given_port_that_is_taken_is_said_so(own_mongod: EmbeddedMongodb, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedMongodbFailed, match=f"Port {own_mongod.port} is in use: .* MONGODB_PORT"):
        EmbeddedMongodb(tmp_path, port=own_mongod.port).start()


def test_data_that_another_mongod_holds_is_said_so(
    own_mongod: EmbeddedMongodb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_mongodb, "DATA_WAIT_S", 0.2)

    with pytest.raises(EmbeddedMongodbFailed, match=f"in use by another mongod .*`kill {own_mongod.pid}`"):
        EmbeddedMongodb(own_mongod.folder).start()

    assert own_mongod.running


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        (f"#!/bin/sh\necho mongod: {LOADER_ERROR} >&2\nexit 127\n", "apt-get install -y libcurl4"),
        ("#!/bin/sh\necho \"version 'GLIBC_2.34' not found\" >&2\nexit 1\n", "C library is too old .* MONGODB_URI"),
        ("\x7fELF of another platform", "can't be run on this platform .* MONGODB_URI"),
        ("#!/bin/sh\nkill -ILL $$\n", "no AVX.* MONGODB_URI"),
        ("#!/bin/sh\nexit 62\n", "doesn't start"),
        (
            f"#!/bin/sh\necho '{FATAL}'; exit 62\n",
            r"written by another version .*UPGRADE PROBLEM: 4\.2",
        ),
    ],
    ids=["library", "glibc", "platform", "processor", "silent", "version"],
)
def test_a_mongod_that_cannot_run_is_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, advice: str
) -> None:
    _fake_mongod(tmp_path, script, monkeypatch)

    with pytest.raises(EmbeddedMongodbFailed, match=advice) as failure:
        EmbeddedMongodb(tmp_path / "mongodb").start()

    assert "\n" not in str(failure.value)


def test_no_mongod_at_all_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded_mongodb.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedMongodbFailed, match=r"no mongod here: .*requirements-mongodb\.txt.*MONGODB_URI"):
        embedded_mongodb.find_mongod()
