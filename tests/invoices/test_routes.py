"""The HTTP contract of invoices, on a running API."""

import csv
import io
from typing import Any

import openpyxl
import pytest

LINE = {"description": "Work", "quantity": "2", "unit_price": "50", "tax_rate": "20"}


def test_an_invoice_is_answered_with_its_totals(acme: Any) -> None:
    lines = [LINE, {"description": "Book", "quantity": 1.5, "unit_price": 10, "tax_rate": 5.5, "discount": "10%"}]
    answer = acme.issue(lines=lines, due_on="2099-12-31", total="134.24")
    assert answer.status_code == 422  # due too late
    answer = acme.issue(lines=lines, total="134.24", total_net=113.5, total_tax="20.740", notes="Thank you")
    assert answer.status_code == 201, answer.text
    invoice = answer.json()
    assert answer.headers["Location"] == f"/api/v1/invoices/{invoice['invoice_number']}"
    assert invoice["taxes"] == [
        {"rate": "5.5", "net": "13.50", "tax": "0.74"},
        {"rate": "20", "net": "100.00", "tax": "20.00"},
    ]
    assert (invoice["total_net"], invoice["total_tax"], invoice["total"]) == ("113.50", "20.74", "134.24")
    assert (invoice["amount_paid"], invoice["outstanding"], invoice["status"]) == ("0.00", "134.24", "issued")
    assert [line["net"] for line in invoice["lines"]] == ["100.00", "13.50"]
    assert acme.invoice(invoice["invoice_number"]) == invoice


def test_totals_that_do_not_agree_are_refused_each_at_its_place(acme: Any) -> None:
    refused = acme.issue(lines=[LINE], total_net="100.01", total_tax="20", total="120.005")
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/total_net", "/total"]
    assert "100.00" in refused.json()["errors"][0]["detail"]


def test_the_same_key_answers_the_same_invoice_once(acme: Any) -> None:
    first, again = acme.issue(key="a", lines=[LINE]), acme.issue(key='"a"', lines=[{**LINE, "unit_price": "50.00"}])
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = acme.issue(key="a", lines=[{**LINE, "quantity": "3"}])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert acme.api.db.invoices.count_documents({"tenant": acme.tenant}) == 1


def test_cancelling_issues_a_credit_note_and_links_both(acme: Any) -> None:
    number = acme.issue(lines=[LINE]).json()["invoice_number"]
    path = f"/invoices/{number}/cancel"
    cancelled = acme.call("POST", path, "accountant", "c", json={"reason": "Wrong customer"})
    assert cancelled.status_code == 200, cancelled.text
    assert (cancelled.json()["status"], cancelled.json()["outstanding"]) == ("cancelled", "0.00")
    again = acme.call("POST", path, "accountant", "c", json={"reason": "Wrong customer"})
    assert again.json() == cancelled.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    reused = acme.call("POST", path, "accountant", "c", json={"reason": "Another"})
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    twice = acme.call("POST", path, "accountant", "d", json={"reason": "Wrong customer"})
    assert (twice.status_code, twice.json()["code"]) == (409, "invoice_already_cancelled")
    note = acme.call("GET", f"/credit-notes/{cancelled.json()['credit_note_number']}", "client").json()
    assert note["credit_note_number"].startswith("AV-PAR-")
    assert (note["invoice_number"], note["total"], note["reason"]) == (number, "120.00", "Wrong customer")
    assert acme.api.db.credit_notes.count_documents({"tenant": acme.tenant}) == 1


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("GET", "/invoices", "accountant"),
        ("GET", "/invoices/export.csv", "accountant"),
        ("GET", "/invoices/export.xlsx", "accountant"),
        ("POST", "/invoices/X/cancel", "accountant"),
        ("GET", "/credit-notes", "accountant"),
        ("GET", "/shops/par/sequences", "accountant"),
        ("PUT", "/shops/par", "admin"),
    ],
)
def test_who_may_do_what(acme: Any, method: str, path: str, least: str) -> None:
    for role in ("client", "accountant"):
        if role != least:
            assert acme.call(method, path, role, json={"reason": "x"} if method != "GET" else None).status_code == 403
        if least == "accountant":
            break


def test_another_tenants_invoices_are_not_there(acme: Any, tenant_of: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    note = acme.call("POST", f"/invoices/{number}/cancel", json={"reason": "x"}).json()["credit_note_number"]
    other = tenant_of(acme.api)
    for method, path in (
        ("GET", f"/invoices/{number}"),
        ("POST", f"/invoices/{number}/cancel"),
        ("GET", f"/credit-notes/{note}"),
        ("GET", "/shops/par"),
        ("GET", "/shops/par/sequences"),
    ):
        answer = other.call(method, path, json={"reason": "x"} if method == "POST" else None)
        assert answer.status_code == 404, path
    assert other.call("GET", "/invoices").json()["data"] == []
    assert other.issue().json()["errors"][0]["pointer"] == "/shop"


def test_pages_show_every_invoice_once_in_order(acme: Any) -> None:
    acme.put_shop("lyo")
    for shop, day in (("par", "2026-09-01"), ("lyo", "2026-09-01"), ("par", "2026-09-02"), ("lyo", "2026-10-01")) * 2:
        assert acme.issue(shop, issued_on="2026-10-01" if day == "2026-10-01" else "2026-09-02").status_code == 201
    for sort in ("issued_on", "-issued_on", "invoice_number", "-invoice_number", "created_at", "-created_at"):
        shown: list[str] = []
        query = {"sort": sort, "limit": "3"}
        while True:
            page = acme.call("GET", "/invoices", params=query).json()
            shown += [row["invoice_number"] for row in page["data"]]
            if not page["has_more"]:
                break
            query["cursor"] = page["next_cursor"]
        whole = acme.call("GET", "/invoices", params={"sort": sort, "limit": "200"}).json()["data"]
        assert shown == [row["invoice_number"] for row in whole]
        assert len(set(shown)) == 8
    assert acme.call("GET", "/invoices", params={"sort": "issued_on", "cursor": query["cursor"]}).status_code == 422


def test_filters(acme: Any) -> None:
    acme.put_shop("lyo", currency="USD")
    acme.issue(issued_on="2026-09-01", due_on="2026-10-01")
    paid = acme.issue(issued_on="2026-10-01").json()["invoice_number"]
    acme.pay_invoices([paid], "1.00")
    acme.issue("lyo", issued_on="2026-10-02", key="k")

    def count(**query: str) -> int:
        answer = acme.call("GET", "/invoices", params=query)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"])

    assert count(shop="PAR") == 2
    assert count(status="partly_paid") == 1
    assert count(status="issued") == 2
    assert count(currency="USD") == 1
    assert count(issued_from="2026-10-01") == 2
    assert count(issued_from="2026-10-01", issued_to="2026-10-01") == 1
    assert count(due_to="2026-12-31") == 1
    assert count(idempotency_key="k") == 1
    assert acme.call("GET", "/invoices?unknown=1").status_code == 422


def test_the_export_is_csv_that_no_spreadsheet_executes(acme: Any) -> None:
    acme.issue(customer_name="=HYPERLINK(1)", notes="-2+3")
    acme.issue(customer_name="@SUM(1)", notes='Say "a, b"\r\nand c')
    answer = acme.call("GET", "/invoices/export.csv?sort=invoice_number", "accountant")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [row["customer_name"] for row in rows] == ["'=HYPERLINK(1)", "'@SUM(1)"]
    assert [row["notes"] for row in rows] == ["'-2+3", 'Say "a, b"\r\nand c']
    assert [row["total"] for row in rows] == ["1000.00", "1000.00"]


def test_the_export_is_also_a_sheet(acme: Any) -> None:
    number = acme.issue(customer_name="=HYPERLINK(1)").json()["invoice_number"]

    answer = acme.call("GET", "/invoices/export.xlsx", "accountant")

    header, row = openpyxl.load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True)
    shown = dict(zip(header, row, strict=True))
    assert (shown["Invoice number"], shown["Customer name"], shown["Total"]) == (number, "=HYPERLINK(1)", 1000)


def test_the_export_has_every_row(acme: Any) -> None:
    first = acme.issue().json()
    template = acme.api.db.invoices.find_one({"tenant": acme.tenant})
    more = [{**template, "number_seq": n, "invoice_number": f"X{n}"} for n in range(2, 1203)]
    for document in more:
        del document["_id"]
    acme.api.db.invoices.insert_many(more)
    text = acme.call("GET", "/invoices/export.csv", "accountant").content.decode("utf-8-sig")
    assert [row["invoice_number"] for row in csv.DictReader(io.StringIO(text))] == [
        first["invoice_number"],
        *(document["invoice_number"] for document in more),
    ]


HOSTILE: list[Any] = [
    None,
    "",
    " ",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    "x" * 5000,
    "1E400",
    "-1",
    "١",
    "1\n",
    {"$gt": ""},
    10**40,
]


@pytest.mark.parametrize("field", ["shop", "customer_name", "customer_code", "issued_on", "currency", "lines", "total"])
def test_no_value_of_a_field_is_a_failure_of_ours(acme: Any, field: str) -> None:
    for value in HOSTILE:
        answer = acme.issue(**{field: value})
        assert answer.status_code in (201, 422), (value, answer.text)


@pytest.mark.parametrize("field", ["description", "quantity", "unit_price", "tax_rate", "discount"])
def test_no_value_in_a_line_is_a_failure_of_ours(acme: Any, field: str) -> None:
    for value in HOSTILE:
        answer = acme.issue(lines=[{**LINE, field: value}])
        assert answer.status_code in (201, 422), (value, answer.text)


@pytest.mark.parametrize("field", ["name", "timezone", "currency", "invoice_format", "credit_note_format", "reset"])
def test_no_setting_of_a_shop_is_a_failure_of_ours(acme: Any, field: str) -> None:
    for value in [
        *HOSTILE,
        "{",
        "{}",
        "{number",
        "{number:0}",
        "{number:00}",
        "{number!r}",
        "{shop.__class__}",
        "../../etc",
    ]:
        answer = acme.put_shop(f"x{abs(hash(str(value)))}", **{field: value})
        assert answer.status_code in (200, 201, 422), (value, answer.text)


@pytest.mark.parametrize("field", ["max_length", "fiscal_year_start_month"])
def test_no_number_of_a_shop_is_a_failure_of_ours(acme: Any, field: str) -> None:
    for value in [*HOSTILE, 13, 61, 1.0]:
        assert acme.put_shop("x", **{field: value}).status_code in (200, 201, 422), value


def test_invoices_are_never_changed_or_deleted(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    for method in ("PUT", "PATCH", "DELETE"):
        answer = acme.call(method, f"/invoices/{number}", json={})
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]
