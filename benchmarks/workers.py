"""What more workers give: `python -m benchmarks.workers [--seconds 4] [--rounds 3]`.

64 connections post payments of one tenant to 1, 2, 3 and 4 gunicorn workers in turn. mongod, the workers and this
client share the machine, so beyond its cores nothing is to be gained here.
"""

import argparse
import itertools
import os
import statistics

from benchmarks import load, posts, serving

WORKERS = (1, 2, 3, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    with serving.mongod() as uri:
        for number, workers in itertools.product(range(1, options.rounds + 1), WORKERS):
            with serving.fresh_database(uri) as db, serving.gunicorn(uri, db, workers=workers) as (url, _pid):
                make_request = posts.payments(serving.new_key(db, "client"))
                load.run(url, make_request, connections=options.connections, seconds=1)
                result = load.run(url, make_request, connections=options.connections, seconds=options.seconds)
            rates[workers].append(result.rate)
            print(f"round {number}  {workers} workers {result.rate:7.0f}/s  p99 {result.p99_s * 1000:6.1f} ms")
    one = statistics.median(rates[1])
    ratios = ", ".join(f"{workers}: {statistics.median(rates[workers]) / one:.2f}" for workers in WORKERS[1:])
    print(f"workers against one, on {os.cpu_count()} cores: {ratios}")


if __name__ == "__main__":
    main()
