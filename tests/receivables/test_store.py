"""Every question of a statement and of an ageing is answered by an index, and its sums by the index alone."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pymongo
import pytest
from pymongo import monitoring

from finance.config import Config
from finance.database import Db, connect, create_indexes
from finance.paging import PageWanted
from finance.receivables import service, store
from finance.receivables.model import Account
from finance.receivables.service import Question
from tests.clients import NOVEMBER, Client
from tests.databases import new_name
from tests.receivables.books import Books

OURS, OTHERS = 300, 2_000  # documents of one customer, and of the others


class Recorder(monitoring.CommandListener):
    """Keeps every read that is sent, to ask MongoDB how it would answer it."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate", "distinct"):
            self.commands.append(dict(event.command))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@pytest.fixture(scope="module")
def filled(mongodb_uri: str) -> Iterator[tuple[Db, Recorder]]:
    """A customer with some hundred documents among thousands of others', and what records the commands sent."""
    db = connect(Config(mongodb_uri=mongodb_uri, database_name=new_name()))
    create_indexes(db)
    books = Books()
    for number in range(OURS + OTHERS):
        code = "C0000" if number < OURS else f"C{number % 50 + 1:04}"
        on = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
        invoice = books.invoice(code, on, 1_000, due=on)
        if number % 3 == 0:
            books.allocate(books.payment(code, on, 1_000), invoice, 1_000)
        elif number % 3 == 1:
            books.credit_note(invoice, on, 100)
        elif number % 100 == 2:
            books.allocate(books.payment("C0099", on, 1_000), invoice, 500)
    books.store(db)
    recorder = Recorder()
    client: Any = pymongo.MongoClient(mongodb_uri, event_listeners=[recorder], tz_aware=True)
    yield client[db.name], recorder
    client.close()
    db.client.drop_database(db.name)
    db.client.close()


def plans_of(db: Any, recorder: Recorder) -> list[tuple[dict[str, Any], str, int, int]]:
    """Return, of each read, the command, its stages, and how many documents and keys it looked at."""
    plans = []
    for command in list(recorder.commands):
        kept = {
            name: value for name, value in command.items() if name not in ("lsid", "readConcern", "$db", "txnNumber")
        }
        kept = {name: value for name, value in kept.items() if not name.startswith("$")}
        plan = db.command("explain", kept, verbosity="executionStats")
        stats = plan["executionStats"] if "executionStats" in plan else plan["stages"][0]["$cursor"]["executionStats"]
        plans.append((command, str(plan), stats["totalDocsExamined"], stats["totalKeysExamined"]))
    return plans


@pytest.mark.parametrize("first", [None, "2026-05-05"])
def test_no_page_of_a_statement_reads_more_documents_than_it_shows(filled: Any, first: str | None) -> None:
    db, recorder = filled
    question = Question(Account("acme", "C0000", "EUR"), first, "2026-12-31")
    after = None
    for _page in range(4):
        recorder.commands.clear()
        page = service.get_statement(db, question, wanted=PageWanted("", after, 20))
        after = page.position
        for command, plan, documents, keys in plans_of(db, recorder):
            assert "COLLSCAN" not in plan, command
            is_of_crossings = command.get("hint") == "crossed"
            is_sum = "aggregate" in command and not is_of_crossings
            assert documents <= (0 if is_sum else 21), command
            assert keys <= OURS + 60, command
            assert is_of_crossings or "'stage': 'SORT'" not in plan, command
    assert after is not None


def test_the_currencies_and_the_first_day_are_read_from_the_index_alone(filled: Any) -> None:
    db, recorder = filled
    recorder.commands.clear()
    assert store.list_currencies(db, tenant="acme", customer_code="C0000") == ["EUR"]
    assert store.find_first_day(db, Account("acme", "C0000", "EUR")) == "2026-01-01"
    for command, plan, documents, keys in plans_of(db, recorder):
        assert "COLLSCAN" not in plan, command
        assert (documents, keys <= 2) == (0, True), command


def test_an_ageing_reads_only_what_was_open_on_its_day(filled: Any) -> None:
    db, recorder = filled
    closed = db.invoices.count_documents({"closed_on": {"$gt": ""}})
    recorder.commands.clear()
    pages = list(service.each_ageing_page(db, tenant="acme", currency="EUR", as_of=date(2026, 12, 31)))
    assert sum(len(page) for page in pages) == 52
    for command, plan, documents, _keys in plans_of(db, recorder):
        assert "COLLSCAN" not in plan, command
        collection = command.get("aggregate")
        if collection == "invoices":
            assert documents == OURS + OTHERS - closed
        elif collection == "payments":
            assert documents < 50  # those of which a part is left


def test_while_an_index_is_being_built_the_answer_is_that_it_is_being_prepared(db: Db) -> None:
    client = Client(db, now=NOVEMBER)
    books = Books()
    books.invoice("C1", "2026-03-05", 100)
    books.store(db)
    books.customers(db, "C1")
    for name, path in (("statement", "/customers/C1/statement"), ("ageing", "/receivables/ageing?currency=EUR")):
        db.invoices.drop_index(name)

        answer = client.get(path)

        assert (answer.status_code, answer.json["code"]) == (503, "receivables_being_prepared")
