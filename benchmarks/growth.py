"""What a post and a page cost as payments grow: `python -m benchmarks.growth [--millions 0,1,3] [--seconds 4]`.

One tenant with no payment, then with one and three million. At each size 64 connections post, and the newest page is
listed. The rounds of one size follow each other: filling takes minutes, so ratios between sizes are of different
minutes, which is why the processor's time of a request is shown beside its rate.
"""

import argparse
import statistics

from benchmarks import list_payments, load, posts, serving
from finance.database import Db

CONNECTIONS = 64
LISTING_CONNECTIONS = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", default="0,1,3")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    first: tuple[float, float] | None = None
    for millions in options.millions.split(","):
        with serving.mongod() as uri, serving.fresh_database(uri) as db:
            list_payments.fill(db, int(float(millions) * 1_000_000))
            rate, listing_s = _measure(uri, db, options)
        first = first or (rate, listing_s)
        print(
            f"{millions} million payments {rate:7.0f} posts/s ({rate / first[0]:.2f} of the first size)  "
            f"page of 50 {listing_s * 1000:5.1f} ms ({listing_s / first[1]:.2f})",
            flush=True,
        )


def _measure(uri: str, db: Db, options: argparse.Namespace) -> tuple[float, float]:
    """Return the median rate of posts and the median time of a page."""
    mongod = serving.mongod_pid(uri)
    rates, pages = [], []
    with serving.gunicorn(uri, db) as (url, pid):
        post = posts.payments(serving.new_key(db, "client"))
        headers = {"Authorization": f"Bearer {serving.new_key(db, 'accountant')}"}
        page = load.request("GET", "/api/v1/payments", headers=headers)
        load.run(url, post, connections=CONNECTIONS, seconds=2)
        for number in range(1, options.rounds + 1):
            before = [serving.cpu_s(process) for process in (pid, mongod)]
            posted = load.run(url, post, connections=CONNECTIONS, seconds=options.seconds)
            taken = [serving.cpu_s(process) for process in (pid, mongod)]
            listed = load.run(url, lambda _number: page, connections=LISTING_CONNECTIONS, seconds=1)
            costs = [(b - a) / posted.answered * 1e6 for a, b in zip(before, taken, strict=True)]
            print(
                f"round {number}  {posted.rate:7.0f}/s  worker {costs[0]:5.0f} µs  mongod {costs[1]:5.0f} µs  "
                f"refused {posted.refused}  page {listed.p50_s * 1000:5.1f} ms"
            )
            rates.append(posted.rate)
            pages.append(listed.p50_s)
    return statistics.median(rates), statistics.median(pages)


if __name__ == "__main__":
    main()
