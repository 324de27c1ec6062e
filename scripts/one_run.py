"""One run of scripts/serve at a time in a folder: two would want the same database.

Whoever runs holds a lock on the file `serve.lock`, which says who it is. The system lets the lock go when the process
ends, however it ends.
"""

import contextlib
import fcntl
import os
import pwd
from collections.abc import Iterator
from pathlib import Path


class RunsAlready(Exception):
    """Another run has the folder. Its text says who it is, and what to do."""


class NotOurs(Exception):
    """The folder can't be written to. Its text says whose it is, and what to do."""


def require_none(folder: Path) -> None:
    """Raise RunsAlready where there is a run in this folder."""
    with contextlib.suppress(FileNotFoundError, PermissionError), _path(folder).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _runs_already(folder) from None


@contextlib.contextmanager
def the_only_one(folder: Path, *, url: str) -> Iterator[None]:
    """Be the run of this folder, at this address, until the block ends. Raises RunsAlready and NotOurs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _path(folder).open("a+", encoding="utf-8")
    except PermissionError as error:
        raise not_ours(Path(error.filename)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _runs_already(folder) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, {url}\n")
        file.flush()
        yield


def not_ours(path: Path) -> NotOurs:
    """Return the failure of writing to a file or folder that is somebody else's, as after a start by root."""
    return NotOurs(
        f"{path} belongs to {_owner(path)}, and {_name(os.geteuid())} may not write there. "
        f"Start it as {_owner(path)}, or name a folder of your own: FINANCE_VAR=~/finance scripts/serve"
    )


def _runs_already(folder: Path) -> RunsAlready:
    with contextlib.suppress(OSError):
        who = _path(folder).read_text(encoding="utf-8").strip()
    return RunsAlready(
        f"It runs already, with the data in {folder}: {who or 'a start that is under way'}. Go on with that one, or "
        "press Ctrl-C where it runs. To run another beside it, with data of its own: "
        "FINANCE_VAR=var/second scripts/serve --port 8001"
    )


def _owner(path: Path) -> str:
    """Return whose this is, or whose the folder is that it would be in or that hides it."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return _name(place.stat().st_uid)
    return "somebody else"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user has none
        return f"user {uid}"


def _path(folder: Path) -> Path:
    return folder / "serve.lock"
