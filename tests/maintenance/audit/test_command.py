"""`scripts/audit_numbers.py` as its users see it."""

import json

from finance.database import Db
from tests.maintenance.conftest import Run, a_payment


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
