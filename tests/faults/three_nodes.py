"""A replica set of three real mongods on this machine, whose members can be frozen and killed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import processes
import pymongo
from embedded_mongodb import find_mongod
from pymongo.errors import PyMongoError

HOST = "127.0.0.1"
SET = "three"
START_S = 60.0
# Both as docs/deployment.md advises, which says why.
SETTINGS = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500, "catchUpTimeoutMillis": 500}
PARAMETERS = {"oplogNetworkTimeoutBufferSeconds": 1, "oplogFetcherSteadyStateMaxFetcherRestarts": 0}


class ThreeNodes:
    """Three members, each with a port and a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = [processes.free_port() for _member in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def uri(self) -> str:
        hosts = ",".join(f"{HOST}:{port}" for port in self.ports)
        return f"mongodb://{hosts}/?replicaSet={SET}"

    def __enter__(self) -> "ThreeNodes":
        for port in self.ports:
            self.start(port)
        members = [{"_id": number, "host": f"{HOST}:{port}"} for number, port in enumerate(self.ports)]
        wanted = {"_id": SET, "members": members, "settings": SETTINGS}
        until = time.monotonic() + START_S
        while not all(processes.accepts(HOST, port) for port in self.ports):
            assert time.monotonic() < until, "not all members came up"
            time.sleep(0.1)
        with pymongo.MongoClient(HOST, self.ports[0], directConnection=True) as first:
            first.admin.command("replSetInitiate", wanted)
        while self.find_primary() is None or len(self._find("SECONDARY")) < 2:
            assert time.monotonic() < until, "the set did not come up"
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw(self.ports)
        for process in self._processes.values():
            process.kill()
            process.wait()

    def start(self, port: int) -> None:
        """Start a member, also again with the same data."""
        data = self._folder / str(port)
        data.mkdir(parents=True, exist_ok=True)
        command = [str(find_mongod()), "--dbpath", str(data), "--bind_ip", HOST, "--port", str(port), "--replSet", SET]
        command += ["--wiredTigerCacheSizeGB", "0.25", "--nounixsocket", "--oplogSize", "64", "--quiet"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        for name, value in PARAMETERS.items():
            command += ["--setParameter", f"{name}={value}"]
        log = self._folder / f"{port}.log"
        self._processes[port] = processes.start(command, log=log, env={**os.environ, "LC_ALL": "C"})

    def find_primary(self) -> int | None:
        """Return the port of the member that takes writes, None while there is none."""
        return next(iter(self._find("PRIMARY")), None)

    def secondaries(self) -> list[int]:
        primary = self.find_primary()
        return [port for port in self.ports if port != primary]

    def freeze(self, ports: Iterable[int]) -> None:
        """Stop members where they stand: their connections stay, and nobody answers."""
        for port in ports:
            os.kill(self._processes[port].pid, signal.SIGSTOP)

    def thaw(self, ports: Iterable[int]) -> None:
        for port in ports:
            if self._processes[port].poll() is None:
                os.kill(self._processes[port].pid, signal.SIGCONT)

    def kill(self, port: int) -> None:
        """End a member as a power cut would."""
        self._processes[port].kill()
        self._processes[port].wait()

    def step_down(self) -> None:
        """Have the primary give up its place."""
        with pymongo.MongoClient(HOST, self.find_primary(), directConnection=True) as primary:
            primary.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=10)

    def _find(self, state: str) -> list[int]:
        found = []
        for port in self.ports:
            try:
                with pymongo.MongoClient(HOST, port, directConnection=True, timeoutMS=1000) as member:
                    hello = member.admin.command("hello")
            except PyMongoError:
                continue
            if hello.get("isWritablePrimary" if state == "PRIMARY" else "secondary"):
                found.append(port)
        return found
