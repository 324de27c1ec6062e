"""`scripts/serve`, as people use it: started, looked at, used, stopped, started again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import processes
import pymongo
import pytest

from tests.databases import new_name

SERVE = Path(__file__).resolve().parents[2] / "scripts" / "serve"
TIMEOUT_S = 120.0
READY = "Ctrl-C stops it."
_OURS = ("FINANCE_", "MONGODB_", "PAYMENT_", "PROMETHEUS_", "GUNICORN_", "HOST", "PORT", "WEB_CONCURRENCY")


class Serve:
    """One run of scripts/serve, with what it has printed."""

    def __init__(self, var: Path, log: Path, *options: str, **env: str) -> None:
        self.var = var
        self.port = env.get("PORT") or str(processes.free_port())
        self._log = log
        settings = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        settings |= {"FINANCE_VENV": sys.prefix, "FINANCE_VAR": str(var), "PORT": self.port}
        self.process = processes.start([str(SERVE), *options], log=log, env={**settings, "WEB_CONCURRENCY": "1", **env})

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> list[str]:
        return re.findall(r"^  (?:client|accountant|admin) +(fin_\w+)$", self.output, re.MULTILINE)

    @property
    def curl(self) -> str:
        return next(line for line in self.output.splitlines() if line.startswith("curl "))

    def wait_until_ready(self) -> "Serve":
        deadline = time.monotonic() + TIMEOUT_S
        while READY not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return self

    def send(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT_S)

    def exit_code(self) -> int:
        return self.process.wait(TIMEOUT_S)

    def children(self) -> list[int]:
        """Return the processes that it has started, and those that these have started."""
        direct = processes.children(self.process.pid)
        return direct + [child for pid in direct for child in processes.children(pid)]


@pytest.fixture
def var() -> Iterator[Path]:
    """Not pytest's tmp_path: that keeps the folders of the last runs, and this one takes hundreds of megabytes."""
    folder = Path(tempfile.mkdtemp(prefix="finance-serve-"))
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def serve(var: Path, tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(*options: str, **env: str) -> Serve:
        started.append(Serve(var, tmp_path / f"serve-{len(started)}.log", *options, **env))
        return started[-1]

    yield start
    for run in started:
        processes.stop(run.process, timeout_s=60)


def test_the_first_start_prints_keys_and_a_curl_line_that_works_when_pasted(serve: Callable[..., Serve]) -> None:
    run = serve().wait_until_ready()

    pasted = [json.loads(subprocess.check_output(["bash", "-c", run.curl])) for _ in range(2)]

    assert [answer["payment_number"][-4:] for answer in pasted] == ["0001", "0002"]
    assert len(run.keys) == 3
    assert f"{run.url}/api/v1" in run.output
    assert (run.var / "demo_keys.json").stat().st_mode & 0o777 == 0o600


def test_a_second_start_takes_seconds_finds_the_data_and_prints_the_same_keys(serve: Callable[..., Serve]) -> None:
    first = serve().wait_until_ready()
    number = json.loads(subprocess.check_output(["bash", "-c", first.curl]))["payment_number"]
    assert first.send(signal.SIGTERM) == 0

    began = time.monotonic()
    second = serve().wait_until_ready()

    assert time.monotonic() - began < 30  # about two, where nothing else runs
    assert second.keys == first.keys
    assert _get(f"{second.url}/api/v1/payments/{number}", second.keys[0])["payment_number"] == number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_that_was_started(serve: Callable[..., Serve], number: int) -> None:
    run = serve().wait_until_ready()
    children = run.children()
    assert len(children) >= 3  # mongod, gunicorn's master and its worker

    assert run.send(number) == 0

    assert [pid for pid in children if _lives(pid)] == []
    assert '"exitCode":0' in (run.var / "mongodb/mongod.log").read_text()


@pytest.mark.parametrize("step", ["", "Starting MongoDB", "Preparing the database", "Starting the API"])
def test_a_signal_during_the_start_stops_all_that_was_started(serve: Callable[..., Serve], step: str) -> None:
    run = serve()
    while step not in run.output or not run.output:
        assert run.process.poll() is None, run.output
        time.sleep(0.01)

    assert run.send(signal.SIGTERM) == 0

    assert [process for process in processes.running() if str(run.var) in process.command] == []
    assert processes.listen_error("127.0.0.1", int(run.port)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_kill_9_leaves_nothing_behind_and_the_next_start_finds_the_data(serve: Callable[..., Serve]) -> None:
    first = serve().wait_until_ready()
    number = json.loads(subprocess.check_output(["bash", "-c", first.curl]))["payment_number"]
    children = first.children()

    first.send(signal.SIGKILL)
    second = serve().wait_until_ready()

    deadline = time.monotonic() + TIMEOUT_S
    while any(_lives(pid) for pid in children):  # they shut down in their own time
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert _get(f"{second.url}/api/v1/payments/{number}", second.keys[0])["payment_number"] == number


def test_a_port_in_use_is_one_clear_line_before_anything_is_started(serve: Callable[..., Serve]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = serve(PORT=str(taken.getsockname()[1]))

        assert run.exit_code() == 1

    assert re.fullmatch(rf"scripts/serve: Port {run.port} of 127\.0\.0\.1 is in use: .*--port 8001\.\n", run.output)
    assert not run.var.exists()


def test_help_names_the_options_and_starts_nothing(serve: Callable[..., Serve]) -> None:
    run = serve("--help")

    assert run.exit_code() == 0
    assert "--host HOST" in run.output
    assert "--port PORT" in run.output
    assert not run.var.exists()


@pytest.mark.parametrize("options", [["--prot", "8001"], ["8001"], ["--port", "http"], ["--port"]], ids=" ".join)
def test_an_option_that_it_does_not_know_ends_with_code_2(serve: Callable[..., Serve], options: list[str]) -> None:
    run = serve(*options)

    assert run.exit_code() == 2
    assert re.search(r"^scripts/serve: error: .*(--prot|8001|--port)", run.output, re.MULTILINE), run.output
    assert not run.var.exists()


def test_options_come_before_settings(serve: Callable[..., Serve]) -> None:
    port = processes.free_port()

    run = serve("--host", "0.0.0.0", f"--port={port}", PORT="1", HOST="203.0.113.7").wait_until_ready()

    assert f"http://127.0.0.1:{port}/api/v1" in run.output


@pytest.mark.parametrize("port", ["same", "another"])
def test_a_second_run_in_the_folder_is_told_who_runs_there_and_what_to_do(
    serve: Callable[..., Serve], port: str
) -> None:
    first = serve().wait_until_ready()
    mongod = (first.var / "mongodb/data/mongod.lock").read_text().strip()

    second = serve("--port", first.port if port == "same" else str(processes.free_port()))

    assert second.exit_code() == 1
    told = rf"scripts/serve: It runs already.*: process {first.process.pid}, {first.url}\. .*FINANCE_VAR=.* --port .*\n"
    assert re.fullmatch(told, second.output)
    assert mongod not in second.output
    assert "kill" not in second.output
    assert first.process.poll() is None


@pytest.mark.parametrize(
    ("env", "advice"),
    [
        ({"PORT": "http"}, r"PORT=http is not a port"),
        ({"HOST": "203.0.113.7"}, r"HOST=203\.0\.113\.7 is no address of this machine"),
        ({"MONGODB_PORT": "0"}, r"MONGODB_PORT=0 is not a port"),
        ({"MONGODB_URI": "localhost"}, r"MONGODB_URI must begin with mongodb://"),
        ({"MONGODB_URI": "mongodb://user:pa/ss@127.0.0.1"}, r"MONGODB_URI can't be read: .*%2F"),
        ({"MONGODB_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"}, r"No MongoDB answers at MONGODB_URI"),
        ({"FINANCE_VAR": "/dev/null/var"}, r"FINANCE_VAR"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_clear_line(serve: Callable[..., Serve], env: dict[str, str], advice: str) -> None:
    run = serve(**env)

    assert run.exit_code() == 1

    assert re.search(f"^scripts/serve: .*{advice}.*$", run.output, re.MULTILINE), run.output
    assert "Traceback" not in run.output


def test_a_mongod_that_lacks_a_library_is_one_clear_line(serve: Callable[..., Serve], tmp_path: Path) -> None:
    mongod = tmp_path / "bin" / "mongod"
    mongod.parent.mkdir()
    mongod.write_text("#!/bin/sh\necho error while loading shared libraries: libcurl.so.4: cannot open >&2; exit 127\n")
    mongod.chmod(0o755)

    run = serve(PATH=f"{mongod.parent}:{os.environ['PATH']}")

    assert run.exit_code() == 1
    assert "scripts/serve: mongod lacks libcurl.so: apt-get install -y libcurl4" in run.output


def test_mongodb_uri_is_used_and_no_mongod_started(serve: Callable[..., Serve], mongodb_uri: str) -> None:
    name = new_name()
    run = serve(MONGODB_URI=mongodb_uri, FINANCE_DATABASE=name, HOST="0.0.0.0").wait_until_ready()

    payment = json.loads(subprocess.check_output(["bash", "-c", run.curl]))

    assert f"{run.url}/api/v1/payments" in run.curl  # nobody can connect to 0.0.0.0 everywhere
    assert not (run.var / "mongodb").exists()
    with pymongo.MongoClient(mongodb_uri) as client:
        assert client[name].payments.find_one({"payment_number": payment["payment_number"]})
        client.drop_database(name)


def test_a_key_can_be_made_while_it_runs(serve: Callable[..., Serve]) -> None:
    run = serve().wait_until_ready()

    command = [str(SERVE.parent / "create_key.py"), "--tenant", "acme", "--role", "accountant"]
    env = {"PATH": os.environ["PATH"], "FINANCE_VENV": sys.prefix, "FINANCE_VAR": str(run.var)}
    key = subprocess.check_output(command, env=env, text=True)

    assert re.fullmatch(r"fin_\w+\n", key)
    assert _get(f"{run.url}/api/v1/payments", key.strip()) == {"data": [], "has_more": False, "next_cursor": None}


def test_lost_demo_keys_are_replaced_by_what_to_do(serve: Callable[..., Serve], mongodb_uri: str, db: Any) -> None:
    first = serve(MONGODB_URI=mongodb_uri, FINANCE_DATABASE=db.name).wait_until_ready()
    assert first.send(signal.SIGTERM) == 0
    (first.var / "demo_keys.json").unlink()

    second = serve(MONGODB_URI=mongodb_uri, FINANCE_DATABASE=db.name).wait_until_ready()

    assert second.keys == []
    assert "scripts/create_key.py --tenant demo --role client" in second.output


def test_gunicorn_ending_by_itself_ends_everything_with_code_1(serve: Callable[..., Serve]) -> None:
    run = serve().wait_until_ready()
    mongod = int((run.var / "mongodb/data/mongod.lock").read_text())
    master = next(pid for pid in run.children() if pid != mongod)

    os.kill(master, signal.SIGKILL)

    assert run.exit_code() == 1
    assert re.search(rf"gunicorn has ended by itself .*gunicorn-{run.port}\.log", run.output)
    assert not _lives(mongod)


def test_mongodb_ending_by_itself_ends_everything_with_code_1(serve: Callable[..., Serve]) -> None:
    run = serve().wait_until_ready()
    os.kill(int((run.var / "mongodb/data/mongod.lock").read_text()), signal.SIGKILL)

    assert run.exit_code() == 1
    assert re.search(r"MongoDB has ended by itself: see .*mongod\.log", run.output)
    assert processes.listen_error("127.0.0.1", int(run.port)) is None


def _get(url: str, key: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _lives(pid: int) -> bool:
    return any(process.pid == pid for process in processes.running())
