"""Invoices in pages: found, added up, and one of them as it was issued."""

from typing import Any

import pytest

from tests.clients import Client
from tests.web.browser import ORIGIN, Browser
from tests.web.tenants import OfTenant, november_client

RUPEES = "1234567890123.45"


@pytest.fixture(scope="module")
def november(shared_client: Client) -> Client:
    return november_client(shared_client)


@pytest.fixture
def client(november: Client) -> OfTenant:
    client = OfTenant(november)
    client.put_shop()
    client.put_shop("mum", currency="INR", timezone="Asia/Kolkata")
    return client


@pytest.fixture
def browser(client: OfTenant) -> Browser:
    return Browser(client).sign_in("accountant")


def issue(client: OfTenant, **invoice: Any) -> str:
    answer = client.issue(role="accountant", **invoice)
    assert answer.status_code == 201, answer.text
    return str(answer.json["invoice_number"])


def line(**changes: Any) -> dict[str, Any]:
    return {"description": "Work", "quantity": "1", "unit_price": "1000.00", "tax_rate": "0"} | changes


def test_the_list_says_what_is_owed_and_since_when(client: OfTenant, browser: Browser) -> None:
    late = issue(client, issued_on="2026-11-01", due_on="2026-11-08")
    today = issue(client, issued_on="2026-11-02", due_on="2026-11-20")
    paid = issue(client, issued_on="2026-11-03", due_on="2026-11-04")
    client.pay_invoices([paid], "1000.00")
    client.pay_invoices([late], "200.00")

    page = browser.get("/invoices")
    assert page.column("Invoice number", "Invoices") == [paid, today, late]
    assert page.column("Status", "Invoices") == ["Paid", "Issued", "Overdue 12 days"]
    assert page.column("Outstanding", "Invoices") == ["0.00", "1,000.00", "800.00"]
    totals = page.rows("Totals")[0]
    assert (totals["Outstanding"], totals["Overdue"]) == ("1,800.00\u00a0EUR", "800.00\u00a0EUR")

    assert browser.follow("Overdue").column("Invoice number", "Invoices") == [late]
    assert browser.page.chips == ["Overdue: Yes"]
    assert browser.get("/invoices?status=open&min_outstanding=900&currency=EUR").chips[0] == "Status: Open"
    assert browser.page.column("Invoice number", "Invoices") == [today]


def test_one_day_is_one_day(client: OfTenant, browser: Browser) -> None:
    issue(client, issued_on="2026-11-01", due_on="2026-11-19")
    assert browser.get("/invoices").column("Status", "Invoices") == ["Overdue 1 day"]
    assert browser.get("/invoices", lang="fr-FR").column("État", "Factures") == ["En retard 1 jour"]


def test_totals_have_an_order_only_in_one_currency(client: OfTenant, browser: Browser) -> None:
    small, large = (issue(client, lines=[line(unit_price=price)]) for price in ("9.00", "10.00"))
    assert not browser.get("/invoices").has_link("Total")
    page = browser.get("/invoices?currency=EUR&sort=total")
    assert page.column("Invoice number", "Invoices") == [small, large]
    page = browser.get("/invoices?sort=total")
    assert (page.status, page.address) == (200, "/invoices")


def test_pages_go_there_and_back(client: OfTenant, browser: Browser) -> None:
    numbers = [issue(client, issued_on="2026-11-05") for _place in range(60)][::-1]
    browser.get("/invoices?limit=25")
    seen = browser.page.column("Invoice number", "Invoices")
    seen += browser.follow("Older →").column("Invoice number", "Invoices")
    assert seen == numbers[:50]
    assert browser.follow("← Newer").column("Invoice number", "Invoices") == numbers[:25]


def test_what_is_refused_stands_at_its_filter(browser: Browser) -> None:
    page = browser.get("/invoices?min_outstanding=5&issued_from=2026-11-31")
    assert page.status == 422
    assert page.field_error("issued_from")
    assert "No invoice" not in page.text


def test_an_invoice_reads_as_it_was_issued(client: OfTenant, browser: Browser) -> None:
    lines = [
        line(description="Work on\nsite", quantity="12.5", unit_price="80", tax_rate="20"),
        line(description="<b>Paper</b>", quantity="3", unit_price="4.90", tax_rate="5.5", discount="10%"),
    ]
    number = issue(client, lines=lines, customer_address="1 rue X\nLyon", notes="Thank you", due_on="2026-12-01")
    client.pay_invoices([number], "200.00", payer="<script>alert(1)</script>")

    page = browser.get(f"/invoices/{number}")
    assert page.h1.startswith(f"Invoice {number}")
    assert "<script>alert(1)" not in page.html
    assert "<b>" not in page.html
    assert [row["Net"] for row in page.rows("Lines")] == ["1,000.00\u00a0EUR", "13.23\u00a0EUR"]
    assert page.rows("Lines")[1]["Discount"] == "10\u00a0%"
    for told in (
        "1 rue X",
        "Thank you",
        "1 Dec 2026",
        "Tax 20\u00a0% on 1,000.00\u00a0EUR",
        "1,213.96\u00a0EUR",
        "1,013.96\u00a0EUR",
    ):
        assert told in page.text, told
    assert page.rows("Payments and credit notes")[0]["Payer"] == "<script>alert(1)</script>"
    assert page.link("Record its payment") == f"/payments/new?invoice={number}"
    assert browser.follow("Record its payment").field("amount") == "1,013.96"


def test_reading_a_tax_number_in_full_is_on_record(client: OfTenant, browser: Browser) -> None:
    number = issue(client, customer_gstin="27AAPFU0939F1ZV")
    assert "27AAPFU0939F1ZV" in browser.get(f"/invoices/{number}").text
    assert "27AAPFU0939F1ZV" not in browser.get("/invoices").html
    event = client.get("/audit-events", role="admin").json["data"][0]
    assert (event["action"], event["object_id"]) == ("numbers_read_in_full", number)


def test_another_tenants_invoice_is_not_there(client: OfTenant) -> None:
    number = issue(client)
    other = Browser(client).sign_in("accountant", "umbra")
    for rest in ("", "/cancel", "/credit"):
        page = other.get(f"/invoices/{number}{rest}")
        assert (page.status, number in page.text) == (404, False)
    assert other.get("/invoices").text.endswith("No invoices yet. Issue the first.")


def test_taxes_are_told_by_month_and_rate(client: OfTenant, browser: Browser) -> None:
    number = issue(client, issued_on="2026-10-05", lines=[line(tax_rate="20"), line(tax_rate="5.5")])
    client.post(
        f"/invoices/{number}/credit-notes", json={"reason": "Less", "lines": [line(unit_price="100", tax_rate="20")]}
    )
    issue(client, shop="mum", lines=[line(unit_price=RUPEES, tax_rate="18")])

    page = browser.get("/invoices/totals?currency=EUR")
    taxes = {(row["Month"], row["Rate"]): row for row in page.rows("Net and tax")}
    assert taxes["October 2026", "20\u00a0%"]["Tax invoiced"] == "200.00"
    assert taxes["November 2026", "20\u00a0%"]["Tax left"] == "-20.00"
    assert page.rows("What is owed")[0]["Outstanding"] == "2,135.00"
    assert browser.get("/invoices/totals?overdue=true&due_to=2027-01-01").status == 200
    indian = browser.get("/invoices/totals?currency=INR", lang="en-IN").rows("What was issued")[0]
    assert indian["Total"] == "14,56,79,01,10,345.67"
    assert browser.get("/invoices/totals?issued_from=2026-02-30").status == 422


def test_the_files_of_the_list_hold_its_filter(client: OfTenant, browser: Browser) -> None:
    issue(client, customer_name="=cmd()")
    page = browser.get("/invoices?currency=EUR")
    answer = browser.http.get(page.link("CSV"), base_url=ORIGIN)
    assert answer.status_code == 200
    assert "'=cmd()" in answer.get_data(as_text=True)
    assert browser.http.get(page.link("XLSX"), base_url=ORIGIN).status_code == 200


@pytest.mark.parametrize(
    "damage",
    [
        {"lines": None, "taxes": "x", "total_minor": "12", "currency": 7, "due_on": 20261101, "issued_on": None},
        {"history": "none", "allocations": {"a": 1}, "credits": 3, "status": None, "customer_name": 5, "created_at": 1},
        {"lines": [{"quantity": 3, "net": 4.5}, "x"], "shop": 12, "created_by": None, "free_minor": "1", "period": 3},
        {"due_on": "someday", "free_minor": 2**62, "credit_note_number": 5, "customer_gstin": 9, "notes": ["a"]},
    ],
)
def test_what_older_systems_left_behind_is_shown_as_far_as_it_can_be(
    client: OfTenant, browser: Browser, damage: dict[str, Any]
) -> None:
    number = issue(client, due_on="2026-11-30")
    client.db.invoices.update_one({"tenant": client.tenant(), "invoice_number": number}, {"$set": damage})
    for address in (
        "/invoices",
        f"/invoices/{number}",
        "/invoices/totals",
        "/invoices?overdue=true",
        "/invoices?currency=EUR",
    ):
        assert browser.get(address).status == 200, address
    for address in (f"/invoices/{number}/cancel", f"/invoices/{number}/credit", f"/invoices/new?like={number}"):
        assert browser.get(address).status < 500, address
    client.db.invoices.update_one(
        {"tenant": client.tenant(), "invoice_number": number}, {"$unset": dict.fromkeys(damage, "")}
    )
    for address in ("/invoices", f"/invoices/{number}", f"/invoices/{number}/credit"):
        assert browser.get(address).status < 500, address
