"""Payments of another system, taken over: `python -m benchmarks.import_payments [--payments 100000] [--more 300000]`.

Measured: the real script on a collection and on a CSV file of as many rows, its time for the first run and for one
that has nothing to do, and its memory, for the one size against the other. Checked: each payment is there once, the
audit accounts for every number, and the second run stored nothing.
"""

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from benchmarks import serving
from finance.database import Db

MAPPED = (
    *("--field", "payment_number=paymentNumber", "--field", "paid_on=paymentDate", "--field", "method=paymentMethod"),
    *("--field", "payer=user", "--set", "currency=EUR", "--value", "method:CASH=cash", "--tenant", "acme"),
)
BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--more", type=int, default=300_000, help="how many for the comparison of memory")
    options = parser.parse_args()
    with serving.mongod() as uri:
        for count in (options.payments, options.more):
            if count:
                _measure(uri, count)


def _measure(uri: str, count: int) -> None:
    with serving.fresh_database(uri) as db, tempfile.TemporaryDirectory() as folder, _old(db) as old:
        for start in range(0, count, BATCH):
            old.payments.insert_many([_payment(number) for number in range(start + 1, min(start + BATCH, count) + 1)])
        of_collection = ("--from-database", old.name, "--from-collection", "payments")
        _run(db, uri, f"{count:,} of a collection, dry", *of_collection)
        _run(db, uri, f"{count:,} of a collection", *of_collection, "--apply")
        _require(db.payments.count_documents({}) == count)
        _run(db, uri, f"{count:,} once more", *of_collection, "--apply")
        path = _csv(Path(folder) / "payments.csv", old)
        _run(db, uri, f"{count:,} of a CSV file that are known", str(path), "--apply")
        _require(db.payments.count_documents({}) == count)
        _require(_script(db, uri, "audit_numbers.py")[0] == 0)


@contextlib.contextmanager
def _old(db: Db) -> Iterator[Database[dict[str, Any]]]:
    old = db.client[f"{db.name}_old"]
    try:
        yield old
    finally:
        db.client.drop_database(old.name)


def _payment(number: int) -> dict[str, Any]:
    at = datetime(2026, 1 + number % 6, 1 + number % 28, 12, tzinfo=UTC)
    return {
        "_id": ObjectId(),
        "user": ObjectId(),
        "paymentNumber": f"PAY2026{number:04}",
        "amount": number / 100,
        "paymentDate": at,
        "paymentMethod": "CASH",
        "createdAt": at,
        "updatedAt": at,
        "__v": 0,
    }


def _csv(path: Path, old: Database[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("_id", "user", "paymentNumber", "amount", "paymentDate", "paymentMethod"))
        for payment in old.payments.find():
            at = payment["paymentDate"].replace(tzinfo=UTC).isoformat()
            row = (payment["_id"], payment["user"], payment["paymentNumber"], payment["amount"], at)
            writer.writerow((*row, payment["paymentMethod"]))
    return path


def _run(db: Db, uri: str, what: str, *arguments: str) -> None:
    began = time.perf_counter()
    code, megabytes = _script(db, uri, "import_payments.py", *MAPPED, *arguments)
    _require(code == 0)
    print(f"{what}: {time.perf_counter() - began:.1f} s, {megabytes:.0f} MB", flush=True)


def _script(db: Db, uri: str, name: str, *arguments: str) -> tuple[int, float]:
    """Run a real script, and return its exit code and the most memory it had."""
    env = os.environ | {"FINANCE_VENV": sys.prefix, "MONGODB_URI": uri, "FINANCE_DATABASE": db.name}
    line = [str(serving.ROOT / "scripts" / name), *arguments]
    process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL)
    megabytes = 0.0
    while process.poll() is None:
        megabytes = serving.peak_megabytes(process.pid) or megabytes
        time.sleep(0.02)
    return process.returncode, megabytes


def _require(right: bool) -> None:
    if not right:
        raise SystemExit("that is not as it should be")


if __name__ == "__main__":
    main()
