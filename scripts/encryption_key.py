"""The master key of encrypted fields on this machine: made once by scripts/serve, used by the other scripts.

FINANCE_ENCRYPTION_KEY or FINANCE_ENCRYPTION_KEY_FILE comes first; without them, the file `encryption-key` under
var/, which only its owner can read.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

VARIABLE = "FINANCE_ENCRYPTION_KEY"
VARIABLES = (VARIABLE, f"{VARIABLE}_FILE")
KEY_BYTES = 96


def use(var: Path) -> bool:
    """Put the key that is kept in `var` into the environment, where that has none; False where there is neither."""
    if not _is_set():
        with contextlib.suppress(FileNotFoundError):
            os.environ[VARIABLE] = _path(var).read_text(encoding="ascii").strip()
    return _is_set()


def use_or_make(var: Path) -> Path | None:
    """As `use`, after making a key where there is neither; returns the file of one just made.

    Whoever is first to give the file its name has made the key: two starts at once end with the same.
    """
    if use(var):
        return None
    path = _path(var)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
        made = True
    except FileExistsError:
        made = False
    finally:
        new.unlink()
    use(var)
    return path if made else None


def _is_set() -> bool:
    return any(os.environ.get(name) for name in VARIABLES)


def _path(var: Path) -> Path:
    return var / "encryption-key"
