"""Audit events: stored whole, once where a request is repeated, without what must never be in them."""

import ast
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finance.asked import Asked
from finance.database import Db
from finance.events import events, record_event
from tests.customers.forms import gstin, pan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked("acme", "0123456789abcdef", NOW, by_name="Grace", address="192.0.2.7")
CUSTOMER = ("customer", "CUST-000001")
FINANCE = Path(__file__).resolve().parent.parent / "finance"


def test_an_event_tells_who_when_from_where_what_and_which(db: Db) -> None:
    record_event(db, ASKED, action="numbers_read_in_full", of=CUSTOMER, details={"fields": ["pan_number"]})

    (event,) = db.audit_events.find({}, {"_id": False})

    assert event == {
        "tenant": "acme",
        "at": NOW,
        "by": "0123456789abcdef",
        "by_name": "Grace",
        "address": "192.0.2.7",
        "action": "numbers_read_in_full",
        "object_kind": "customer",
        "object_id": "CUST-000001",
        "details": {"fields": ["pan_number"]},
    }


def test_no_detail_and_no_name_brings_in_a_tax_number_an_account_or_a_key(db: Db) -> None:
    key = f"fin_{'0a' * 8}_{'1b' * 32}"
    private = (pan(1), gstin(pan(1)), "123456789012", "DE89370400440532013000", key)
    for text in private:
        details = {"filters": {"payer": text}, "files": [f"{text}.csv"], "again": (text, {"deep": text}), "count": 3}
        record_event(db, replace(ASKED, by_name=f"Till {text}"), action="exported", of=("list", "p"), details=details)

    stored = json.dumps(list(db.audit_events.find()), default=str)

    assert not [text for text in private if text in stored]
    assert db.audit_events.find_one()["details"]["count"] == 3


def test_what_is_told_once_is_told_once_for_each_who_does_it(db: Db) -> None:
    grace, ada = ASKED, replace(ASKED, by="fedcba9876543210", by_name="Ada")
    for asked in (grace, ada, grace, ada, replace(grace, now=datetime(2027, 1, 1, tzinfo=UTC))):
        record_event(db, asked, action="key_revoked", of=("key", "k"), once="revoke")

    assert [(event["by"], event["at"]) for event in db.audit_events.find()] == [(grace.by, NOW), (ada.by, NOW)]


@pytest.mark.parametrize(
    "other",
    [{"tenant": "other"}, {"action": "key_created"}, {"of": ("key", "another")}, {"once": "another"}],
)
def test_only_the_very_same_is_told_once(db: Db, other: dict[str, object]) -> None:
    first = {"action": "key_revoked", "of": ("key", "k"), "once": "revoke"}
    record_event(db, ASKED, **first)

    told = {name: value for name, value in other.items() if name != "tenant"}
    record_event(db, replace(ASKED, tenant=other.get("tenant", "acme")), **{**first, **told})

    assert db.audit_events.count_documents({}) == 2


def test_without_once_each_is_told(db: Db) -> None:
    for _export in range(2):
        record_event(db, ASKED, action="exported", of=("list", "payments"))

    assert events(db).count_documents({}) == 2


def test_nothing_in_the_source_reaches_the_collection_but_to_insert_and_to_list() -> None:
    """The rule of the house; tests/journeys/test_who_did_it.py watches the commands themselves."""
    nodes = [
        (path.relative_to(FINANCE).as_posix(), node)
        for path in sorted(FINANCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    naming = {name for name, node in nodes if isinstance(node, ast.Attribute) and node.attr == "audit_events"}
    taking = {
        name
        for name, node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "finance.events"
        if "events" in [alias.name for alias in node.names]
    }
    uses = {(name, _use(node)) for name, node in nodes if name in naming | taking} - {
        (n, None) for n in naming | taking
    }

    assert naming == {"events.py"}
    assert taking == {"audit_events/store.py"}
    assert uses == {("events.py", "insert_one"), ("audit_events/store.py", "page_queries")}


def _use(node: ast.AST) -> str | None:
    """Return what is done with `events(db)`: the method that is called on it, or the function that it is given to."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and _is_events(node.func.value):
        return node.func.attr
    return ast.unparse(node.func) if any(map(_is_events, node.args)) else None


def _is_events(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "events"
