"""Statements and the ageing are right for what an earlier version stored, before, while and after it is completed."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.collection import Collection

from finance.app import create_app
from finance.config import Config
from finance.database import Db, Document
from finance.receivables import completing
from tests.clients import NOVEMBER, Client
from tests.commands import Commands
from tests.receivables.books import BUCKETS, Books

CUSTOMERS = ("C1", "C2")
DAYS = [f"2026-{month:02}-05" for month in range(1, 13)]
ADDED = ("crossed", "closed_on", "credited_minor", "allocated_minor", "fully_allocated_on")


class Killed(BaseException):
    """The process ends here."""


def books_of_an_earlier_version(seed: int) -> Books:
    """Return books with what there was then: payments that pay invoices, of others too, and whole cancellations."""
    chance, books = random.Random(seed), Books()
    for _ in range(15):
        books.invoice(
            chance.choice((*CUSTOMERS, None)), chance.choice(DAYS), chance.randint(1, 500), customer_name="Zoë"
        )
    for invoice in chance.sample(books.invoices, 3):
        books.cancel(invoice, chance.choice([day for day in DAYS if day >= invoice["issued_on"]]))
    for _ in range(10):
        payment = books.payment(chance.choice((*CUSTOMERS, None)), chance.choice(DAYS), chance.randint(300, 900))
        for invoice in chance.sample([row for row in books.invoices if row["status"] == "issued"], 3):
            left = payment["amount_minor"] - sum(entry["amount_minor"] for entry in payment.get("allocations", []))
            free = min(invoice["free_minor"], left)
            if free > 0:
                books.allocate(payment, invoice, chance.choice([free, chance.randint(1, free)]))
    return books


def as_it_was_stored(books: Books) -> dict[str, list[Document]]:
    """Return the documents without what this version adds."""
    claims = {row["payment_number"]: f"claim-of-{row['payment_number']}" for row in books.payments}
    invoices = [
        without(row, *ADDED)
        | {
            "allocations": [
                {
                    "claim": claims[entry["payment_number"]],
                    "amount_minor": entry["amount_minor"],
                    "state": entry["state"],
                }
                for entry in row["allocations"]
            ]
        }
        for row in books.invoices
    ]
    payments = []
    for row in books.payments:
        document = without(row, *ADDED)
        if "allocations" in row:
            document["claim"] = claims[row["payment_number"]]
            document["allocations"] = [
                {"invoice_number": entry["invoice_number"], "amount_minor": entry["amount_minor"]}
                for entry in row["allocations"]
            ]
        payments.append(document)
    notes = [without(row, *ADDED, "allocations", "claim", "history") for row in books.credit_notes]
    return {"invoices": invoices, "payments": payments, "credit_notes": notes}


@pytest.fixture
def client(db: Db) -> Client:
    client = Client(db, now=NOVEMBER)
    shop = {"name": "Dakar", "timezone": "UTC", "currency": "EUR"}
    assert client.put("/shops/dkr1", role="admin", json=shop).status_code == 201
    return client


def stored(db: Db, seed: int) -> Books:
    books = books_of_an_earlier_version(seed)
    for name, documents in as_it_was_stored(books).items():
        db[name].insert_many(documents)
    books.customers(db, *CUSTOMERS)
    return books


@pytest.mark.parametrize("when", ["by whoever asks", "before", "by several at a time"])
def test_what_an_earlier_version_stored_agrees_with_a_plain_ledger(client: Client, when: str) -> None:
    books = stored(client.db, seed=3)
    if when == "before":
        completing.complete_all(client.db)
    elif when == "by several at a time":
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(completing.complete_all, [client.db] * 4))

    assert_right(client, books)
    if when != "by whoever asks":
        assert client.db.invoices.distinct("customer_folded") == ["zoe"]
    for name in ("invoices", "payments", "credit_notes"):
        for document in getattr(books, name):
            found = client.db[name].find_one(
                {name.removesuffix("s") + "_number": document[name.removesuffix("s") + "_number"]}
            )
            assert found is not None
            derived = [field for field in ADDED if field in document and field != "credited_minor"]
            assert {field: found.get(field) for field in derived} == {field: document[field] for field in derived}
            assert [told(entry) for entry in found.get("allocations", [])] == [
                told(entry) for entry in document.get("allocations", [])
            ]


def told(entry: Document) -> Document:
    names = ("state", "amount_minor", "on", "invoice_number", "payment_number", "customer_code")
    return {name: entry[name] for name in names if name in entry}


@pytest.mark.parametrize("after", [0, 5, 20])
def test_whoever_completes_can_be_killed_after_any_write(
    client: Client, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = stored(client.db, seed=5)
    with monkeypatch.context() as patched:
        writes = kill_after(after, patched)
        with pytest.raises(Killed):
            completing.complete_all(client.db)
        assert len(writes) == after + 1

    completing.complete_all(client.db)

    assert_right(client, books)


def test_with_more_left_than_a_request_can_complete_it_is_told_to_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "AT_ONCE_MAX", 2)
    books = stored(client.db, seed=4)

    refused = client.get("/customers/C1/statement?currency=EUR")

    assert (refused.status_code, refused.json["code"]) == (503, "receivables_being_prepared")
    assert refused.headers["Retry-After"] == "5"
    completing.complete_all(client.db)
    assert_right(client, books)


def test_looking_for_what_is_left_reads_nothing_once_it_is_done(watched: Db, commands: Commands) -> None:
    stored(watched, seed=6)
    completing.complete_all(watched)
    commands.names.clear()

    completing.complete_all(watched)

    assert not {"update", "findAndModify", "insert"} & set(commands.names)
    for kind in completing.KINDS:
        plan = watched[kind.collection].find({**kind.lacks, "tenant": "acme"}).hint(kind.index).explain()
        stats = plan["executionStats"]
        assert (stats["totalDocsExamined"], stats["totalKeysExamined"] <= 1) == (0, True)


def test_what_a_process_of_the_earlier_version_stores_later_is_completed_too(client: Client) -> None:
    completing.complete_all(client.db)
    books = stored(client.db, seed=7)

    assert_right(client, books)


def test_what_is_damaged_keeps_nothing_from_being_shown(client: Client) -> None:
    books = stored(client.db, seed=8)
    damaged: list[Any] = [
        {"allocations": "none", "status": "cancelled"},
        {"allocations": [{"claim": 5, "state": 7}], "total_minor": "a lot", "issued_on": "2026-01-01"},
        {"allocations": [{}], "total_minor": None, "currency": "EUR", "customer_code": "C1", "issued_on": "2026-02-01"},
    ]
    for number, fields in enumerate(damaged):
        place = {"invoice_number": f"D-{number}", "shop": "x", "period": "x", "number_seq": number}
        client.db.invoices.insert_one({"tenant": "acme", **place, **fields})
        claim = {"claim": f"damaged-{number}", "payment_number": f"D-{number}", "status": "recorded"}
        client.db.payments.insert_one({"tenant": "acme", **claim, **fields})

    completing.complete_all(client.db)

    for code in CUSTOMERS:
        answer = client.get(f"/customers/{code}/statement?currency=EUR&to=2026-12-31")
        assert answer.json["closing_balance"] == f"{books.balance(code, '2026-12-31') / 100:.2f}"
    assert client.get("/receivables/ageing").status_code == 200


def test_the_background_completes_after_the_indexes_stand(db: Db) -> None:
    from finance import app as finance_app

    stored(db, seed=9)
    app = create_app(Config(), db=db)

    finance_app._build_until_done(app.extensions["finance"].protect, db)

    assert db.invoices.count_documents({"customer_folded": None}) == 0
    assert db.credit_notes.count_documents({"allocations": None}) == 0


def assert_right(client: Client, books: Books) -> None:
    for day in ("2026-03-31", "2026-08-05", "2026-12-31"):
        expected = books.ageing(day)
        answer = client.get(f"/receivables/ageing?as_of={day}")
        assert answer.status_code == 200, answer.text
        rows = {row["customer_code"]: row for row in answer.json["data"]}
        assert rows.keys() == expected.keys()
        for code, (buckets, credit) in expected.items():
            assert [minor(rows[code][name]) for name in BUCKETS] == buckets
            assert minor(rows[code]["unallocated_credit"]) == credit
        for code in CUSTOMERS:
            statement = client.get(f"/customers/{code}/statement?to={day}&limit=500").json
            assert minor(statement["closing_balance"]) == books.balance(code, day)
            assert len(statement["lines"]) == len([line for line in books.lines(code) if line[0] <= day])


def kill_after(count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the process end at its next write after so many; return the names of those that it began."""
    writes: list[str] = []
    for name in ("update_one", "find_one_and_update"):
        original = getattr(Collection, name)

        def write(self: Any, *args: Any, _original: Any = original, _name: str = name, **options: Any) -> Any:
            writes.append(_name)
            if len(writes) > count:
                raise Killed
            return _original(self, *args, **options)

        monkeypatch.setattr(Collection, name, write)
    return writes


def without(document: Document, *names: str) -> Document:
    return {name: value for name, value in document.items() if name not in names}


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))
