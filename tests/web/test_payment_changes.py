"""Payments changed from pages: corrected, voided, given to invoices, taken back; whatever others do meanwhile."""

import threading
from typing import Any

import pytest

from finance.database import Db
from tests.clients import Client, at_once
from tests.web.browser import Browser
from tests.web.test_payments import NOW, issue, record

CHANGED = "This changed while you were looking. This is how it stands now; nothing of yours was stored."


@pytest.fixture
def client(db: Db) -> Client:
    return Client(db, now=NOW)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def outstanding(client: Client, number: str) -> str:
    return str(client.invoice(number)["outstanding"])


def stored(client: Client, number: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/payments/{number}").json
    return found


def test_voiding_says_what_becomes_outstanding_asks_why_and_happens_once(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "1000.00")
    number = client.pay_invoices([invoice], "1000.00").json["payment_number"]
    browser.get(f"/payments/{number}")
    page = browser.follow("Void…")
    assert (
        f"Void {number}? It stays in the list as voided, its number is never given again, and {invoice} becomes "
        "outstanding by 1,000.00\u00a0EUR. This can’t be undone."
    ) in page.text
    assert page.link("Keep it") == f"/payments/{number}"
    assert browser.submit(f"Void {number}").field_error("reason") is not None

    fields = browser.page.form().filled_in({"reason": "Typed twice"}, None)
    answers = at_once(4, lambda _place: browser.http.post(
        f"/payments/{number}/void", data=dict(fields), base_url="https://finance.test",
        headers={"Origin": "https://finance.test", "Referer": "https://finance.test/"},
    ))  # fmt: skip
    assert [answer.status_code for answer in answers] == [303] * 4
    assert outstanding(client, invoice) == "1000.00"
    history = stored(client, number)["history"]
    assert [entry["action"] for entry in history] == ["voided"]
    assert browser.get(f"/payments/{number}").done == f"{number} is voided."
    assert not browser.page.has_link("Void…")


def test_what_others_changed_meanwhile_is_shown_before_anything_is_stored(client: Client, browser: Browser) -> None:
    number = record(client, reference="VIR 88")
    browser.get(f"/payments/{number}/edit")
    client.patch(f"/payments/{number}", json={"reference": "VIR 99"})

    page = browser.submit("Correct these", reference="VIR 77", note="mine")
    assert (page.status, CHANGED in (page.alert or "")) == (409, True)
    assert "Now: VIR 99" in page.text
    assert (page.field("reference"), page.field("note")) == ("VIR 77", "mine")
    assert stored(client, number)["reference"] == "VIR 99"

    page = browser.submit("Correct these")
    assert page.done == "The reference and the note are as you wrote them."
    assert (stored(client, number)["reference"], stored(client, number)["note"]) == ("VIR 77", "mine")


def test_a_note_is_taken_away_by_leaving_it_empty(client: Client, browser: Browser) -> None:
    number = record(client, note="old", reference="VIR")
    browser.get(f"/payments/{number}/edit")
    browser.submit("Correct these", note=" ")
    assert (stored(client, number)["note"], stored(client, number)["reference"]) == (None, "VIR")
    assert browser.page.column("What", "What happened")[0] == "Note “old” → –"


def test_what_was_voided_meanwhile_is_shown_as_it_stands(client: Client, browser: Browser) -> None:
    number = record(client)
    browser.get(f"/payments/{number}/void")
    client.post(f"/payments/{number}/void", json={"reason": "Theirs"})
    page = browser.submit(f"Void {number}", reason="Mine")
    assert (page.status, page.h1) == (409, f"{number} Voided")
    assert CHANGED in (page.alert or "")
    assert stored(client, number)["void_reason"] == "Theirs"
    assert browser.get(f"/payments/{number}/void").address == f"/payments/{number}"


def test_open_invoices_get_what_is_left_the_oldest_due_first(client: Client, browser: Browser) -> None:
    invoices = issue(client, "300.00", "500.00", "700.00")
    number = record(client, amount="1000.00", payer="Zoë")
    browser.get(f"/payments/{number}")
    page = browser.follow("Give to invoices")
    assert page.column("Number") == invoices
    assert [page.field(f"allocations-{place}-amount") for place in range(3)] == ["300.00", "500.00", "200.00"]

    page = browser.submit("Give 1,000.00\u00a0EUR to 3 invoices")
    assert page.done == "1,000.00\u00a0EUR is given to 3 invoices."
    assert [outstanding(client, invoice) for invoice in invoices] == ["0.00", "0.00", "500.00"]
    assert not browser.page.has_link("Give to invoices")


def test_a_button_does_nothing_else_than_it_says(client: Client, browser: Browser) -> None:
    first, second = issue(client, "300.00", "500.00")
    number = record(client, amount="1000.00", payer="Zoë")
    browser.get(f"/payments/{number}/allocate")
    typed = {"allocations-0-amount": "", "allocations-1-amount": "450"}
    page = browser.submit("Give 800.00\u00a0EUR to 2 invoices", **typed)
    assert "You changed the amounts" in (page.alert or "")
    assert (outstanding(client, first), outstanding(client, second)) == ("300.00", "500.00")

    page = browser.submit("Give 450.00\u00a0EUR to 1 invoice")
    assert page.done == "450.00\u00a0EUR is given to 1 invoice."
    assert (outstanding(client, first), outstanding(client, second)) == ("300.00", "50.00")


def test_what_cannot_be_given_is_said_beside_its_line(client: Client, browser: Browser) -> None:
    issue(client, "300.00", "500.00")
    number = record(client, amount="1000.00", payer="Zoë")
    browser.get(f"/payments/{number}/allocate")
    page = browser.submit(
        "Give 800.00\u00a0EUR to 2 invoices", **{"allocations-0-amount": "", "allocations-1-amount": "1.005"}
    )
    assert "at most 2 decimals" in (page.field_error("allocations-1-amount") or "")
    assert page.field_error("allocations-0-amount") is None
    page = browser.submit(**{"allocations-1-amount": ""})
    assert "Write how much to give" in (page.alert or "")


def test_less_is_outstanding_by_then_says_so_and_suggests_anew(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "300.00")
    number = record(client, amount="1000.00", payer="Zoë")
    browser.get(f"/payments/{number}/allocate")
    client.pay_invoices([invoice], "200.00")
    page = browser.submit("Give 300.00\u00a0EUR to 1 invoice")
    assert page.status == 409
    assert CHANGED in (page.alert or "")
    assert f"{invoice} has 100.00 EUR outstanding" in (page.alert or "")
    assert page.buttons()[-1] == "Give 100.00\u00a0EUR to 1 invoice"
    assert browser.submit("Give 100.00\u00a0EUR to 1 invoice").status == 200
    assert outstanding(client, invoice) == "0.00"


def test_two_pages_that_give_the_same_money_give_it_once(client: Client) -> None:
    [invoice] = issue(client, "600.00")
    number = record(client, amount="600.00", payer="Zoë")
    browsers = [Browser(client).sign_in("accountant") for _each in range(2)]
    for browser in browsers:
        browser.get(f"/payments/{number}/allocate")
    barrier = threading.Barrier(2)

    def give(place: int) -> int:
        barrier.wait()
        return browsers[place].submit("Give 600.00\u00a0EUR to 1 invoice").status

    assert sorted(at_once(2, give)) == [200, 409]
    assert stored(client, number)["allocated"] == "600.00"
    assert outstanding(client, invoice) == "0.00"


def test_a_form_that_gives_is_sent_twice_and_gives_once(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "600.00")
    number = record(client, amount="1000.00", payer="Zoë")
    browser.get(f"/payments/{number}/allocate")
    fields = browser.page.form("Give 600.00\u00a0EUR to 1 invoice").fields()
    pages = [browser.post(f"/payments/{number}/allocate", fields) for _each in range(2)]
    assert [page.done for page in pages] == ["600.00\u00a0EUR is given to 1 invoice."] * 2
    assert stored(client, number)["allocated"] == "600.00"
    assert outstanding(client, invoice) == "0.00"


def test_another_customer_s_invoice_is_asked_for_once(client: Client, browser: Browser) -> None:
    codes = [client.post("/customers", json={"customer_name": name}).json["customer_code"] for name in ("Ada", "Zoë")]
    [invoice] = issue(client, "100.00", customer_code=codes[1], customer_name=None)
    number = record(client, amount="100.00", payer="Ada", customer_code=codes[0])
    page = browser.get(f"/payments/{number}/allocate")
    assert "This customer has no open invoice in EUR." in page.text

    browser.get(f"/payments/{number}/allocate?q={invoice}")
    page = browser.submit("Give 100.00\u00a0EUR to 1 invoice")
    assert "An invoice of another customer is named." in (page.alert or "")
    assert outstanding(client, invoice) == "100.00"
    page = browser.submit("Give 100.00\u00a0EUR to 1 invoice", confirm_other_customer="yes")
    assert page.done == "100.00\u00a0EUR is given to 1 invoice."


def test_a_search_finds_invoices_by_number_customer_or_name(client: Client, browser: Browser) -> None:
    code = client.post("/customers", json={"customer_name": "Bharat Textiles"}).json["customer_code"]
    [named] = issue(client, "100.00", customer_code=code, customer_name=None)
    [other] = issue(client, "200.00", customer_name="Zoë & Co")
    number = record(client, amount="500.00", payer="Nobody")
    for search, found in ((code, [named]), ("bharat", [named]), (other, [other]), ("co", [other]), ("none", [])):
        browser.get(f"/payments/{number}/allocate?q={search}")
        assert [row["Number"] for row in browser.page.rows()] == found, search


def test_an_outgoing_payment_pays_credit_notes_back(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "100.00")
    client.pay_invoices([invoice], "100.00")
    line = {"description": "Work", "quantity": "1", "unit_price": "40.00", "tax_rate": "0"}
    note = client.post(f"/invoices/{invoice}/credit-notes", json={"reason": "Broken", "lines": [line]}).json
    number = record(client, amount="50.00", direction="outgoing", payer="Zoë")
    browser.get(f"/payments/{number}")
    page = browser.follow("Pay credit notes back")
    assert page.column("Number") == [note["credit_note_number"]]
    page = browser.submit("Pay back 40.00\u00a0EUR of 1 credit note")
    assert stored(client, number)["allocated"] == "40.00"
    assert page.rows("What this payment is for")[0]["Number"] == note["credit_note_number"]


def test_what_was_given_is_taken_back_in_part_or_whole(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "600.00")
    number = client.pay_invoices([invoice], "600.00").json["payment_number"]
    browser.get(f"/payments/{number}")
    page = browser.follow(f"Take back from {invoice}")
    assert page.field("amount") == "600.00"
    page = browser.submit(amount="1,000.00", reason="Wrong invoice")
    assert page.field_error("amount") is not None
    page = browser.submit(amount="150.00", reason="Wrong invoice")
    assert page.done == f"It is taken back from {invoice}."
    assert outstanding(client, invoice) == "150.00"
    assert page.column("What", "What happened")[0] == f"Taken back: {invoice} 150.00\u00a0EUR: Wrong invoice"


def test_taking_back_twice_takes_back_once(client: Client, browser: Browser) -> None:
    [invoice] = issue(client, "600.00")
    number = client.pay_invoices([invoice], "600.00").json["payment_number"]
    browser.get(f"/payments/{number}/release?invoice={invoice}")
    fields = browser.page.form().filled_in({"amount": "100.00", "reason": "Wrong"}, None)
    for _each in range(2):
        assert browser.post(f"/payments/{number}/release", fields).done == f"It is taken back from {invoice}."
    assert outstanding(client, invoice) == "100.00"
    other = [(name, "another" if name == "idempotency_key" else value) for name, value in fields]
    assert browser.post(f"/payments/{number}/release", other).status == 409
    assert outstanding(client, invoice) == "100.00"


def test_a_form_that_shows_nothing_of_the_payment_changes_nothing(client: Client, browser: Browser) -> None:
    number = record(client)
    browser.get(f"/payments/{number}/void")
    fields = [(name, value) for name, value in browser.page.form().fields() if name not in ("state", "reason")]
    page = browser.post(f"/payments/{number}/void", [*fields, ("reason", "No state")])
    assert (page.status, stored(client, number)["status"]) == (409, "recorded")
    unknown = browser.post("/payments/PAY20269999/void", [*fields, ("reason", "x")])
    assert unknown.status == 404
