"""Invoices, credit notes and allocations as files."""

from datetime import UTC, datetime

import pytest

from finance.database import Db
from tests.clients import Client
from tests.spreadsheets import about, csv_rows, sha256_of, sheet_rows, workbook

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def client(db: Db) -> Client:
    return Client(db, now=NOON)


def test_an_invoices_days_are_days_and_its_instants_those_of_its_shop(client: Client) -> None:
    client.put_shop("par")
    client.put_shop("tyo", timezone="Asia/Tokyo")
    client.issue("par", due_on="2026-07-31")
    client.issue("tyo", due_on="2026-07-31")

    (cells,) = sheet_rows(workbook(client.get("/invoices/export.xlsx?shop=tyo")).active)
    of_both = csv_rows(client.get("/invoices/export.csv"))

    assert cells["Due on"].value == datetime(2026, 7, 31)  # noqa: DTZ001
    assert cells["Due on"].is_date
    assert cells["Recorded at (Asia/Tokyo)"].value == datetime(2026, 7, 1, 21)  # noqa: DTZ001
    assert [row["created_at (UTC)"] for row in of_both] == ["2026-07-01T12:00:00+00:00"] * 2


def test_shops_that_share_a_zone_need_not_be_named(client: Client) -> None:
    client.put_shop("par")
    client.put_shop("lyo")
    client.issue("par")

    (row,) = csv_rows(client.get("/invoices/export.csv"))

    assert row["created_at (Europe/Paris)"] == "2026-07-01T14:00:00+02:00"


def test_invoices_come_with_totals_per_currency_and_status(client: Client) -> None:
    client.put_shop()
    paid = client.issue().json["invoice_number"]
    client.issue()
    client.pay_invoices([paid], "400.00")

    book = workbook(client.get("/invoices/export.xlsx"))

    totals = [[cell.value for cell in row] for row in book["Totals"].iter_rows(min_row=2)]
    assert totals == [
        ["EUR", "issued", 1, 1000, 0, 1000, 0, 0, 1000],
        ["EUR", "partly_paid", 1, 1000, 0, 1000, 400, 0, 600],
    ]


def test_credit_notes_are_exported_with_the_filters_of_their_list(client: Client) -> None:
    client.put_shop()
    for day in ("2026-06-30", "2026-07-01"):
        number = client.issue(issued_on=day).json["invoice_number"]
        client.post(f"/invoices/{number}/cancel", json={"reason": "twice"})

    rows = csv_rows(client.get(f"/credit-notes/export.csv?invoice_number={number}"))
    book = workbook(client.get("/credit-notes/export.xlsx"))

    assert [(row["invoice_number"], row["total"], row["reason"]) for row in rows] == [(number, "1000.00", "twice")]
    assert len(sheet_rows(book.active)) == 2
    assert client.get("/credit-notes/export.csv?limit=5").status_code == 422


def test_what_payments_pay_of_invoices_is_a_row_each(client: Client) -> None:
    client.put_shop()
    numbers = [client.issue().json["invoice_number"] for _each in range(2)]
    payment = client.pay_invoices(numbers, "400.00", paid_on="2026-06-01").json["payment_number"]
    voided = client.pay_invoices(numbers[:1], "1.00").json["payment_number"]
    client.post(f"/payments/{voided}/void", json={"reason": "twice"})
    client.pay("5.00")

    rows = csv_rows(client.get("/payments/allocations/export.csv"))
    book = workbook(client.get("/payments/allocations/export.xlsx"))

    assert [(row["payment_number"], row["invoice_number"], row["amount"], row["currency"]) for row in rows] == [
        (payment, number, "400.00", "EUR") for number in numbers
    ]
    # paid before it was issued: it counts from the later of the two days
    assert {(row["from_kind"], row["credit_note_number"], row["on"]) for row in rows} == {("payment", "", "2026-07-01")}
    assert [cell.value for cell in book["Totals"][2]] == ["EUR", "payment", 2, 800]
    assert about(book)["Rows"] == 2
    assert csv_rows(client.get("/payments/allocations/export.csv?direction=outgoing")) == []


def test_allocations_with_a_state_count_only_when_they_are_settled(client: Client) -> None:
    number = client.pay("30.00", direction="outgoing").json["payment_number"]
    entries = [
        {"claim": "a", "state": "settled", "amount_minor": 1000, "credit_note_number": "AV-1", "on": "2026-07-05"},
        {"claim": "b", "state": "claimed", "amount_minor": 500, "credit_note_number": "AV-2", "on": "2026-07-05"},
        {"claim": "c", "state": "released", "amount_minor": 500, "credit_note_number": "AV-3", "on": "2026-07-05"},
        {"claim": "d", "state": "settled", "amount_minor": 1, "invoice_number": "X", "on": "2026-07-06"}
        | {"customer_code": "CUST-2"},
    ]
    client.db.payments.update_one({"payment_number": number}, {"$set": {"allocations": entries}})

    rows = csv_rows(client.get("/payments/allocations/export.csv"))

    assert [(row["credit_note_number"], row["invoice_number"], row["amount"], row["on"]) for row in rows] == [
        ("AV-1", "", "10.00", "2026-07-05"),
        ("", "X", "0.01", "2026-07-06"),
    ]
    assert [row["other_customer_code"] for row in rows] == ["", "CUST-2"]


def test_what_credit_notes_give_is_a_row_each_also_of_those_that_took_an_invoice_back_whole(client: Client) -> None:
    client.put_shop()
    numbers = [client.issue().json["invoice_number"] for _each in range(2)]
    notes = [
        client.post(f"/invoices/{number}/cancel", json={"reason": "twice"}).json["credit_note_number"]
        for number in numbers
    ]
    given = {"claim": "a", "state": "settled", "amount_minor": 250, "invoice_number": "OTHER", "on": "2026-07-09"}
    paid_back = {"claim": "b", "state": "settled", "amount_minor": 9, "payment_number": "PAY", "on": "2026-07-09"}
    client.db.credit_notes.update_one({"credit_note_number": notes[1]}, {"$set": {"allocations": [given, paid_back]}})
    client.db.credit_notes.update_one({"credit_note_number": notes[0]}, {"$unset": {"allocations": ""}})

    rows = csv_rows(client.get("/credit-notes/allocations/export.csv"))

    found = {(row["credit_note_number"], row["invoice_number"], row["amount"], row["on"]) for row in rows}
    assert found == {(notes[0], numbers[0], "1000.00", "2026-07-01"), (notes[1], "OTHER", "2.50", "2026-07-09")}
    assert {row["from_kind"] for row in rows} == {"credit_note"}


@pytest.mark.parametrize("path", ["/invoices/export", "/credit-notes/export", "/payments/allocations/export"])
def test_both_formats_have_the_same_sha_256(client: Client, path: str) -> None:
    client.put_shop()
    number = client.issue().json["invoice_number"]
    client.pay_invoices([number], "1.00")
    client.post(f"/invoices/{client.issue().json['invoice_number']}/cancel", json={"reason": "twice"})

    *_rows, last = csv_rows(client.get(f"{path}.csv?closing_line=true"))

    assert list(last.values())[2] == f"SHA-256: {sha256_of(workbook(client.get(f'{path}.xlsx')).active)}"
