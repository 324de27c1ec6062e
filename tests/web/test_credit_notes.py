"""Credit notes in pages: found, read, given to invoices, taken back, paid back."""

from typing import Any

import pytest

from tests.clients import Client, at_once
from tests.web.browser import ORIGIN, Browser
from tests.web.tenants import OfTenant, november_client

CHANGED = "This changed while you were looking."


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
    return Browser(client).sign_in("accountant")


def paid(client: OfTenant, **invoice: Any) -> str:
    number = str(client.issue(role="accountant", **invoice).json["invoice_number"])
    assert client.pay_invoices([number], "1000.00").status_code == 201
    return number


def credited(client: OfTenant, invoice_number: str, amount: str = "300.00") -> str:
    lines = [{"description": "Less", "unit_price": amount}]
    answer = client.post(f"/invoices/{invoice_number}/credit-notes", json={"reason": "<i>Less</i>", "lines": lines})
    assert answer.status_code == 201, answer.text
    return str(answer.json["credit_note_number"])


@pytest.fixture
def note(client: OfTenant) -> str:
    return credited(client, paid(client))


def test_credit_notes_are_listed_and_read(client: OfTenant, browser: Browser, note: str) -> None:
    browser.get("/invoices")
    page = browser.follow("Credit notes")
    assert page.root.one("a", where=lambda link: link.has("aria-current")).text == "Invoices"
    assert page.column("Credit note number", "Credit notes") == [note]
    page = browser.get(f"/credit-notes/{note}")
    assert "<i>" not in page.html
    for told in ("<i>Less</i>", "Zoë", "300.00\u00a0EUR", "FAC-PAR-202611-0001"):
        assert told in page.text
    assert browser.get("/credit-notes?unallocated=true&currency=USD").text.count("No credit note matches") == 1
    assert browser.http.get(browser.get("/credit-notes").links()[-1][1], base_url=ORIGIN).status_code == 200


def test_pages_go_there_and_back(client: OfTenant, browser: Browser) -> None:
    invoice = paid(client)
    notes = [credited(client, invoice, "1.00") for _place in range(60)][::-1]
    browser.get("/credit-notes?limit=25")
    browser.follow("Older →")
    assert browser.page.column("Credit note number", "Credit notes") == notes[25:50]
    assert browser.follow("Older →").column("Credit note number", "Credit notes") == notes[50:]
    assert browser.follow("← Newer").column("Credit note number", "Credit notes") == notes[25:50]
    assert browser.follow("← Newer").column("Credit note number", "Credit notes") == notes[:25]


def test_the_oldest_due_is_suggested_first(client: OfTenant, browser: Browser, note: str) -> None:
    later = client.issue(due_on="2027-01-05").json["invoice_number"]
    small = [{"description": "x", "unit_price": "100.00"}]
    sooner = client.issue(due_on="2026-12-05", lines=small).json["invoice_number"]
    client.issue(customer_name="Zoë Ltd")
    browser.get(f"/credit-notes/{note}")
    page = browser.follow("Give to invoices")
    assert page.column("Invoice number") == [sooner, later]
    assert page.field(f"give-{sooner}-amount") == "100.00"
    assert page.field(f"give-{later}-amount") == "200.00"
    page = browser.submit("Give 300.00\u00a0EUR to 2 invoices")
    assert page.done == "300.00\u00a0EUR is given to 2 invoices."
    assert client.invoice(sooner)["status"] == "paid"
    assert not page.has_link("Give to invoices")


def test_other_amounts_are_given_once_the_button_says_them(client: OfTenant, browser: Browser, note: str) -> None:
    number = client.issue().json["invoice_number"]
    browser.get(f"/credit-notes/{note}/allocate")
    name = f"give-{number}-amount"
    page = browser.submit("Give 300.00\u00a0EUR to 1 invoice", **{name: "1,2,3"})
    assert page.field_error(name)
    page = browser.submit("Give 300.00\u00a0EUR to 1 invoice", **{name: "50.005"})
    assert page.field_error(name)
    page = browser.submit("Give 300.00\u00a0EUR to 1 invoice", **{name: "50"})
    assert client.get(f"/credit-notes/{note}").json["allocated"] == "0.00"
    page = browser.submit("Give 50.00\u00a0EUR to 1 invoice")
    assert page.done == "50.00\u00a0EUR is given to 1 invoice."
    browser.get(f"/credit-notes/{note}/allocate")
    page = browser.submit("search", q="FAC-PAR-9999", **{name: "7"})
    assert page.field(name) == "7"


def test_a_double_click_gives_once(client: OfTenant, browser: Browser, note: str) -> None:
    client.issue()
    browser.get(f"/credit-notes/{note}/allocate")
    fields = browser.page.form("Give 300.00\u00a0EUR to 1 invoice").fields()
    for _click in range(2):
        assert "300.00\u00a0EUR is given to" in str(browser.post(f"/credit-notes/{note}/allocate", fields).done)
    assert client.get(f"/credit-notes/{note}").json["allocated"] == "300.00"


def test_two_operators_cannot_give_it_twice(client: OfTenant, note: str) -> None:
    client.issue()
    browsers = [Browser(client).sign_in("accountant") for _place in range(3)]
    for browser in browsers:
        browser.get(f"/credit-notes/{note}/allocate")
    pages = at_once(3, lambda place: browsers[place].submit("Give 300.00\u00a0EUR to 1 invoice"))
    assert sorted(page.status for page in pages) == [200, 409, 409]
    assert all(CHANGED in page.text for page in pages if page.status == 409)
    assert client.get(f"/credit-notes/{note}").json["allocated"] == "300.00"


def test_what_it_gave_is_taken_back_with_a_reason(client: OfTenant, browser: Browser, note: str) -> None:
    number = client.issue().json["invoice_number"]
    browser.get(f"/credit-notes/{note}/allocate")
    browser.submit("Give 300.00\u00a0EUR to 1 invoice")
    page = browser.follow(f"Take back from {number}")
    assert page.field("amount") == "300.00"
    assert browser.submit(f"Take back from {number}").field_error("reason")
    page = browser.submit(f"Take back from {number}", amount="100", reason="Wrong one")
    assert page.done == f"It is taken back from {number}."
    assert client.invoice(number)["outstanding"] == "800.00"
    stale = browser.get(f"/credit-notes/{note}/release?invoice={number}")
    client.post(f"/credit-notes/{note}/release", json={"invoice_number": number, "reason": "All"})
    stale = browser.submit(f"Take back from {number}", reason="Again")
    assert (stale.status, CHANGED in stale.text) == (409, True)
    assert browser.get(f"/credit-notes/{note}/release?invoice={number}").address == f"/credit-notes/{note}"


def test_it_is_paid_back_once(client: OfTenant, browser: Browser, note: str) -> None:
    browser.get(f"/credit-notes/{note}")
    page = browser.follow("Pay it back…")
    assert (page.field("amount"), page.field("payer")) == ("300.00", "Zoë")
    page = browser.submit("Record that it is paid back", amount="400")
    assert "300.00" in str(page.alert)
    fields = browser.page.form("Record that it is paid back").filled_in({"amount": "100.00"}, None)
    first = browser.post(f"/credit-notes/{note}/refund", fields)
    assert first.done == "PAY20260002 pays it back."
    again = browser.post(f"/credit-notes/{note}/refund", fields)
    assert again.done == "This form was already stored as PAY20260002. Nothing was stored twice."
    payment = client.get("/payments/PAY20260002").json
    assert (payment["direction"], payment["amount"], payment["unallocated"]) == ("outgoing", "100.00", "0.00")
    assert client.get(f"/credit-notes/{note}").json["unallocated"] == "200.00"


def test_what_was_given_away_meanwhile_is_not_paid_back(client: OfTenant, browser: Browser, note: str) -> None:
    number = client.issue().json["invoice_number"]
    browser.get(f"/credit-notes/{note}/refund")
    given = {"allocations": [{"invoice_number": number, "amount": "250.00"}]}
    assert client.post(f"/credit-notes/{note}/allocations", json=given).status_code == 200
    page = browser.submit("Record that it is paid back", amount="10.00")
    assert (page.status, CHANGED in page.text, "50.00\u00a0EUR is left" in page.text) == (409, True, True)
    assert browser.submit("Record that it is paid back").done == "PAY20260002 pays it back."


def test_of_a_cancellation_nothing_is_left(client: OfTenant, browser: Browser) -> None:
    number = client.issue().json["invoice_number"]
    client.post(f"/invoices/{number}/cancel", json={"reason": "Wrong"})
    page = browser.get("/credit-notes/AV-PAR-202611-0001")
    assert not page.has_link(f"Take back from {number}")
    for rest in ("allocate", "refund"):
        assert browser.get(f"/credit-notes/AV-PAR-202611-0001/{rest}").address == "/credit-notes/AV-PAR-202611-0001"


def test_another_tenants_credit_note_is_not_there(client: OfTenant, note: str) -> None:
    other = Browser(client).sign_in("accountant", "umbra")
    for rest in ("", "/allocate", "/release?invoice=x", "/refund"):
        assert other.get(f"/credit-notes/{note}{rest}").status == 404


@pytest.mark.parametrize(
    "damage",
    [
        {"lines": None, "taxes": 5, "currency": None, "issued_on": 3, "invoice_number": None, "reason": 7},
        {"total_minor": "x", "allocations": "x", "history": [1], "claim": None, "customer_name": None},
        {"customer_code": 9, "allocations": [{"invoice_number": "FAC-1", "amount_minor": "x"}, 7], "shop": None},
    ],
)
def test_what_older_systems_left_behind_is_shown(
    client: OfTenant, browser: Browser, note: str, damage: dict[str, Any]
) -> None:
    client.db.credit_notes.update_one({"tenant": client.tenant(), "credit_note_number": note}, {"$set": damage})
    for address in ("/credit-notes", f"/credit-notes/{note}"):
        assert browser.get(address).status == 200, address
    for rest in ("allocate", "refund", "release?invoice=FAC-1"):
        assert browser.get(f"/credit-notes/{note}/{rest}").status < 500, rest
