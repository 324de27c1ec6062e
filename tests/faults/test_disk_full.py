"""The disk of the primary is full: mongod ends itself, and the other two go on."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from tests.clients import poll
from tests.faults.posting import Posting
from tests.faults.proof import under_load
from tests.faults.three_nodes import ThreeNodes

pytestmark = pytest.mark.faults

DISK_MB = 400  # a new member takes 300, most of them for its journal
REQUESTS = 150
BEFORE = 40
WITHIN_S = 60.0


@pytest.fixture
def nodes_on_small_disks(tmp_path: Path) -> Iterator[ThreeNodes]:
    nodes = ThreeNodes(tmp_path)
    with contextlib.ExitStack() as mounted:
        for port in nodes.ports:
            mounted.enter_context(_small_disk(nodes.data(port)))
        yield mounted.enter_context(nodes)


@pytest.mark.parametrize("numbering", ["standard"])
def test_a_full_disk_loses_nothing(
    nodes_on_small_disks: ThreeNodes, serve_api: Callable[..., Any], tmp_path: Path, numbering: str
) -> None:
    nodes = nodes_on_small_disks
    api = serve_api(workers=2, MONGODB_URI=nodes.uri, PAYMENT_NUMBERING=numbering)

    def fill_the_disk(posting: Posting) -> None:
        posting.wait_for(BEFORE)
        primary = nodes.find_primary()
        assert primary is not None
        with _full(nodes.data(primary)):
            with contextlib.suppress(PyMongoError), nodes.direct(primary, timeoutMS=10_000) as direct:
                direct.admin.command("fsync")  # what mongod does every minute
            poll(lambda: not nodes.is_running(primary), within_s=WITHIN_S)
            posting.wait_for(BEFORE)
        nodes.restore()
        poll(nodes.is_whole, within_s=WITHIN_S)

    under_load(api, tmp_path, fill_the_disk, requests=REQUESTS, no_gap=numbering == "no_gap")


@contextlib.contextmanager
def _full(folder: Path) -> Iterator[None]:
    """Fill the disk of a folder to the last byte."""
    balloon = folder / "balloon"
    with balloon.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass
    yield
    balloon.unlink()


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk (tmpfs) can only be mounted by root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small disk (tmpfs) can be mounted here, as in most containers")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
