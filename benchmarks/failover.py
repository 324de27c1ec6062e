"""How long no payment is stored when the primary of three is lost: `python -m benchmarks.failover [--rounds 2]`.

One gunicorn worker and 16 clients, which repeat each request with its key until it is answered. The primary is frozen
(SIGSTOP), killed, and stepped down in turn; shown are the longest time between two stored payments, and how many
requests were answered 503 meanwhile.
"""

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks import serving

sys.path[:0] = [str(serving.ROOT)]

from tests.faults.three_nodes import ThreeNodes  # noqa: E402

CLIENTS = 16
BEFORE_S, AFTER_S = 2.0, 20.0
WAYS = ("frozen", "killed", "stepped down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ways", default=",".join(WAYS))
    options = parser.parse_args()
    for _round in range(options.rounds):
        for way in options.ways.split(","):
            with tempfile.TemporaryDirectory() as folder, ThreeNodes(Path(folder)) as nodes:
                longest_s, refused, stored = _lose(nodes, way)
            print(f"{way:13} {longest_s:5.1f} s without a stored payment  503: {refused}  stored: {stored}", flush=True)


def _lose(nodes: ThreeNodes, way: str) -> tuple[float, int, int]:
    with serving.fresh_database(nodes.uri) as db, serving.gunicorn(nodes.uri, db) as (url, _pid):
        clients = _Clients(url, serving.new_key(db, "client"))
        clients.start()
        time.sleep(BEFORE_S)
        primary = nodes.find_primary()
        assert primary is not None
        if way == "frozen":
            nodes.freeze([primary])
        elif way == "killed":
            nodes.kill(primary)
        else:
            nodes.step_down()
        time.sleep(AFTER_S)
        clients.stop()
        nodes.thaw([primary])
    times = sorted(clients.stored_at)
    return max(later - earlier for earlier, later in itertools.pairwise(times)), clients.refused, len(times)


class _Clients:
    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(CLIENTS)]
        self.stored_at: list[float] = []
        self.refused = 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _post(self, client: int) -> None:
        body = json.dumps({"amount": "12.50", "currency": "EUR", "payer": "Ada", "method": "card"}).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        number = 0
        while not self._stop.is_set():
            sent = {**headers, "Idempotency-Key": f"{client}-{number}"}
            request = urllib.request.Request(f"{self._url}/api/v1/payments", body, sent, method="POST")
            try:
                urllib.request.urlopen(request, timeout=15).close()
                self.stored_at.append(time.monotonic())
                number += 1
            except urllib.error.HTTPError:
                self.refused += 1
                time.sleep(0.2)
            except OSError:
                time.sleep(0.2)


if __name__ == "__main__":
    main()
