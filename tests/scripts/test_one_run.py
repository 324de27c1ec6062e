"""One run of scripts/serve in a folder, and whose the folder is."""

import os
from collections.abc import Iterator
from pathlib import Path

import one_run
import pytest

NOBODY = 65534


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that was written by root and may not be by us: as root does it, we become somebody else meanwhile."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o500)
    us = os.geteuid()
    if us == 0:
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(us)


def test_a_folder_of_somebody_else_is_named_with_its_owner_and_a_way_out(closed: Path) -> None:
    claim = one_run.the_only_one(closed, url="http://127.0.0.1:8000")

    with pytest.raises(one_run.NotOurs, match=rf"{closed}.* belongs to .*FINANCE_VAR="), claim:
        pass


def test_a_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    with one_run.the_only_one(tmp_path / "var", url="http://127.0.0.1:8000"):
        for _ in range(2):
            with pytest.raises(one_run.RunsAlready, match=f"process {os.getpid()}, http://127.0.0.1:8000"):
                one_run.require_none(tmp_path / "var")
        second = one_run.the_only_one(tmp_path / "var", url="http://127.0.0.1:8001")
        with pytest.raises(one_run.RunsAlready, match=f"process {os.getpid()}, http://127.0.0.1:8000"), second:
            pass


def test_after_a_run_the_folder_is_free(tmp_path: Path) -> None:
    with one_run.the_only_one(tmp_path / "var", url="http://127.0.0.1:8000"):
        pass

    one_run.require_none(tmp_path / "var")
    one_run.require_none(tmp_path / "never")
