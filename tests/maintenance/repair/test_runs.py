"""What a run leaves in the database."""

import pytest

from finance.database import Db
from finance.maintenance.repair import runs
from finance.maintenance.target import Target
from tests.maintenance.conftest import NOW
from tests.maintenance.repair.conftest import repair, take_back


def test_the_run_is_stored_with_who_when_and_what(db: Db, target: Target) -> None:
    run, _result = repair(target)
    stored = db.number_repairs.find_one({"_id": run})
    assert (stored["by"], stored["started_at"], stored["state"], stored["collection"]) == (
        "ops",
        NOW,
        "finished",
        "payments",
    )
    assert stored["result"]["renumbered"] == db.number_repair_changes.count_documents({"run": run}) == 2


def test_an_unknown_run_and_the_run_of_an_undo_are_refused(db: Db, target: Target) -> None:
    with pytest.raises(runs.RunNotFound):
        runs.target_of_run(db, "nobody's")
    run, _result = repair(target)
    take_back(db, run)
    undoing = db.number_repairs.find_one({"undoes": run})["_id"]
    with pytest.raises(runs.RunNotFound):
        runs.target_of_run(db, undoing)
