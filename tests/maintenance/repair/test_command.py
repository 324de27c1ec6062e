"""`scripts/repair_duplicates.py` as its users see it."""

import json
from pathlib import Path

import pytest

from finance.database import Db
from tests.maintenance.conftest import Run, a_payment


@pytest.fixture
def duplicates(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1), a_payment(2)])


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
