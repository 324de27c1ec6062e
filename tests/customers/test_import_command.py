"""scripts/import_customers.py, as it is started from a command line."""

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import ENCRYPTION_KEY
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Path.mkdir, "is not a file"),
        (lambda path: None, "can't be read: No such file or directory."),
        (lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1")), "is an old Excel workbook"),
        (lambda path: path.write_bytes("customer_name\nSociété\n".encode("cp1252")), "is not in UTF-8 (line 2)"),
        (lambda path: path.write_bytes(b"customer_name\x00"), "holds NUL"),
    ],
)
def test_the_script_ends_with_one_line_and_exit_code_2(
    tmp_path: Path, make: Callable[[Path], object], sentence: str
) -> None:
    make(tmp_path / "c.csv")
    script = [
        sys.executable,
        str(ROOT / "scripts" / "import_customers.py"),
        "--tenant",
        "acme",
        str(tmp_path / "c.csv"),
    ]
    env = {
        "PATH": "/usr/bin:/bin",
        "FINANCE_VENV": sys.prefix,
        "FINANCE_VAR": str(tmp_path / "var"),
        "MONGODB_URI": "mongodb://127.0.0.1:1",
        "FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
    }

    ended = subprocess.run(script, env=env, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if not line.startswith("Installing ")]) == 1
