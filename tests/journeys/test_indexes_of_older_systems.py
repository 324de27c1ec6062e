"""What an older system left, or still uses, where our collections should be: it is named, and goes on unharmed."""

import base64
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
import pytest
import requests
from bson import ObjectId

from finance import database
from finance.config import Config
from finance.database import Db
from tests.clients import ENCRYPTION_KEY, Client, a_payment, poll
from tests.databases import new_name
from tests.older_systems import everything_in, inserting, mongoose_application

pytestmark = pytest.mark.journey
ROOT = Path(__file__).resolve().parents[2]
PATH = {"PATH": "/usr/bin:/bin"}
UNKNOWN_KEY = {"Authorization": f"Bearer fin_{'0' * 16}_{'0' * 64}"}


@pytest.fixture
def theirs(mongodb_uri: str) -> Iterator[Db]:
    """The database of a Mongoose application."""
    db = database.connect(Config(mongodb_uri=mongodb_uri, database_name=new_name()))
    mongoose_application(db)
    yield db
    db.client.drop_database(db.name)
    db.client.close()


def test_an_api_on_the_database_of_another_software_does_it_no_harm(
    theirs: Db, mongodb_uri: str, tmp_path: Path
) -> None:
    before = everything_in(theirs)
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": theirs.name, "PORT": str(port), "WEB_CONCURRENCY": "2"}
    command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py"), "wsgi:app"]
    with inserting(theirs.payments) as writer:
        process = processes.start(command, log=tmp_path / "log", env={"PATH": "/usr/bin:/bin", **env}, cwd=ROOT)
        try:
            [ready] = poll(lambda: _answers(f"{url}/readyz", code="database_not_ours"), within_s=60)
            post = requests.post(f"{url}/api/v1/payments", json=a_payment(), headers=UNKNOWN_KEY, timeout=20)
        finally:
            processes.stop(process, timeout_s=20)
        stored = len(writer.stored)
        writer.wrote.clear()
        assert writer.wrote.wait(20)

    for answer in (ready, post):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_not_ours")
        assert "FINANCE_DATABASE" in answer.json()["detail"]
        assert theirs.name in answer.json()["detail"]
    assert writer.refused == []
    assert len(writer.stored) > stored > 0
    theirs.payments.delete_many({"paymentNumber": {"$in": writer.stored}})
    assert everything_in(theirs) == before


def test_a_post_is_refused_before_anything_is_stored_and_served_once_another_database_is_named(
    theirs: Db, db: Db
) -> None:
    client, beside = Client(theirs), Client(db)
    client.key("client")  # made by an earlier version
    client.key("admin")
    before = everything_in(theirs)

    refused = client.post("/payments", json=a_payment(), role="client")

    assert (refused.status_code, refused.json["code"]) == (503, "database_not_ours")
    assert client.put_shop("par").json["code"] == "database_not_ours"
    assert everything_in(theirs) == before
    assert beside.post("/payments", json=a_payment()).status_code == 201


def test_scripts_serve_says_so_in_one_line_and_touches_nothing(theirs: Db, mongodb_uri: str, tmp_path: Path) -> None:
    before = everything_in(theirs)
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": theirs.name, "PORT": str(processes.free_port())}
    env |= {"FINANCE_VENV": sys.prefix, "FINANCE_VAR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    ended = subprocess.run([str(ROOT / "scripts/serve")], env=env, capture_output=True, text=True, timeout=200)

    last = ended.stderr.strip().splitlines()[-1]
    assert ended.returncode == 1
    assert last.startswith(f"scripts/serve: The database {theirs.name} is another software's: payments holds")
    assert "FINANCE_DATABASE" in last
    assert everything_in(theirs) == before


@pytest.mark.parametrize(
    "command",
    [
        ["create_key.py", "--tenant", "acme", "--role", "client"],
        ["rotate_encryption_key.py"],
        ["audit_numbers.py"],
        ["audit_numbers.py", "--record-gaps", "--sync-counters"],
        ["migrate_indexes.py"],
        ["migrate_indexes.py", "--apply"],
        ["repair_duplicates.py"],
        ["repair_duplicates.py", "--apply"],
    ],
)
def test_every_command_leaves_the_database_of_another_software_as_it_is(
    theirs: Db, mongodb_uri: str, command: list[str], tmp_path: Path
) -> None:
    before = everything_in(theirs)
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": theirs.name, "FINANCE_VENV": sys.prefix}
    env |= {
        "PATH": "/usr/bin:/bin",
        "FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
        "HOME": str(tmp_path),
    }

    with inserting(theirs.payments) as writer:
        name, *arguments = command
        script = [str(ROOT / "scripts" / name), *arguments]
        ended = subprocess.run(script, env=env, capture_output=True, text=True, timeout=200)

    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "FINANCE_DATABASE" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    assert writer.refused == []
    theirs.payments.delete_many({"paymentNumber": {"$in": writer.stored}})
    assert everything_in(theirs) == before


def test_a_repair_of_another_software_s_numbers_lets_it_go_on_and_tells_no_events_there(
    theirs: Db, mongodb_uri: str
) -> None:
    theirs.payments.drop_index("paymentNumber_1")
    first = theirs.payments.find_one({"paymentNumber": "PAY20260001"})
    theirs.payments.insert_one({**first, "_id": ObjectId()})
    options = ["--number-field", "paymentNumber", "--created-field", "createdAt"]
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": theirs.name, "FINANCE_VENV": sys.prefix}
    command = [str(ROOT / "scripts/repair_duplicates.py"), *options, "--apply"]

    with inserting(theirs.payments, year=2027) as writer:  # beside the series in which a number is to be had
        ended = subprocess.run(command, env=env | PATH, capture_output=True, text=True, timeout=200)
        writer.wrote.clear()
        assert writer.wrote.wait(20)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "paymentNumber: 100 % of" in ended.stdout
    assert writer.refused == []
    numbers = [payment["paymentNumber"] for payment in theirs.payments.find()]
    assert len(numbers) == len(set(numbers)) == 31 + len(writer.stored)
    assert "audit_events" not in theirs.list_collection_names()


def test_a_payment_that_a_foreign_unique_index_refuses_is_a_conflict_and_not_a_repeat(client: Any) -> None:
    client.db.payments.create_index([("tenant", 1), ("reference", 1)], name="reference_1", unique=True)
    client.post("/payments", json=a_payment(reference="R-1", payer="Ada"))

    reply = client.post("/payments", json=a_payment(reference="R-1", payer="Ada"))

    assert (reply.status_code, reply.json["code"]) == (409, "refused_by_foreign_index")
    assert "nothing was stored" in reply.json["detail"].lower()
    assert "Idempotent-Replayed" not in reply.headers
    assert client.db.payments.count_documents({}) == 1


def test_a_foreign_unique_index_that_comes_later_shows_nothing_of_another_tenant(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/payments", json=a_payment(payer="Ada"), tenant="acme")
    client.db.payments.create_index("paymentNumber", name="paymentNumber_1", unique=True)  # null on every payment

    reply = client.post("/payments", json=a_payment(payer="Grace"), tenant="globex", headers={"Idempotency-Key": "k"})

    assert (reply.status_code, reply.json["code"]) == (409, "refused_by_foreign_index")
    assert "Ada" not in reply.text
    assert "paymentNumber" in caplog.text, "the index is named for whoever runs the service"
    assert client.app.test_client().get("/readyz").json["code"] == "database_not_ours"


def _answers(url: str, *, code: str) -> list[requests.Response]:
    """Return the answer with this code, none while workers start or MongoDB takes its time."""
    with contextlib.suppress(requests.ConnectionError):
        answer = requests.get(url, timeout=20)
        return [answer] if answer.json().get("code") == code else []
    return []
