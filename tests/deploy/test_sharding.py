"""docs/deployment.md says of every collection that the code uses whether and how it is sharded."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pymongo.database import Database

from finance.indexes import INDEXES

ROOT = Path(__file__).resolve().parents[2]
NAMED_OTHERWISE = {"rate_limits", "secrets"}  # by a library, or by a name of its own
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| (.*?) \|", re.MULTILINE)


def _sharding() -> dict[str, str]:
    """Return what the guide says of each collection: `{tenant: 1}` or "no"."""
    text = (ROOT / "docs/deployment.md").read_text()
    section = text.partition("## A sharded cluster\n")[2].partition("\n## ")[0]
    return {name: sharded for names, sharded in ROW.findall(section) for name in re.findall(r"\w+", names)}


def _used() -> set[str]:
    """Return the collections of our database: those with an index, and those that the code names."""
    files = (ROOT / "finance").rglob("*.py")
    named = {name for file in files for name in _named(ast.parse(file.read_text()))}
    return {index.collection for index in INDEXES} | named


def _named(tree: ast.AST) -> Iterator[str]:
    """Yield `name` of `db.name.find(…)` and of `db["name"]`, wherever the database is called `db`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_db(node.value) and not hasattr(Database, node.attr):
            yield node.attr
        if isinstance(node, ast.Subscript) and _is_db(node.value) and isinstance(node.slice, ast.Constant):
            yield str(node.slice.value)


def _is_db(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "db") or (isinstance(node, ast.Attribute) and node.attr == "db")


def test_the_table_names_every_collection_and_no_other() -> None:
    used = _used() | NAMED_OTHERWISE

    assert used - _sharding().keys() == set()
    assert _sharding().keys() - used == set()


def test_what_is_sharded_by_tenant_has_unique_indexes_that_begin_with_it() -> None:
    sharding = _sharding()

    for index in INDEXES:
        if index.unique and sharding[index.collection] == "`{tenant: 1}`":
            assert index.keys[0] == ("tenant", 1), index.name
