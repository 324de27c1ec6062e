"""Every question that files are asked is answered by an index."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest

from finance.database import Db
from finance.files import store
from finance.payments import store as payments
from tests.invoices.test_store import Recorder, documents_read

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEPT = 300


@pytest.fixture
def filled(db: Db, mongodb_uri: str) -> Iterator[tuple[Any, Recorder]]:
    """Files of two tenants, of which few are under way, and what records the commands sent."""
    ended = [("ready", "failed")[n % 2] for n in range(KEPT)] + ["making", "waiting"]
    db.exports.insert_many(
        {
            "_id": f"{tenant}{n}",
            "tenant": tenant,
            "status": status,
            "attempts": 1,
            "holder": "h",
            "alive_at": NOW,
            "created_at": NOW + timedelta(minutes=n),
        }
        for tenant in ("acme", "other")
        for n, status in enumerate(ended)
    )
    db.export_chunks.insert_many(
        {"tenant": "acme", "files_id": f"f{n // 10}", "n": n % 10, "data": b"x", "expires_at": NOW} for n in range(KEPT)
    )
    allocation = {"invoice_number": "F", "amount_minor": 1}
    db.payments.insert_many(
        {"tenant": "acme", "payment_number": f"P{n}", "number_year": 2026, "number_seq": n}
        | ({"allocations": [allocation]} if n % 100 == 0 else {})
        for n in range(1_000)
    )
    recorder = Recorder()
    client: Any = pymongo.MongoClient(mongodb_uri, event_listeners=[recorder], tz_aware=True)
    yield client[db.name], recorder
    client.close()


@pytest.mark.parametrize(
    ("ask", "read_max"),
    [
        (lambda db: store.find_export(db, tenant="acme", export_id="acme7"), 1),
        (lambda db: store.count_exports(db, tenant="acme", statuses=("waiting", "making"), at_most=5), 6),
        (lambda db: store.count_exports(db, tenant="acme", statuses=("ready", "failed"), at_most=50), 52),
        (lambda db: store.claim_export(db, holder="me"), 8),
        (lambda db: store.give_up_dead(db), 8),
        (lambda db: store.show_life(db, export_id="acme300", holder="h", rows=5), 1),
        (lambda db: store.finish(db, export_id="acme300", holder="h", values={"status": "ready"}), 1),
        (lambda db: list(store.each_chunk(db, tenant="acme", files_id="f3", count=2)), 1),
        (lambda db: store.drop_chunks(db, tenant="acme", files_id="f3"), 10),
    ],
)
def test_a_question_reads_what_it_answers(
    filled: tuple[Any, Recorder], ask: Callable[[Any], Any], read_max: int
) -> None:
    db, recorder = filled
    ask(db)

    for command in recorder.commands:
        asked = _explainable(command)
        assert documents_read(db, asked) <= read_max, asked
    assert recorder.commands


def test_allocations_are_found_without_reading_the_payments_that_have_none(filled: tuple[Any, Recorder]) -> None:
    db, recorder = filled
    pages = payments.find_pages(db, tenant="acme", filters={"allocated": True}, sort="payment_number", after=None)

    found = [payment["number_seq"] for query in pages for payment in query.limit(100)]

    assert found == [n for n in range(1_000) if n % 100 == 0]
    assert documents_read(db, recorder.commands[-1]) <= len(found)


def _explainable(command: dict[str, Any]) -> dict[str, Any]:
    """Return a command as it is explained: a change of what was changed already finds nothing, and reads as much."""
    return {name: value for name, value in command.items() if name not in ("lsid", "txnNumber", "writeConcern")}
