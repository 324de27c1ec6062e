"""`scripts/repair_duplicates.py` as its users see it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from finance.database import Db
from finance.maintenance.lease import held
from tests.maintenance.conftest import Run, a_payment


def run_of(output: str) -> str:
    found = re.search(r"^Run (\S+)", output, re.MULTILINE)
    assert found, output
    return found[1]


def as_json(output: str) -> dict[str, Any]:
    """Return what stands on stdout, where there is the one line of JSON."""
    (line,) = [line for line in output.splitlines() if line.startswith("{")]
    return dict(json.loads(line))


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


def test_a_repair_prints_its_run_and_can_be_taken_back(run: Run, db: Db, duplicates: None) -> None:
    code, output = run("repair_duplicates.py", "--apply", "--by", "ana")
    assert (code, "is unique (read back" in output) == (0, True)
    assert f"scripts/repair_duplicates.py --database {db.name} --undo {run_of(output)})" in output, "to be pasted"
    assert run("repair_duplicates.py")[0] == 0
    code, output = run("repair_duplicates.py", "--undo", run_of(output))
    assert (code, "1 documents have their old numbers back" in output) == (0, True)
    assert run("repair_duplicates.py")[0] == 1


def test_an_undo_is_previewed(run: Run, db: Db, duplicates: None) -> None:
    repaired = run_of(run("repair_duplicates.py", "--apply")[1])
    before = {name: list(db[name].find()) for name in db.list_collection_names()}
    code, output = run("repair_duplicates.py", "--undo", repaired, "--preview")
    assert (code, "1 documents would get their old numbers back" in output) == (1, True)
    assert {name: list(db[name].find()) for name in db.list_collection_names()} == before
    run("repair_duplicates.py", "--undo", repaired)
    assert run("repair_duplicates.py", "--undo", repaired, "--preview")[0] == 0
    assert run("repair_duplicates.py", "--preview")[0] == 2


def test_a_second_operator_is_told_who_is_at_work(run: Run, db: Db, duplicates: None) -> None:
    repaired = run_of(run("repair_duplicates.py", "--apply")[1])
    db.payments.insert_one(a_payment(7))
    before = list(db.payments.find())
    with held(db, "payments", doing="scripts/repair_duplicates.py --apply", by="ana@host"):
        for arguments in (["--apply"], ["--apply", "--keep", "newest"], ["--undo", repaired]):
            code, output = run("repair_duplicates.py", *arguments)
            assert (code, "ana@host is at work here since" in output) == (2, True)
        assert run("repair_duplicates.py")[0] == 0, "a look may always be had"
    assert list(db.payments.find()) == before
    assert db.number_repairs.count_documents({}) == 1, "what was refused is no run"


def test_every_run_is_listed_with_what_it_did_and_what_can_be_undone(run: Run, db: Db, duplicates: None) -> None:
    assert "There were no runs" in run("repair_duplicates.py", "--list-runs")[1]
    first = run_of(run("repair_duplicates.py", "--apply", "--by", "ana")[1])
    run("repair_duplicates.py", "--undo", first, "--by", "bo")
    second = run_of(run("repair_duplicates.py", "--apply", "--by", "cy")[1])
    db.number_repairs.update_one({"_id": second}, {"$set": {"state": "running"}, "$unset": {"result": True}})
    listed = as_json(run("repair_duplicates.py", "--list-runs", "--json")[1])["runs"]
    undone = listed[1]
    assert [one["by"] for one in listed] == ["cy", "bo", "ana"]
    assert (undone["what"], undone["did"], undone["can_be_undone"]) == (
        f"undo of {first}",
        {"put_back": 1, "left": 0},
        None,
    )
    assert (listed[0]["state"], listed[0]["did"], listed[0]["can_be_undone"]) == ("did not finish", {"planned": 1}, 1)
    assert (listed[2]["state"], listed[2]["did"]["renumbered"], listed[2]["can_be_undone"]) == ("finished", 1, 0)
    assert all(word in run("repair_duplicates.py", "--list-runs")[1] for word in (first, "ana", "1 renumbered"))
    with held(db, "payments", doing=f"a repair, run {second}", by="cy"):
        assert as_json(run("repair_duplicates.py", "--list-runs", "--json")[1])["runs"][0]["state"] == "at work"


def test_what_a_killed_undo_has_put_back_is_listed(run: Run, db: Db, duplicates: None) -> None:
    db.payments.insert_many([a_payment(1), a_payment(2)])
    repaired = run_of(run("repair_duplicates.py", "--apply")[1])
    run("repair_duplicates.py", "--undo", repaired)
    killed = {"$set": {"state": "running"}, "$unset": {"result": True, "finished_at": True}}
    undo = db.number_repairs.find_one_and_update({"undoes": repaired}, killed)["_id"]
    (changed, *_others) = db.number_repair_changes.find({"run": repaired})
    before = {"$set": {"payment_number": changed["to"]}, "$pull": {"previous_numbers": changed["to"]}}
    db.payments.update_one({"_id": changed["document_id"]}, before)
    listed = as_json(run("repair_duplicates.py", "--list-runs", "--json")[1])["runs"]
    assert (listed[0]["run"], listed[0]["state"], listed[0]["did"]) == (undo, "did not finish", {"put_back_by_now": 2})
    assert "2 put back by now" in run("repair_duplicates.py", "--list-runs")[1]


def test_everything_can_be_had_as_json(run: Run, db: Db, duplicates: None) -> None:
    looked = as_json(run("repair_duplicates.py", "--json")[1])
    assert looked["sight"]["ours"] is True
    assert (looked["groups"], looked["renumber"], looked["leave"], len(looked["first"])) == (1, 1, 0, 1)
    repaired = as_json(run("repair_duplicates.py", "--apply", "--json")[1])
    assert (repaired["groups"], repaired["renumbered"], repaired["standing"]) == (1, 1, "unique")
    seen = as_json(run("repair_duplicates.py", "--undo", repaired["run"], "--preview", "--json")[1])
    assert (seen["preview"], seen["put_back"]) == (True, 1)
    undone = as_json(run("repair_duplicates.py", "--undo", repaired["run"], "--json")[1])
    assert (undone["undoes"], undone["put_back"], undone["left"], undone["standing"]) == (
        repaired["run"],
        1,
        [],
        "unique",
    )


def test_an_unfinished_run_is_named(run: Run, db: Db, duplicates: None) -> None:
    run("repair_duplicates.py", "--apply")
    db.number_repairs.update_one({}, {"$set": {"state": "running"}})
    unfinished = db.number_repairs.find_one()["_id"]
    assert f"Run {unfinished} did not finish" in run("repair_duplicates.py", "--apply")[1]


def test_of_many_unfinished_runs_the_newest_is_named_until_one_has_finished(run: Run, db: Db, duplicates: None) -> None:
    for _repair in range(3):
        run("repair_duplicates.py", "--apply")
    db.number_repairs.update_many({}, {"$set": {"state": "running"}})
    oldest, *_others, newest = [one["_id"] for one in db.number_repairs.find().sort("started_at", 1)]
    output = run("repair_duplicates.py", "--apply")[1]
    assert (output.count("did not finish"), f"Run {newest} did not finish" in output) == (1, True)
    assert "2 earlier ones neither: --list-runs" in output
    assert "did not finish" not in run("repair_duplicates.py", "--apply")[1], "the run before has found the rest"
    assert f"{oldest}  repair, keep oldest  payments  did not finish" in run("repair_duplicates.py", "--list-runs")[1]


def test_another_softwares_collection_is_named_with_its_fields(run: Run, db: Db) -> None:
    document = {"user": 1, "paymentNumber": "PAY20260006", "pan": "ABCDE1234F", "account": "123456789012"}
    db.old.insert_many([{**document}, {**document}, {"user": "ABCDE1234F", "paymentNumber": 1}])
    named = ("--collection", "old", "--number-field", "paymentNumber", "--scope", "user")
    code, output = run("repair_duplicates.py", *named)
    assert (code, "No index has the numbers in order" in output) == (1, True)
    code, output = run("repair_duplicates.py", "--apply", *named)
    assert (code, "building a plain one first" in output) == (0, True)
    assert run("repair_duplicates.py", *named)[0] == 0
