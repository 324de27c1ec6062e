"""What all commands have in common, as their users see it: exit codes, what is printed and what never is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finance.database import Db
from tests.maintenance.conftest import COMMANDS, Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_is_read_written_and_how_to_undo_it(run: Run, name: str) -> None:
    code, output = run(name, "--help")
    assert code == 0
    assert all(word in output for word in ("Reads:", "Writes:", "Undo:", "Exit code: 0", "--database"))


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_wrong_is_exit_code_0(run: Run, name: str) -> None:
    assert run(name)[0] == 0


@pytest.mark.parametrize("options", [[], ["--apply"], ["--record-gaps"]])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistyped_database_is_refused_and_not_made(run: Run, db: Db, name: str, options: list[str]) -> None:
    code, output = run(name, "--database", "finance_test_nothing_here", *options)

    assert code == 2
    assert options == [] or "unrecognized" in output or "there is no such database" in output
    assert "finance_test_nothing_here" not in db.client.list_database_names()


@pytest.mark.parametrize(
    ("name", "code"), [("repair_duplicates.py", 0), ("migrate_indexes.py", 1), ("audit_numbers.py", 0)]
)
def test_an_empty_database_can_be_looked_at(
    run: Run, db: Db, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    monkeypatch.setenv("FINANCE_DATABASE", "finance_test_nothing_here")
    monkeypatch.setattr("finance.maintenance.cli.require_database", lambda *_: None)
    assert run(name, "--database", "finance_test_nothing_here")[0] == code
    assert "finance_test_nothing_here" not in db.client.list_database_names()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("repair_duplicates.py", ["--undo", "nobody's"]),
        ("repair_duplicates.py", ["--collection", "unknown"]),
        ("repair_duplicates.py", ["--scope", "user"]),
        ("repair_duplicates.py", ["--report", "/no/such/folder/plan.jsonl"]),
        ("repair_duplicates.py", ["--keep", "both"]),
        ("repair_duplicates.py", ["--by", "\udcff"]),
        ("migrate_indexes.py", ["--collection", "sequences"]),
        ("migrate_indexes.py", ["--check", "--apply"]),
        ("audit_numbers.py", ["--uri", "http://127.0.0.1"]),
        ("audit_numbers.py", ["--uri", "mongodb://127.0.0.1:1"]),
        ("audit_numbers.py", ["--uri", "mongodb://user:pa/ss@127.0.0.1"]),
    ],
)
def test_an_error_is_exit_code_2(run: Run, name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.maintenance.cli.ANSWER_S", 0.5)
    code, output = run(name, *arguments)
    assert code == 2
    assert "Traceback" not in output


def test_no_pan_and_no_account_is_printed(run: Run, db: Db) -> None:
    private = ("ABCDE1234F", "123456789012")
    for scope in private:
        db.old.insert_many([{"_id": f"{scope}/{n}", "user": scope, "paymentNumber": "A0001"} for n in range(2)])
        db.seq.insert_many([{"shop": scope, "month": 1, "last": n} for n in range(2)])
    said = run("repair_duplicates.py", "--collection", "old", "--number-field", "paymentNumber", "--scope", "user")[1]
    said += run("migrate_indexes.py", "--collection", "seq", "--wrong", "shop", "--right", "shop,month")[1]
    assert "A0001" in said
    assert not [text for text in private if text in said]


def test_the_scripts_run_as_they_are(db: Db, mongodb_uri: str) -> None:
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix, "PATH": "/usr/bin:/bin"}
    for name in COMMANDS:
        ended = subprocess.run([str(ROOT / "scripts" / name)], env=env, capture_output=True, text=True, timeout=200)
        said = ended.stderr.replace("Installing requirements.txt …\n", "").splitlines()
        assert ended.returncode == 0, ended.stdout
        assert said == [said[0], "Privileges: no user is asked for", "Whose documents: ours"]
        assert said[0].startswith(f"Database: {db.name}, MongoDB ")


def test_an_unforeseen_failure_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("finance.maintenance.audit.command.audit", broken)
    assert run("audit_numbers.py")[0] == 2
