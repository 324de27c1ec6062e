"""`/invoices/new`: what is typed is never lost, what is wrong stands at its field, and nothing is issued twice."""

from typing import Any

import pytest

from tests.clients import Client, at_once
from tests.web.browser import ORIGIN, Browser
from tests.web.tenants import OfTenant, november_client


@pytest.fixture(scope="module")
def november(shared_client: Client) -> Client:
    return november_client(shared_client)


@pytest.fixture
def client(november: Client) -> OfTenant:
    client = OfTenant(november)
    client.put_shop()
    return client


@pytest.fixture
def browser(client: OfTenant) -> Browser:
    browser = Browser(client).sign_in("accountant")
    browser.get("/invoices/new")
    return browser


def typed(**changes: str) -> dict[str, Any]:
    first = {
        "lines-0-description": "Work",
        "lines-0-quantity": "2",
        "lines-0-unit_price": "1,250.50",
        "lines-0-tax_rate": "20",
    }
    return {"shop": "par", "customer_name": "Zoë", **first, **changes}


def numbers(client: OfTenant) -> list[str]:
    return [invoice["invoice_number"] for invoice in client.get("/invoices").json["data"]]


def test_an_invoice_is_issued_as_it_was_typed(client: OfTenant, browser: Browser) -> None:
    page = browser.submit("Issue the invoice", **typed(**{"lines-0-discount": "10 %"}))
    assert page.done == "FAC-PAR-202611-0001 is issued."
    shown = client.invoice("FAC-PAR-202611-0001")
    assert (shown["total"], shown["lines"][0]["discount"], shown["issued_on"]) == ("2701.08", "10%", "2026-11-20")


def test_a_french_reader_types_as_french_readers_do(client: OfTenant) -> None:
    browser = Browser(client, lang="fr-FR").sign_in("accountant")
    browser.get("/invoices/new")
    lines = {"lines-0-unit_price": "1 250,50", "lines-0-tax_rate": "5,5", "lines-0-quantity": "1,5"}
    page = browser.submit("totals", **typed(**lines))
    assert "1\u202f978,92" in page.text
    assert page.field("lines-0-unit_price") == "1 250,50"
    browser.submit("Émettre la facture")
    assert client.invoice("FAC-PAR-202611-0001")["total"] == "1978.92"


def test_lines_come_and_go_and_nothing_typed_is_lost(client: OfTenant, browser: Browser) -> None:
    browser.submit("Add a line", **typed(notes="Thanks"))
    more = {"lines-1-description": "Paper", "lines-1-unit_price": "3.00", "lines-1-tax_rate": "x"}
    page = browser.submit("Add a line", **more)
    assert page.field("lines-1-unit_price") == "3.00"
    page = browser.submit("Issue the invoice")  # the third line is empty, and left out
    assert page.status == 422
    assert page.title.startswith("Problem: ")
    assert "lines-2-description" not in page.html
    assert page.field_error("lines-1-tax_rate")
    page = browser.submit("Remove line 1")
    assert (page.field("lines-0-description"), page.field("notes")) == ("Paper", "Thanks")
    assert numbers(client) == []
    browser.submit("Issue the invoice", **{"lines-0-tax_rate": "20"})
    assert client.invoice("FAC-PAR-202611-0001")["total"] == "3.60"


def test_totals_are_worked_out_as_the_api_does_and_nothing_is_stored(client: OfTenant, browser: Browser) -> None:
    page = browser.submit("Work out totals", **typed())
    assert (page.status, page.rows("What the lines come to")[0]["Net"]) == (200, "2,501.00\u00a0EUR")
    assert "3,001.20" in page.text
    page = browser.submit("Work out totals", **{"lines-0-unit_price": "1.250"})
    assert page.status in (200, 422)
    page = browser.submit("Work out totals", **{"lines-0-unit_price": "abc"})
    assert page.field_error("lines-0-unit_price")
    assert numbers(client) == []


def test_a_customer_is_found_by_how_its_name_begins(client: OfTenant, browser: Browser) -> None:
    codes = [customer(client, f"Bharat {place:02}") for place in range(21)]
    page = browser.submit("Find a customer", **typed(customer_code="bharat", customer_name="", notes="Kept"))
    offered = [field for field in page.main.all("input") if field.get("name") == "found_customer"]
    assert len(offered) == 20
    assert page.field("notes") == "Kept"
    browser.submit("Issue the invoice", found_customer=codes[3])
    assert client.invoice("FAC-PAR-202611-0001")["customer_name"] == "Bharat 03"
    browser.get("/invoices/new")
    assert "No customer has this code" in browser.submit("Find a customer", **typed(customer_code="nobody")).text


def customer(client: OfTenant, name: str) -> str:
    answer = client.post("/customers", json={"customer_name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json["customer_code"])


def test_a_day_before_the_newest_is_offered_the_earliest(client: OfTenant, browser: Browser) -> None:
    client.issue(issued_on="2026-11-18", role="accountant")
    page = browser.submit("Issue the invoice", **typed(issued_on="2026-11-17"))
    assert page.field_error("issued_on")
    page = browser.submit("Issue it on 18 Nov 2026 instead")
    assert page.done == "FAC-PAR-202611-0002 is issued."
    assert client.invoice("FAC-PAR-202611-0002")["issued_on"] == "2026-11-18"


def test_the_same_customer_total_and_day_is_asked_about_once(client: OfTenant, browser: Browser) -> None:
    browser.submit("Issue the invoice", **typed())
    browser.get("/invoices/new")
    page = browser.submit("Issue the invoice", **typed())
    assert "FAC-PAR-202611-0001 has the same customer, total and day." in page.text
    assert numbers(client) == ["FAC-PAR-202611-0001"]
    page = browser.submit("Issue the invoice", confirmed=True)
    assert page.done == "FAC-PAR-202611-0002 is issued."


def test_a_cancelled_one_is_not_asked_about(client: OfTenant, browser: Browser) -> None:
    browser.submit("Issue the invoice", **typed())
    client.post("/invoices/FAC-PAR-202611-0001/cancel", json={"reason": "Wrong"})
    browser.get("/invoices/new")
    assert browser.submit("Issue the invoice", **typed()).done == "FAC-PAR-202611-0002 is issued."


def test_a_form_sent_twice_issues_one_invoice(client: OfTenant, browser: Browser) -> None:
    fields = browser.page.form("Issue the invoice").filled_in(typed(), None)
    first = browser.post("/invoices/new", fields)
    again = browser.post("/invoices/new", fields)
    assert first.done == "FAC-PAR-202611-0001 is issued."
    assert again.done == "This form was already stored as FAC-PAR-202611-0001. Nothing was stored twice."
    other = [(name, "7" if name == "lines-0-quantity" else value) for name, value in fields]
    page = browser.post("/invoices/new", other)
    assert "was already stored as FAC-PAR-202611-0001, with other values" in page.text
    assert numbers(client) == ["FAC-PAR-202611-0001"]
    page = browser.submit("Store these values as a new one")
    assert page.field("lines-0-quantity") == "7"
    assert browser.submit("Issue the invoice").done == "FAC-PAR-202611-0002 is issued."


def test_a_double_click_issues_one_invoice(client: OfTenant, browser: Browser) -> None:
    fields = browser.page.form("Issue the invoice").filled_in(typed(), None)
    cookies = browser.http._cookies

    def click(_place: int) -> str:
        other = Browser(client)
        other.http._cookies = cookies
        return other.post("/invoices/new", fields, Referer=f"{ORIGIN}/invoices/new").address

    assert at_once(4, click) == ["/invoices/FAC-PAR-202611-0001"] * 4
    assert numbers(client) == ["FAC-PAR-202611-0001"]


def test_two_operators_at_once_get_two_numbers(client: OfTenant) -> None:
    browsers = [Browser(client).sign_in("accountant") for _place in range(4)]

    def issue(place: int) -> str | None:
        browsers[place].get("/invoices/new")
        return browsers[place].submit("Issue the invoice", **typed(customer_name=f"Zoë {place}")).done

    said = at_once(4, issue)
    assert sorted(str(one) for one in said) == [f"FAC-PAR-202611-000{n} is issued." for n in (1, 2, 3, 4)]


def test_two_hundred_lines_fit_into_a_form(client: OfTenant, browser: Browser) -> None:
    lines = {
        f"lines-{at}-{name}": value
        for at in range(200)
        for name, value in (("description", f"Line {at} " + "é" * 100), ("quantity", "1"), ("unit_price", "1.10"))
    }
    fields = [*browser.page.form("Issue the invoice").fields(), *lines.items()]
    kept = [(name, value) for name, value in fields if not (name.startswith("lines-0") and value in ("", "1"))]
    fields = [("shop", "par"), ("customer_name", "Zoë"), *kept, ("lines-0-quantity", "1")]
    page = browser.post("/invoices/new", fields)
    assert page.done == "FAC-PAR-202611-0001 is issued."
    assert len(page.rows("Lines")) == 200
    assert client.invoice("FAC-PAR-202611-0001")["total"] == "220.00"
    assert browser.get("/invoices/FAC-PAR-202611-0001/credit").field("lines-199-unit_price") == "1.10"


def test_another_like_one_begins_with_its_values(client: OfTenant, browser: Browser) -> None:
    browser.submit("Issue the invoice", **typed(customer_name="<script>x</script>", notes="Thanks"))
    page = browser.get("/invoices/new?like=FAC-PAR-202611-0001", lang="fr-FR")
    assert page.field("lines-0-unit_price") == "1250,50"
    assert (page.field("customer_name"), page.field("notes")) == ("<script>x</script>", "Thanks")
    assert browser.get("/invoices/new?like=FAC-NONE-1").status == 404


def test_a_credit_limit_is_told_and_can_be_passed(client: OfTenant, browser: Browser) -> None:
    terms = {"payment_terms_days": 30, "credit_limit": "100.00", "currency": "EUR"}
    code = client.post("/customers", json={"customer_name": "Ada", "terms_conditions": terms}).json["customer_code"]
    page = browser.submit("Issue the invoice", **typed(customer_code=code, customer_name=""))
    assert "100.00\u00a0EUR" in str(page.field_error("customer_code"))
    assert browser.submit("Issue the invoice", confirm_over_limit=True).done == "FAC-PAR-202611-0001 is issued."
    assert client.invoice("FAC-PAR-202611-0001")["due_on"] == "2026-12-20"
