"""What many series cost beside one: `python -m benchmarks.many_series [--seconds 5] [--rounds 3] [--workers 1]`.

64 connections post payments of one tenant, then of 64, and invoices of one shop, then of 16, in turn, so that the
ratios come from the same minutes; beside the rates, what a request costs of the processor, which noise moves less.
mongod, gunicorn and this client share the machine.
"""

import argparse
import itertools
import statistics

from benchmarks import load, posts, serving
from finance.database import Db

WAYS = (("payments", 1), ("payments", 64), ("invoices", 1), ("invoices", 16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    rates: dict[tuple[str, int], list[float]] = {way: [] for way in WAYS}
    with serving.mongod() as uri:
        mongod = serving.mongod_pid(uri)
        for number, way in itertools.product(range(1, options.rounds + 1), WAYS):
            with serving.fresh_database(uri) as db, serving.gunicorn(uri, db, workers=options.workers) as (url, pid):
                make_request = _payments(db, way[1]) if way[0] == "payments" else _invoices(db, url, way[1])
                load.run(url, make_request, connections=options.connections, seconds=1)
                before = [serving.cpu_s(process) for process in (pid, mongod)]
                result = load.run(url, make_request, connections=options.connections, seconds=options.seconds)
                taken = [serving.cpu_s(process) for process in (pid, mongod)]
            costs = [(b - a) / result.answered * 1e6 for a, b in zip(before, taken, strict=True)]
            rates[way].append(result.rate)
            cost = f"worker {costs[0]:5.0f} µs  mongod {costs[1]:5.0f} µs"
            print(f"round {number}  {way[0]} of {way[1]:2}{result.rate:7.0f}/s  {cost}  refused {result.refused}")
    middle = {way: statistics.median(found) for way, found in rates.items()}
    print(f"payments of 64 tenants against 1: {middle['payments', 64] / middle['payments', 1]:.2f}  (goal 0.7)")
    print(f"invoices of 16 shops against 1:   {middle['invoices', 16] / middle['invoices', 1]:.2f}  (goal 0.9)")


def _payments(db: Db, tenants: int) -> posts.Posts:
    return posts.payments(*(serving.new_key(db, "client", tenant=f"t{n}") for n in range(tenants)))


def _invoices(db: Db, url: str, shops: int) -> posts.Posts:
    key, admin = serving.new_key(db, "client"), serving.new_key(db, "admin")
    bodies = []
    for number in range(shops):
        shop = {"name": f"Shop {number}", "timezone": "UTC", "currency": "EUR"}
        serving.put(url, f"/api/v1/shops/s{number}", key=admin, body=shop)
        lines = [{"description": "Tea", "quantity": "2", "unit_price": "5.00", "tax_rate": "18"}]
        bodies.append((key, {"shop": f"s{number}", "customer_name": "Ada", "lines": lines}))
    return posts.in_turn("/api/v1/invoices", bodies)


if __name__ == "__main__":
    main()
