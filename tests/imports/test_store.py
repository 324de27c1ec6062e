"""Every question that imports are asked is answered by an index, and what each reads is bounded."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest

from finance.database import Db
from finance.imports import store
from finance.payments.likeness import each_alike
from tests.invoices.test_store import Recorder, documents_read

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEPT = 300
MINE: Any = {"_id": "acme300", "tenant": "acme", "holder": "h", "chunks_of": "f3", "rows_of": "r3"}


@pytest.fixture
def filled(db: Db, mongodb_uri: str) -> Iterator[tuple[Any, Recorder]]:
    """Uploads of two tenants, of which few are under way, and what records the commands sent."""
    statuses = [("stored", "checked")[n % 2] for n in range(KEPT)] + ["checking", "waiting"]
    db.imports.insert_many(
        {"_id": f"{tenant}{n}", "tenant": tenant, "kind": "payments", "sha256": str(n), "status": status}
        | {"attempts": 1, "holder": "h", "alive_at": NOW, "created_at": NOW + timedelta(minutes=n), "done": 0}
        for tenant in ("acme", "other")
        for n, status in enumerate(statuses)
    )
    verdicts = ("new", "refused", "stored")
    db.import_rows.insert_many(
        {"tenant": "acme", "rows_of": f"r{n // 60}", "line": n, "verdict": verdicts[n % 3]} for n in range(KEPT)
    )
    db.import_chunks.insert_many(
        {"tenant": "acme", "files_id": f"f{n // 10}", "n": n % 10, "data": b"x"} for n in range(KEPT)
    )
    db.payments.insert_many(
        {"tenant": "acme", "payment_number": f"P{n}", "paid_on": f"2026-01-{n % 30 + 1:02}", "amount_minor": n % 60}
        | {"status": "recorded", "currency": "EUR", "payer": "A", "number_seq": n}
        for n in range(600)
    )
    recorder = Recorder()
    client: Any = pymongo.MongoClient(mongodb_uri, event_listeners=[recorder], tz_aware=True)
    yield client[db.name], recorder
    client.close()


@pytest.mark.parametrize(
    ("ask", "read_max"),
    [
        (lambda db: store.find_import(db, tenant="acme", import_id="acme7"), 1),
        (lambda db: store.find_same_file(db, tenant="acme", kind="payments", sha256="7"), 1),
        (lambda db: store.list_imports(db, tenant="acme", at_most=50), 50),
        (lambda db: store.count_imports(db, tenant="acme", statuses=("waiting", "to_store"), at_most=5), 6),
        (lambda db: store.count_imports(db, tenant="acme", statuses=None, at_most=100), 100),
        (lambda db: store.claim_import(db, holder="me"), 8),
        (lambda db: store.give_up_dead(db), 8),
        (lambda db: store.note(db, MINE, {"done": 1}), 1),
        (lambda db: store.show_life(db, MINE, done=1), 1),
        (lambda db: store.find_chunk(db, tenant="acme", files_id="f3", n=2), 1),
        (lambda db: store.drop_chunks(db, tenant="acme", files_id="f3"), 10),
        (lambda db: store.list_rows(db, tenant="acme", rows_of="r1", verdicts=["new"], after=70, at_most=5), 6),
        (lambda db: store.count_verdicts(db, tenant="acme", rows_of="r1"), 60),  # the keys of the file
        (lambda db: store.find_rows(db, tenant="acme", rows_of="r1", lines=[61, 62]), 3),
        (lambda db: list(store.each_line(db, tenant="acme", rows_of="r1", verdicts=["new"])), 20),
        (lambda db: list(each_alike(db, tenant="acme", paid_on="2026-01-05", amounts_minor=[4])), 20),
    ],
)
def test_a_question_reads_what_it_answers(
    filled: tuple[Any, Recorder], ask: Callable[[Any], Any], read_max: int
) -> None:
    db, recorder = filled
    ask(db)

    for command in recorder.commands:
        asked = {name: value for name, value in command.items() if name not in ("lsid", "txnNumber", "writeConcern")}
        assert documents_read(db, asked) <= read_max, asked
    assert recorder.commands
