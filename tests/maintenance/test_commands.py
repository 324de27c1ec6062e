"""The commands as their users see them: exit codes, what is printed, what is written and what never is."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finance.database import Db
from finance.maintenance import audit_command, migrate_command, repair_command
from tests.maintenance.conftest import a_payment

ROOT = Path(__file__).resolve().parent.parent.parent
Run = Callable[..., tuple[int, str]]
COMMANDS = {
    "repair_duplicates.py": repair_command.main,
    "migrate_indexes.py": migrate_command.main,
    "audit_numbers.py": audit_command.main,
}


@pytest.fixture
def run(db: Db, mongodb_uri: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("audit_numbers.py", "--json")` gives the exit code, and all that was printed."""

    def call(name: str, *arguments: str) -> tuple[int, str]:
        try:
            code = COMMANDS[name](["--uri", mongodb_uri, "--database", db.name, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture
def duplicates(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1), a_payment(2)])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_is_read_written_and_how_to_undo_it(run: Run, name: str) -> None:
    code, output = run(name, "--help")
    assert code == 0
    assert all(word in output for word in ("Reads:", "Writes:", "Undo:", "Exit code: 0", "--database"))


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_wrong_is_exit_code_0(run: Run, name: str) -> None:
    assert run(name)[0] == 0


@pytest.mark.parametrize(
    ("name", "code"), [("repair_duplicates.py", 0), ("migrate_indexes.py", 1), ("audit_numbers.py", 0)]
)
def test_an_empty_database_can_be_looked_at(run: Run, name: str, code: int) -> None:
    assert run(name, "--database", "finance_test_nothing_here")[0] == code


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("repair_duplicates.py", ["--undo", "nobody's"]),
        ("repair_duplicates.py", ["--collection", "unknown"]),
        ("repair_duplicates.py", ["--scope", "user"]),
        ("repair_duplicates.py", ["--report", "/no/such/folder/plan.jsonl"]),
        ("repair_duplicates.py", ["--keep", "both"]),
        ("migrate_indexes.py", ["--collection", "sequences"]),
        ("migrate_indexes.py", ["--check", "--apply"]),
        ("audit_numbers.py", ["--uri", "http://127.0.0.1"]),
        ("audit_numbers.py", ["--uri", "mongodb://127.0.0.1:1"]),
    ],
)
def test_an_error_is_exit_code_2(run: Run, name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.maintenance.cli.ANSWER_S", 0.5)
    code, output = run(name, *arguments)
    assert code == 2
    assert "Traceback" not in output


def test_a_look_changes_nothing(run: Run, db: Db, duplicates: None) -> None:
    before = [list(db[name].find()) for name in sorted(db.list_collection_names())]
    code, output = run("repair_duplicates.py")
    assert (code, "1 duplicate groups, 1 documents to renumber" in output) == (1, True)
    assert [list(db[name].find()) for name in sorted(db.list_collection_names())] == before
    assert "payment_number_unique" not in db.payments.index_information()


def test_the_report_has_one_line_for_each_document_to_renumber(
    run: Run, db: Db, duplicates: None, tmp_path: Path
) -> None:
    run("repair_duplicates.py", "--report", str(tmp_path / "plan.jsonl"))
    (line,) = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    kept, loser = (p["_id"] for p in db.payments.find({"payment_number": "PAY20260001"}).sort("_id"))
    assert line == {
        "id": {"$oid": str(loser)},
        "scope": ["acme"],
        "old_number": "PAY20260001",
        "kept_id": {"$oid": str(kept)},
        "why": "created at the same time as the one that keeps the number, which has the smaller id",
        "renumber": True,
    }


def test_a_repair_prints_its_run_and_can_be_taken_back(run: Run, duplicates: None) -> None:
    code, output = run("repair_duplicates.py", "--apply", "--by", "ana")
    assert (code, "is unique (read back" in output) == (0, True)
    assert run("repair_duplicates.py")[0] == 0
    code, output = run("repair_duplicates.py", "--undo", output.split()[1])
    assert (code, "1 documents have their old numbers back" in output) == (0, True)
    assert run("repair_duplicates.py")[0] == 1


def test_an_unfinished_run_is_named(run: Run, db: Db, duplicates: None) -> None:
    run("repair_duplicates.py", "--apply")
    db.number_repairs.update_one({}, {"$set": {"state": "running"}})
    unfinished = db.number_repairs.find_one()["_id"]
    assert f"Run {unfinished} did not finish" in run("repair_duplicates.py", "--apply")[1]


def test_another_softwares_collection_is_named_with_its_fields(run: Run, db: Db) -> None:
    document = {"user": 1, "paymentNumber": "PAY20260006", "pan": "ABCDE1234F", "account": "123456789012"}
    db.old.insert_many([{**document}, {**document}, {"user": "ABCDE1234F", "paymentNumber": 1}])
    named = ("--collection", "old", "--number-field", "paymentNumber", "--scope", "user")
    code, output = run("repair_duplicates.py", *named)
    assert (code, "No index has the numbers in order" in output) == (1, True)
    code, output = run("repair_duplicates.py", "--apply", *named)
    assert (code, "building a plain one first" in output) == (0, True)
    assert run("repair_duplicates.py", *named)[0] == 0


def test_no_pan_and_no_account_is_printed(run: Run, db: Db) -> None:
    private = ("ABCDE1234F", "123456789012")
    for scope in private:
        db.old.insert_many([{"_id": f"{scope}/{n}", "user": scope, "paymentNumber": "A0001"} for n in range(2)])
        db.seq.insert_many([{"shop": scope, "month": 1, "last": n} for n in range(2)])
    said = run("repair_duplicates.py", "--collection", "old", "--number-field", "paymentNumber", "--scope", "user")[1]
    said += run("migrate_indexes.py", "--collection", "seq", "--wrong", "shop", "--right", "shop,month")[1]
    assert "A0001" in said
    assert not [text for text in private if text in said]


def test_migrate_says_one_line_an_index_and_makes_it_right(run: Run, db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index("payment_number", unique=True, name="paymentNumber_1")
    code, output = run("migrate_indexes.py", "--check")
    assert code == 1
    assert "missing          payments.payment_number_unique" in output
    assert "in the way       payments.paymentNumber_1" in output
    assert run("migrate_indexes.py", "--apply")[0] == 0
    assert run("migrate_indexes.py")[0] == 0


def test_migrate_replaces_a_wrong_index_of_another_software(run: Run, db: Db) -> None:
    db.seq.create_index("shop", unique=True)
    db.seq.insert_one({"shop": "A", "month": 1, "last": 3})
    named = ("--collection", "seq", "--wrong", "shop", "--right", "shop,month", "--keep-max", "last")
    assert run("migrate_indexes.py", *named)[0] == 1
    code, output = run("migrate_indexes.py", "--apply", *named)
    assert (code, "dropped seq.shop_1" in output) == (0, True)
    db.seq.insert_one({"shop": "A", "month": 2, "last": 1})


def test_the_audit_as_json(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    code, output = run("audit_numbers.py", "--json")
    (series,) = json.loads(output)["series"]
    assert code == 1
    assert (series["unexplained"], series["unexplained_ranges"], series["counter_behind"]) == (2, [[2, 3]], 4)
    code, output = run("audit_numbers.py", "--json", "--record-gaps", "--sync-counters")
    assert (code, json.loads(output)["accounted_for"]) == (0, True)
    assert db.counters.find_one({"_id": "payment:acme:2026"})["seq"] == 4


def test_the_audit_as_a_table(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    code, output = run("audit_numbers.py")
    assert code == 1
    assert "acme PAY20260002 to PAY20260003 (2 numbers)" in output


def test_the_scripts_run_as_they_are(db: Db, mongodb_uri: str) -> None:
    env = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name, "FINANCE_VENV": sys.prefix, "PATH": "/usr/bin:/bin"}
    for name in COMMANDS:
        ended = subprocess.run([str(ROOT / "scripts" / name)], env=env, capture_output=True, text=True, timeout=200)
        assert (ended.returncode, ended.stderr.replace("Installing requirements.txt …\n", "")) == (0, ""), ended.stdout


def test_an_unforeseen_failure_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("finance.maintenance.gaps.audit", broken)
    assert run("audit_numbers.py")[0] == 2
