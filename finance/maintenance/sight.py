"""What a command sees before it does anything: the server, what it may do there, and whose documents these are."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure

from finance import database
from finance.database import Db, Document
from finance.indexes import INDEXES
from finance.ownership import DatabaseNotOurs

NEEDED = ("find", "listIndexes", "insert", "update", "remove", "createIndex", "dropIndex", "collMod")
OURS = "ours"
WIDTH = 80
NAMES_MAX = 5
MADE_BY_REPAIRS = {"number_gaps"}  # in other software's databases too


@dataclass(frozen=True)
class Sight:
    """`user` is None where the server asks nobody who they are; `missing` are the privileges that it lacks."""

    database: str
    version: str
    topology: str
    user: str | None
    missing: tuple[str, ...]
    documents: str
    is_ours: bool

    def lines(self) -> list[str]:
        """Return what is said of it, in lines no wider than a terminal."""
        may = f"may not: {', '.join(self.missing)} (roles readWrite and dbAdmin)" if self.missing else "may do all"
        said = (
            f"Database: {self.database}, MongoDB {self.version}, {self.topology}",
            f"Privileges: {'no user is asked for' if self.user is None else f'{self.user} {may}'}",
            f"Whose documents: {self.documents}",
        )
        return [line for one in said for line in textwrap.wrap(one, WIDTH, subsequent_indent="  ")]

    def as_json(self) -> Document:
        return {
            "database": self.database,
            "version": self.version,
            "topology": self.topology,
            "user": self.user,
            "missing_privileges": list(self.missing),
            "documents": self.documents,
            "ours": self.is_ours,
        }


def look(db: Db) -> Sight:
    """Return what is seen. Changes nothing."""
    user, missing = _privileges(db)
    documents, is_ours = _whose(db)
    return Sight(
        database=db.name,
        version=db.client.server_info()["version"],
        topology=_topology(db.client.admin.command("hello")),
        user=user,
        missing=missing,
        documents=documents,
        is_ours=is_ours,
    )


def holds_ours(db: Db) -> bool:
    """Return whether a database is ours and in use: no event of ours is written into another, nobody looks there."""
    return _whose(db) == (OURS, True)


def _topology(hello: Mapping[str, Any]) -> str:
    if hello.get("msg") == "isdbgrid":
        return "a sharded cluster"
    name = hello.get("setName")
    return f"replica set {name} of {len(hello.get('hosts', ()))}" if name else "a standalone server"


def _privileges(db: Db) -> tuple[str | None, tuple[str, ...]]:
    """Return who asks, and what that user may not do in this database; nobody and nothing where nobody is asked."""
    known = db.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not known["authenticatedUsers"]:
        return None, ()
    allowed = set(_allowed(known["authenticatedUserPrivileges"], db.name))
    return str(known["authenticatedUsers"][0]["user"]), tuple(name for name in NEEDED if name not in allowed)


def _allowed(privileges: Iterable[Mapping[str, Any]], name: str) -> Iterator[str]:
    for privilege in privileges:
        resource = privilege["resource"]
        of_database = resource.get("db") in ("", name) and resource.get("collection") == ""
        if of_database or resource.get("anyResource"):
            yield from privilege["actions"]


def _whose(db: Db) -> tuple[str, bool]:
    try:
        database.require_ours(db)
    except DatabaseNotOurs as not_ours:
        return f"another software's: {not_ours.found}", False
    except OperationFailure as error:
        return f"unknown, they can't be read ({(error.details or {}).get('codeName', error.code)})", False
    standing = set(db.list_collection_names())
    if standing & ({index.collection for index in INDEXES} - MADE_BY_REPAIRS):
        return OURS, True
    others = sorted(standing)  # another software's, under other names: no place for us to build in
    more = f" and {len(others) - NAMES_MAX} more" if len(others) > NAMES_MAX else ""
    beside = f"; it holds {', '.join(others[:NAMES_MAX])}{more}" if others else ""
    return f"nothing of ours is here yet{beside}", True
