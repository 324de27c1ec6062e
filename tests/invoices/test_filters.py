"""Which invoices a list shows, against all of them filtered here; and in which order, page by page."""

import csv
import io
from collections.abc import Iterator
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from finance import database
from finance.config import Config
from finance.invoices.model import SORTS
from finance.text import fold
from tests.clients import ENCRYPTION_KEY, NOVEMBER, Client
from tests.databases import new_name

NAMES = ("Ada Lovelace", "Élodie Durand-Lévy", "Bharat (India) Ltd", "adam's", "Zoë", "Lovelace & King")
TODAY = "2026-11-20"


@pytest.fixture(scope="module")
def app(mongodb_uri: str) -> Iterator[Client]:
    """A client whose tenant has 96 invoices: open, paid in part, paid, cancelled; some without a due day."""
    config = Config(mongodb_uri=mongodb_uri, database_name=new_name(), encryption_keys=(ENCRYPTION_KEY,))
    db = database.connect(config)
    database.create_indexes(db)
    client = Client(db, config, now=NOVEMBER)
    client.put_shop()
    client.put_shop("lyo")
    for place in range(96):
        due = (None, "2026-11-19", "2026-11-20", "2026-11-21", "2026-12-31")[place % 5]
        price = ("10.00", "10.00", "99.99", "250.00")[place % 4]
        issued = client.issue(
            ("par", "lyo")[place % 2],
            customer_name=NAMES[place % len(NAMES)],
            currency=("EUR", "EUR", "USD")[place % 3],
            issued_on=f"2026-11-{1 + place // 8:02}",
            lines=[{"description": "Work", "quantity": "1", "unit_price": price}],
            **({"due_on": due} if due else {}),
        ).json
        _pay(client, issued, place % 7)
    yield client
    db.client.drop_database(db.name)
    db.client.close()


def _pay(client: Client, invoice: Any, way: int) -> None:
    number, currency = invoice["invoice_number"], invoice["currency"]
    if way == 1:
        assert client.pay_invoices([number], "5.00", currency=currency).status_code == 201
    elif way == 2:
        assert client.pay_invoices([number], invoice["total"], currency=currency).status_code == 201
    elif way == 3:
        assert client.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).status_code == 200


def walk(app: Client, **query: Any) -> list[Any]:
    """Return every row of a list, read in pages of seven."""
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = app.get("/invoices", query_string={"limit": 7, **query, **cursor})
        assert page.status_code == 200, page.text
        rows += page.json["data"]
        if not page.json["has_more"]:
            return rows
        cursor = {"cursor": page.json["next_cursor"]}


def numbers(rows: list[Any]) -> list[str]:
    return [row["invoice_number"] for row in rows]


def _is_open(row: Any) -> bool:
    return row["status"] in ("issued", "partly_paid")


def _has_word(row: Any, sought: str) -> bool:
    folded = fold(row["customer_name"])
    begins = (place for place in range(len(folded)) if place == 0 or not folded[place - 1].isalnum())
    return any(folded[place:].startswith(fold(sought)) for place in begins)


def _is_overdue(row: Any) -> bool:
    return _is_open(row) and row["due_on"] is not None and row["due_on"] < TODAY


def _has_outstanding(row: Any, currency: str, least: float) -> bool:
    return row["currency"] == currency and float(row["outstanding"]) >= least


FILTERS: list[tuple[dict[str, str], Any]] = [
    ({"status": "open"}, _is_open),
    ({"overdue": "true"}, _is_overdue),
    ({"overdue": "true", "status": "partly_paid"}, lambda row: _is_overdue(row) and row["status"] == "partly_paid"),
    ({"overdue": "true", "shop": "lyo"}, lambda row: _is_overdue(row) and row["shop"] == "lyo"),
    ({"due_from": TODAY, "due_to": "2026-11-21"}, lambda row: row["due_on"] in (TODAY, "2026-11-21")),
    ({"currency": "EUR", "min_outstanding": "10"}, lambda row: _has_outstanding(row, "EUR", 10)),
    ({"currency": "USD", "min_outstanding": "94.99"}, lambda row: _has_outstanding(row, "USD", 94.99)),
    *(
        ({"customer_name": name}, partial(_has_word, sought=name))
        for name in ("lovelace", "LÉV", "ada", "Ada L", "king", "india", "zoe", "a")
    ),
]
NOTHING: list[dict[str, str]] = [
    {"overdue": "true", "due_from": TODAY},
    {"overdue": "true", "status": "paid"},
    {"currency": "EUR", "min_outstanding": "0.01", "status": "cancelled"},
    {"customer_name": "(ind"},
]


@pytest.mark.parametrize(("query", "is_meant"), FILTERS, ids=[str(query) for query, _is_meant in FILTERS])
def test_a_list_and_its_export_show_what_the_filter_means(app: Client, query: dict[str, str], is_meant: Any) -> None:
    wanted = sorted(numbers([row for row in walk(app) if is_meant(row)]))

    assert sorted(numbers(walk(app, **query))) == wanted

    exported = csv.DictReader(io.StringIO(app.get("/invoices/export.csv", query_string=query).text.lstrip("\ufeff")))
    assert sorted(row["invoice_number"] for row in exported) == wanted
    assert wanted


@pytest.mark.parametrize("query", NOTHING, ids=str)
def test_a_filter_that_means_no_invoice_shows_none(app: Client, query: dict[str, str]) -> None:
    assert walk(app, **query) == []


@pytest.mark.parametrize("sort", SORTS)
def test_pages_show_each_invoice_once_and_in_order_where_many_are_equal(app: Client, sort: str) -> None:
    query = {"sort": sort, "currency": "EUR"}
    found = walk(app, **query)
    assert len(found) == 64
    assert len(set(numbers(found))) == 64
    name = sort.removeprefix("-")
    if name in ("total", "due_on"):
        values = [float(row["total"]) if name == "total" else row["due_on"] or "" for row in found]
        assert values == sorted(values, reverse=sort.startswith("-"))
        assert len(set(values)) < 6
    assert numbers(found) == numbers(app.get("/invoices", query_string={**query, "limit": 200}).json["data"])


def test_what_is_overdue_comes_with_what_is_overdue_longest_first(app: Client) -> None:
    assert app.put_shop().status_code == 200
    first = app.issue(issued_on="2026-11-12", due_on="2026-11-12").json["invoice_number"]
    assert numbers(walk(app, overdue="true"))[0] == first
    assert numbers(walk(app, overdue="true", sort="-due_on"))[-1] == first
    assert app.post(f"/invoices/{first}/cancel", json={"reason": "wrong"}).status_code == 200


def test_the_day_ends_in_the_zone_of_the_service(db: Any) -> None:
    client = Client(db, Config(timezone=ZoneInfo("Asia/Kolkata")), now=NOVEMBER.replace(hour=18, minute=29))
    client.put_shop()
    client.issue(issued_on="2026-11-20", due_on="2026-11-20")
    assert client.get("/invoices?overdue=true").json["data"] == []
    client.later(minutes=1)  # midnight of the 21st in Kolkata, still the 20th in Paris, where the shop is
    assert len(client.get("/invoices?overdue=true").json["data"]) == 1


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ({"min_outstanding": "1.00"}, ["min_outstanding"]),
        ({"sort": "total"}, ["sort"]),
        ({"sort": "-total", "min_outstanding": "1"}, ["min_outstanding", "sort"]),
        ({"min_outstanding": "1.005", "currency": "EUR"}, ["min_outstanding"]),
        ({"min_outstanding": "-1", "currency": "EUR"}, ["min_outstanding"]),
        ({"min_outstanding": "0", "currency": "EUR"}, ["min_outstanding"]),
        ({"min_outstanding": "1", "currency": "eur"}, ["currency"]),
        ({"overdue": "yes"}, ["overdue"]),
        ({"customer_name": "\u0301"}, ["customer_name"]),
        ({"due_from": "2026-11-21", "due_to": "2026-11-20"}, ["due_from", "due_to"]),
    ],
)
def test_a_filter_that_means_nothing_is_refused_at_its_name(
    client: Client, query: dict[str, str], parameters: list[str]
) -> None:
    for path in ("/invoices", "/invoices/export.csv"):
        refused = client.get(path, query_string=query)
        assert refused.status_code == 422, refused.text
        assert sorted(error["parameter"] for error in refused.json["errors"]) == parameters
