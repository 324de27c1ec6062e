"""Statements and the ageing agree with a plain ledger, at any day, on any page, in any format."""

import csv
import io
import random
from typing import Any

import pytest

from finance.database import Db
from tests.clients import NOVEMBER, Client
from tests.receivables.books import BUCKETS, Books

CUSTOMERS = ("C1", "C2", "C3")
DAYS = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 9, 17)]
SHOP = {"name": "Dakar", "timezone": "UTC", "currency": "EUR"}


@pytest.fixture
def client(db: Db) -> Client:
    client = Client(db, now=NOVEMBER)
    assert client.put("/shops/dkr1", role="admin", json=SHOP).status_code == 201
    return client


def random_books(seed: int) -> Books:
    """Return books of a year with everything in them: crossings, refunds, cancellations, voids, releases, and more."""
    chance, books = random.Random(seed), Books()
    whose = (*CUSTOMERS, None)
    for _ in range(25):
        on = chance.choice(DAYS)
        due = chance.choice([None, chance.choice(DAYS)])
        books.invoice(chance.choice(whose), on, chance.randint(1, 500), due=due)
    for _ in range(25):
        direction = "outgoing" if chance.random() < 0.25 else "incoming"
        books.payment(chance.choice(whose), chance.choice(DAYS), chance.randint(1, 500), direction=direction)
    for invoice in chance.sample(books.invoices, 4):
        books.cancel(invoice, chance.choice([day for day in DAYS if day >= invoice["issued_on"]]))
    for invoice in chance.sample([row for row in books.invoices if row["status"] == "issued"], 8):
        note = books.credit_note(invoice, chance.choice(DAYS), chance.randint(1, invoice["total_minor"]))
        books.allocate(note, invoice, chance.randint(1, note["total_minor"]))
    for _ in range(60):
        source = chance.choice(books.payments)
        sinks = books.invoices if source["direction"] == "incoming" else books.credit_notes
        sink = chance.choice([row for row in sinks if row.get("status") != "cancelled"])
        free = min(
            source["amount_minor"] - sum(e["amount_minor"] for e in source.get("allocations", [])),
            sink["total_minor"] - sum(e["amount_minor"] for e in sink["allocations"]),
        )
        if free > 0:
            states = chance.choice([("settled", "settled")] * 5 + [("claimed", "claimed"), ("settled", "returning")])
            books.allocate(source, sink, chance.choice([free, chance.randint(1, free)]), states=states)
    for payment in chance.sample([row for row in books.payments if "allocations" not in row], 2):
        payment["status"] = "voided"
    return books


@pytest.mark.parametrize("seed", range(2))
def test_every_statement_and_the_ageing_agree_with_a_plain_ledger_on_every_day(client: Client, seed: int) -> None:
    books = random_books(seed)
    books.store(client.db)
    books.customers(client.db, *CUSTOMERS)

    for day in ["2025-12-31", *DAYS[seed::3], "2027-02-01"]:
        expected = books.ageing(day)
        ageing = shown(client, f"/receivables/ageing?as_of={day}")
        rows = {row["customer_code"]: row for row in ageing["data"]}
        assert list(rows) == [*sorted(code for code in expected if code), *([None] if None in expected else [])]
        for code, (buckets, credit) in expected.items():
            assert [minor(rows[code][name]) for name in BUCKETS] == buckets
            assert minor(rows[code]["unallocated_credit"]) == credit
        for name in ("outstanding", "unallocated_credit", "balance", *BUCKETS):
            assert minor(ageing["total"][name]) == sum(minor(row[name]) for row in rows.values())
        for code in CUSTOMERS:
            statement = shown(client, f"/customers/{code}/statement?to={day}&limit=1")
            balance = minor(rows[code]["balance"]) if code in rows else 0
            assert minor(statement["closing_balance"]) == balance == books.balance(code, day)


@pytest.mark.parametrize("limit", [1, 3, 500])
@pytest.mark.parametrize("first", ["", "&from=2026-04-09"])
def test_every_page_of_a_statement_goes_on_with_the_balance_of_the_one_before(
    client: Client, limit: int, first: str
) -> None:
    books = random_books(7)
    books.store(client.db)
    books.customers(client.db, *CUSTOMERS)
    for code in CUSTOMERS:
        expected = [line for line in books.lines(code) if first.removeprefix("&from=") <= line[0] <= "2026-10-17"]

        path = f"/customers/{code}/statement?to=2026-10-17&limit={limit}{first}"
        pages = list(every_page(client, path))

        lines = [line for page in pages for line in page["lines"]]
        assert [(line["date"], line["kind"], line["number"], signed(line)) for line in lines] == expected
        balance = minor(pages[0]["opening_balance"])
        assert balance == (books.balance(code, "2026-04-08") if first else 0)
        for line in lines:
            balance += signed(line)
            assert minor(line["balance"]) == balance
        assert {page["closing_balance"] for page in pages} == {f"{balance / 100:.2f}"}
        assert len({page["opening_balance"] for page in pages}) == 1


def test_the_files_hold_every_line_between_the_opening_and_the_closing_balance(client: Client) -> None:
    books = random_books(8)
    books.store(client.db)
    books.customers(client.db, *CUSTOMERS)

    rows = read_csv(client.get("/customers/C1/statement.csv?from=2026-03-01&to=2026-11-01"))

    lines = [line for line in books.lines("C1") if "2026-03-01" <= line[0] <= "2026-11-01"]
    assert rows[0] == opening_row("2026-03-01", books.balance("C1", "2026-02-28"))
    assert rows[-1]["kind"] == "closing_balance"
    assert minor(rows[-1]["balance"]) == books.balance("C1", "2026-11-01")
    assert [(row["date"], row["kind"], row["number"], signed(row)) for row in rows[1:-1]] == lines
    ageing = read_csv(client.get("/receivables/ageing.csv?as_of=2026-11-01"))
    assert ageing == [
        {"currency": "EUR"} | {name: value or "" for name, value in row.items()}
        for row in shown(client, "/receivables/ageing?as_of=2026-11-01")["data"]
    ]
    for path in ("/customers/C1/statement.xlsx", "/receivables/ageing.xlsx"):
        assert client.get(path).data.startswith(b"PK")


def test_pages_of_the_ageing_have_the_total_of_all(client: Client) -> None:
    books = random_books(9)
    books.store(client.db)
    books.customers(client.db, *CUSTOMERS)
    whole = shown(client, "/receivables/ageing?as_of=2026-06-30")

    pages = list(every_page(client, "/receivables/ageing?as_of=2026-06-30&limit=1"))

    assert [row for page in pages for row in page["data"]] == whole["data"]
    assert all(page["total"] == whole["total"] and len(page["data"]) == 1 for page in pages)


def test_sums_beyond_64_bits_are_exact(client: Client) -> None:
    books = Books()
    largest = 999_999_999_999_999
    for _ in range(12):
        books.invoice("C1", "2026-01-01", largest * 1_000)
    books.payment("C1", "2026-01-02", 1)
    books.store(client.db)
    books.customers(client.db, "C1")

    statement = shown(client, "/customers/C1/statement")

    assert minor(statement["closing_balance"]) == largest * 12_000 - 1
    assert minor(statement["lines"][-1]["balance"]) == largest * 12_000 - 1
    (row,) = shown(client, "/receivables/ageing")["data"]
    assert minor(row["balance"]) == largest * 12_000 - 1


def test_what_is_not_named_is_from_the_first_document_until_today_in_the_only_currency(client: Client) -> None:
    books = Books()
    books.invoice("C1", "2026-03-05", 100)
    books.invoice("C1", "2026-11-21", 10)
    books.store(client.db)
    books.customers(client.db, "C1", "C2")

    statement = shown(client, "/customers/c1/statement")

    assert statement["customer_name"] == "Customer C1"
    assert (statement["from"], statement["to"], statement["currency"]) == ("2026-03-05", "2026-11-20", "EUR")
    assert (statement["opening_balance"], statement["closing_balance"]) == ("0.00", "1.00")
    nothing = shown(client, "/customers/C2/statement")
    assert (nothing["from"], nothing["to"], nothing["lines"]) == ("2026-11-20", "2026-11-20", [])
    assert shown(client, "/receivables/ageing")["as_of"] == "2026-11-20"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/customers/CUST-999999/statement", 404, "There is no customer with this code."),
        ("/customers/CUST-999999/statement.csv", 404, "There is no customer with this code."),
        ("/customers/C1/statement", 422, "this customer's documents have several: EUR, USD"),
        ("/receivables/ageing", 422, "the tenant's shops have several: EUR, USD"),
        ("/customers/C1/statement?currency=EUR&from=2026-11-21", 422, "must not be after to, which is today"),
        ("/customers/C1/statement?currency=EUR&from=2026-11-21&to=2026-11-20", 422, "see errors"),
        ("/customers/C1/statement?currency=EUR&limit=501", 422, "1 to 500"),
        ("/receivables/ageing?currency=EUR&cursor=x", 422, "needs the parameter limit"),
        ("/receivables/ageing?currency=EUR&as_of=2026-02-30", 422, "a day that exists"),
    ],
)
def test_what_is_wrong_is_said(client: Client, path: str, status: int, said: str) -> None:
    client.put("/shops/us1", role="admin", json=SHOP | {"currency": "USD"})
    for currency in ("EUR", "USD"):
        books = Books(currency=currency)
        books.invoice("C1", "2026-03-05", 100, invoice_number=f"F-{currency}", period=currency)
        books.store(client.db)
    books.customers(client.db, "C1")

    answer = client.get(path)

    assert (answer.status_code, said in answer.json["detail"]) == (status, True), answer.text


@pytest.mark.parametrize("as_of", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_there_are_can_be_asked_for(client: Client, as_of: str) -> None:
    assert shown(client, f"/receivables/ageing?as_of={as_of}")["data"] == []


def shown(client: Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def every_page(client: Client, path: str) -> Any:
    page = shown(client, path)
    yield page
    while page["has_more"]:
        page = shown(client, f"{path}&cursor={page['next_cursor']}")
        yield page


def read_csv(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))


def signed(line: Any) -> int:
    return minor(line["debit"]) if line["debit"] else -minor(line["credit"])


def opening_row(day: str, balance: int) -> dict[str, str]:
    empty = {"number": "", "debit": "", "credit": "", "currency": "EUR"}
    return {"date": day, "kind": "opening_balance", **empty, "balance": f"{balance / 100:.2f}"}
