"""`scripts/create_key.py` as an operator runs it, on a real database."""

import base64
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import environment
import create_key
import pytest

from finance.auth.service import KeyRing
from finance.context import utc_now
from finance.database import Db
from tests.clients import ENCRYPTION_KEY, make_key

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(db: Db, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("--list")` gives the exit code and what was printed, as of the process that an operator starts."""
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    settings = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "LOGNAME": "ops"}
    settings["FINANCE_ENCRYPTION_KEY"] = base64.b64encode(ENCRYPTION_KEY).decode()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["create_key.py", *arguments])
        try:
            code = create_key.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def test_a_new_key_is_alone_on_stdout_and_knows_its_name_its_end_and_its_maker(run: Run, db: Db) -> None:
    made = run("--tenant", "ACME", "--role", "client", "--name", "Shop [frontend]", "--expires-in", "90d")

    assert (made.returncode, made.stderr) == (0, "")
    assert re.fullmatch(r"fin_[0-9a-f]{16}_[0-9a-f]{64}\n", made.stdout)
    caller = KeyRing(db, cache_s=0.001, clock=utc_now).get_caller(made.stdout.strip())
    assert (caller.tenant, caller.role, caller.name) == ("acme", "client", "Shop [frontend]")
    stored = db.api_keys.find_one()
    assert stored["created_by"] == "scripts/create_key.py"
    assert stored["created_by_name"].startswith("ops@")
    assert stored["expires_at"] - stored["created_at"] == timedelta(days=90)


def test_making_and_revoking_are_told_by_events_of_the_tenant(run: Run, db: Db) -> None:
    key_id = run("--tenant", "acme", "--role", "admin").stdout.split("_")[1]
    first, second = run("--revoke", key_id), run("--revoke", key_id)

    assert (first.returncode, second.returncode) == (0, 0)
    told = list(db.audit_events.find().sort("at", 1))
    assert [(event["tenant"], event["action"], event["object_id"]) for event in told] == [
        ("acme", "key_created", key_id),
        ("acme", "key_revoked", key_id),
    ]
    assert {event["by"] for event in told} == {"scripts/create_key.py"}
    assert all(event["by_name"].startswith("ops@") and event["address"] is None for event in told)
    assert db.api_keys.find_one()["revoked_by"] == "scripts/create_key.py"


def test_a_list_shows_name_maker_end_last_use_and_who_revoked_it(run: Run, db: Db) -> None:
    made = make_key(db, "accountant", name="[red]Ada[/red]", expires_at=datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
    db.api_keys.update_one({}, {"$set": {"last_used_at": datetime(2026, 11, 20, 9, tzinfo=UTC)}})
    old = {"_id": "0" * 16, "tenant": "old", "role": "client", "created_at": datetime(2025, 5, 6, tzinfo=UTC)}
    db.api_keys.insert_one(old | {"revoked_at": datetime(2025, 6, 7, tzinfo=UTC), "key_hash": "x"})
    run("--revoke", made.key_id)

    listed = run("--list")
    of_old = run("--list", "--tenant", "old")

    assert (listed.returncode, of_old.returncode) == (0, 0)
    for shown in (made.key_id, "[red]Ada[/red]", "2030-01-02 03:04", "2026-11-20 09:00", "by tests", "by ops@"):
        assert shown in listed.stdout
    assert "2025-06-07" in of_old.stdout
    assert made.key_id not in of_old.stdout
    assert made.key.rsplit("_", 1)[1] not in listed.stdout


def test_a_key_without_an_instant_of_its_making_is_listed(run: Run, db: Db) -> None:
    db.api_keys.insert_one({"_id": "0" * 16, "tenant": "old", "role": "client", "key_hash": "x"})

    listed = run("--list")

    assert (listed.returncode, listed.stderr) == (0, "1 keys; times are in UTC, the last use to the hour.\n")
    assert "0" * 16 in listed.stdout


def test_a_list_of_a_tenant_that_nobody_knows_names_the_nearest(run: Run, db: Db) -> None:
    make_key(db, tenant="demo")

    listed = run("--list", "--tenant", "dmeo")

    assert listed.returncode == 0
    assert "existing tenants: demo (nearest: demo)." in listed.stderr
    assert "nearest" not in run("--list", "--tenant", "demo").stderr


def test_who_did_it_stays_one_line(run: Run, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ops\nroot\udcff")

    assert run("--tenant", "acme", "--role", "client").returncode == 0

    [event] = db.audit_events.find()
    assert event["by_name"].startswith("ops?root?@")
    assert db.api_keys.find_one()["created_by_name"] == event["by_name"]


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_a_key_that_cannot_be_printed_is_named_to_be_revoked(
    db: Db, mongodb_uri: str, stdout: str, tmp_path: Path
) -> None:
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix, "PATH": "/usr/bin:/bin"}
    env |= {"FINANCE_VAR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = f"'{ROOT}/scripts/create_key.py' --tenant acme --role client {stdout}"

    ended = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, timeout=200)

    made = db.api_keys.find_one()["_id"]
    assert ended.returncode == 2
    assert re.fullmatch(
        rf"create_key\.py: Key {made} was made, .*\(.+\)\. Revoke it: scripts/create_key\.py --revoke {made}\n",
        ended.stderr,
    )


def test_a_list_that_cannot_be_printed_is_one_line(db: Db, mongodb_uri: str, tmp_path: Path) -> None:
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix, "PATH": "/usr/bin:/bin"}
    command = f"'{ROOT}/scripts/create_key.py' --list >/dev/full"

    ended = subprocess.run(
        ["sh", "-c", command], env=env | {"FINANCE_VAR": str(tmp_path)}, capture_output=True, text=True, timeout=200
    )

    assert ended.returncode == 2
    assert re.fullmatch(r"create_key\.py: .*No space left on device\n", ended.stderr.splitlines(keepends=True)[-1])
    assert "Traceback" not in ended.stderr


def test_a_tenant_that_nobody_knows_is_warned_of_and_its_key_made_all_the_same(run: Run, db: Db) -> None:
    for tenant in ("acme", "demo"):
        make_key(db, tenant=tenant)

    mistyped, other = (run("--tenant", tenant, "--role", "client") for tenant in ("dmeo", "zzz"))

    assert mistyped.stderr == (
        "No key of tenant 'dmeo' exists yet; existing tenants: acme, demo (nearest: demo).\n"
        f"Did you mean demo? To take this key back: --revoke {mistyped.stdout.split('_')[1]}\n"
    )
    assert other.stderr == "No key of tenant 'zzz' exists yet; existing tenants: acme, demo, dmeo.\n"
    assert mistyped.stdout.count("\n") == other.stdout.count("\n") == 1
    assert {key["tenant"] for key in db.api_keys.find()} == {"acme", "demo", "dmeo", "zzz"}


def test_a_tenant_with_documents_and_no_key_is_not_new(run: Run, db: Db) -> None:
    make_key(db, tenant="acme")
    db.payments.insert_one({"tenant": "restored", "payment_number": "PAY20260001"})

    assert run("--tenant", "restored", "--role", "admin").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ([], "--tenant and --role"),
        (["--tenant", "acme"], "--tenant and --role"),
        (["--role", "client"], "--tenant"),
        (["--tenant", "acme", "--role", "root"], "accountant"),
        (["--list", "--role", "client"], "not allowed with"),
        (["--list", "--revoke", "0" * 16], "not allowed with"),
        (["--revoke", "0" * 16, "--role", "client"], "not allowed with"),
        (["--list", "--name", "Ada"], "--role"),
        (["--revoke", "0" * 16, "--expires-in", "90d"], "--role"),
        (["--tenant", "acme", "--role", "client", "--expires-in", "90"], "90d or 12h"),
        (["--tenant", "acme", "--role", "client", "--expires-in", "0d"], "90d or 12h"),
        (["--tenant", "acme", "--role", "client", "--expires-in", "-1d"], "--expires-in"),
        (["--tenant", "acme", "--role", "client", "--expires-in", "999999999d"], "90d or 12h"),
        (["--tenant", "acme", "--role", "client", "--name", ""], "--name"),
        (["--tenant", "acme", "--role", "client", "--name", "two\nlines"], "--name"),
        (["--tenant", "acme", "--role", "client", "--name", f"fin_{'0' * 16}_{'1' * 64}"], "--name"),
        (["--tenant", "a b", "--role", "client"], "--tenant"),
        (["--ten", "acme", "--role", "client"], "unrecognized"),
        (["--tenant", "acme", "--role", "client", "--colour"], "unrecognized"),
        (["--revoke", "0" * 16], "There is no API key with this id; --list shows them."),
        (["--revoke", "0" * 16, "--tenant", "acme"], "no API key with this id of tenant 'acme'; --list shows them."),
        (["--revoke", "wrong"], "argument --revoke: must be a key id, 16 of 0-9 and a-f; --list shows them"),
        (["--revoke", "\udcff"], "argument --revoke: must be a key id"),
        (["--revoke", f"fin_{'0' * 16}_{'1' * 64}"], "argument --revoke: must be a key id"),
        (["--tenant", "acme", "--role", "client", "--name", "x\udcff"], "argument --name: must be text in UTF-8"),
        (["--list", "--tenant", "\udcff"], "argument --tenant: must be text in UTF-8"),
    ],
)
def test_what_cannot_be_is_exit_code_2_and_says_what_would_be_right(
    run: Run, db: Db, arguments: list[str], right: str
) -> None:
    refused = run(*arguments)

    assert refused.returncode == 2
    assert right in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
    assert db.api_keys.count_documents({}) + db.audit_events.count_documents({}) == 0


def test_a_key_of_another_tenant_is_not_revoked(run: Run, db: Db) -> None:
    made = make_key(db, tenant="acme")

    refused = run("--tenant", "other", "--revoke", made.key_id)

    assert refused.returncode == 2
    assert db.api_keys.find_one()["revoked_at"] is None
