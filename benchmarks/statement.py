"""What a page of a statement costs: `python -m benchmarks.statement [--documents 100000] [--crossings 300]`.

One customer with that many documents (half invoices, three eighths payments, one eighth credit notes), and of those
payments some that pay invoices of others. Over HTTP: the first page, one in the middle, the last one, one that begins
at a day in the middle, each asked for one after the other; then the whole as CSV. The processor time is that of the
worker and of mongod, for one request: what a quiet machine takes at most, whatever else runs on this one.
"""

import argparse
import json
import os
import statistics
import time
import urllib.request
from typing import Any

from pymongo import WriteConcern

from benchmarks import serving
from finance.context import utc_now
from finance.database import Db

CODE, OTHER = "CUST-000001", "CUST-000002"
DAYS = [f"{year}-{month:02}-{day:02}" for year in range(2022, 2026) for month in range(1, 13) for day in range(1, 29)]
GOAL_S = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--crossings", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        fill(db, options.documents, options.crossings)
        with serving.gunicorn(uri, db) as (url, pid):
            processes = (pid, serving.mongod_pid(uri))
            key = serving.new_key(db, "accountant")
            path = f"{url}/api/v1/customers/{CODE}/statement"
            middle = DAYS[len(DAYS) // 2]
            first = get(f"{path}?limit=50&from={middle}", key)
            for name, query in (
                ("first page", "limit=50"),
                ("from a day in the middle", f"limit=50&from={middle}"),
                ("second page of that", f"limit=50&from={middle}&cursor={first['next_cursor']}"),
                ("printed, 500 lines", f"limit=500&from={middle}"),
                ("the last day", f"limit=50&from={DAYS[-1]}"),
            ):
                before = sum(map(serving.cpu_s, processes))
                seconds = [timed(f"{path}?{query}", key) for _round in range(options.rounds)]
                cpu = (sum(map(serving.cpu_s, processes)) - before) / options.rounds * 1000
                median, slowest, goal = (second * 1000 for second in (statistics.median(seconds), max(seconds), GOAL_S))
                print(
                    f"{name:26} median {median:5.0f} ms, slowest {slowest:5.0f} ms"
                    f"  (goal {goal:.0f} ms)  processor time {cpu:4.0f} ms  load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            print(f"whole as CSV {timed(f'{path}.csv', key):.1f} s")


def fill(db: Db, documents: int, crossings: int) -> None:
    """Store the documents of one customer, in the shape that they have."""
    fast = {
        name: db[name].with_options(write_concern=WriteConcern(w=1))
        for name in ("invoices", "credit_notes", "payments")
    }
    for code in (CODE, OTHER):
        db.customers.insert_one(
            {
                "tenant": serving.TENANT,
                "customer_code": code,
                "customer_name": code,
                "identity_claims": [code],
                "status": "active",
            }
        )
    waiting: dict[str, list[Any]] = {name: [] for name in fast}
    for number in range(documents):
        on = DAYS[number % len(DAYS)]
        name = "invoices" if number % 2 else "credit_notes" if number % 8 == 0 else "payments"
        crossed = name == "payments" and crossings > 0
        crossings -= crossed
        waiting[name].append(_document(name, number, on, crossed=crossed))
        if len(waiting[name]) == 5_000:
            fast[name].insert_many(waiting[name], ordered=False)
            waiting[name] = []
    for name, rest in waiting.items():
        if rest:
            fast[name].insert_many(rest, ordered=False)


def _document(name: str, number: int, on: str, *, crossed: bool) -> dict[str, Any]:
    common = {"tenant": serving.TENANT, "customer_code": CODE, "currency": "EUR", "number_seq": number, "history": []}
    if name == "payments":
        entry = {
            "claim": f"c{number}",
            "state": "settled",
            "amount_minor": 5,
            "invoice_number": f"X-{number}",
            "on": on,
        }
        own: dict[str, Any] = {
            "payment_number": f"PAY{on[:4]}{number:06}",
            "number_year": int(on[:4]),
            "amount_minor": 1_000 + number % 1_000,
            "payer": "Payer",
            "method": "card",
            "direction": "incoming",
            "paid_on": on,
            "status": "recorded",
        }
        return (
            common
            | own
            | (
                {"allocations": [{**entry, "customer_code": OTHER}], "allocated_minor": 5, "crossed": True}
                if crossed
                else {}
            )
        )
    lines = [{"description": "Work", "quantity": "1", "unit_price": "10", "tax_rate": "18", "net": "10"}] * 5
    issued = {"shop": "dkr1", "period": on[:7], "issued_on": on, "total_minor": 1_000 + number % 2_000, "lines": lines}
    if name == "credit_notes":
        numbered = {
            "credit_note_number": f"AV-{number:06}",
            "invoice_number": f"FAC-{number:06}",
            "claim": f"n{number}",
        }
        return common | issued | numbered | {"allocations": [], "allocated_minor": 0}
    return (
        common
        | issued
        | {
            "invoice_number": f"FAC-{number:06}",
            "status": "issued",
            "due_on": on,
            "allocations": [],
            "created_at": utc_now(),
        }
    )


def get(url: str, key: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        body = answer.read()
    return json.loads(body) if body[:1] == b"{" else body


def timed(url: str, key: str) -> float:
    began = time.perf_counter()
    get(url, key)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
