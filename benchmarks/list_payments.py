"""What a deep page costs: `python -m benchmarks.list_payments [--payments 1000000] [--rounds 5]`.

`GET /payments?limit=100`, page 1 against page 5,000 of a million payments of one tenant, over HTTP, one after the
other in the same round, for each order.
"""

import argparse
import json
import statistics
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern

from benchmarks import serving
from finance.database import Db, shared_secret
from finance.edge.cursors import Cursors
from finance.paging import position_of
from finance.payments import store
from finance.payments.model import ORDER_BY_SORT, SORTS

PAGE = 100
DEEP_PAGE = 5_000
REQUESTS = 40
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        fill(db, options.payments)
        with serving.gunicorn(uri, db) as (url, _pid):
            key = serving.new_key(db, "accountant")
            for sort in SORTS:
                first = {"sort": sort, "limit": str(PAGE)}
                deep = {**first, "cursor": _cursor(db, sort, skip=min(DEEP_PAGE * PAGE, options.payments) - PAGE)}
                ratios = []
                for _round in range(options.rounds):
                    seconds = [_seconds(url, key, query) for query in (first, deep)]
                    ratios.append(seconds[1] / seconds[0])
                milliseconds = ", ".join(f"{value / REQUESTS * 1000:.1f} ms" for value in seconds)
                print(f"{sort:16} deep/first {statistics.median(ratios):.2f}  (goal 1.2; last round {milliseconds})")


def fill(db: Db, count: int) -> None:
    fast = db.payments.with_options(write_concern=WriteConcern(w=1))
    batch: list[dict[str, Any]] = []
    for payment in _payments(count):
        batch.append(payment)
        if len(batch) == 10_000:
            fast.insert_many(batch, ordered=False)
            batch = []
    if batch:
        fast.insert_many(batch, ordered=False)


def _payments(count: int) -> Iterator[dict[str, Any]]:
    for seq in range(1, count + 1):
        yield {
            "_id": ObjectId(),
            "tenant": serving.TENANT,
            "payment_number": f"PAY2026{seq:04}",
            "number_year": 2026,
            "number_seq": seq,
            "amount_minor": seq,
            "currency": "EUR",
            "payer": f"Payer {seq % 500}",
            "payer_folded": f"payer {seq % 500}",
            "method": "card",
            "direction": "incoming",
            "paid_on": f"2026-{seq % 12 + 1:02}-{seq % 28 + 1:02}",
            "status": "recorded",
            "previous_numbers": [],
            "history": [],
            "created_at": _BEGIN + timedelta(milliseconds=seq * 10),
            "created_by": "benchmark",
        }


def _cursor(db: Db, sort: str, *, skip: int) -> str:
    """Return the cursor of a page far down, without walking there page by page."""
    query = next(store.find_pages(db, tenant=serving.TENANT, filters={}, sort=sort, after=None))
    payment = next(query.skip(skip).limit(1))
    cursors = Cursors(lambda: shared_secret(db, name="cursors", fresh=b"for a benchmark"))
    position = position_of(payment, order=ORDER_BY_SORT[sort.removeprefix("-")])
    return cursors.encode(position, tenant=serving.TENANT, path="/api/v1/payments", query={"sort": sort})


def _seconds(url: str, key: str, query: dict[str, str]) -> float:
    path = "&".join(f"{name}={value}" for name, value in query.items())
    request = urllib.request.Request(f"{url}/api/v1/payments?{path}", headers={"Authorization": f"Bearer {key}"})
    began = time.perf_counter()
    for _ in range(REQUESTS):
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert len(json.load(answer)["data"]) == PAGE
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
