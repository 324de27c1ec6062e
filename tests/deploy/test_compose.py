"""docker-compose.yml: Compose takes it, it needs nothing but its secrets, and its commands bring up a real MongoDB.

No Docker engine is needed: the file is judged by Compose's own schema, and the commands in it run on the tests' mongod.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import embedded_mongodb
import processes
import pymongo
import pytest
from pymongo.errors import OperationFailure
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError

from finance.config import Config
from tests.clients import HttpClient, poll

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SECRETS = ("encryption_key", "mongodb_ops_uri", "mongodb_root_password", "mongodb_uri")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Compose reads it. This loader refuses a key that stands twice in a mapping, as Compose does."""
    return dict(YAML(typ="safe").load(COMPOSE))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script that makes the secrets, as in a fresh checkout."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/compose_secrets", tmp_path / "scripts")
    return tmp_path


def test_the_loader_of_these_tests_refuses_repeated_keys() -> None:
    with pytest.raises(DuplicateKeyError):
        YAML(typ="safe").load("services: {a: {environment: {KEY: , KEY: }}}")


def test_compose_takes_the_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]

    checked = subprocess.run(command, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout


def test_compose_would_be_told_of_a_wrong_line(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("pids_limit: 512", "pid_limit: 512"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]

    checked = subprocess.run(command, capture_output=True, text=True)

    assert checked.returncode == 1
    assert "pid_limit" in checked.stdout


def test_every_service_is_limited_and_hardened(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_only_the_api_can_be_reached_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}

    assert published == {"api": ["127.0.0.1:${PORT:-8000}:8000"]}
    assert compose["networks"]["database"]["internal"] is True
    assert compose["services"]["mongodb"]["networks"] == ["database"]


@pytest.mark.parametrize("service", ["api", "ops"])
def test_every_setting_of_the_api_can_be_given(compose: dict[str, Any], service: str) -> None:
    asked: set[str] = set()

    class Recorder(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return default

    Config.from_env(Recorder())

    in_files = {name.removesuffix("_FILE") for name in asked if name.endswith("_FILE")}
    assert in_files == {"MONGODB_URI", "FINANCE_ENCRYPTION_KEY", "FINANCE_WEB_SECRET"}
    assert {f"{name}_FILE" for name in in_files} <= compose["services"][service]["environment"].keys()
    assert asked - in_files <= compose["services"][service]["environment"].keys()


def test_secrets_are_files_and_never_settings(compose: dict[str, Any]) -> None:
    settings = [service.get("environment", {}) for service in compose["services"].values()]
    given = {name: value for each in settings for name, value in each.items() if value is not None}

    assert {name: value for name, value in given.items() if not value.startswith("/run/secrets/")} == {}
    assert compose["secrets"] == {name: {"file": f"./secrets/{name}"} for name in compose["secrets"]}
    for service in compose["services"].values():
        used = set(re.findall(r"/run/secrets/(\w+)", str(service)))
        assert used == set(service.get("secrets", []))


def test_the_secrets_are_made_by_one_command(compose: dict[str, Any], checkout: Path) -> None:
    _make_secrets(checkout)

    made = {path.name: path.read_text().strip() for path in (checkout / "secrets").iterdir()}
    assert made.keys() == compose["secrets"].keys() == set(SECRETS)
    config = Config.from_env({"FINANCE_ENCRYPTION_KEY_FILE": str(checkout / "secrets/encryption_key")})
    assert len(config.encryption_keys) == 1
    assert len({*made.values()}) == len(made)


def test_nobody_else_on_this_machine_reads_them_but_every_container_does(checkout: Path) -> None:
    _make_secrets(checkout)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (checkout / "secrets").iterdir()}
    assert stat.S_IMODE((checkout / "secrets").stat().st_mode) == 0o700
    assert modes == {0o444}


def test_a_second_run_keeps_what_is_there(checkout: Path) -> None:
    _make_secrets(checkout)
    before = {path.name: path.read_text() for path in (checkout / "secrets").iterdir()}
    (checkout / "secrets/mongodb_uri").unlink()

    said = _make_secrets(checkout)

    after = {path.name: path.read_text() for path in (checkout / "secrets").iterdir()}
    assert {name for name in before if after[name] != before[name]} == {"mongodb_uri"}
    assert said.count("kept") == 3


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_an_encryption_key_in_use_is_taken_over(checkout: Path, place: str) -> None:
    if place == ".env":
        (checkout / ".env").write_text('PORT=8001\nFINANCE_ENCRYPTION_KEY="in+use/=="\n')
    _make_secrets(checkout, **({"FINANCE_ENCRYPTION_KEY": "in+use/=="} if place == "environment" else {}))

    assert (checkout / "secrets/encryption_key").read_text() == "in+use/==\n"


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--force", 2)])
def test_help_is_given_and_nothing_made(checkout: Path, argument: str, code: int) -> None:
    done = subprocess.run([checkout / "scripts/compose_secrets", argument], capture_output=True)

    assert done.returncode == code
    assert not (checkout / "secrets").exists()


@pytest.fixture
def mongodb(compose: dict[str, Any], checkout: Path) -> Iterator[str]:
    """The address of a mongod that was started by the command of the service `mongodb`, with the secrets made."""
    _make_secrets(checkout)
    address = f"127.0.0.1:{processes.free_port()}"
    for name in ("mongodb_uri", "mongodb_ops_uri"):
        secret = checkout / "secrets" / name
        moved = secret.read_text().replace("@mongodb:27017/", f"@{address}/")
        secret.unlink()
        secret.write_text(moved)
    (checkout / "data").mkdir()
    here = f"{embedded_mongodb.find_mongod()} --dbpath {checkout / 'data'} --port {address.partition(':')[2]}"
    service = compose["services"]["mongodb"]
    command = service["command"][0].replace("docker-entrypoint.sh mongod", here)
    command = command.replace("/tmp/keyfile", str(checkout / "keyfile"))
    command = command.replace("--bind_ip_all", "--bind_ip 127.0.0.1 --nounixsocket --wiredTigerCacheSizeGB 0.25")
    environment = {**os.environ, "LC_ALL": "C"}
    mongod = processes.start([*service["entrypoint"], command], log=checkout / "mongod.log", env=environment)
    try:
        poll(lambda: processes.accepts("127.0.0.1", int(address.partition(":")[2])), within_s=60)
        yield address
    finally:
        processes.stop(mongod, timeout_s=60)


def test_the_commands_of_the_file_bring_up_a_database_that_asks_everybody_for_a_password(
    compose: dict[str, Any], checkout: Path, mongodb: str, serve_api: Callable[..., Any]
) -> None:
    command = compose["services"]["ops"]["command"][-1].replace("/run/secrets", str(checkout / "secrets"))
    command = command.replace("set_up_mongodb.py", f"set_up_mongodb.py --local {mongodb}")
    uri = (checkout / "secrets/mongodb_uri").read_text().strip()
    environment = {"PATH": os.environ["PATH"], "FINANCE_VENV": sys.prefix, "FINANCE_VAR": str(checkout / "var")}
    environment["MONGODB_URI_FILE"] = str(checkout / "secrets/mongodb_ops_uri")

    for _ in range(2):  # it runs at every start
        subprocess.run(["sh", "-euc", command], env=environment, cwd=ROOT, check=True, capture_output=True)

    with pymongo.MongoClient(mongodb, directConnection=True) as stranger, pytest.raises(OperationFailure):
        stranger.finance_suite.payments.find_one()
    api = serve_api(1, MONGODB_URI=uri, FINANCE_DATABASE="finance_suite")
    assert HttpClient(api).pay("1.00").status_code == 201


def _make_secrets(checkout: Path, **environment: str) -> str:
    command = [checkout / "scripts/compose_secrets"]
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
