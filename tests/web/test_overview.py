"""The first page: each figure is what its list comes to, leads there, and never keeps the page waiting."""

from datetime import UTC, datetime
from typing import Any

import pytest

from finance.database import Db
from finance.web import overview
from tests.clients import Client, a_payment
from tests.commands import Commands
from tests.web.browser import Browser

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def client(db: Db) -> Client:
    """The app on a clock that shows a day of November."""
    return Client(db, now=NOW)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def pay(client: Client, **changes: Any) -> str:
    answer = client.post("/payments", json=a_payment(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json["payment_number"])


def issue(client: Client, **changes: Any) -> str:
    client.put("/shops/dkr1", role="admin", json={"name": "Dakar", "timezone": "UTC", "currency": "EUR"})
    client.post("/customers", json={"customer_name": "Ada"})
    line = {"description": "Work", "quantity": "1", "unit_price": "100.00", "tax_rate": "0"}
    posted = {"shop": "dkr1", "customer_code": "CUST-000001", "lines": [line], **changes}
    return str(client.post("/invoices", json=posted).json["invoice_number"])


def test_where_nothing_stands_yet_it_says_so(browser: Browser) -> None:
    page = browser.get("/overview")
    assert page.status == 200
    for said in (
        "No number has been given yet.",
        "No payment was recorded in either month.",
        "Nothing is overdue.",
        "Everything is allocated.",
    ):
        assert said in page.text


def test_this_month_stands_against_the_last_by_currency_and_direction(client: Client, browser: Browser) -> None:
    for changes in (
        {"paid_on": "2026-11-01"},
        {"paid_on": "2026-11-30", "amount": "1000"},
        {"paid_on": "2026-10-31", "amount": "0.10"},
        {"paid_on": "2026-10-01", "amount": "5", "currency": "JPY"},
        {"paid_on": "2026-11-02", "amount": "7", "direction": "outgoing"},
        {"paid_on": "2026-09-30", "amount": "999"},
        {"paid_on": "2026-12-01", "amount": "999"},
    ):
        pay(client, **changes)
    voided = pay(client, paid_on="2026-11-03", amount="500")
    client.post(f"/payments/{voided}/void", json={"reason": "Twice"})

    page = browser.get("/overview")

    assert page.rows("Payments by the day") == [
        {"Currency": "EUR in", "November 2026": "1,012.50\u00a0EUR", "October 2026": "0.10\u00a0EUR"},
        {"Currency": "EUR out", "November 2026": "7.00\u00a0EUR", "October 2026": "–"},
        {"Currency": "JPY in", "November 2026": "–", "October 2026": "5\u00a0JPY"},
    ]
    assert "As of 22 Nov 2026 09:00" in page.text


def test_each_figure_leads_to_the_list_that_explains_it(client: Client, browser: Browser) -> None:
    pay(client, paid_on="2026-11-05")
    pay(client, paid_on="2026-10-05", amount="8")
    page = browser.get("/overview")
    assert len([address for _words, address in page.links() if address.startswith("/payments?")]) == 3
    for words, address in page.links():
        if address.startswith("/payments?paid_from="):
            assert browser.get(address).column("Amount", "Payments") == [words]


def test_what_is_overdue_is_outstanding_of_invoices_that_were_due(client: Client, browser: Browser) -> None:
    client.now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    late = issue(client, due_on="2026-11-10")
    issue(client, due_on="2026-12-31")
    pay(client, customer_code="CUST-000001", allocations=[{"invoice_number": late, "amount": "12.50"}])
    client.now = NOW

    page = browser.get("/overview")

    assert page.rows("What is outstanding") == [{"Currency": "EUR", "Invoices": "1", "Overdue": "87.50\u00a0EUR"}]
    assert page.link("87.50\u00a0EUR") == "/invoices?overdue=true&currency=EUR"


def test_what_is_not_allocated_is_what_is_left_of_payments(client: Client, browser: Browser) -> None:
    pay(client)
    pay(client, amount="7.50")
    page = browser.get("/overview")
    assert page.rows("What is left") == [{"Currency": "EUR in", "Payments": "2", "Left": "20.00\u00a0EUR"}]
    listed = browser.get(page.link("20.00\u00a0EUR"))
    assert sorted(listed.column("Amount", "Payments")) == ["12.50\u00a0EUR", "7.50\u00a0EUR"]


def test_whether_every_number_is_accounted_for_leads_to_the_numbers(client: Client, browser: Browser) -> None:
    pay(client)
    assert "1 of 1 series was not checked yet." in browser.get("/overview").text
    browser.get("/numbers")
    browser.submit("Check again")
    page = browser.get("/overview")
    assert "Every number of 1 series is accounted for." in page.text
    assert page.link("Every number of 1 series is accounted for.") == "/numbers"


def test_what_takes_long_stands_behind_a_link(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(client, paid_on="2026-11-05")
    monkeypatch.setattr(overview, "QUICK_S", 0.00001)
    page = browser.get("/overview")
    assert page.status == 200
    assert page.text.count("Adding up this filter takes a few seconds.") == 3
    assert page.has_link("List the payments of which something is left")

    whole = browser.get("/overview?totals=paid")

    assert "/overview?totals=paid" in [address for _words, address in page.links()]
    assert whole.text.count("Adding up this filter takes a few seconds.") == 2
    assert whole.rows("Payments by the day")[0]["November 2026"] == "12.50\u00a0EUR"
    assert browser.get("/overview?totals=overdue").text.count("takes a few seconds") == 2
    assert browser.get("/overview?totals=unallocated").rows("What is left")[0]["Left"] == "12.50\u00a0EUR"


def test_another_tenants_figures_are_not_seen(client: Client) -> None:
    pay(client, paid_on="2026-11-05")
    page = Browser(client).sign_in("admin", tenant="zeta").get("/overview")
    assert page.tables() == []


def test_the_page_asks_as_much_however_many_payments_there_are(db: Db, watched: Db, commands: Commands) -> None:
    client = Client(watched, now=NOW)
    browser = Browser(client).sign_in()
    pay(client, paid_on="2026-11-05")
    browser.get("/overview")

    def asked() -> list[tuple[str, Any]]:
        commands.collections.clear()
        browser.get("/overview")
        return [one for one in commands.collections if one[0] != "endSessions"]

    of_one = asked()
    posted = [a_payment(paid_on=f"2026-11-{1 + n % 20:02}", amount=f"{n + 1}") for n in range(300)]
    assert client.post("/payments/bulk", json={"payments": posted}, key="bulk").status_code == 201
    assert asked() == of_one
    assert len(of_one) <= 20


def test_french_readers_read_all_of_it_in_french(client: Client) -> None:
    pay(client, paid_on="2026-11-05", amount="1250.50")
    page = Browser(client, lang="fr-FR").sign_in().get("/overview")
    assert page.h1 == "Où en sont les choses"
    assert page.rows()[0] == {
        "Devise": "EUR entrant",
        "novembre 2026": "1\u202f250,50\u00a0EUR",
        "octobre 2026": "–",
    }
