"""Why a mongod doesn't run, and what to do about it, each in one line."""

from __future__ import annotations

import json
import platform
import re
import signal
import subprocess
from pathlib import Path

ANOTHER_WAY = "set MONGODB_URI to a MongoDB 6.0 or newer (a replica set), or install `mongod` on the PATH"

# Exit codes of mongod (src/mongo/util/exit_code.h).
_EXIT_PORT_TAKEN = 48
_EXIT_WRONG_VERSION = 62

# What the wheel's mongod needs, and Debian's and Ubuntu's packages of it.
_PACKAGES = {
    "libcurl.so": "libcurl4",
    "libssl.so": "libssl3",
    "libcrypto.so": "libssl3",
    "liblzma.so": "liblzma5",
    "libgcc_s.so": "libgcc-s1",
}


class EmbeddedMongodbFailed(Exception):
    """mongod can't run. Its text is one line that says what to do."""


class PortTaken(EmbeddedMongodbFailed):
    """Another process listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use: name another in MONGODB_PORT, or leave it unset to use any free one.")


class DataInUse(EmbeddedMongodbFailed):
    """Another mongod has the data folder."""

    def __init__(self, data: Path) -> None:
        try:
            owner = (data / "mongod.lock").read_text(encoding="ascii").strip()
        except OSError:
            owner = ""
        super().__init__(
            f"The data in {data} is in use by another mongod (process {owner or 'unknown'}): "
            f"stop what started it{f' (where that is gone: `kill {owner}`)' if owner else ''}, then run this again."
        )


def explain_exit(mongod: Path, *, code: int, port: int, data: Path, log: Path) -> EmbeddedMongodbFailed:
    """Return the failure of a mongod that ended by itself with this exit code."""
    said = log.read_text(encoding="utf-8", errors="replace")
    if code == _EXIT_PORT_TAKEN:
        return PortTaken(port)
    if code == -signal.SIGILL:
        return EmbeddedMongodbFailed(f"This processor has no AVX, which MongoDB 5.0 and newer need: {ANOTHER_WAY}.")
    if not said.lstrip().startswith("{"):  # the loader speaks, not mongod
        return EmbeddedMongodbFailed(_unloadable(mongod, said))
    if "DBPathInUse" in said or "Unable to lock the lock file" in said:
        return DataInUse(data)
    if code == _EXIT_WRONG_VERSION or re.search(r"UPGRADE PROBLEM|incompatible|unsupported WiredTiger", said):
        return EmbeddedMongodbFailed(
            f"The data in {data} was written by another version of MongoDB than {mongod}: "
            f"run that version, or move the folder away to begin with empty data ({_last_error(said)})."
        )
    return EmbeddedMongodbFailed(f"mongod ended with code {code}: {_last_error(said)}. All of its log: {log}")


def explain_not_executable(mongod: Path, error: OSError) -> EmbeddedMongodbFailed:
    """Return the failure of a mongod that the system won't execute."""
    return EmbeddedMongodbFailed(
        f"{mongod} can't be run on this platform ({platform.system()} {platform.machine()}: {error.strerror}): "
        f"{ANOTHER_WAY}."
    )


def _unloadable(mongod: Path, output: str) -> str:
    """Return what to do where the loader can't load mongod: install libraries, or use another system."""
    try:
        asked = subprocess.run(["ldd", str(mongod)], capture_output=True, text=True, check=False)
        listed = asked.stdout + asked.stderr
    except OSError:
        listed = output
    if "GLIBC_" in listed + output:
        return f"This system's C library is too old for the embedded MongoDB (it needs glibc 2.34): {ANOTHER_WAY}."
    missing = set(re.findall(r"(lib\w+\.so)[.\d]* => not found", listed))
    missing |= set(re.findall(r"shared librar(?:y|ies):? (lib\w+\.so)", output))
    packages = sorted({_PACKAGES[library] for library in missing if library in _PACKAGES})
    if packages:
        return (
            f"mongod lacks {', '.join(sorted(missing))}: apt-get install -y {' '.join(packages)} "
            "(or your system's packages of the same libraries), then run this again."
        )
    return f"{mongod} doesn't start: {output.strip()[:200] or 'it says nothing'}. Instead, {ANOTHER_WAY}."


def _last_error(log: str) -> str:
    """Return the last error of mongod's JSON log that says more than that it gives up, on one line."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in ("E", "F") and "aborting after" not in entry.get("msg", ""):
            details = entry.get("attr", {})
            detail = next((details[name] for name in ("error", "reason", "message") if name in details), "")
            return re.sub(r"\s+", " ", f"{entry.get('msg', '')} {detail}").strip()[:300]
    return "it gave no reason"
