"""Payments as CSV and XLSX: every row of the filters, exact, and nothing that a spreadsheet would execute."""

from datetime import UTC, datetime
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from finance.config import Config
from finance.database import Db
from finance.payments import service, store
from tests.clients import Client
from tests.spreadsheets import about, csv_rows, sha256_of, sheet_rows, workbook

NOON = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)
PAYMENT = {"amount": "1250.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "bank_transfer"}


def test_the_csv_has_every_payment_of_the_filters_in_order(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "EXPORT_PAGE_SIZE", 3)
    for number in range(10):
        client.post("/payments", json=PAYMENT | {"method": "card" if number % 2 else "cash", "paid_on": "2026-01-02"})

    everything = csv_rows(client.get("/payments/export.csv"))
    cards = csv_rows(client.get("/payments/export.csv?method=card&sort=-payment_number"))

    assert [row["payment_number"] for row in everything] == [f"PAY2026{n:04}" for n in range(1, 11)]
    assert [row["payment_number"] for row in cards] == [f"PAY2026{n:04}" for n in (10, 8, 6, 4, 2)]
    assert everything[0]["amount"] == "1250.50"


def test_text_that_begins_like_a_formula_is_text_in_both_files(client: Client) -> None:
    hostile = {"payer": "=HYPERLINK(1)", "reference": "@SUM(1)", "note": "-2+3\nsecond line, with comma"}
    client.post("/payments", json=PAYMENT | hostile)

    (row,) = csv_rows(client.get("/payments/export.csv"))
    (sheet_row,) = _rows(client.get("/payments/export.xlsx"))

    assert (row["payer"], row["reference"], row["note"]) == ("'=HYPERLINK(1)", "'@SUM(1)", f"'{hostile['note']}")
    assert {name: sheet_row[name.capitalize()].value for name in hostile} == hostile
    assert {sheet_row[name.capitalize()].data_type for name in hostile} == {"s"}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"), [("0.10", "EUR", 0.1), ("1250", "JPY", 1250), ("9999999999999.999", "KWD", None)]
)
def test_amounts_in_a_sheet_are_numbers_as_long_as_they_stay_exact(
    client: Client, amount: str, currency: str, shown: float | None
) -> None:
    client.post("/payments", json=PAYMENT | {"amount": amount, "currency": currency})

    (row,) = _rows(client.get("/payments/export.xlsx"))

    assert row["Amount"].value == (amount if shown is None else shown)


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

    assert len(csv_rows(answer) if name.endswith("csv") else _rows(answer)) == 6


def test_an_export_of_nothing_is_a_header(client: Client) -> None:
    assert csv_rows(client.get("/payments/export.csv")) == []
    assert _rows(client.get("/payments/export.xlsx")) == []


@pytest.mark.parametrize("name", ["export.csv", "export.xlsx"])
def test_an_export_is_for_accountants_and_refuses_what_a_list_refuses(shared_client: Client, name: str) -> None:
    assert shared_client.get(f"/payments/{name}", role="client").status_code == 403
    assert shared_client.get(f"/payments/{name}?limit=5").status_code == 422
    assert shared_client.get(f"/payments/{name}?status=open").status_code == 422


def test_another_tenants_payments_are_not_in_it(client: Client) -> None:
    client.post("/payments", json=PAYMENT, tenant="other")

    assert csv_rows(client.get("/payments/export.csv")) == []


# --- XLSX, with a spreadsheet's eyes ---------------------------------------------------------------------------------


def test_days_and_times_are_real_ones_in_the_zone_that_the_header_names(db: Db) -> None:
    client = Client(db, Config(timezone=ZoneInfo("Europe/Paris")), now=NOON)
    client.post("/payments", json=PAYMENT | {"paid_on": "2026-02-03"})

    (row,) = _rows(client.get("/payments/export.xlsx"))
    (line,) = csv_rows(client.get("/payments/export.csv"))
    (for_excel,) = csv_rows(client.get("/payments/export.csv?text=excel"))

    assert (row["Paid on"].value, row["Paid on"].number_format) == (datetime(2026, 2, 3), "yyyy-mm-dd")  # noqa: DTZ001
    recorded = row["Recorded at (Europe/Paris)"]
    assert (recorded.value, recorded.is_date) == (datetime(2026, 7, 1, 14, 0, 5), True)  # noqa: DTZ001
    assert line["created_at (Europe/Paris)"] == "2026-07-01T14:00:05+02:00"
    assert for_excel["created_at (Europe/Paris)"] == "2026-07-01 14:00:05"


@pytest.mark.parametrize(
    ("currency", "amount", "number_format"),
    [("EUR", "1250.50", "#,##0.00"), ("JPY", "1250", "#,##0"), ("KWD", "12.345", "#,##0.000")],
)
def test_amounts_show_the_decimals_of_their_currency(
    client: Client, currency: str, amount: str, number_format: str
) -> None:
    client.post("/payments", json=PAYMENT | {"amount": amount, "currency": currency})

    (row,) = _rows(client.get("/payments/export.xlsx"))

    assert [row[name].number_format for name in ("Amount", "Signed amount")] == [number_format] * 2
    assert row["Amount"].value == float(amount)


def test_the_sum_of_the_signed_column_is_right_and_totals_stand_per_currency_direction_and_status(
    client: Client,
) -> None:
    for amount, changes in (
        *(("100.00", {}), ("30.25", {"direction": "outgoing"}), ("7.00", {"currency": "USD"})),
        ("999.00", {}),
    ):
        number = client.post("/payments", json=PAYMENT | {"amount": amount} | changes).json["payment_number"]
    client.post(f"/payments/{number}/void", json={"reason": "twice"})

    book = workbook(client.get("/payments/export.xlsx"))

    rows = sheet_rows(book["Payments"])
    signed = [row["Signed amount"].value for row in rows]
    assert signed == [100, -30.25, 7, 0]
    assert sum(row["Signed amount"].value for row in rows if row["Currency"].value == "EUR") == 69.75
    totals = [tuple(cell.value for cell in row) for row in book["Totals"].iter_rows()]
    assert totals == [
        ("Currency", "Direction", "Status", "Count", "Amount", "Signed amount", "Allocated", "Unallocated"),
        ("EUR", "incoming", "recorded", 1, 100, 100, 0, 100),
        ("EUR", "incoming", "voided", 1, 999, 0, 0, 0),
        ("EUR", "outgoing", "recorded", 1, 30.25, -30.25, 0, 30.25),
        ("USD", "incoming", "recorded", 1, 7, 7, 0, 7),
    ]
    assert about(book)["Total of Signed amount, EUR"] == 69.75


def test_a_sheet_has_widths_a_filter_and_a_frozen_bold_header(client: Client) -> None:
    client.post("/payments", json=PAYMENT | {"note": "A note that is longer than the title of its column"})

    book = workbook(client.get("/payments/export.xlsx"))
    sheet = book["Payments"]

    assert book.sheetnames == ["About this file", "Payments", "Totals"]
    assert book.active.title == "Payments"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:U2")
    assert all(cell.font.bold for cell in sheet[1])
    widths = {sheet[f"{letter}1"].value: column.width for letter, column in sheet.column_dimensions.items()}
    assert widths["Note"] > 40
    assert all(width >= 9 for width in widths.values())


@pytest.mark.parametrize(
    ("query", "accepted", "title"),
    [
        *(("", None, "Paid on"), ("", "fr-FR,fr;q=0.9,en;q=0.8", "Payé le"), ("", "de", "Paid on")),
        *(("?language=fr", "en", "Payé le"), ("?language=en", "fr", "Paid on")),
    ],
)
def test_titles_are_in_the_readers_language(client: Client, query: str, accepted: str | None, title: str) -> None:
    headers = {"Accept-Language": accepted} if accepted else {}

    book = workbook(client.get(f"/payments/export.xlsx{query}", headers=headers))

    assert title in [cell.value for cell in book.worksheets[1][1]]


def test_titles_of_a_csv_file_are_names_of_the_api_unless_a_language_is_asked_for(client: Client) -> None:
    client.post("/payments", json=PAYMENT)

    (plain,) = csv_rows(client.get("/payments/export.csv", headers={"Accept-Language": "fr"}))
    (french,) = csv_rows(client.get("/payments/export.csv?language=fr"))

    assert (plain["paid_on"], french["Payé le"]) == (plain["paid_on"], plain["paid_on"])


def test_the_first_sheet_is_the_evidence_that_the_file_is_complete(db: Db) -> None:
    client = Client(db, Config(timezone=ZoneInfo("Europe/Paris")), now=NOON)
    hostile = {"payer": "=1+1", "reference": "00123", "note": 'a "quote"; é\nsecond line'}
    for changes in ({}, {"currency": "JPY", "amount": "5"}, {"currency": "KWD", "amount": "9999999999999.999"}):
        client.post("/payments", json=PAYMENT | hostile | changes | {"paid_on": "2026-02-03"})

    book = workbook(client.get("/payments/export.xlsx?paid_from=2026-01-01&method=bank_transfer&sort=-payment_number"))
    said = about(book)

    assert said["Rows"] == 3
    assert said["Filter"] == "Paid from: 2026-01-01; Method: bank_transfer"
    assert said["Order"] == "Payment number, descending"
    assert said["As of (begun)"] == "2026-07-01 14:00:05 (Europe/Paris)"
    assert said["Made with the key"] == client.key().split("_")[1]
    assert said["Tenant"] == "acme"
    assert said["SHA-256 of the rows"] == sha256_of(book["Payments"])
    assert said["Amounts of more than 15 digits, kept as text (a SUM leaves them out, Totals doesn't)"] == 3


def test_the_sha_256_tells_a_row_that_was_changed(client: Client) -> None:
    client.post("/payments", json=PAYMENT)

    book = workbook(client.get("/payments/export.xlsx"))
    book["Payments"]["D2"] = 1250.51

    assert about(book)["SHA-256 of the rows"] != sha256_of(book["Payments"])


# --- CSV, with a spreadsheet's eyes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "delimiter", "line"),
    [
        ("", ",", '"EUR",1250.50'),
        ("delimiter=;&decimal=,", ";", '"EUR";1250,50'),
        ("delimiter=%3B", ";", '"EUR";1250.50'),
        ("delimiter=%09", "\t", '"EUR"\t1250.50'),
        ("delimiter=tab&decimal=,", "\t", '"EUR"\t1250,50'),
        ("decimal=,", ",", '"EUR","1250,50"'),
    ],
)
def test_separators_are_those_that_were_asked_for(client: Client, query: str, delimiter: str, line: str) -> None:
    client.post("/payments", json=PAYMENT | {"note": "a, b; c\td"})

    answer = client.get(f"/payments/export.csv?{query}")

    assert line in answer.text
    (row,) = csv_rows(answer, delimiter=delimiter)
    assert (row["amount"].replace(",", "."), row["note"]) == ("1250.50", "a, b; c\td")


@pytest.mark.parametrize(
    "query", ["delimiter=|", "decimal=x", "text=word", "closing_line=1", "language=de", "delimiter=,&delimiter=;"]
)
def test_what_is_no_separator_is_refused(shared_client: Client, query: str) -> None:
    answer = shared_client.get(f"/payments/export.csv?{query}")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


def test_only_a_csv_file_has_separators(shared_client: Client) -> None:
    assert shared_client.get("/payments/export.xlsx?delimiter=;").status_code == 422


@pytest.mark.parametrize("reference", ["00123", "0123456789012345", "1E5", "1-2", "03/04/2026"])
def test_references_keep_their_form_in_excel_when_that_is_asked_for(client: Client, reference: str) -> None:
    client.post("/payments", json=PAYMENT | {"reference": reference})

    (plain,) = csv_rows(client.get("/payments/export.csv"))
    (for_excel,) = csv_rows(client.get("/payments/export.csv?text=excel"))
    (cell,) = _rows(client.get("/payments/export.xlsx"))

    assert (plain["reference"], for_excel["reference"]) == (reference, f'="{reference}"')
    assert (cell["Reference"].value, cell["Reference"].data_type) == (reference, "s")
    assert for_excel["payer"] == plain["payer"]


def test_a_closing_line_says_how_many_rows_there_are_and_their_sha_256(client: Client) -> None:
    for _each in range(3):
        client.post("/payments", json=PAYMENT | {"note": "=1\n2"})

    *rows, last = csv_rows(client.get("/payments/export.csv?closing_line=true"))
    book = workbook(client.get("/payments/export.xlsx"))

    assert len(rows) == 3
    assert list(last.values())[:3] == ["END", "Rows: 3", f"SHA-256: {about(book)['SHA-256 of the rows']}"]


# --- both -------------------------------------------------------------------------------------------------------------


def test_both_files_are_what_the_api_lists_cell_by_cell(db: Db) -> None:
    client = Client(db, now=NOON)
    client.post("/payments", json=PAYMENT | {"reference": "00123", "note": "=1", "direction": "outgoing"})
    voided = client.post("/payments", json=PAYMENT | {"currency": "KWD", "amount": "12.345"}).json["payment_number"]
    client.post(f"/payments/{voided}/void", json={"reason": "twice"})
    listed = client.get("/payments?sort=payment_number").json["data"]

    in_csv = csv_rows(client.get("/payments/export.csv"))
    sheet = workbook(client.get("/payments/export.xlsx")).active

    for payment, line, cells in zip(listed, in_csv, sheet.iter_rows(min_row=2), strict=True):
        for name, text, cell in zip(line, line.values(), cells, strict=True):
            assert (name, text) == (name, _as_text(name, payment))
            assert (name, cell.value) == (name, _as_cell(name, payment))


def _as_text(name: str, payment: dict[str, Any]) -> str:
    value = _value(name, payment)
    if "(UTC)" in name and value:
        return str(value.replace("Z", "+00:00"))
    return f"'{value}" if value == "=1" else ", ".join(value) if isinstance(value, list) else str(value or "")


def _as_cell(name: str, payment: dict[str, Any]) -> object:
    value = _value(name, payment)
    if name in ("amount", "signed_amount", "allocated", "unallocated"):
        return float(value)
    is_date = value and ("(UTC)" in name or name == "paid_on")
    return datetime.fromisoformat(value).replace(tzinfo=None) if is_date else value or None


def _value(name: str, payment: dict[str, Any]) -> Any:
    if name == "signed_amount":
        sign = "-" if payment["direction"] == "outgoing" else ""
        return "0.000" if payment["status"] == "voided" else sign + payment["amount"]
    return payment[name.removesuffix(" (UTC)")]


def _rows(answer: Any) -> list[dict[str, Any]]:
    return sheet_rows(workbook(answer).active)
