"""`scripts/audit_numbers.py` as its users see it."""

import json
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from finance.database import Db
from finance.numbering import counters
from finance.payments.model import payment_series
from tests.maintenance.audit.conftest import Store
from tests.maintenance.conftest import NOW, YEAR, Run, a_payment


def test_the_audit_as_json(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    code, output = run("audit_numbers.py", "--json")
    (series,) = json.loads(output)["series"]
    assert code == 1
    assert (series["unexplained"], series["unexplained_ranges"], series["counter_behind"]) == (2, [[2, 3]], 4)
    code, output = run("audit_numbers.py", "--json", "--record-gaps", "--sync-counters")
    assert (code, json.loads(output)["accounted_for"]) == (1, True)
    assert db.counters.find_one({"_id": "payment:acme:2026"})["seq"] == 4


def test_the_audit_as_a_table(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    code, output = run("audit_numbers.py")
    assert code == 1
    assert "acme PAY20260002 to PAY20260003 (2 numbers)" in output


def test_what_is_lost_rings_also_in_the_run_that_records_it(run: Run, db: Db) -> None:
    """After 4,899 payments vanished, `--record-gaps` every night must not be silent."""
    db.payments.insert_many([a_payment(1), a_payment(4901)])
    code, output = run("audit_numbers.py", "--json", "--record-gaps", "--sync-counters")
    told = json.loads(output)
    assert (code, told["passed"], told["accounted_for"]) == (1, False, True)
    assert told["failures"] == ["4,899 numbers newly lost"]
    assert (told["counts"]["newly_lost"], told["counts"]["unexplained"]) == (4899, 0)
    assert told["gaps_by_cause"] == {"lost": 4899}
    assert told["series"][0]["newly_lost_ranges"] == [[2, 4900]]
    code, output = run("audit_numbers.py", "--json", "--record-gaps")
    assert (code, json.loads(output)["counts"]["newly_lost"]) == (0, 0)


@pytest.mark.parametrize(("tolerated", "code"), [(1, 1), (2, 0)])
def test_some_lost_numbers_are_tolerated_where_that_is_asked_for(run: Run, db: Db, tolerated: int, code: int) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    options = ["--record-gaps", "--sync-counters", "--max-lost", str(tolerated)]
    assert run("audit_numbers.py", *options)[0] == code


def test_a_lost_invoice_is_never_tolerated(run: Run, db: Db) -> None:
    of = {"tenant": "acme", "shop": "dkr1", "period": "2026-06", "created_at": NOW}
    db.invoices.insert_many([{**of, "number_seq": n, "invoice_number": f"FAC-DKR1-202606-{n:04}"} for n in (1, 3)])
    code, output = run("audit_numbers.py", "--sync-counters", "--max-lost", "1000")
    assert code == 1
    assert "FAILED: 1 numbers newly lost of what must have no gaps" in output


def test_what_must_not_be_tolerated_fails_whatever_is_lost(run: Run, db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1)])
    code, output = run("audit_numbers.py", "--json", "--max-lost", "1000")
    assert code == 1
    assert [failure.split(" ", 1)[1][:20] for failure in json.loads(output)["failures"]] == [
        "documents with a num",
        "numbers that a count",
    ]


def test_recorded_gaps_whose_payments_came_fail_until_they_are_taken_back(run: Run, db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    counters.record_gaps(db, [(payment_series("acme", YEAR), 2)], reason="lost", recorded_at=NOW)
    assert run("audit_numbers.py")[0] == 1
    assert run("audit_numbers.py", "--record-gaps")[0] == 0
    assert run("audit_numbers.py")[0] == 0


def test_the_table_fits_80_columns(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(123456)])
    _code, output = run("audit_numbers.py")
    assert max(len(line.rstrip()) for line in output.splitlines()) <= 80


def test_metrics_are_written_for_node_exporter(run: Run, db: Db, tmp_path: Path) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    path = tmp_path / "finance_audit.prom"
    assert run("audit_numbers.py", "--record-gaps", "--metrics-file", str(path))[0] == 1
    shown = _samples(path)
    assert shown["finance_audit_passed", None, None] == 0
    assert shown["finance_audit_findings", "payment", "newly_lost"] == 2
    assert shown["finance_audit_gaps", "payment", "lost"] == 2
    assert abs(shown["finance_audit_finished_timestamp_seconds", None, None] - time.time()) < 3600
    run("audit_numbers.py", "--sync-counters", "--metrics-file", str(path))
    assert _samples(path)["finance_audit_passed", None, None] == 1
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_metrics_file_that_cannot_be_written_is_told_before_anything_is_done(
    run: Run, tmp_path: Path, db: Db
) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    code, output = run("audit_numbers.py", "--record-gaps", "--metrics-file", str(tmp_path / "missing" / "a.prom"))
    assert code == 2
    assert "--metrics-file: there is no folder" in output
    assert db.number_gaps.count_documents({}) == 0


def _samples(path: Path) -> dict[tuple[str, str | None, str | None], float]:
    return {
        (
            sample.name,
            sample.labels.get("kind"),
            sample.labels.get("finding") or sample.labels.get("cause"),
        ): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_one_collection_alone_is_audited_where_it_is_named(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4)])
    assert run("audit_numbers.py", "--collection", "customers")[0] == 0
    assert run("audit_numbers.py", "--collection", "payments")[0] == 1
    code, output = run("audit_numbers.py", "--collection", "paymets")
    assert code == 2
    assert "paymets is none of our collections" in output
