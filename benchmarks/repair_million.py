"""Duplicates in a million payments: `python -m benchmarks.repair_million [--payments 1000000]`.

One in fifty has a taken number, in groups of 2 to 4, so 10,000 groups of a million, over several tenants and years,
some voided, some equally old. Measured: finding them against the raw sorted read of the same fields in the same run,
with an index and without one, and the memory of the real scripts. Checked: found, repaired and undone exactly as
`duplicated_payments` worked it out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks import duplicated_payments, serving
from finance.database import Db
from finance.maintenance.audit.series import audit
from finance.maintenance.duplicates import WALK_BATCH, find_groups
from finance.maintenance.kinds import KINDS
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import ours

RATIO_MAX = 2.0
ONE_IN, GROUP_MAX = 50, 4
MEMORY_MAX_MB = 200
INDEX = "payment_number_unique"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # Not measured: the first call of a script may have to bring its environment up to date.
    subprocess.run([str(serving.ROOT / "scripts" / "audit_numbers.py"), "--help"], env=_env(), capture_output=True)
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        expected = _timed("filled", lambda: _fill(db, options.payments))
        print(f"{len(expected.numbers):,} payments, {expected.groups:,} groups, {len(expected.losers):,} to renumber")
        _measure_finding(db, expected, options.rounds, index=None)
        code, _output = _script(db, uri, "repair_duplicates.py")
        _require(code == 1)
        db.payments.create_index([("tenant", 1), ("payment_number", 1)], name=INDEX)
        _measure_finding(db, expected, options.rounds, index=INDEX)
        run = _repair(db, uri, expected)
        _undo(db, uri, expected, run)


def _fill(db: Db, payments: int) -> duplicated_payments.Expected:
    return duplicated_payments.fill(db, payments, one_in=ONE_IN, group_max=GROUP_MAX)


def _measure_finding(db: Db, expected: duplicated_payments.Expected, rounds: int, *, index: str | None) -> None:
    target = ours(db, KINDS[0])
    ratios = []
    for _round in range(rounds):
        raw_s = _seconds(lambda: _raw_read(db, index))
        planned = []
        began = time.perf_counter()
        planned += plan(target, find_groups(target), keep="oldest")
        plan_s = time.perf_counter() - began
        _require({one.document_id for one in planned} == expected.losers and len(planned) == len(expected.losers))
        ratios.append(plan_s / raw_s)
        print(f"raw sorted read {raw_s:.2f} s, whole plan {plan_s:.2f} s: {plan_s / raw_s:.2f}")
    how = "with the index" if index else "without an index"
    print(f"found exactly {how}; plan/read {statistics.median(ratios):.2f} (goal {RATIO_MAX})")


def _raw_read(db: Db, index: str | None) -> None:
    covered = {"_id": False, "tenant": True, "payment_number": True}
    cursor = db.payments.find({}, covered).sort([("tenant", 1), ("payment_number", 1)]).batch_size(WALK_BATCH)
    for _document in cursor.hint(index) if index else cursor.allow_disk_use(True):
        pass


def _repair(db: Db, uri: str, expected: duplicated_payments.Expected) -> str:
    code, _output = _script(db, uri, "repair_duplicates.py")
    _require(code == 1)
    code, output = _script(db, uri, "repair_duplicates.py", "--apply", "--json")
    _require(code == 0)
    changed = {payment["_id"] for payment in db.payments.find({"previous_numbers": {"$ne": []}}, {"_id": True})}
    _require(changed == expected.losers)
    code, _output = _script(db, uri, "repair_duplicates.py")
    _require(code == 0)
    audits = _timed("audited", lambda: list(audit(db, now=datetime.now(UTC))))
    _require(all(series.is_accounted_for for series in audits))
    code, _output = _script(db, uri, "audit_numbers.py")
    _require(code == 0)
    print("repaired exactly")
    return str(json.loads(output)["run"])


def _undo(db: Db, uri: str, expected: duplicated_payments.Expected, run: str) -> None:
    code, _output = _script(db, uri, "repair_duplicates.py", "--undo", run, "--preview")
    _require(code == 1)
    code, _output = _script(db, uri, "repair_duplicates.py", "--undo", run)
    _require(code == 0)
    fields = {"payment_number": True, "number_seq": True}
    stand = {p["_id"]: (p["payment_number"], p["number_seq"]) for p in db.payments.find({}, fields)}
    _require(stand == expected.numbers)
    print("undone exactly")


def _script(db: Db, uri: str, name: str, *arguments: str) -> tuple[int, str]:
    """Run a real script and return its exit code and output, after printing its time and the most memory it had."""
    env = _env() | {"MONGODB_URI": uri, "FINANCE_DATABASE": db.name}
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(serving.ROOT / "scripts" / name), *arguments], env=env, stdout=subprocess.PIPE, text=True
    )
    megabytes = 0.0
    while process.poll() is None:  # its output is short and waits in the pipe
        megabytes = serving.peak_megabytes(process.pid) or megabytes
        time.sleep(0.02)
    assert process.stdout is not None
    output = process.stdout.read()
    seconds = time.perf_counter() - began
    print(f"{' '.join([name, *arguments])}: {seconds:.1f} s, {megabytes:.0f} MB (goal {MEMORY_MAX_MB})")
    _require(megabytes < MEMORY_MAX_MB)
    return process.returncode, output


def _env() -> dict[str, str]:
    return os.environ | {"FINANCE_VENV": sys.prefix}


def _timed(what: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    print(f"{what} in {time.perf_counter() - began:.1f} s")
    return result


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _require(right: bool) -> None:
    if not right:
        raise SystemExit("Not as it was worked out.")


if __name__ == "__main__":
    main()
