"""How processes of the scripts and tests are started and stopped."""

import sys
from pathlib import Path

import processes

# Ends at SIGTERM, and leaves a child that doesn't, which holds the port.
_MASTER = """
import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def test_what_a_stopped_process_leaves_behind_has_ended_when_stop_returns(tmp_path: Path) -> None:
    port, log = processes.free_port(), tmp_path / "log"
    master = processes.start([sys.executable, "-c", _MASTER, str(port)], log=log)
    while log.read_text().count("ready") < 2:
        assert master.poll() is None, log.read_text()

    processes.stop(master, timeout_s=30)

    assert processes.listen_error("127.0.0.1", port) is None
    assert [process for process in processes.running() if process.group == master.pid] == []


def test_a_process_that_had_ended_by_itself_is_only_asked_for_its_code(tmp_path: Path) -> None:
    process = processes.start([sys.executable, "-c", "raise SystemExit(3)"], log=tmp_path / "log")
    process.wait()

    assert processes.stop(process, timeout_s=30) == 3
