"""Payments in bulk: `python -m benchmarks.bulk [--rows 5000] [--rounds 5] [--seconds 6] [--connections 4]`.

In each round, one after the other, so that the ratios come from the same minutes: `insert_many` of the very documents
that a bulk has stored, into a collection with the same indexes; the bulk over HTTP, to one worker; and single posts of
another tenant, first alone, then while bulks follow each other without a pause. mongod, gunicorn and this client share
the machine.
"""

import argparse
import itertools
import json
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from bson import ObjectId

from benchmarks import load, posts, serving
from finance.database import Db

ATTEMPTS_MAX = 20  # a machine that does much else takes longer than a request may
ROW = {"currency": "EUR", "payer": "Ada Lovelace", "method": "bank_transfer", "paid_on": "2026-11-20"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    numbers = itertools.count()
    rates: dict[str, list[float]] = {"insert_many": [], "bulk": []}
    p99s: dict[str, list[float]] = {"alone": [], "beside bulks": []}
    with serving.mongod() as uri, serving.fresh_database(uri) as db, serving.gunicorn(uri, db) as (url, _pid):
        bulk = _sender(url, serving.new_key(db, "client", tenant="bulk"), options.rows, numbers)
        single = posts.payments(serving.new_key(db, "client", tenant="single"))
        bulk()
        for number in range(1, options.rounds + 1):
            rates["bulk"].append(options.rows / _timed(bulk))
            rates["insert_many"].append(options.rows / _inserted_again(db, options.rows))
            for beside in p99s:
                result = _posts_beside(url, single, bulk if beside != "alone" else None, options)
                p99s[beside].append(result.p99_s)
            found = "  ".join(f"{name} {rate[-1]:6.0f}/s" for name, rate in rates.items())
            times = "  ".join(f"p99 {beside} {p99[-1] * 1000:6.1f} ms" for beside, p99 in p99s.items())
            print(f"round {number}  {found}  {times}", flush=True)
    middle = {name: statistics.median(found) for name, found in (rates | p99s).items()}
    print(f"bulk against insert_many: {middle['bulk'] / middle['insert_many']:.2f}  (goal 0.4)")
    print(
        f"p99 of another's posts beside bulks, against alone: {middle['beside bulks'] / middle['alone']:.2f}  (goal 2)"
    )


def _sender(url: str, key: str, rows: int, numbers: "itertools.count[int]") -> Callable[[], None]:
    """Return what sends a bulk under a fresh Idempotency-Key, and reads the whole answer."""
    body = {"payments": [ROW | {"amount": f"{1 + n}.50", "reference": f"VIR {n}"} for n in range(rows)]}
    raw = json.dumps(body).encode()
    run_id = time.time_ns()

    def send() -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = f"{run_id}-{next(numbers)}"
        request = urllib.request.Request(f"{url}/api/v1/payments/bulk", raw, headers)
        for _attempt in range(ATTEMPTS_MAX):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answer.read()
                return
            except urllib.error.HTTPError as refused:
                if refused.code != 503:
                    raise
        raise SystemExit("a bulk was never completed")

    return send


def _inserted_again(db: Db, rows: int) -> float:
    """Return how long insert_many takes for the documents of the last bulk, under other numbers and keys."""
    documents: list[dict[str, Any]] = list(db.payments.find({"tenant": "bulk"}).sort("_id", -1).limit(rows))
    for document in documents:
        document |= {"_id": ObjectId(), "tenant": "plain"}
        document["payment_number"] += f"-{document['_id']}"
        document["idempotency_key"] += f"-{document['_id']}"
    return _timed(lambda: db.payments.insert_many(documents, ordered=False))


def _posts_beside(
    url: str, single: posts.Posts, bulk: Callable[[], None] | None, options: argparse.Namespace
) -> load.Result:
    """Post single payments, while bulks follow each other where there is one to send."""
    ended = threading.Event()

    def send_bulks() -> None:
        while bulk is not None and not ended.is_set():
            bulk()

    sending = threading.Thread(target=send_bulks)
    sending.start()
    try:
        return load.run(url, single, connections=options.connections, seconds=options.seconds)
    finally:
        ended.set()
        sending.join()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
