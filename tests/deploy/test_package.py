"""`pip install .` into an empty environment, from a folder that was used, gives commands that work anywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
import pytest

from finance import __version__
from tests.clients import poll

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = sorted(PROJECT["project"]["scripts"])
PAYMENT = {"amount": "1.00", "currency": "EUR", "payer": "Ada", "method": "card"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the repository with what a start leaves there."""
    folder = tmp_path_factory.mktemp("package")
    copied = shutil.ignore_patterns(".*", "var", "__pycache__", "tests", "benchmarks", "build", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", ignore=copied)
    (folder / "source/var/mongodb").mkdir(parents=True)
    (folder / "source/var/left.py").write_text("")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(folder / "source")], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder of the commands, in an environment that has nothing but the package and what it asks for."""
    venv = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True, env=_environment())
    return venv / "bin"


def test_the_issue_s_commands_are_those_of_the_package() -> None:
    assert set(COMMANDS) >= {
        "finance-audit-numbers",
        "finance-create-key",
        "finance-import-customers",
        "finance-import-payments",
        "finance-migrate-indexes",
        "finance-repair-duplicates",
        "finance-serve",
    }


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [file for file in (ROOT / "finance").rglob("*") if file.is_file() and "__pycache__" not in file.parts]

    assert packed == {str(file.relative_to(ROOT)) for file in files}


def test_what_builds_it_is_what_tests_build_it_with() -> None:
    pinned = re.findall(r"^hatch\S+==\S+", (ROOT / "requirements-dev.in").read_text(), re.MULTILINE)

    assert PROJECT["build-system"]["requires"] == pinned


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_calls_it_by_its_name(installed: Path, tmp_path: Path, command: str) -> None:
    done = _run(installed / command, "--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"usage: {command}" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_option_that_it_does_not_know(installed: Path, tmp_path: Path, command: str) -> None:
    done = _run(installed / command, "--no-such-option", cwd=tmp_path)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_version_is_the_one_in_the_code(installed: Path, tmp_path: Path) -> None:
    assert _run(installed / "finance-serve", "--version", cwd=tmp_path).stdout.strip() == __version__


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({}, "MONGODB_URI is not set: say where"),
        ({"MONGODB_URI": "localhost"}, "MONGODB_URI must begin with mongodb://"),
        ({"MONGODB_URI": "mongodb://user:password"}, "MONGODB_URI can't be read: it must be mongodb://user:"),
        ({"MONGODB_URI_FILE": "/no/such/file"}, "MONGODB_URI_FILE=/no/such/file can't be read"),
        ({"MONGODB_URI": "mongodb://127.0.0.1", "PORT": "http"}, "PORT=http is not a port"),
    ],
    ids=["none", "wrong", "unreadable", "file", "port"],
)
def test_without_a_usable_setting_one_line_says_what_to_set(
    installed: Path, tmp_path: Path, settings: dict[str, str], advice: str
) -> None:
    done = _run(installed / "finance-serve", cwd=tmp_path, **settings)

    assert done.returncode == 2
    assert re.fullmatch(f"finance-serve: .*{re.escape(advice)}.*\n", done.stderr)


@pytest.fixture
def served(installed: Path, mongodb_uri: str, db: Any, tmp_path: Path) -> Iterator[str]:
    """The address of the API that finance-serve serves from a folder without any file."""
    port = processes.free_port()
    env = _environment(MONGODB_URI=mongodb_uri, FINANCE_DATABASE=db.name, WEB_CONCURRENCY="2")
    command = [str(installed / "finance-serve"), "--port", str(port)]
    folder = tmp_path / "empty"
    folder.mkdir()
    process = processes.start(command, log=tmp_path / "serve.log", env=env, cwd=folder)
    try:
        poll(lambda: process.poll() is not None or processes.accepts("127.0.0.1", port), within_s=60)
        assert process.poll() is None, (tmp_path / "serve.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop(process, timeout_s=30)


def test_the_installed_server_records_a_payment_for_a_key_of_the_installed_command(
    installed: Path, mongodb_uri: str, db: Any, served: str, tmp_path: Path
) -> None:
    settings = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name}
    made = _run(installed / "finance-create-key", "--tenant", "acme", "--role", "client", cwd=tmp_path, **settings)
    request = urllib.request.Request(
        f"{served}/api/v1/payments",
        data=json.dumps(PAYMENT).encode(),
        headers={"Authorization": f"Bearer {made.stdout.strip()}", "Content-Type": "application/json"},
    )

    with urllib.request.urlopen(request, timeout=60) as answer:
        payment = json.load(answer)
    with urllib.request.urlopen(f"{served}/metrics", timeout=60) as answer:
        metrics = answer.read().decode()
    audited = _run(installed / "finance-audit-numbers", cwd=tmp_path, **settings)

    assert payment["payment_number"].endswith("0001")
    assert "finance_payments_recorded_total 1.0" in metrics
    assert (audited.returncode, "1 series" in audited.stdout) == (0, True), audited.stdout + audited.stderr


def _run(*command: Any, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=cwd, env=_environment(**settings), timeout=120)


def _environment(**settings: str) -> dict[str, str]:
    """Return an environment without settings and paths of whoever runs the tests."""
    ours = ("FINANCE_", "MONGODB_", "PAYMENT_", "PROMETHEUS_", "GUNICORN_", "PYTHON", "HOST", "PORT", "WEB_CONCURRENCY")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings
