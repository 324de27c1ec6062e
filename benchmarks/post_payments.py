"""How fast payments are recorded: `python -m benchmarks.post_payments [--seconds 6] [--rounds 3] [--workers 1]`.

64 connections post to one gunicorn worker; mongod (one member, w:majority with journal) and this client run on the
same machine. Each round runs the app as it is, the same app without a database, and the plain recipe, one after the
other, so that the ratios come from the same minutes. `--memory` posts 100,000 payments instead and shows what the
worker holds after each tenth.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import time
from collections.abc import Callable

from benchmarks import load, serving

LANES = ("group", "none", "plain")
MEMORY_POSTS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--without-keys", action="store_true", help="send no Idempotency-Key")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    with serving.mongod() as uri:
        if options.memory:
            show_memory(uri, options)
        else:
            compare_lanes(uri, options)


def compare_lanes(uri: str, options: argparse.Namespace) -> None:
    """Print the rate of each lane in each round, and the ratios of their medians."""
    rates: dict[str, list[float]] = {lane: [] for lane in LANES}
    for number, lane in itertools.product(range(1, options.rounds + 1), LANES):
        app = {"app": "benchmarks.variants:app", "FINANCE_BENCHMARK_LANE": lane}
        with (
            serving.fresh_database(uri) as db,
            serving.gunicorn(uri, db, workers=options.workers, **app) as (url, _pid),
        ):
            post = _posts(serving.new_key(db, "client"), with_keys=not options.without_keys)
            load.run(url, post, connections=options.connections, seconds=1)
            result = load.run(url, post, connections=options.connections, seconds=options.seconds)
        rates[lane].append(result.rate)
        times = f"p50 {result.p50_s * 1000:6.1f} ms  p99 {result.p99_s * 1000:6.1f} ms"
        print(f"round {number}  {lane:6}{result.rate:7.0f}/s  {times}  refused {result.refused}")
    middle = {lane: statistics.median(found) for lane, found in rates.items()}
    print(f"against no database:      {middle['group'] / middle['none']:.2f}  (goal 0.5)")
    print(f"against the plain recipe: {middle['group'] / middle['plain']:.2f}  (goal 3)")


def show_memory(uri: str, options: argparse.Namespace) -> None:
    """Print what one worker holds after each tenth of 100,000 posts."""
    with serving.fresh_database(uri) as db, serving.gunicorn(uri, db) as (url, master):
        post = _posts(serving.new_key(db, "client"), with_keys=True)
        worker = subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True, check=True).stdout.strip()
        answered = 0
        shown = 0
        while answered < MEMORY_POSTS:
            answered += load.run(url, post, connections=options.connections, seconds=2).answered
            if answered >= shown:
                shown += MEMORY_POSTS // 10
                print(f"{answered:7} posts  {_resident_mb(worker):6.1f} MB")


def _resident_mb(pid: str) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def _posts(key: str, *, with_keys: bool) -> Callable[[int], bytes]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    numbers = itertools.count()
    run_id = time.time_ns()

    def make_request(_number: int) -> bytes:
        number = next(numbers)
        body = {"amount": f"{number % 9000 + 1}.50", "currency": "EUR", "payer": f"Payer {number % 500}"}
        once = {"Idempotency-Key": f"{run_id}-{number}"} if with_keys else {}
        text = json.dumps(body | {"method": "card"}).encode()
        return load.request("POST", "/api/v1/payments", headers={**headers, **once}, body=text)

    return make_request


if __name__ == "__main__":
    main()
