"""Makes the Python environment that the other scripts run in, and keeps it as the requirement files say.

Standard library only. `FINANCE_VENV` is the folder of the environment; it is `.venv` beside this folder otherwise.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import python_version

python_version.require()  # what follows is only run by a Python that is new enough

ROOT = Path(__file__).resolve().parent.parent


class EnvironmentFailed(Exception):
    """The environment can't be made. Its text is one line that says what to do."""


def venv_folder() -> Path:
    return Path(os.environ.get("FINANCE_VENV") or ROOT / ".venv").absolute()


def inside() -> bool:
    """Return whether this process already runs in the environment."""
    return os.path.realpath(sys.prefix) == os.path.realpath(venv_folder())


def enter(*requirements: str) -> None:
    """Make the environment ready and go on in it: replaces this process unless it runs there already.

    A new process has none of our signal handlers yet. So SIGINT and SIGTERM wait while we change over, and are
    delivered when this is called again on the other side. Raises EnvironmentFailed.
    """
    try:
        python = ensure(*requirements)
    except PermissionError as error:
        raise _not_for_us(error) from error
    signals = {signal.SIGINT, signal.SIGTERM}
    if inside():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return
    if sys.stdout is not None:  # closed
        sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        os.execv(str(python), [str(python), *sys.argv])
    except PermissionError as error:  # as where root made it, of a Python that is in root's home
        raise _not_for_us(error) from error
    finally:  # only reached where it failed
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _not_for_us(error: PermissionError) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"The Python environment in {venv_folder()} was made by somebody else, and this user may not use it "
        f"({error.filename}: {error.strerror}). Name a folder of your own: FINANCE_VENV=~/.finance-venv {sys.argv[0]}"
    )


def ensure(*requirements: str) -> Path:
    """Return the environment's Python, after making the environment and installing what its stamps don't show yet.

    Two calls at once are safe, the second one waits. Raises EnvironmentFailed.
    """
    venv = venv_folder()
    if _missing(venv, requirements):
        _refuse_windows()
        with _lock(venv):
            _make_venv(venv)
            for name in _missing(venv, requirements):
                _install(venv, name)
    return _python(venv)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _missing(venv: Path, requirements: tuple[str, ...]) -> list[str]:
    """Return the files whose stamp is not of their present text. A stamp lies in the venv and goes with it."""
    if not _python(venv).exists():
        return list(requirements)
    return [name for name in requirements if _read(_stamp(venv, name)) != _digest(name)]


def _digest(name: str) -> str:
    return hashlib.sha256(_text(name).encode()).hexdigest()


def _text(name: str) -> str:
    """Return a requirement file's text, with the text of the files that it includes."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    included = [_text(line.split()[1]) for line in lines if line.startswith("-r ")]
    return "\n".join([*lines, *included])


def _make_venv(venv: Path) -> None:
    if _is_whole(venv):
        return
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise EnvironmentFailed(
            f"{venv} is in the way: not a Python environment, and not empty. Name another folder in FINANCE_VENV."
        )
    python = sys.executable
    _require_venv_module(python)
    say(f"Making the Python environment in {_shown(venv)} (once, about a minute) …")
    made = _run([python, "-m", "venv", "--clear", str(venv)])
    if made.returncode != 0:
        raise EnvironmentFailed(
            f"`{python} -m venv {venv}` failed: {_last_line(made.stdout)} On Debian and Ubuntu: "
            "apt-get install -y python3-venv, then run this again."
        )


def _require_venv_module(python: str) -> None:
    """Debian's python3 comes without these two until python3-venv is installed."""
    if _run([python, "-c", "import venv, ensurepip"]).returncode != 0:
        raise EnvironmentFailed(
            f"{python} has no `venv` or no `ensurepip` module. On Debian and Ubuntu: "
            "apt-get install -y python3-venv, then run this again."
        )


def _install(venv: Path, name: str) -> None:
    say(f"Installing {name} …")
    done = _pip_install(venv, name)
    if done.returncode != 0:
        raise EnvironmentFailed(
            f"pip could not install {name}: {_error_line(done.stdout)} Check the network and `pip config list`, "
            f"then run this again (all that pip said: {_shown(venv / 'finance-pip.log')})."
        )
    _stamp(venv, name).write_text(_digest(name), encoding="ascii")


def _pip_install(venv: Path, name: str) -> subprocess.CompletedProcess[str]:
    pip = [str(_python(venv)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    done = _run([*pip, "install", "--require-hashes", "-r", str(ROOT / name)])
    (venv / "finance-pip.log").write_text(done.stdout, encoding="utf-8")
    return done


def _is_whole(venv: Path) -> bool:
    """Return whether there is an environment that works: one whose making was interrupted has no pip."""
    python = _python(venv)
    if not python.exists():
        return False
    asked = _run([str(python), "-c", "import pip, sys; print(sys.version_info[0], sys.version_info[1])"])
    if asked.returncode != 0:
        return False
    version = tuple(int(part) for part in asked.stdout.split())
    if version < python_version.PYTHON_MIN:
        raise EnvironmentFailed(
            f"{_shown(venv)} is an environment of Python {'.'.join(map(str, version))}, which is too old: "
            "remove that folder, then run this again."
        )
    return True


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        # A process that runs in one environment must not take its settings into another one.
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, stdout=str(error))


@contextlib.contextmanager
def _lock(venv: Path) -> Iterator[None]:
    """Hold the one lock of this environment. The system lets it go when the process ends, however it ends."""
    import fcntl  # not on Windows

    path = venv.parent / f"{venv.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="ascii")
    except OSError as error:
        raise EnvironmentFailed(
            f"{path} can't be written ({error.strerror}): name a folder of your own, as in "
            f"FINANCE_VENV=~/.finance-venv {sys.argv[0]}"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another start that prepares {_shown(venv)} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _refuse_windows() -> None:
    if os.name == "nt":
        raise EnvironmentFailed(
            "gunicorn doesn't run on Windows itself: use WSL, or `docker compose up` (docker-compose.yml)."
        )


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _stamp(venv: Path, name: str) -> Path:
    return venv / f"finance-{Path(name).stem}.sha256"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if ROOT in path.parents else str(path)


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else "no output."


def _error_line(output: str) -> str:
    """Return the line that tells most: pip's last ERROR, or simply the last one."""
    errors = [line for line in output.splitlines() if line.lower().lstrip().startswith("error:")]
    return _last_line("\n".join(errors) or output)
