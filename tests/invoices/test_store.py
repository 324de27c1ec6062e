"""Every question that invoices are asked is answered by an index, and no deeper page costs more."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest
from pymongo import monitoring

from finance.allocations import store as allocations
from finance.allocations.model import CREDIT_NOTE, INVOICE, PAYMENT, Place
from finance.config import Config
from finance.database import connect, create_indexes
from finance.invoices import credits, store
from finance.invoices.model import SORTS
from finance.numbering.documents import newest_stored
from finance.numbering.series import Series
from finance.paging import PageWanted
from finance.payments import intents
from finance.shops import service as shops
from finance.shops import store as shops_store

INVOICES = 3_000
PAGE = 50


class Recorder(monitoring.CommandListener):
    """Keeps every read that is sent, to ask MongoDB how it would answer it."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate", "update", "findAndModify", "delete"):
            self.commands.append(dict(event.command))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@pytest.fixture(scope="module")
def filled(mongodb_uri: str) -> Any:
    """Two tenants with some thousand invoices each, and what records the commands sent."""
    db = connect(Config(mongodb_uri=mongodb_uri, database_name="finance_test_invoice_indexes"))
    create_indexes(db)
    statuses = ("issued", "partly_paid", "paid", "cancelled")
    db.invoices.insert_many(
        {
            "tenant": tenant,
            "invoice_number": f"F-{n:05d}",
            "shop": f"shop{n % 3}",
            "period": f"2026-{n % 12 + 1:02d}",
            "number_seq": n,
            "issued_on": f"2026-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
            "due_on": f"2027-{n % 12 + 1:02d}-01" if n % 2 else None,
            "currency": ("EUR", "USD")[n % 2],
            "customer_code": f"CUST-{n % 100:06d}",
            "status": statuses[n % 4],
            "unsettled": n % 1000 == 0,
            "allocations": [],
            "idempotency_key": f"key-{n}",
            "created_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n),
        }
        for tenant in ("acme", "other")
        for n in range(1, INVOICES + 1)
    )
    db.credit_notes.insert_many(
        {
            "tenant": "acme",
            "credit_note_number": f"A-{n:05d}",
            "invoice_number": f"F-{n:05d}",
            "shop": f"shop{n % 3}",
            "period": "2026-11",
            "number_seq": n,
            "issued_on": f"2026-11-{n % 28 + 1:02d}",
            "currency": ("EUR", "USD")[n % 2],
            "customer_code": f"CUST-{n % 100:06d}",
            **({"claim": f"claim-{n}"} if n % 3 else {}),
            **({"unallocated": True} if n % 10 == 0 else {}),
            **({"unsettled": True} if n % 250 == 0 else {}),
        }
        for n in range(1, 1_001)
    )
    recorder = Recorder()
    client: Any = pymongo.MongoClient(mongodb_uri, event_listeners=[recorder], tz_aware=True)
    yield client[db.name], recorder
    client.close()
    db.client.drop_database(db.name)
    db.client.close()


def documents_read(db: Any, command: dict[str, Any]) -> int:
    """Return how many documents and keys MongoDB reads for a command; fails where it reads without an index."""
    kept = {name: value for name, value in command.items() if not name.startswith(("$", "lsid", "txn", "writeConcern"))}
    kept.pop("readConcern", None)
    plan = db.command("explain", kept, verbosity="executionStats")
    stages = stages_of(plan)
    assert "COLLSCAN" not in stages, command
    stats = plan["executionStats"]
    read = max(int(stats["totalDocsExamined"]), int(stats["totalKeysExamined"]))
    assert "SORT" not in stages or read <= 1, command  # the one document of a unique key needs no order
    return read


def stages_of(plan: dict[str, Any]) -> list[str]:
    """Return the names of the stages of the plan that was chosen."""
    planner = plan["queryPlanner"] if "queryPlanner" in plan else plan["stages"][0]["$cursor"]["queryPlanner"]
    found = re.findall(r"'stage': '(\w+)'", str(planner["winningPlan"]))
    assert found
    return found


FILTERS: list[dict[str, Any]] = [
    {},
    {"shop": "shop1"},
    {"status": "partly_paid"},
    {"customer_code": "CUST-000007"},
    {"currency": "EUR"},
    {"issued_from": "2026-03-01", "issued_to": "2026-05-31"},
    {"idempotency_key": "key-77"},
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("filters", FILTERS[:1], ids=str)
def test_a_page_in_every_order_reads_little_more_than_the_page_at_any_depth(
    filled: Any, sort: str, filters: dict[str, Any]
) -> None:
    db, recorder = filled
    after = None
    for _page in range(30):
        recorder.commands.clear()
        page = store.list_invoices(db, tenant="acme", filters=filters, wanted=PageWanted(sort, after, PAGE))
        after = page.position
        assert len(page.rows) == PAGE
        asked = list(recorder.commands)
        assert sum(documents_read(db, command) for command in asked) <= PAGE + 10


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_every_filter_is_answered_by_an_index_in_order(filled: Any, filters: dict[str, Any]) -> None:
    db, recorder = filled
    recorder.commands.clear()
    store.list_invoices(db, tenant="acme", filters=filters, wanted=PageWanted("-issued_on", None, PAGE))
    (command,) = recorder.commands
    # A filter that isn't in the index of the order is looked up in the documents, a few times the page.
    assert documents_read(db, command) <= PAGE * 8


def test_every_other_question_and_change_is_answered_by_an_index(filled: Any) -> None:
    db, recorder = filled
    recorder.commands.clear()
    one: Any = {"tenant": "acme", "invoice_number": "F-00009"}
    place = Place("acme", INVOICE, "F-00009")
    entry: Any = {"claim": "c", "state": "claimed", "amount_minor": 1}
    store.find_invoice(db, **one)
    store.find_invoice_by_key(db, tenant="acme", idempotency_key="key-9")
    store.find_invoice_by_cancel_key(db, tenant="acme", idempotency_key="key-9")
    allocations.claim(db, place, currency="EUR", entry=entry)
    allocations.mark_returning(db, place, claim="c", mark="m", at=datetime.now(UTC))
    allocations.mark_found(db, place, claim="c", mark="m", at=datetime.now(UTC))
    allocations.change_entry(db, place, entry, to=None, told=None)
    allocations.find_all(db, tenant="acme", kind=INVOICE, numbers=["F-00009"])
    for kind in (PAYMENT, CREDIT_NOTE):
        allocations.find_by_claim(db, tenant="acme", kind=kind, claim="c")
        allocations.find_by_key(db, tenant="acme", kind=kind, field="idempotency_key", key="k")
        allocations.find_by_key(db, tenant="acme", kind=kind, field="release_key", key="k")
    store.list_unsettled(db, tenant="acme", now=datetime.now(UTC))
    credits.find_by_key(db, tenant="acme", idempotency_key="k")
    credits.find_note_without_claim(db, tenant="acme", invoice_number="F-00009")
    store.list_unsettled_credit_notes(db, tenant="acme")
    store.find_credit_note(db, tenant="acme", credit_note_number="A-00009")
    store.find_newest(db, kind="invoice", tenant="acme", shop="shop1", period="2026-11", number_seq=10)
    shops.find_shop(db, tenant="acme", shop="shop1")
    shops_store.has_numbers(db, tenant="acme", shop="shop1")
    shops_store.find_last_numbered(db, tenant="acme", shop="shop1", period="2026-11")
    shops_store.find_other_kinds(db, tenant="acme", number="A-00008", kind="invoice")
    intents.find_intent(db, tenant="acme", claim="c")
    intents.find_intent_by_key(db, tenant="acme", idempotency_key="k")
    intents.withdraw_intent(db, tenant="acme", claim="c")
    series = Series(
        tenant="acme",
        kind="invoice",
        prefix="F-",
        digits_min=4,
        document_filter={"shop": "shop1", "period": "2026-11"},
    )
    assert newest_stored(store.numbered(db), series) > 0
    asked = list(recorder.commands)
    assert len(asked) == 30
    for command in asked:
        assert documents_read(db, command) <= 10, command


def test_credit_notes_are_listed_by_an_index(filled: Any) -> None:
    db, recorder = filled
    for filters, most in (
        ({}, PAGE + 10),
        ({"shop": "shop1"}, PAGE * 4),  # looked up in the documents
        ({"invoice_number": "F-00007"}, 2),
        ({"customer_code": "CUST-000007"}, 12),
        ({"currency": "EUR"}, PAGE + 10),
        ({"unallocated": "true"}, PAGE + 10),
    ):
        recorder.commands.clear()
        store.list_credit_notes(db, tenant="acme", filters=filters, wanted=PageWanted("", None, PAGE))
        (command,) = recorder.commands
        assert documents_read(db, command) <= most, filters


def test_sequences_are_counted_from_the_index_alone(filled: Any) -> None:
    db, recorder = filled
    recorder.commands.clear()
    sequences = store.list_sequences(db, tenant="acme", shop="shop1")
    assert sum(sequence["count"] for sequence in sequences if sequence["kind"] == "invoice") == INVOICES // 3
    for command in [command for command in recorder.commands if "aggregate" in command]:
        stages = stages_of(db.command("explain", _bare(command), verbosity="queryPlanner"))
        assert "COLLSCAN" not in stages
        assert "FETCH" not in stages


def _bare(command: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in command.items() if name in ("aggregate", "pipeline", "cursor")}
