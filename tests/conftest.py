"""What tests need that is real: a mongod, a fresh database, gunicorn processes. All of it is ours and is stopped by us.

With `MONGODB_URI` set, tests use that server (a replica set) and start none, save for those that kill one.
"""

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import processes
import pymongo
import pytest
from embedded_mongodb import EmbeddedMongodb

from finance import database
from finance.config import Config
from tests.clients import ENCRYPTION_KEY, Client, make_key
from tests.commands import Commands
from tests.databases import Databases, new_name

ROOT = Path(__file__).resolve().parent.parent
GUNICORN_CONF = ROOT / "gunicorn.conf.py"
START_TIMEOUT_S = 60.0  # several of everything run at a time, on two cores
STOP_TIMEOUT_S = 20.0
# Settings of the one who runs the tests must not change what they see.
_SETTINGS = (
    "FINANCE_",
    "FORWARDED_",
    "PAYMENT_",
    "MONGODB_",
    "PROMETHEUS_",
    "GUNICORN_",
    "HOST",
    "PORT",
    "WEB_CONCURRENCY",
)


@pytest.fixture(scope="session")
def mongod() -> Iterator[EmbeddedMongodb | None]:
    """One mongod for all tests; None where `MONGODB_URI` names a server. Not to be killed: see `own_mongod`."""
    if os.environ.get("MONGODB_URI"):
        yield None
        return
    with _temporary_mongod(cache_gb=0.5) as running:
        yield running


@pytest.fixture
def own_mongod() -> Iterator[EmbeddedMongodb]:
    """A mongod of this test alone, that it may stop, kill and start again (on the same port, with the same data)."""
    with _temporary_mongod(cache_gb=0.25) as running:
        yield running


@pytest.fixture(scope="session")
def mongodb_uri(mongod: EmbeddedMongodb | None) -> str:
    return mongod.uri if mongod else os.environ["MONGODB_URI"]


@pytest.fixture(scope="session")
def databases(mongodb_uri: str) -> Iterator[Databases]:
    """The databases that tests take in turn; `db` is one of them."""
    made = Databases(lambda name: database.connect(Config(mongodb_uri=mongodb_uri, database_name=name)))
    yield made
    made.drop(lambda name: _drop(mongodb_uri, name))


@pytest.fixture
def db(databases: Databases) -> Iterator[database.Db]:
    """A database of this test alone, connected as the app does it, with all indexes and without a document."""
    with databases.take() as taken:
        yield taken


@pytest.fixture
def commands() -> Commands:
    """What MongoDB was asked through `watched`."""
    return Commands()


@pytest.fixture
def watched(db: database.Db, mongodb_uri: str, commands: Commands) -> Iterator[database.Db]:
    """The database of this test on another client, whose `commands` are noted."""
    with pymongo.MongoClient(mongodb_uri, event_listeners=[commands], tz_aware=True) as client:
        yield client[db.name]


class Api:
    """A running gunicorn with the app on `url`. `db` is its database, for seeding and for looking behind it."""

    def __init__(
        self, process: subprocess.Popen[bytes], *, url: str, log: Path, uri: str, db: database.Db, tenant: str = "acme"
    ) -> None:
        self.process = process
        self.url = url
        self.db = db
        self.mongodb_uri = uri
        self.tenant = tenant
        self._log = log

    @property
    def pid(self) -> int:
        """The master's process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """All that it has printed: one JSON object a line, but for what gunicorn says itself."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def worker_pids(self) -> list[int]:
        return processes.children(self.pid)

    def key(self, role: str = "client", tenant: str | None = None) -> str:
        """Make an API key and return it."""
        return make_key(self.db, role, tenant=tenant or self.tenant).key

    def headers(self, role: str = "client", tenant: str | None = None) -> dict[str, str]:
        """Return the header that carries a new key."""
        return {"Authorization": f"Bearer {self.key(role, tenant)}"}

    def stop(self) -> int:
        """Stop gracefully and return the exit code."""
        return processes.stop(self.process, timeout_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL the master and every worker at once, if it runs."""
        if self.process.poll() is not None:  # its id may be another's by now
            return
        for pid in [self.pid, *self.worker_pids()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def serve_api(mongodb_uri: str, databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """`serve_api(workers=3, **env)` starts a real gunicorn on a free port and waits until it is ready.

    The database is a fresh one unless `FINANCE_DATABASE` names one (`db.name`, to serve what a test has seeded);
    `MONGODB_URI=own_mongod.uri` uses a mongod that the test may kill; `has_indexes=False` leaves them to the workers;
    `PORT` is any free one unless it is given; `app` is what gunicorn serves, and `config` another configuration of it
    than ours.
    """
    with contextlib.ExitStack() as stack:

        def serve(
            workers: int = 3,
            *,
            has_indexes: bool = True,
            app: str = "wsgi:app",
            config: Path = GUNICORN_CONF,
            **env: str,
        ) -> Api:
            folder = tmp_path / f"api-{uuid4().hex[:8]}"
            if has_indexes and not env.keys() & {"FINANCE_DATABASE", "MONGODB_URI"}:
                env["FINANCE_DATABASE"] = stack.enter_context(databases.take()).name
            serving = _serving(mongodb_uri, folder, workers, env, has_indexes=has_indexes, app=app, config=config)
            api = stack.enter_context(serving)
            stack.callback(api.kill)  # a graceful stop would cost every test a second or two
            return api

        yield serve


@pytest.fixture(scope="session")
def shared_api(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One running API for every test that is content with a tenant of its own (`shared_api.key(tenant="…")`)."""
    with _serving(mongodb_uri, tmp_path_factory.mktemp("shared-api"), 2, {}) as api:
        yield api


@pytest.fixture
def client(db: database.Db) -> Client:
    """The app in this process, on a real MongoDB."""
    return Client(db)


@pytest.fixture(scope="session")
def shared_client(mongodb_uri: str) -> Iterator[Client]:
    """As `client`, for all tests that write nothing, or are content with a tenant of their own."""
    with _fresh_database(mongodb_uri) as fresh:
        database.create_indexes(fresh)
        yield Client(fresh)


@contextlib.contextmanager
def _temporary_mongod(*, cache_gb: float) -> Iterator[EmbeddedMongodb]:
    # Not pytest's tmp_path: that keeps the folders of the last runs, and this one takes hundreds of megabytes.
    folder = Path(tempfile.mkdtemp(prefix="finance-mongodb-"))
    try:
        with EmbeddedMongodb(folder, cache_gb=cache_gb) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _fresh_database(uri: str, name: str | None = None) -> Iterator[database.Db]:
    """Give a connected database; one that we named is dropped in the end."""
    connected = database.connect(Config(mongodb_uri=uri, database_name=name or new_name()))
    try:
        yield connected
    finally:
        with pymongo.timeout(1):  # its mongod may have ended before; by itself the driver would look for it for 30 s
            connected.client.close()
        if name is None:
            _drop(uri, connected.name)


def _drop(uri: str, name: str) -> None:
    """Drop a database, with w:1: waiting for the journal would cost every test a tenth of a second."""
    with contextlib.suppress(pymongo.errors.PyMongoError), pymongo.MongoClient(uri, w=1, timeoutMS=5000) as client:
        client.drop_database(name)


@contextlib.contextmanager
def _serving(
    uri: str,
    folder: Path,
    workers: int,
    env: dict[str, str],
    *,
    has_indexes: bool = True,
    app: str = "wsgi:app",
    config: Path = GUNICORN_CONF,
) -> Iterator[Api]:
    uri = env.get("MONGODB_URI", uri)
    with _fresh_database(uri, env.get("FINANCE_DATABASE")) as fresh:
        if has_indexes:
            database.create_indexes(fresh)
        port = int(env.get("PORT") or processes.free_port())
        settings = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        settings |= {"HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
        settings |= {"MONGODB_URI": uri, "FINANCE_DATABASE": fresh.name}
        settings |= {"FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode()}
        settings |= {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"), **env}
        command = [sys.executable, "-m", "gunicorn", "--config", str(config), app]
        process = processes.start(command, log=folder / "gunicorn.log", env=settings, cwd=ROOT)
        api = Api(process, url=f"http://127.0.0.1:{port}", log=folder / "gunicorn.log", uri=uri, db=fresh)
        try:
            _wait_until_ready(api)
            yield api
        finally:
            api.stop()


def _wait_until_ready(api: Api) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if api.process.poll() is not None:
            pytest.fail(f"gunicorn ended with code {api.process.returncode}:\n{api.log[-3000:]}")
        with contextlib.suppress(OSError):  # not listening, and any answer that isn't 2xx
            urllib.request.urlopen(f"{api.url}/readyz", timeout=5).close()
            return
        time.sleep(0.05)
    pytest.fail(f"gunicorn was not ready within {START_TIMEOUT_S:.0f} s:\n{api.log[-3000:]}")
