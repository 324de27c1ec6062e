"""Totals of a year: `python -m benchmarks.summary [--payments 1000000] [--rounds 3]`.

A million payments of one tenant and year; one worker, asked for the summary of the year: first, when it has to add up
all months, and then again, each time after a new payment, so that one month has to be added up anew. mongod, gunicorn
and this client share the machine; beside each time stands what it took of mongod's processor.
"""

import argparse
import random
import time
import urllib.request
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bson import ObjectId

from benchmarks import serving
from finance.database import Db

BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        mongod = serving.mongod_pid(uri)
        for start in range(0, options.payments, BATCH):
            numbers = range(start + 1, min(start + BATCH, options.payments) + 1)
            db.payments.insert_many([_payment(number, options.payments) for number in numbers], ordered=False)
        with serving.gunicorn(uri, db) as (url, _pid):
            key = serving.new_key(db, "accountant")
            for number in range(options.rounds + 1):
                before = serving.cpu_s(mongod)
                began = time.perf_counter()
                request = urllib.request.Request(
                    f"{url}/api/v1/payments/summary?paid_from=2026-01-01&paid_to=2026-12-31",
                    headers={"Authorization": f"Bearer {key}"},
                )
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answer.read()
                took, cpu = time.perf_counter() - began, serving.cpu_s(mongod) - before
                print(f"{'first' if not number else 'again'}: {took:.2f} s, mongod {cpu:.2f} s", flush=True)
                _add_one(db, options.payments + 1 + number)


def _add_one(db: Db, number: int) -> None:
    db.payments.insert_one(_payment(number, number))


def _payment(number: int, of: int) -> dict[str, Any]:
    chance = random.Random(number)
    paid_on = date(2026, 1, 1) + timedelta(days=(number - 1) * 365 // of)
    return {
        "_id": ObjectId(),
        "tenant": serving.TENANT,
        "payment_number": f"PAY2026{number:04}",
        "number_year": 2026,
        "number_seq": number,
        "amount_minor": chance.randrange(1, 10**6),
        "currency": chance.choice(["EUR", "EUR", "USD", "XOF"]),
        "payer": "Ada Lovelace",
        "payer_folded": ["ada lovelace", "lovelace"],
        "method": chance.choice(["card", "cash"]),
        "direction": chance.choice(["incoming", "incoming", "outgoing"]),
        "paid_on": paid_on.isoformat(),
        "status": "voided" if number % 10 == 0 else "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        "created_by": "benchmark",
    }


if __name__ == "__main__":
    main()
