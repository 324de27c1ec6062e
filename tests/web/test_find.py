"""`/find`: a number or a code leads to its page; other words to payments."""

import pytest

from tests.clients import Client, a_payment
from tests.commands import Commands
from tests.customers.forms import pan
from tests.web.browser import Browser


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def leads_to(browser: Browser, words: str) -> str:
    return str(
        browser.http.get("/find", query_string={"q": words}, base_url="https://finance.test").headers["Location"]
    )


def record(client: Client, **changes: object) -> str:
    return str(client.post("/payments", json=a_payment(**changes)).json["payment_number"])


def test_a_number_or_a_code_leads_to_what_carries_it_however_it_is_typed(client: Client, browser: Browser) -> None:
    payment = record(client)
    form = {"customer_name": "Zoë", "pan_number": pan()}
    customer = client.post("/customers", role="client", json=form).json["customer_code"]
    client.put_shop("par")
    invoice = client.issue("par").json["invoice_number"]
    cancelled = client.post(f"/invoices/{invoice}/cancel", json={"reason": "x"}).json["credit_note_number"]

    assert leads_to(browser, payment) == f"/payments/{payment}"
    assert leads_to(browser, f" {payment[:3].lower()} {payment[3:7]}\u00a0{payment[7:]} ") == f"/payments/{payment}"
    assert leads_to(browser, customer.lower()) == f"/customers/{customer}"
    assert leads_to(browser, invoice.lower()) == f"/invoices/{invoice}"
    assert leads_to(browser, cancelled) == f"/credit-notes/{cancelled}"


def test_an_old_number_leads_to_the_payment_that_had_it(client: Client, browser: Browser) -> None:
    payment = record(client)
    client.db.payments.update_one({"payment_number": payment}, {"$set": {"previous_numbers": ["PAY20219999"]}})

    assert leads_to(browser, "pay20219999") == f"/payments/{payment}"


def test_other_words_list_payments_and_lead_to_the_same_search_elsewhere(client: Client, browser: Browser) -> None:
    payer = "<script>alert(1)</script> אבג"
    numbers = {record(client, payer=payer) for _payment in range(2)}
    record(client, payer="Bharat")

    page = browser.get("/find?q=%3Cscript%3E")

    assert set(page.column("Payment number")) == numbers
    assert set(page.column("Payer")) == {payer}
    assert page.link("Customers whose name begins so") == "/customers?customer_name=%3Cscript%3E"
    assert "Nothing has the number “nobody”" in browser.get("/find?q=nobody").text


@pytest.mark.parametrize(
    "words", ["%00", "%ED%A0%80", "x" * 5000, "1" * 5000, "%E2%80%AE1", "/../x", "", "%F0%9F%98%80"]
)
def test_whatever_is_looked_for_is_answered(browser: Browser, words: str) -> None:
    assert browser.get(f"/find?q={words}").status in (200, 422)


def test_another_tenant_s_number_is_not_found(client: Client, browser: Browser) -> None:
    number = client.post("/payments", tenant="umbra", json=a_payment(payer="Sought")).json["payment_number"]

    page = browser.get(f"/find?q={number}")
    assert (page.address, page.rows()) == (f"/find?q={number}", [])
    assert browser.get("/find?q=Sought").rows() == []


def test_finding_asks_a_bounded_number_of_questions(watched: object, commands: Commands) -> None:
    client = Client(watched)  # type: ignore[arg-type]
    browser = Browser(client).sign_in("accountant")
    browser.get("/find?q=1")
    commands.names.clear()

    assert browser.get("/find?q=abc 123 nothing").status == 200
    assert len(commands.names) <= 16
