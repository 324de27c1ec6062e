"""What the ageing of all customers costs: `python -m benchmarks.ageing [--customers 10000] [--invoices 100000]`.

Half of the invoices are paid, a tenth in part; every customer has a payment of which a part is left. Over HTTP: the
whole as streamed JSON and as CSV, a page of 100 with the totals of all, today and in the past, and the memory that the
worker took.
"""

import argparse
import os
from typing import Any

from pymongo import WriteConcern

from benchmarks import serving
from benchmarks.statement import DAYS, timed
from finance.database import Db


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--invoices", type=int, default=100_000)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        fill(db, options.customers, options.invoices)
        with serving.gunicorn(uri, db) as (url, pid):
            key = serving.new_key(db, "accountant")
            path = f"{url}/api/v1/receivables/ageing"
            timed(f"{path}?currency=EUR&limit=1", key)
            for name, query in (
                ("streamed JSON, today", "?currency=EUR"),
                ("streamed JSON, the past", f"?currency=EUR&as_of={DAYS[len(DAYS) // 2]}"),
                ("page of 100", "?currency=EUR&limit=100"),
                ("CSV", ".csv?currency=EUR"),
            ):
                seconds = min(timed(f"{path}{query}", key) for _round in range(3))
                (worker,) = serving._children(pid)
                memory = serving.peak_megabytes(worker)
                print(
                    f"{name:26} {seconds:5.2f} s  worker {memory:.0f} MB at most  load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )


def fill(db: Db, customers: int, invoices: int) -> None:
    names = ("customers", "invoices", "payments")
    fast = {name: db[name].with_options(write_concern=WriteConcern(w=1)) for name in names}
    for first in range(0, customers, 5_000):
        codes = range(first, min(first + 5_000, customers))
        fast["customers"].insert_many([_customer(number) for number in codes], ordered=False)
        fast["payments"].insert_many([_payment(number) for number in codes], ordered=False)
    for first in range(0, invoices, 5_000):
        numbers = range(first, min(first + 5_000, invoices))
        fast["invoices"].insert_many([_invoice(number, customers) for number in numbers], ordered=False)


def _customer(number: int) -> dict[str, Any]:
    code = f"CUST-{number:06}"
    return {
        "tenant": serving.TENANT,
        "customer_code": code,
        "customer_name": f"Customer {number}",
        "identity_claims": [code],
        "status": "active",
    }


def _payment(number: int) -> dict[str, Any]:
    on = DAYS[number % len(DAYS)]
    return {
        "tenant": serving.TENANT,
        "customer_code": f"CUST-{number:06}",
        "payment_number": f"PAY{on[:4]}{number:06}",
        "number_year": int(on[:4]),
        "number_seq": number,
        "currency": "EUR",
        "amount_minor": 1_000 + number % 1_000,
        "direction": "incoming",
        "paid_on": on,
        "status": "recorded",
        "allocations": [{"claim": f"p{number}", "state": "settled", "amount_minor": 700, "on": on}],
        "allocated_minor": 700,
        "history": [],
    }


def _invoice(number: int, customers: int) -> dict[str, Any]:
    on, later = DAYS[number % len(DAYS)], DAYS[min(number % len(DAYS) + 40, len(DAYS) - 1)]
    paid = 1_000 if number % 2 else 400 if number % 10 == 0 else 0
    entries = [{"claim": f"i{number}", "state": "settled", "amount_minor": paid, "on": later}] if paid else []
    lines = [{"description": "Work", "quantity": "1", "unit_price": "10", "tax_rate": "18", "net": "10"}] * 5
    return {
        "tenant": serving.TENANT,
        "customer_code": f"CUST-{number % customers:06}",
        "invoice_number": f"FAC-{number:06}",
        "shop": "dkr1",
        "period": on[:7],
        "number_seq": number,
        "issued_on": on,
        "due_on": later,
        "currency": "EUR",
        "total_minor": 1_000,
        "status": "paid" if paid == 1_000 else "issued",
        "allocations": entries,
        "lines": lines,
        "history": [],
        **({"closed_on": later} if paid == 1_000 else {}),
    }


if __name__ == "__main__":
    main()
