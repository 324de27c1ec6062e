"""Payments as CSV and XLSX: every row of the filters, exact, and nothing that a spreadsheet would execute."""

import csv
import io
from time import sleep
from typing import Any

import openpyxl
import pytest

from finance.config import Config
from finance.database import Db
from finance.payments import service, store
from tests.clients import Client

PAYMENT = {"amount": "1250.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "bank_transfer"}


def test_the_csv_has_every_payment_of_the_filters_in_order(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "EXPORT_PAGE_SIZE", 3)
    for number in range(10):
        client.post("/payments", json=PAYMENT | {"method": "card" if number % 2 else "cash", "paid_on": "2026-01-02"})

    everything = _csv(client.get("/payments/export.csv"))
    cards = _csv(client.get("/payments/export.csv?method=card&sort=-payment_number"))

    assert [row["payment_number"] for row in everything] == [f"PAY2026{n:04}" for n in range(1, 11)]
    assert [row["payment_number"] for row in cards] == [f"PAY2026{n:04}" for n in (10, 8, 6, 4, 2)]
    assert everything[0]["amount"] == "1250.50"


def test_text_that_begins_like_a_formula_is_text_in_both_files(client: Client) -> None:
    hostile = {"payer": "=HYPERLINK(1)", "reference": "@SUM(1)", "note": "-2+3\nsecond line, with comma"}
    client.post("/payments", json=PAYMENT | hostile)

    (row,) = _csv(client.get("/payments/export.csv"))
    (sheet_row,) = _xlsx(client.get("/payments/export.xlsx"))

    assert (row["payer"], row["reference"], row["note"]) == ("'=HYPERLINK(1)", "'@SUM(1)", f"'{hostile['note']}")
    assert {name: sheet_row[name].value for name in hostile} == hostile
    assert {sheet_row[name].data_type for name in hostile} == {"s"}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"), [("0.10", "EUR", 0.1), ("1250", "JPY", 1250), ("9999999999999.999", "KWD", None)]
)
def test_amounts_in_a_sheet_are_numbers_as_long_as_they_stay_exact(
    client: Client, amount: str, currency: str, shown: float | None
) -> None:
    client.post("/payments", json=PAYMENT | {"amount": amount, "currency": currency})

    (row,) = _xlsx(client.get("/payments/export.xlsx"))

    assert row["amount"].value == (amount if shown is None else shown)


@pytest.mark.parametrize("name", ["export.csv", "export.xlsx"])
def test_an_export_may_take_longer_than_a_request_may_ask_the_database(
    db: Db, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    client = Client(db, Config(database_deadline_s=1.0))
    for _ in range(6):
        client.post("/payments", json=PAYMENT)
    list_payments = store.list_payments
    monkeypatch.setattr(service, "EXPORT_PAGE_SIZE", 1)
    monkeypatch.setattr(store, "list_payments", lambda *args, **options: sleep(0.4) or list_payments(*args, **options))

    answer = client.get(f"/payments/{name}")

    assert len(_csv(answer) if name.endswith("csv") else _xlsx(answer)) == 6


def test_an_export_of_nothing_is_a_header(client: Client) -> None:
    assert _csv(client.get("/payments/export.csv")) == []
    assert _xlsx(client.get("/payments/export.xlsx")) == []


@pytest.mark.parametrize("name", ["export.csv", "export.xlsx"])
def test_an_export_is_for_accountants_and_refuses_what_a_list_refuses(shared_client: Client, name: str) -> None:
    assert shared_client.get(f"/payments/{name}", role="client").status_code == 403
    assert shared_client.get(f"/payments/{name}?limit=5").status_code == 422
    assert shared_client.get(f"/payments/{name}?status=open").status_code == 422


def test_another_tenants_payments_are_not_in_it(client: Client) -> None:
    client.post("/payments", json=PAYMENT, tenant="other")

    assert _csv(client.get("/payments/export.csv")) == []


def _csv(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def _xlsx(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    header, *rows = openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows()
    return [dict(zip([cell.value for cell in header], row, strict=True)) for row in rows]
