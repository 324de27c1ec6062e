"""A replica set of three real mongods on this machine, whose members can be frozen, killed and cut off."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

import processes
import pymongo
from embedded_mongodb import find_mongod
from pymongo.errors import PyMongoError

from tests.faults.networks import LOOPBACK, Loopback

HOST = LOOPBACK
SET = "three"
START_S = 60.0
STEPPED_DOWN_S = 20
# Both as docs/deployment.md advises, which says why.
SETTINGS = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500, "catchUpTimeoutMillis": 500}
PARAMETERS = {"oplogNetworkTimeoutBufferSeconds": 1, "oplogFetcherSteadyStateMaxFetcherRestarts": 0}


class ThreeNodes:
    """Three members, each with a port and a process of its own, known by its port."""

    def __init__(self, folder: Path, network: Callable[[Sequence[int]], Loopback] = Loopback) -> None:
        self._folder = folder
        self.ports = [processes.free_port() for _member in range(3)]
        self.network = network(self.ports)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def uri(self) -> str:
        hosts = ",".join(f"{self.network.host(port)}:{port}" for port in self.ports)
        return f"mongodb://{hosts}/?replicaSet={SET}"

    def __enter__(self) -> "ThreeNodes":
        try:
            for port in self.ports:
                self.start(port)
            self._initiate()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.kill()  # also one that is frozen
            process.wait()
        self.network.close()

    def start(self, port: int) -> None:
        """Start a member, also again with the same data."""
        data = self.data(port)
        data.mkdir(parents=True, exist_ok=True)
        command = [str(find_mongod()), "--dbpath", str(data), "--bind_ip", self.network.host(port)]
        command += ["--port", str(self.network.listening(port)), "--replSet", SET]
        command += ["--wiredTigerCacheSizeGB", "0.25", "--nounixsocket", "--oplogSize", "64", "--quiet"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        for name, value in PARAMETERS.items():
            command += ["--setParameter", f"{name}={value}"]
        log = self._folder / f"{port}.log"
        inside = self.network.inside(port, command)
        self._processes[port] = processes.start(inside, log=log, env={**os.environ, "LC_ALL": "C"})

    def data(self, port: int) -> Path:
        """Return the folder of a member's data."""
        return self._folder / str(port)

    def find_primary(self) -> int | None:
        """Return the port of the member that takes writes, None while there is none."""
        return next(iter(self._find("PRIMARY")), None)

    def secondaries(self) -> list[int]:
        primary = self.find_primary()
        return [port for port in self.ports if port != primary]

    def is_whole(self) -> bool:
        """Return whether there is one primary and both others follow it."""
        return len(self._find("PRIMARY")) == 1 and len(self._find("SECONDARY")) == 2

    def is_running(self, port: int) -> bool:
        return self._processes[port].poll() is None

    def freeze(self, ports: Iterable[int]) -> None:
        """Stop members where they stand: their connections stay, and nobody answers."""
        for port in ports:
            os.kill(self._processes[port].pid, signal.SIGSTOP)

    def thaw(self, ports: Iterable[int]) -> None:
        for port in ports:
            if self.is_running(port):
                os.kill(self._processes[port].pid, signal.SIGCONT)

    def kill(self, *ports: int) -> None:
        """End members as a power cut would, all at once."""
        for port in ports:
            self._processes[port].kill()
        for port in ports:
            self._processes[port].wait()

    def step_down(self) -> None:
        """Have the primary give up its place."""
        primary = self.find_primary()
        assert primary is not None
        with self.direct(primary) as client:
            client.admin.command("replSetStepDown", STEPPED_DOWN_S, secondaryCatchUpPeriodSecs=10)

    def restore(self) -> None:
        """Make whole again whatever was broken: thaw, mend, and start what has ended."""
        self.thaw(self.ports)
        self.network.mend()
        for port in self.ports:
            if not self.is_running(port):
                self.start(port)

    def direct(self, port: int, **options: int) -> pymongo.MongoClient:
        """Return a client of one member, whatever its state."""
        return pymongo.MongoClient(self.network.host(port), port, directConnection=True, **options)

    def _initiate(self) -> None:
        members = [
            {"_id": number, "host": f"{self.network.host(port)}:{port}"} for number, port in enumerate(self.ports)
        ]
        wanted = {"_id": SET, "members": members, "settings": SETTINGS}
        until = time.monotonic() + START_S
        while not all(self._answers(port) for port in self.ports):
            assert time.monotonic() < until, "not all members came up"
            time.sleep(0.1)
        with self.direct(self.ports[0]) as first:
            first.admin.command("replSetInitiate", wanted)
        while not self.is_whole():
            assert time.monotonic() < until, "the set did not come up"
            time.sleep(0.1)

    def _answers(self, port: int) -> bool:
        try:
            with self.direct(port, timeoutMS=1000) as member:
                member.admin.command("ping")
        except PyMongoError:
            return False
        return True

    def _find(self, state: str) -> list[int]:
        found = []
        for port in self.ports:
            try:
                with self.direct(port, timeoutMS=1000) as member:
                    hello = member.admin.command("hello")
            except PyMongoError:
                continue
            if hello.get("isWritablePrimary" if state == "PRIMARY" else "secondary"):
                found.append(port)
        return found
