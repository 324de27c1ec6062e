"""Starts and stops processes for the scripts and the tests: each by its own id, and none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

START_UNDONE_TIMEOUT_S = 30.0
KILLED_TIMEOUT_S = 10.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded now: not between fork and exec


def start(
    command: list[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `command`, with all that it prints going to a new `log`; what was there is kept as `<log>.1`.

    It gets a session of its own, so that Ctrl-C in a terminal reaches only us and we stop things in the right order.
    Raises OSError where it can't be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    process = None
    try:
        with log.open("wb") as output, signals_wait():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent(),
                env=env,
                cwd=cwd,
            )
    except BaseException:
        if process is not None:  # a signal that had waited
            stop(process, timeout_s=START_UNDONE_TIMEOUT_S)
        raise
    return process


def stop(process: subprocess.Popen[bytes], *, timeout_s: float) -> int:
    """Ask a process of `start` to end, kill it if it doesn't within `timeout_s`, and return its exit code.

    What it started and left behind is killed: gunicorn's master doesn't wait for the end of a worker that it killed.
    """
    if process.poll() is not None:
        return process.wait()  # long ago perhaps: its number may be another's by now
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
    code = process.wait()
    _end_group(process.pid)
    return code


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody is left, as nearly always
        os.killpg(group, signal.SIGKILL)
        deadline = time.monotonic() + KILLED_TIMEOUT_S
        while any(process.group == group for process in running()) and time.monotonic() < deadline:
            time.sleep(0.01)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listen_error(host: str, port: int) -> OSError | None:
    """Return why nobody could listen on this address now, or None where it is free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger don't count
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def accepts(host: str, port: int) -> bool:
    """Return whether somebody listens on this address."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


class Running(NamedTuple):
    """A process of this machine."""

    pid: int
    parent: int
    group: int
    command: str


def running() -> list[Running]:
    """Return all processes but those that have ended and wait for their exit code to be asked for."""
    if sys.platform == "linux":  # where slim images have no `ps`
        return [found for folder in Path("/proc").glob("[0-9]*") if (found := _read_process(folder))]
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,state=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    fields = [line.split(maxsplit=4) for line in listed.splitlines()]
    return [
        Running(int(pid), int(parent), int(group), command)
        for pid, parent, group, state, command in fields
        if state[0] != "Z"
    ]


def children(pid: int) -> list[int]:
    """Return what this process has started and still runs."""
    return sorted(process.pid for process in running() if process.parent == pid)


def _read_process(folder: Path) -> Running | None:
    try:
        state, parent, group = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
        command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:  # it ended while we looked
        return None
    return None if state == "Z" else Running(int(folder.name), int(parent), int(group), command)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let signals that have a handler of ours wait until the end of the block, and handle them then.

    A handler that raises while Python forks would have its exception swallowed, or leave a child that nobody knows.
    """
    handlers = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():  # no handler ever runs in another thread
        handlers = {}
    waiting: list[int] = []
    for number in handlers:
        signal.signal(number, lambda received, frame: waiting.append(received))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a child runs before exec so that it gets SIGTERM when we are killed, even by SIGKILL (Linux only).

    The kernel watches the *thread* that forked. A thread other than the main one may end long before us, so a child
    that one of those starts goes without.
    """
    libc, parent = _LIBC, os.getpid()
    if libc is None or threading.current_thread() is not threading.main_thread():
        return None

    def watch_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)

    return watch_parent
