"""Clients generated from the served document have types that find mistakes, and work with the served API."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.node import NODE, NPM

HERE = Path(__file__).parent
PACKAGES = ("package.json", "package-lock.json", ".npmrc")
VAR = Path(os.environ.get("FINANCE_VAR") or HERE.parents[1] / "var")
TOLD = {
    "amount": "1250.50",
    "note": None,
    "status": "recorded",
    "has_more": False,
    "voided": "voided",
    "code": "payment_already_voided",
    "pointers": ["/amount"],
}


@pytest.fixture(scope="module")
def document(shared_api: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document as it is served."""
    file = tmp_path_factory.mktemp("openapi") / "openapi.json"
    file.write_bytes(requests.get(f"{shared_api.url}/api/v1/openapi.json", timeout=30).content)
    return file


@pytest.fixture(scope="module")
def typescript(document: Path) -> Path:
    """A folder with the program, its packages, and the types generated for it."""
    folder = document.parent
    (folder / "node_modules").symlink_to(_installed() / "node_modules")
    for name in ("program.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, folder)
    _run([NODE, _module("openapi-typescript/bin/cli.js"), "openapi.json", "--output", "finance.d.ts"], folder)
    return folder


@pytest.fixture(scope="module")
def python(document: Path) -> Path:
    """A folder with the generated client."""
    folder = document.parent
    options = ["--path", "openapi.json", "--meta", "none", "--output-path", "finance_client"]
    command = [sys.executable, "-m", "openapi_python_client", "generate", *options]
    ran = _run([*command, "--config", str(HERE / "openapi_python_client.yaml")], folder)
    assert ran.stderr == ""  # where it warns of what it left out
    return folder


def test_the_typescript_types_find_mistakes(typescript: Path) -> None:
    _run([NODE, _module("typescript/bin/tsc"), "--project", "."], typescript)


def test_the_typescript_types_leave_nothing_open_that_we_know(typescript: Path) -> None:
    types = (typescript / "finance.d.ts").read_text(encoding="utf-8")
    open_members = re.findall(r"^ *(.+): (?:unknown|any|Record<string, never>);", types, re.MULTILINE)

    # A response may have more headers; what a history and an audit event tell of may be anything that a field can be.
    assert set(open_members) == {"[name: string]", "from?", "to", "[key: string]"}
    assert open_members.count("[key: string]") == 1


def test_the_typescript_client_works(typescript: Path, shared_api: Any) -> None:
    command = [NODE, "--no-warnings", "program.ts", shared_api.url, shared_api.key("accountant", _tenant())]

    told = json.loads(_run(command, typescript).stdout)

    assert re.fullmatch(r"PAY\d{8}", *told.pop("numbers"))
    assert told == TOLD


def test_the_python_types_find_mistakes(python: Path) -> None:
    options = ["--strict", "--config-file", "", "--follow-imports", "silent", "--cache-dir", "mypy-cache"]
    _run([sys.executable, "-m", "mypy", *options, str(HERE / "program.py")], python, MYPYPATH=str(python))


def test_the_python_client_works(python: Path, shared_api: Any) -> None:
    command = [sys.executable, str(HERE / "program.py"), shared_api.url, shared_api.key("accountant", _tenant())]

    told = json.loads(_run(command, python, PYTHONPATH=str(python)).stdout)

    assert re.fullmatch(r"PAY\d{8}", *told.pop("numbers"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told.pop("paid_on"))
    assert told == TOLD


def test_the_lock_names_every_package_by_version_and_digest_and_no_host() -> None:
    text = (HERE / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}

    assert "://" not in text
    assert len(packages) >= 3
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []


def _installed() -> Path:
    """Return the folder in which the packages are; it is made once for each lock."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PACKAGES)).hexdigest()
    folder = VAR / f"npm-{digest[:16]}"
    if not folder.exists():
        new = VAR / f"{folder.name}.{uuid4().hex[:8]}"
        new.mkdir(parents=True)
        for name in PACKAGES:
            shutil.copy(HERE / name, new)
        _run([*NPM, "ci", "--ignore-scripts"], new)
        new.rename(folder)
    return folder


def _module(path: str) -> str:
    return str(_installed() / "node_modules" / path)


def _run(command: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command, which succeeds."""
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran


def _tenant() -> str:
    return f"t-{uuid4().hex[:12]}"
