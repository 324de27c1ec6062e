"""What all commands have in common, as their users see it: exit codes, what is printed and what never is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finance.commands import import_payments
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
def test_a_database_with_nothing_of_ours_can_be_looked_at(run: Run, db: Db, name: str, code: int) -> None:
    theirs = db.client[f"{db.name}_theirs"]
    theirs.users.insert_one({"name": "Ana"})
    try:
        assert run(name, "--database", theirs.name)[0] == code
        assert theirs.list_collection_names() == ["users"]
    finally:
        db.client.drop_database(theirs)


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("repair_duplicates.py", [], 2),
        ("repair_duplicates.py", ["--apply"], 2),
        ("repair_duplicates.py", ["--undo", "R1"], 2),
        ("audit_numbers.py", [], 2),
        ("audit_numbers.py", ["--record-gaps"], 2),
        ("migrate_indexes.py", [], 1),
    ],
)
def test_a_mistyped_setting_is_refused_and_no_database_made_of_it(
    mongodb_uri: str,
    db: Db,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    options: list[str],
    code: int,
) -> None:
    monkeypatch.setenv("FINANCE_DATABASE", "finance_test_nothing_here")

    ended = COMMANDS[name](["--uri", mongodb_uri, *options])

    said = "FINANCE_DATABASE finance_test_nothing_here: there is no such database" in capsys.readouterr().err
    assert (ended, said) == (code, code == 2)
    assert "finance_test_nothing_here" not in db.client.list_database_names()


def test_a_new_database_is_begun_by_the_setting_that_names_it(
    mongodb_uri: str, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = f"{db.name}_begun"
    monkeypatch.setenv("FINANCE_DATABASE", begun)
    try:
        assert COMMANDS["migrate_indexes.py"](["--uri", mongodb_uri, "--apply"]) == 0
        assert "payments" in db.client[begun].list_collection_names()
    finally:
        db.client.drop_database(begun)


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize(
    ("name", "option"),
    [*((name, option) for name in COMMANDS for option in ("--database", "--uri")), ("import", "--from-database")],
)
def test_the_value_of_an_unset_variable_is_not_the_default(
    run: Run, db: Db, monkeypatch: pytest.MonkeyPatch, name: str, option: str, empty: str
) -> None:
    monkeypatch.setenv("FINANCE_DATABASE", db.name)
    monkeypatch.setitem(COMMANDS, "import", import_payments.main)

    code, output = run(name, option, empty)

    assert (code, f"argument {option}: must not be empty" in output) == (2, True)


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


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("migrate_indexes.py", "--take-over", ("Bad T", "Acme_1", "")),
        ("audit_numbers.py", "--grace-seconds", ("nan", "inf", "1e12", "-5", "a minute")),
        ("audit_numbers.py", "--metrics-file", ("m.txt", "", "prom")),
        ("audit_numbers.py", "--number-field", ("$paymentNumber", "", "a.$b", "a..b")),
        ("repair_duplicates.py", "--number-field", ("$paymentNumber", "", "a.$b", "a..b")),
        ("repair_duplicates.py", "--created-field", ("$createdAt", "")),
        ("repair_duplicates.py", "--undo", ("", " ")),
        ("migrate_indexes.py", "--keep-max", ("$last", "")),
        ("migrate_indexes.py", "--data-field", ("$number", "")),
    ],
)
def test_a_value_that_an_option_cant_have_is_refused_by_its_name(
    run: Run, db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, option: str, values: tuple[str, ...]
) -> None:
    db.old.insert_one({"paymentNumber": "PAY20260001"})
    monkeypatch.chdir(tmp_path)
    for value in values:
        code, output = run(name, "--collection", "old", f"{option}={value}")

        assert (code, f"argument {option}: " in output, "Traceback" in output) == (2, True, False), value
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("retrywritez=true", "MONGODB_URI: MongoDB has no option retrywritez, so it isn't used"),
        ("retryWrites=s3cret", "MONGODB_URI: an option stands twice, or has a value that MongoDB doesn't take"),
    ],
)
def test_an_option_of_the_uri_that_is_not_used_is_named_in_a_line(
    db: Db, mongodb_uri: str, option: str, said: str
) -> None:
    uri = f"{mongodb_uri}{'&' if '?' in mongodb_uri else '/?'}{option}"
    env = {"MONGODB_URI": uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix, "PATH": "/usr/bin:/bin"}

    command = [str(ROOT / "scripts/audit_numbers.py")]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)

    assert (ended.returncode, said in ended.stderr) == (0, True), ended.stderr
    assert not [word for word in ("UserWarning", "site-packages", "s3cret") if word in ended.stderr]


def test_an_unforeseen_failure_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("finance.maintenance.audit.command.audit", broken)
    assert run("audit_numbers.py")[0] == 2
