"""The audit of a million payments: `python -m benchmarks.audit_million [--payments 1000000]`.

Measured in turn: one raw read of the numbers in the order of their index, and the audit, of a series without holes and of
one where every tenth number is missing; then the same numbers as texts in a collection of other software. The goal is
twice the raw read. With the memory of this process, which the audit must not raise with the documents.
"""

import argparse
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from benchmarks import serving
from finance import database
from finance.database import Db
from finance.indexes import INDEXES
from finance.maintenance.audit import foreign
from finance.maintenance.audit.record import record_gaps
from finance.maintenance.kinds import KINDS
from finance.maintenance.target import foreign as foreign_target

RATIO_MAX = 2.0
BATCH = 10_000
LONG_AGO = datetime.now(UTC) - timedelta(days=30)
NEEDED = ("payment_number_order", "voided", "number_gap_unique")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        _fill(db, options.payments)
        for what, raw, look in (
            ("every number is there", lambda: _raw(db, "acme"), lambda: _audit(db, "acme")),
            ("every tenth is missing", lambda: _raw(db, "holes"), lambda: _audit(db, "holes")),
            ("other software's texts", lambda: _raw_texts(db), lambda: _foreign(db)),
        ):
            _measure(what, raw, look, options.rounds)
        began = time.perf_counter()
        recorded = record_gaps(db, now=datetime.now(UTC), kinds=KINDS).recorded
        print(f"{recorded:,} gaps recorded in {time.perf_counter() - began:.1f} s")
    print(f"memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")


def _fill(db: Db, payments: int) -> None:
    database.create_indexes(db, [index for index in INDEXES if index.name in NEEDED])
    db.old.create_index([("user", 1), ("paymentNumber", 1)])
    for begin in range(1, payments + 1, BATCH):
        numbers = range(begin, min(begin + BATCH, payments + 1))
        db.payments.insert_many([_payment("acme", number) for number in numbers], ordered=False)
        db.payments.insert_many([_payment("holes", number) for number in numbers if number % 10], ordered=False)
        texts = [{"user": "ana", "paymentNumber": f"PAY2026{n:04}", "amount": 1.5} for n in numbers if n % 10]
        db.old.insert_many(texts, ordered=False)
    for tenant in ("acme", "holes"):
        db.counters.insert_one({"_id": f"payment:{tenant}:2026", "seq": payments, "reserved_at": LONG_AGO})


def _payment(tenant: str, number: int) -> database.Document:
    return {
        "tenant": tenant,
        "number_year": 2026,
        "number_seq": number,
        "payment_number": f"PAY2026{number:04}",
        "status": "recorded",
        "created_at": LONG_AGO,
        "payer": "Ana",
        "history": [],
    }


def _measure(what: str, raw: Callable[[], object], look: Callable[[], object], rounds: int) -> None:
    ratios = []
    for _round in range(rounds):
        raw_s, look_s = _seconds(raw), _seconds(look)
        ratios.append(look_s / raw_s)
        print(f"  raw {raw_s:.2f} s, audit {look_s:.2f} s: {look_s / raw_s:.2f}")
    print(f"{what}: {median(ratios):.2f} (goal {RATIO_MAX})")


def _raw(db: Db, tenant: str) -> None:
    only_number = {"_id": False, "number_seq": True}
    found = db.payments.find({"tenant": tenant, "number_year": 2026}, only_number).sort("number_seq", 1)
    for _document in found.hint("payment_number_order").batch_size(BATCH):
        pass


def _audit(db: Db, tenant: str) -> None:
    from finance.maintenance.audit.series import audit_series
    from finance.maintenance.audit.walk import Walk
    from finance.payments.model import payment_series

    walk = Walk(db, KINDS[0], payment_series(tenant, 2026), old_before=datetime.now(UTC) - timedelta(seconds=60))
    assert audit_series(walk).documents > 0


def _raw_texts(db: Db) -> None:
    covered = {"_id": False, "user": True, "paymentNumber": True}
    found = db.old.find({}, covered).sort([("user", 1), ("paymentNumber", 1)])
    for _document in found.batch_size(BATCH):
        pass


def _foreign(db: Db) -> None:
    options = {"number_field": "paymentNumber", "scope_fields": ("user",), "created_field": "createdAt"}
    list(foreign.audit_foreign(foreign_target(db, collection="old", **options), foreign.Seen()))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
