"""What happens at four times what a worker can do: `python -m benchmarks.overload [--seconds 10] [--rounds 2]`.

64 connections show what is normal: the rate, and how long an accepted request takes. Then 1,000 connections send four
times that rate: first such as wait a second after a 503, as its Retry-After says, then such as try again at once. Shown
are what was accepted and refused, the p99 of the accepted, how long `/healthz` took meanwhile, and what is normal
afterwards.
"""

import argparse
import threading
import time
import urllib.request

from benchmarks import load, posts, serving

CONNECTIONS, CROWD = 64, 1_000
TIMES = 4.0
RECOVERY_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--crowd", type=int, default=CROWD)
    options = parser.parse_args()
    with serving.mongod() as uri:
        for number in range(1, options.rounds + 1):
            with serving.fresh_database(uri) as db, serving.gunicorn(uri, db) as (url, _pid):
                print(f"round {number}")
                _overload(url, posts.payments(serving.new_key(db, "client")), options)


def _overload(url: str, post: posts.Posts, options: argparse.Namespace) -> None:
    load.run(url, post, connections=CONNECTIONS, seconds=2)
    normal = load.run(url, post, connections=CONNECTIONS, seconds=5)
    _show("normal", normal, normal)
    for name, retry_after_s in (("patient", 1.0), ("impatient", 0.0)):
        crowd = {"connections": options.crowd, "seconds": options.seconds, "rate": TIMES * normal.rate}
        with _Health(url) as health:
            crowded = load.run(url, post, retry_after_s=retry_after_s, **crowd)
        _show(name, crowded, normal)
        print(f"  /healthz meanwhile: slowest {max(health.seconds) * 1000:.0f} ms of {len(health.seconds)}")
        _show("just after", load.run(url, post, connections=CONNECTIONS, seconds=RECOVERY_S), normal)


def _show(name: str, result: load.Result, normal: load.Result) -> None:
    print(
        f"  {name:10} {result.rate:6.0f}/s accepted ({result.rate / normal.rate:.2f})  "
        f"refused {result.refused:6}  dropped {result.dropped:4}  "
        f"p50 {result.p50_s * 1000:6.0f} ms  p99 {result.p99_s * 1000:6.0f} ms ({result.p99_s / normal.p99_s:.1f})",
        flush=True,
    )


class _Health:
    """Asks for /healthz again and again, by a connection of its own each time."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/healthz"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.seconds: list[float] = []

    def __enter__(self) -> "_Health":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            urllib.request.urlopen(self._url, timeout=30).close()
            self.seconds.append(time.perf_counter() - began)
            self._stop.wait(0.1)


if __name__ == "__main__":
    main()
