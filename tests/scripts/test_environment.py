"""The Python environment makes itself, once, and says in one line what is missing where it can't."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import environment
import pytest
import python_version

NOTHING = "# nothing to install\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for requirement files, with its own environment beside them."""
    monkeypatch.delenv("FINANCE_VENV", raising=False)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def environment_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with an environment that stands already, to be copied: making one takes seconds."""
    root = tmp_path_factory.mktemp("made")
    (root / "requirements.txt").write_text(NOTHING)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("FINANCE_VENV", raising=False)
        monkeypatch.setattr(environment, "ROOT", root)
        environment.ensure("requirements.txt")
    return root


@pytest.fixture
def made(environment_once: Path, root: Path) -> Path:
    """A place with an environment that stands already."""
    shutil.copytree(environment_once, root, symlinks=True, dirs_exist_ok=True)
    return root


def test_an_environment_is_made_and_its_python_works(made: Path) -> None:
    python = environment.ensure("requirements.txt")

    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(prefix.stdout.strip()) == made / ".venv"


def test_a_second_start_installs_nothing_and_takes_no_second(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_run", lambda command: pytest.fail(f"ran {command}"))

    began = time.monotonic()
    environment.ensure("requirements.txt")

    assert time.monotonic() - began < 1


@pytest.mark.parametrize("changed", ["requirements.txt", "included.txt"])
def test_a_changed_requirement_file_is_installed_again(
    made: Path, capsys: pytest.CaptureFixture[str], changed: str
) -> None:
    (made / "included.txt").write_text(NOTHING)
    (made / "requirements.txt").write_text("-r included.txt\n")
    environment.ensure("requirements.txt")
    capsys.readouterr()

    (made / changed).write_text((made / changed).read_text() + "# more\n")
    environment.ensure("requirements.txt")

    assert "Installing requirements.txt" in capsys.readouterr().err


def test_two_first_starts_at_once_make_one_environment(root: Path) -> None:
    (root / "requirements.txt").write_text(NOTHING)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(environment.__file__).parent)!r}); import environment, pathlib; "
        f"environment.ROOT = pathlib.Path({str(root)!r}); print(environment.ensure('requirements.txt'))"
    )
    starts = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [start.communicate(timeout=120) for start in starts]

    assert [start.returncode for start in starts] == [0, 0], answers
    assert sum("Making the Python environment" in errors for _, errors in answers) == 1


def test_an_interrupted_environment_is_made_again(made: Path) -> None:
    (made / ".venv/bin/python").unlink()

    assert environment.ensure("requirements.txt").exists()


def test_what_pip_cannot_install_is_one_line_that_names_the_file(made: Path) -> None:
    (made / "requirements.txt").write_text("./no-such-folder\n")

    with pytest.raises(environment.EnvironmentFailed, match=r"requirements\.txt: ERROR: .*no-such-folder") as failure:
        environment.ensure("requirements.txt")

    assert "\n" not in str(failure.value)


def test_an_environment_of_an_old_python_is_told_to_be_removed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_version, "PYTHON_MIN", (99, 0))
    (made / "requirements.txt").write_text(NOTHING + "# more\n")

    with pytest.raises(environment.EnvironmentFailed, match=r"is an environment of Python 3\..* remove that folder"):
        environment.ensure("requirements.txt")


def test_a_python_without_venv_is_told_which_package_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "requirements.txt").write_text(NOTHING)
    python = root / "python-without-venv"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(environment.EnvironmentFailed, match="apt-get install -y python3-venv"):
        environment.ensure("requirements.txt")


def test_a_folder_in_the_way_is_left_alone(root: Path) -> None:
    (root / "requirements.txt").write_text(NOTHING)
    (root / ".venv").mkdir()
    (root / ".venv/precious").write_text("data")

    with pytest.raises(environment.EnvironmentFailed, match="in the way"):
        environment.ensure("requirements.txt")

    assert (root / ".venv/precious").read_text() == "data"


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_an_environment_that_this_user_may_not_use_is_named(made: Path, mode: int) -> None:
    """As after a start by root, whose Python is where nobody else may go."""
    python = made / ".venv/bin/python"
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n" if mode == 0o644 else "#!/root\n")
    python.chmod(mode)

    with pytest.raises(environment.EnvironmentFailed, match=rf"{made / '.venv'}.*FINANCE_VENV="):
        environment.enter("requirements.txt")
