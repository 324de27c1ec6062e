"""How fast payments are recorded: `python benchmarks/post_payments.py [--seconds 6] [--rounds 3] [--workers 1]`.

64 connections post to one gunicorn worker; mongod (one member, w:majority with journal) and this client run on the
same machine. Each round runs the app as it is, the same app without a database, and the plain recipe, one after the
other, so that the ratios come from the same minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import processes  # noqa: E402
from embedded_mongodb import EmbeddedMongodb  # noqa: E402

from benchmarks import load  # noqa: E402
from finance import database  # noqa: E402
from finance.auth import service as keys  # noqa: E402
from finance.config import Config  # noqa: E402

LANES = ("group", "none", "plain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--with-keys", action="store_true", help="send a fresh Idempotency-Key with each request")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedMongodb(Path(folder) / "db", cache_gb=1) as mongodb:
        rates: dict[str, list[load.Result]] = {lane: [] for lane in LANES}
        for number in range(options.rounds):
            for lane in LANES:
                result = _measure(mongodb.uri, lane, options, Path(folder))
                rates[lane].append(result)
                print(
                    f"round {number + 1} {lane:6} {result.rate:7.0f}/s  p50 {result.p50_s * 1000:6.1f} ms  "
                    f"p99 {result.p99_s * 1000:6.1f} ms  refused {result.refused}"
                )
    middle = {lane: statistics.median(result.rate for result in results) for lane, results in rates.items()}
    print(f"against no database: {middle['group'] / middle['none']:.2f} (goal 0.5)")
    print(f"against the plain recipe: {middle['group'] / middle['plain']:.2f} (goal 3)")


def _measure(uri: str, lane: str, options: argparse.Namespace, folder: Path) -> load.Result:
    config = Config(mongodb_uri=uri, database_name=f"bench_{lane}_{time.time_ns()}")
    db = database.connect(config)
    database.create_indexes(db)
    key = keys.create_key(db, tenant="acme", role="client", now=datetime.now(UTC)).key
    port = processes.free_port()
    env = os.environ | {
        "MONGODB_URI": uri,
        "FINANCE_DATABASE": config.database_name,
        "FINANCE_BENCHMARK_LANE": lane,
        "WEB_CONCURRENCY": str(options.workers),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "benchmarks.variants:app"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=(folder / "gunicorn.log").open("ab"))
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url)
        make_request = _requests(key, with_keys=options.with_keys)
        load.run(url, make_request, connections=options.connections, seconds=1)
        return load.run(url, make_request, connections=options.connections, seconds=options.seconds)
    finally:
        process.terminate()
        process.wait()
        db.client.drop_database(config.database_name)
        db.client.close()


def _requests(key: str, *, with_keys: bool):
    run_id = time.time_ns()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def make_request(number: int) -> bytes:
        body = json.dumps(
            {"amount": f"{number % 9000 + 1}.50", "currency": "EUR", "payer": f"Payer {number % 500}", "method": "card"}
        ).encode()
        once = {"Idempotency-Key": f"{run_id}-{number}"} if with_keys else {}
        return load.request("POST", "/api/v1/payments", headers={**headers, **once}, body=body)

    return make_request


def _wait_until_ready(url: str) -> None:
    for _attempt in range(600):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{url} was not ready in time")


if __name__ == "__main__":
    main()
