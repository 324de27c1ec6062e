"""How the members of a replica set reach each other, and how one of them is cut off.

Where network namespaces can be made (Linux, as root) each member has one of its own, with an address on a bridge that
only this machine knows. Elsewhere each has a forwarding process before it, which stops.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import processes

LOOPBACK = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent.parent
TESTING_NETWORK = "198.18"  # RFC 2544: for tests of networks, never routed


class Loopback:
    """Members that are only known by their ports; none can be cut off."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)

    def host(self, port: int) -> str:
        return LOOPBACK

    def inside(self, port: int, command: list[str]) -> list[str]:
        """Return the command that runs `command` where the member is."""
        return command

    def listening(self, port: int) -> int:
        """Return the port that the member itself listens on, where others know it by `port`."""
        return port

    def cut_off(self, port: int) -> None:
        raise NotImplementedError

    def mend(self) -> None:
        """Let all members reach each other again."""

    def close(self) -> None:
        """Leave nothing behind."""


class Namespaces(Loopback):
    """Each member in a namespace; one that is cut off reaches no other, but clients still reach it."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports)
        self._name = f"fin{secrets.token_hex(2)}"
        self._network = f"{TESTING_NETWORK}.{secrets.randbelow(256)}"
        _ip("link", "add", f"{self._name}b", "type", "bridge")
        try:
            _ip("addr", "add", f"{self._network}.1/24", "dev", f"{self._name}b")
            _ip("link", "set", f"{self._name}b", "up")
            for port in self.ports:
                self._add(self._space(port), address=f"{self.host(port)}/24")
        except BaseException:
            self.close()
            raise

    def host(self, port: int) -> str:
        return f"{self._network}.{self.ports.index(port) + 2}"

    def inside(self, port: int, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self._space(port), *command]

    def cut_off(self, port: int) -> None:
        for other in self.ports:
            if other != port:
                _ip("-n", self._space(port), "route", "add", "blackhole", f"{self.host(other)}/32")

    def mend(self) -> None:
        for port in self.ports:
            _ip("-n", self._space(port), "route", "flush", "type", "blackhole")

    def close(self) -> None:
        for port in self.ports:
            _ip("netns", "del", self._space(port), check=False)  # its end of the cable goes with it
        _ip("link", "del", f"{self._name}b", check=False)

    def _space(self, port: int) -> str:
        return f"{self._name}{self.ports.index(port)}"

    def _add(self, space: str, *, address: str) -> None:
        _ip("netns", "add", space)
        _ip("link", "add", f"{space}v", "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", f"{space}v", "master", f"{self._name}b", "up")
        _ip("-n", space, "addr", "add", address, "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", space, "link", "set", device, "up")


class Forwarders(Loopback):
    """Each member behind a process that forwards; stopped, it keeps its connections and moves nothing to the member.

    What the member itself asks of the others still arrives: it is cut off in one direction, from clients as well.
    """

    def __init__(self, ports: Sequence[int], folder: Path) -> None:
        super().__init__(ports)
        self._listening = {port: processes.free_port() for port in ports}
        script = str(Path(__file__).with_name("forwarder.py"))
        self._running = {
            port: processes.start(
                [sys.executable, script, str(port), str(self._listening[port])], log=folder / f"forwarder-{port}.log"
            )
            for port in ports
        }

    def listening(self, port: int) -> int:
        return self._listening[port]

    def cut_off(self, port: int) -> None:
        os.kill(self._running[port].pid, signal.SIGSTOP)

    def mend(self) -> None:
        for forwarder in self._running.values():
            os.kill(forwarder.pid, signal.SIGCONT)

    def close(self) -> None:
        for forwarder in self._running.values():
            forwarder.kill()
            forwarder.wait()


def can_make_namespaces() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"fin{secrets.token_hex(4)}"
    try:
        _ip("netns", "add", name)
        _ip("-n", name, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", name, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    except subprocess.CalledProcessError:  # in most containers
        return False
    finally:
        _ip("netns", "del", name, check=False)
    return True


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)
