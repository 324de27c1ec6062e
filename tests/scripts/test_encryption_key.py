"""The encryption key that scripts/serve makes and keeps."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import encryption_key
import pytest

from finance.config import Config


@pytest.fixture(autouse=True)
def _no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encryption_key.VARIABLE, "")  # so that it is put back after the test


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = encryption_key.use_or_make(tmp_path / "var")
    first = Config.from_env().encryption_keys
    monkeypatch.setenv(encryption_key.VARIABLE, "")
    again = encryption_key.use_or_make(tmp_path / "var")

    assert made is not None
    assert again is None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert len(first) == 1
    assert Config.from_env().encryption_keys == first
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["encryption-key"]


def test_a_key_in_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encryption_key.VARIABLE, "theirs")

    assert encryption_key.use_or_make(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_starts_at_the_same_time_end_with_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", iter(range(1_000)).__next__)  # as so many processes
    monkeypatch.setattr(encryption_key, "use", lambda var: False)  # and none has found one

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _n: encryption_key.use_or_make(tmp_path), range(8)))

    assert len([path for path in made if path]) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_key_the_other_scripts_make_none(tmp_path: Path) -> None:
    assert encryption_key.use(tmp_path) is False
    assert list(tmp_path.iterdir()) == []
