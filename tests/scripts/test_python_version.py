"""On a Python that is too old the scripts go on with a newer one, or say in one line that they need one."""

import ast
import os
import sys
from pathlib import Path

import pytest
import python_version

SCRIPTS = Path(python_version.__file__).parent
OLDEST = (3, 6)  # `python3` of systems that are still supported


@pytest.fixture
def old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_version, "PYTHON_MIN", (99, 0))
    monkeypatch.setattr(python_version, "NEWER", ("python99.0",))
    monkeypatch.setattr(sys, "argv", ["scripts/serve", "--option"])


def _newer_python(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    python = folder / "python99.0"
    python.write_text(script)
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return python


@pytest.mark.usefixtures("old_python")
def test_a_newer_python_on_the_path_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = _newer_python(tmp_path, "#!/bin/sh\nexit 0\n", monkeypatch)
    replaced: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: replaced.append(arguments))

    with pytest.raises(SystemExit):  # the real execv never returns
        python_version.require()

    assert replaced == [[str(newer), "scripts/serve", "--option"]]


@pytest.mark.usefixtures("old_python")
@pytest.mark.parametrize("shim", [None, "#!/bin/sh\necho not installed >&2\nexit 127\n"], ids=["none", "shim"])
def test_without_a_newer_python_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shim: str | None
) -> None:
    if shim:
        _newer_python(tmp_path, shim, monkeypatch)

    with pytest.raises(SystemExit, match=r"^scripts/serve: Python 99\.0 or newer is needed, this is 3\..*install"):
        python_version.require()


def test_a_python_that_is_new_enough_just_goes_on() -> None:
    python_version.require()


@pytest.mark.parametrize("name", ["python_version.py", "environment.py", "serve", "test", "lock"])
def test_what_is_read_before_that_is_readable_by_old_pythons(name: str) -> None:
    source = (SCRIPTS / name).read_text()

    ast.parse(source, feature_version=OLDEST)
    assert "from __future__" not in source  # 3.6 doesn't know that of annotations


@pytest.mark.parametrize("name", ["serve", "test", "lock"])
def test_it_is_asked_before_any_other_file_of_ours_is_read(name: str) -> None:
    tree = ast.parse((SCRIPTS / name).read_text())
    imported = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]

    assert next(module for module in imported if (SCRIPTS / f"{module}.py").exists()) == "environment"


@pytest.mark.parametrize("name", ["serve", "test", "lock"])
def test_the_commands_can_be_executed(name: str) -> None:
    assert os.access(SCRIPTS / name, os.X_OK)
