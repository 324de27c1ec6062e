"""A customer's statement on a page: what the API's is, line by line, in one currency, to be printed and sent."""

import pytest

from finance.database import Db
from tests.clients import NOVEMBER, Client
from tests.web.browser import Browser
from tests.web.test_customers import CONFIG, onboard

EUR = "\u00a0EUR"


@pytest.fixture
def client(db: Db) -> Client:
    client = Client(db, CONFIG, now=NOVEMBER)
    client.put_shop()
    return client


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def test_a_statement_stands_between_its_balances_and_leads_to_its_documents(client: Client, browser: Browser) -> None:
    code = onboard(client, customer_name="Zoë")
    first = client.issue(customer_code=code, issued_on="2026-09-01").json["invoice_number"]
    second = client.issue(customer_code=code, issued_on="2026-10-01").json["invoice_number"]
    payment = client.pay("150.00", customer_code=code, paid_on="2026-10-02").json["payment_number"]

    browser.get(f"/customers/{code}")
    browser.follow("Statement")
    page = browser.submit("Show", **{"from": "2026-10-01", "to": "2026-10-31"})

    assert page.status == 200
    assert f"1,850.00{EUR} is owed to us at the end of 31 Oct 2026." in page.text
    assert [list(row.values()) for row in page.rows()] == [
        ["1 Oct 2026", "Opening balance", "", "", "", f"1,000.00{EUR}"],
        ["1 Oct 2026", "Invoice", second, f"1,000.00{EUR}", "", f"2,000.00{EUR}"],
        ["2 Oct 2026", "Payment", payment, "", f"150.00{EUR}", f"1,850.00{EUR}"],
    ]
    assert page.main.one("tfoot").text == f"31 Oct 2026 Closing balance 1,850.00{EUR}"
    assert page.link(second) == f"/invoices/{second}"
    assert page.link(payment) == f"/payments/{payment}"
    assert first not in page.text
    answered = client.get(f"/customers/{code}/statement?from=2026-10-01&to=2026-10-31").json
    assert (answered["opening_balance"], answered["closing_balance"]) == ("1000.00", "1850.00")


def test_a_long_statement_goes_on_and_its_file_has_all_of_it(client: Client, browser: Browser) -> None:
    code = onboard(client)
    numbers = [client.issue(customer_code=code).json["invoice_number"] for _ in range(5)]

    page = browser.get(f"/customers/{code}/statement?limit=2")
    seen = [number for number in page.column("Number") if number]
    while page.has_link("Next lines →"):
        assert "Closing balance" not in page.text
        page = browser.follow("Next lines →")
        seen += page.column("Number")

    assert seen == numbers
    assert "Opening balance" not in page.text
    assert page.main.one("tfoot").text.endswith(f"5,000.00{EUR}")
    assert browser.follow("From the top").column("Number")[1:] == numbers[:2]
    file = browser.get(browser.page.link("CSV"))
    assert file.headers["Content-Type"].startswith("text/csv")
    assert [line.split(",")[2].strip('"') for line in file.html.splitlines()[2:-1]] == numbers


def test_of_several_currencies_one_is_asked_for(client: Client, browser: Browser) -> None:
    code = onboard(client)
    client.issue(customer_code=code)
    client.pay("5.00", customer_code=code, currency="KWD")

    page = browser.get(f"/customers/{code}/statement")
    assert page.status == 422
    assert "several: EUR, KWD" in (page.field_error("currency") or "")
    page = browser.follow("KWD")
    assert page.status == 200
    assert "5.000\u00a0KWD is owed by us" in page.text


def test_what_is_asked_wrongly_is_said_at_its_field(client: Client, browser: Browser) -> None:
    code = onboard(client)
    wrong = {"from": "from=2026-13-01", "to": "from=2026-11-02&to=2026-11-01", "currency": "currency=eur"}

    for field, query in wrong.items():
        page = browser.get(f"/customers/{code}/statement?{query}")
        assert page.status == 422
        assert page.field_error(field)
        assert not page.rows()


def test_a_customer_without_documents_owes_nothing(client: Client, browser: Browser) -> None:
    page = browser.get(f"/customers/{onboard(client)}/statement")

    assert f"0.00{EUR} is owed at the end of 20 Nov 2026." in page.text
    assert "Nothing happened in these days." in page.text
