"""Sets up a MongoDB that was just started with a key file: its replica set of one member, and its users.

Until the first user exists, a connection from MongoDB's own machine may initiate the set and make that user (the
"localhost exception"). From then on only passwords count. Each step looks first, so a run that broke off is repeated.
"""

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from finance.config import Config
from finance.maintenance import cli

ABOUT = """Initiate the replica set of a new MongoDB and make its users. Repeating it changes nothing.

It has to run on MongoDB's own machine, or in its network namespace: nobody else is let in before the first user exists.
The set, its member, the users and their passwords are those that the URIs name. FINANCE_DATABASE is their database."""
ROOT = "root"
API_ROLES = ("readWrite",)
OPS_ROLES = ("readWrite", "dbAdmin")  # dbAdmin: repairs make indexes unique by collMod
ANSWER_MS = 10_000
PRIMARY_WITHIN_S = 60.0
_POLL_S = 0.2
_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = 18

Client = pymongo.MongoClient[dict[str, Any]]


class User(NamedTuple):
    """A user that MongoDB is to have, and what it may do with our database."""

    name: str
    password: str
    roles: tuple[str, ...]


class Wanted(NamedTuple):
    """How MongoDB is to be: the set's name, its member as clients reach it, who may come in, and to which database."""

    replica_set: str
    member: str
    root_password: str
    users: tuple[User, ...]
    database: str


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and the secret files, set MongoDB up, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog=cli.program("set_up_mongodb.py"), description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--local", default="127.0.0.1:27017", help="MongoDB as seen from here (%(default)s)")
    parser.add_argument("--root-password-file", type=Path, required=True, help="the password that root gets")
    parser.add_argument("--api-uri-file", type=Path, required=True, help="the API's MONGODB_URI: readWrite")
    parser.add_argument("--ops-uri-file", type=Path, required=True, help="that of repairs: readWrite, dbAdmin")
    options = parser.parse_args(arguments)
    wanted = wanted_by(
        root_password=_read(options.root_password_file),
        roles_by_uri={_read(options.api_uri_file): API_ROLES, _read(options.ops_uri_file): OPS_ROLES},
        database=Config.from_env().database_name,
    )
    for line in set_up(options.local, wanted) or ["MongoDB is set up already."]:
        cli.console().print(line, markup=False)
    return cli.RIGHT


def wanted_by(*, root_password: str, roles_by_uri: dict[str, tuple[str, ...]], database: str) -> Wanted:
    """Return what the URIs ask for. They name the same set; the first member of the first one is its member."""
    parsed = [(parse_uri(uri), roles) for uri, roles in roles_by_uri.items()]
    first = parsed[0][0]
    if any(not uri["username"] or not uri["password"] for uri, _roles in parsed) or not first["options"].get(
        "replicaSet"
    ):
        raise cli.Stopped("each URI must name a user, a password and ?replicaSet=")
    host, port = first["nodelist"][0]
    return Wanted(
        replica_set=first["options"]["replicaSet"],
        member=f"{host}:{port}",
        root_password=root_password,
        users=tuple(User(uri["username"], uri["password"], roles) for uri, roles in parsed),
        database=database,
    )


def set_up(local: str, wanted: Wanted) -> list[str]:
    """Bring MongoDB at `local` to what is wanted, and return what was done, a line each.

    Raises cli.Stopped where root has another password already.
    """
    done: list[str] = []
    has_root = _lets_in(local, ROOT, wanted.root_password)
    as_root = {"user": ROOT, "password": wanted.root_password}
    with closing(_client(local, **(as_root if has_root else {}))) as client:
        if _initiate(client, wanted):
            done.append(f"Initiated the replica set {wanted.replica_set} of {wanted.member}.")
        _wait_until_primary(client)
        if not has_root:
            _make_root(client, wanted.root_password)
            done.append(f"Made the user {ROOT}.")
    with closing(_client(local, **as_root)) as client:
        for user in wanted.users:
            if not _lets_in(local, user.name, user.password):
                _put_user(client, user, wanted.database)
                done.append(f"Gave the user {user.name} its password and the roles {', '.join(user.roles)}.")
    return done


def _client(local: str, *, user: str | None = None, password: str | None = None) -> Client:
    """Return a client of this very mongod: a set that isn't initiated has no primary to be found."""
    known = {} if user is None else {"username": user, "password": password, "authSource": "admin"}
    return pymongo.MongoClient(host=local, directConnection=True, timeoutMS=ANSWER_MS, **known)  # type: ignore[arg-type]


def _lets_in(local: str, user: str, password: str) -> bool:
    with closing(_client(local, user=user, password=password)) as client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            if error.code != _AUTHENTICATION_FAILED:
                raise
            return False
    return True


def _initiate(client: Client, wanted: Wanted) -> bool:
    if client.admin.command("hello").get("setName"):
        return False
    members = [{"_id": 0, "host": wanted.member}]
    client.admin.command("replSetInitiate", {"_id": wanted.replica_set, "members": members})
    return True


def _wait_until_primary(client: Client) -> None:
    deadline = time.monotonic() + PRIMARY_WITHIN_S
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise cli.Stopped(f"MongoDB takes no writes after {PRIMARY_WITHIN_S:.0f} s: see its log")
        time.sleep(_POLL_S)


def _make_root(client: Client, password: str) -> None:
    try:
        client.admin.command("createUser", ROOT, pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        raise cli.Stopped(
            f"MongoDB has users already, and {ROOT} has another password than the one in the secret: "
            "put the secret back that this data was made with"
        ) from None


def _put_user(client: Client, user: User, database: str) -> None:
    """Make the user, or give the one of this name this password and these roles."""
    known = client.admin.command("usersInfo", user.name)["users"]
    roles = [{"role": role, "db": database} for role in user.roles]
    client.admin.command("updateUser" if known else "createUser", user.name, pwd=user.password, roles=roles)


def _read(file: Path) -> str:
    content = file.read_text(encoding="utf-8").strip()
    if not content:
        raise cli.Stopped(f"{file} is empty")
    return content
