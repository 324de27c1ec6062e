"""A mongod and a gunicorn for a benchmark, each stopped when it is done."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts")]

import processes  # noqa: E402
import pymongo  # noqa: E402
from embedded_mongodb import EmbeddedMongodb  # noqa: E402

from finance import database  # noqa: E402
from finance.asked import Asked  # noqa: E402
from finance.auth import service as keys  # noqa: E402
from finance.auth.model import Role, WantedKey  # noqa: E402
from finance.config import Config  # noqa: E402
from finance.context import utc_now  # noqa: E402

TENANT = "acme"


@contextlib.contextmanager
def mongod() -> Iterator[str]:
    """Give the URI of a mongod of its own: a one-member replica set with a cache of 1 GB."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedMongodb(Path(folder) / "mongodb", cache_gb=1) as running:
        yield running.uri


@contextlib.contextmanager
def fresh_database(uri: str) -> Iterator[database.Db]:
    """Give a new database with its indexes, and drop it in the end."""
    db = database.connect(Config(mongodb_uri=uri, database_name=f"benchmark_{time.time_ns()}"))
    database.create_indexes(db)
    try:
        yield db
    finally:
        db.client.drop_database(db.name)
        db.client.close()


def new_key(db: database.Db, role: Role, *, tenant: str = TENANT) -> str:
    return keys.create_key(db, Asked(tenant, "benchmark", utc_now()), WantedKey(role)).key


@contextlib.contextmanager
def gunicorn(
    uri: str, db: database.Db, *, app: str = "wsgi:app", workers: int = 1, **env: str
) -> Iterator[tuple[str, int]]:
    """Give the URL and the process id of the master, once it is ready."""
    port = processes.free_port()
    settings = {"MONGODB_URI": uri, "FINANCE_DATABASE": db.name, "WEB_CONCURRENCY": str(workers)}
    settings |= {"FINANCE_REQUESTS_PER_KEY": "off"}  # all of a benchmark's requests have one key
    settings |= {"HOST": "127.0.0.1", "PORT": str(port), **env}
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", app]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def cpu_s(pid: int) -> float:
    """Return the processor time that a process and its children have taken, those that ended aside; Linux alone."""
    times = [float(_cpu_ticks(child)) for child in [pid, *_children(pid)]]
    return sum(times) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> float:
    """Return the most memory a process had, without its children; Linux alone; 0 where it has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def worker_pid(pid: int) -> int:
    """Return the process id of the only worker of a gunicorn; Linux alone."""
    (worker,) = _children(pid)
    return worker


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def mongod_pid(uri: str) -> int:
    """Return the process id that the server itself names."""
    with pymongo.MongoClient(uri) as client:
        return int(client.admin.command("serverStatus")["pid"])


def put(url: str, path: str, *, key: str, body: dict[str, object]) -> None:
    """Send a PUT that must succeed."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), headers, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


def _wait_until_ready(url: str) -> None:
    for _attempt in range(600):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{url} was not ready in time")
