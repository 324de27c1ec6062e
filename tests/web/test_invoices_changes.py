"""Invoices cancelled and credited in pages: what will happen is said first, and nothing happens to what has changed."""

from typing import Any

import pytest

from tests.clients import Client
from tests.web.browser import Browser
from tests.web.tenants import OfTenant, november_client

LINES = [
    {"description": "Work", "quantity": "10", "unit_price": "100.00", "tax_rate": "20"},
    {"description": "Paper", "quantity": "1", "unit_price": "50.00", "tax_rate": "0"},
]
CHANGED = "This changed while you were looking. This is how it stands now; nothing of yours was stored."


@pytest.fixture(scope="module")
def november(shared_client: Client) -> Client:
    return november_client(shared_client)


@pytest.fixture
def client(november: Client) -> OfTenant:
    client = OfTenant(november)
    client.put_shop()
    return client


@pytest.fixture
def number(client: OfTenant) -> str:
    return str(client.issue(lines=LINES).json["invoice_number"])


@pytest.fixture
def browser(client: OfTenant) -> Browser:
    return Browser(client).sign_in("accountant")


def test_cancelling_says_what_will_happen_and_wants_a_reason(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}")
    page = browser.follow("Cancel…")
    assert "takes back the whole of it, 1,250.00\u00a0EUR" in page.text
    page = browser.submit(f"Cancel {number}")
    assert (page.status, client.invoice(number)["status"]) == (422, "issued")
    assert page.field_error("reason")
    page = browser.submit(f"Cancel {number}", reason="Wrong customer")
    assert page.done == f"{number} is cancelled by the credit note AV-PAR-202611-0001."
    assert not page.has_link("Cancel…")
    assert "Wrong customer" in page.text
    assert "is cancelled already" in browser.get(f"/invoices/{number}/cancel").text


def test_a_double_click_cancels_once(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}/cancel")
    fields = browser.page.form(f"Cancel {number}").filled_in({"reason": "Twice"}, None)
    for _click in range(2):
        page = browser.post(f"/invoices/{number}/cancel", fields)
        assert page.done == f"{number} is cancelled by the credit note AV-PAR-202611-0001."


def test_what_was_paid_meanwhile_is_not_cancelled(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}/cancel")
    client.pay_invoices([number], "10.00")
    page = browser.submit(f"Cancel {number}", reason="Wrong")
    assert page.status == 409
    assert CHANGED in page.text
    assert page.has_link("Credit it")
    assert client.invoice(number)["status"] == "partly_paid"


def test_a_stale_form_is_shown_again_and_can_then_be_sent(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}/credit")
    client.pay_invoices([number], "1000.00")
    page = browser.submit("Credit 1,250.00 EUR".replace(" EUR", "\u00a0EUR"), reason="All of it")
    assert page.status == 409
    assert CHANGED in str(page.alert)
    assert "takes 250.00\u00a0EUR of it off" in page.text
    page = browser.submit("Credit 1,250.00\u00a0EUR")
    assert page.done == "AV-PAR-202611-0001 is issued."
    assert client.get("/credit-notes/AV-PAR-202611-0001").json["unallocated"] == "1000.00"


def test_a_part_is_credited_once_its_numbers_were_seen(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}")
    browser.follow("Credit…")
    browser.submit("Remove line 2")
    page = browser.submit("Credit 1,200.00\u00a0EUR", reason="One day", **{"lines-0-quantity": "1"})
    assert page.status == 200
    assert "other than was shown" in page.text
    assert client.get("/credit-notes").json["data"] == []
    page = browser.submit("Credit 120.00\u00a0EUR")
    assert page.done == "AV-PAR-202611-0001 is issued."
    assert client.invoice(number)["outstanding"] == "1130.00"


def test_a_double_click_credits_once(client: OfTenant, browser: Browser, number: str) -> None:
    browser.get(f"/invoices/{number}/credit")
    fields = browser.page.form("Credit these lines" if "Credit these" in browser.page.text else None).fields()
    fields = [(name, "All" if name == "reason" else value) for name, value in fields]
    assert browser.post(f"/invoices/{number}/credit", fields).done == "AV-PAR-202611-0001 is issued."
    again = browser.post(f"/invoices/{number}/credit", fields)
    assert again.done == "This form was already stored as AV-PAR-202611-0001. Nothing was stored twice."


def test_more_than_is_left_is_refused_and_told(client: OfTenant, browser: Browser, number: str) -> None:
    page = browser.get(f"/invoices/{number}/credit")
    page = browser.submit("Work out totals", **{"lines-0-quantity": "11"})
    assert page.status == 422
    assert "1250.00" in str(page.alert)
    page = browser.submit("Work out totals", **{"lines-0-quantity": "", "lines-1-quantity": ""})
    assert page.status == 422


def test_a_cancelled_invoice_has_nothing_to_credit(client: OfTenant, browser: Browser, number: str) -> None:
    client.post(f"/invoices/{number}/cancel", json={"reason": "Wrong"})
    assert browser.get(f"/invoices/{number}/credit").status in (200, 422)
    assert "is cancelled" in browser.page.text


@pytest.mark.parametrize("state", ["", '"0"', "*"])
def test_a_state_that_was_made_up_changes_nothing(client: OfTenant, browser: Browser, number: str, state: str) -> None:
    browser.get(f"/invoices/{number}/cancel")
    fields: list[tuple[str, Any]] = browser.page.form(f"Cancel {number}").filled_in(
        {"reason": "x", "state": state}, None
    )
    assert browser.post(f"/invoices/{number}/cancel", fields).status == 409
    assert client.invoice(number)["status"] == "issued"
