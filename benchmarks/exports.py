"""What a file costs: `python -m benchmarks.exports [--payments 300000] [--rounds 5]`.

All payments of a tenant, once as a cursor of the driver gives them (every field, sorted as the file is), once as CSV in
this process, once as CSV over HTTP, in the same round; then a large workbook, made in the background, with the memory
that the worker takes, and what other requests wait for meanwhile.
"""

import argparse
import http.client
import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks import serving
from benchmarks.list_payments import fill
from finance.app import create_app
from finance.config import Config
from finance.database import Db
from finance.payments.model import ORDER_BY_SORT

CSV = "/api/v1/payments/export.csv"
XLSX = "/api/v1/payments/export.xlsx"
GOAL = 0.35
_READ_BYTES = 1024 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-workbook", action="store_true")
    options = parser.parse_args()
    with serving.mongod() as uri, serving.fresh_database(uri) as db:
        fill(db, options.payments)
        key = serving.new_key(db, "accountant")
        app = create_app(Config(), db=db).test_client()
        with serving.gunicorn(uri, db) as (url, pid):
            ways: dict[str, Callable[[], int]] = {
                "raw cursor": lambda: raw(db),
                "CSV in process": lambda: in_process(app, key),
                "CSV over HTTP": lambda: over_http(url, key, CSV),
            }
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _round in range(options.rounds):
                for name, way in ways.items():
                    seconds[name].append(timed(way, options.payments))
            report(seconds, options.payments)
            if not options.no_workbook:
                workbook(url, pid, key, options.payments)


def raw(db: Db) -> int:
    """Read every payment by one cursor of the driver."""
    order = [(field, 1) for field in ORDER_BY_SORT["payment_number"]]
    return sum(1 for _payment in db.payments.find({"tenant": serving.TENANT}).sort(order))


def in_process(app: Any, key: str) -> int:
    answer = app.get(CSV, headers={"Authorization": f"Bearer {key}"})
    rows = sum(chunk.count(b"\n") for chunk in answer.response) - 1
    answer.close()
    return int(rows)


def over_http(url: str, key: str, path: str) -> int:
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {key}"})
    rows = -1
    with urllib.request.urlopen(request, timeout=600) as answer:
        while data := answer.read(_READ_BYTES):
            rows += data.count(b"\n")
    return rows


def timed(way: Callable[[], int], expected: int) -> float:
    began = time.perf_counter()
    found = way()
    assert found == expected, (found, expected)
    return time.perf_counter() - began


def report(seconds: dict[str, list[float]], count: int) -> None:
    cursors = seconds["raw cursor"]
    for name, taken in seconds.items():
        ratio = statistics.median(cursor / each for cursor, each in zip(cursors, taken, strict=True))
        goal = "" if name == "raw cursor" else f"  {ratio:.2f} of the raw cursor (goal {GOAL})"
        print(f"{name:16} {count / statistics.median(taken):9,.0f} rows/s{goal}", flush=True)


def workbook(url: str, pid: int, key: str, count: int) -> None:
    """Have a workbook made in the background while another connection asks for a payment, and say what both took."""
    worker = serving.worker_pid(pid)
    alone = waits(url, key, lambda: False, at_least=200)
    before = serving.peak_megabytes(worker)
    is_made = threading.Event()
    beside: list[list[float]] = []
    asking = threading.Thread(target=lambda: beside.append(waits(url, key, lambda: not is_made.is_set())))
    began = time.perf_counter()
    place = asked_for(url, key)
    asking.start()
    size, progress = fetched(url + place, key)
    took = time.perf_counter() - began
    is_made.set()
    asking.join()
    after = serving.peak_megabytes(worker)
    print(f"XLSX in the background: {count / took:,.0f} rows/s, {size / 1e6:.1f} MB, {len(progress)} signs of progress")
    print(f"  the worker's peak memory: {before:.0f} MB before, {after:.0f} MB after")
    for name, times in (("alone", alone), ("meanwhile", beside[0])):
        median, p99 = statistics.median(times) * 1000, sorted(times)[int(len(times) * 0.99)] * 1000
        print(f"  GET of one payment {name}: median {median:.1f} ms, p99 {p99:.1f} ms ({len(times)} requests)")


def asked_for(url: str, key: str) -> str:
    headers = {"Authorization": f"Bearer {key}", "Prefer": "respond-async"}
    with urllib.request.urlopen(urllib.request.Request(url + XLSX, headers=headers), timeout=30) as answer:
        assert answer.status == 202
        return str(answer.headers["Location"])


def fetched(address: str, key: str) -> tuple[int, list[int]]:
    """Wait for a file, and return its size and the rows that were told of meanwhile."""
    progress: list[int] = []
    while True:
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
            if answer.status == 200:
                return len(body), progress
        rows = json.loads(body)["rows"]
        if rows not in progress:
            progress.append(rows)
        time.sleep(0.5)


def waits(url: str, key: str, goes_on: Callable[[], bool], *, at_least: int = 0) -> list[float]:
    """Ask for one payment again and again, a hundred times a second at most, and return how long each took."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    times: list[float] = []
    while len(times) < at_least or goes_on():
        began = time.perf_counter()
        connection.request("GET", "/api/v1/payments/PAY20260001", headers={"Authorization": f"Bearer {key}"})
        connection.getresponse().read()
        times.append(time.perf_counter() - began)
        time.sleep(0.01)
    connection.close()
    return times


if __name__ == "__main__":
    main()
