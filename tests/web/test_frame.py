"""What every page has around it, and who is let in; also an example of how pages are tested."""

import pytest

from finance.web.security import HEADERS
from tests.clients import Client, a_payment
from tests.web.browser import Browser


@pytest.fixture
def browser(client: Client) -> Browser:
    """An accountant of acme at the pages, on an empty database."""
    return Browser(client).sign_in("accountant")


def test_a_payment_is_recorded_listed_and_shown(browser: Browser) -> None:
    browser.get("/payments")
    assert browser.page.text.endswith("No payments yet. Record the first, or import a file.")

    browser.follow("Record a payment")
    typed = {"amount": "1,250.50", "currency": "EUR", "payer": "<b>Ada</b>", "method": "card"}
    page = browser.submit("Record the payment", **typed, paid_on="2026-03-01")

    number = page.address.removeprefix("/payments/")
    assert page.status == 200
    assert page.done == f"{number} is recorded."
    assert browser.get("/payments").rows("Payments") == [
        {
            "Payment number": number,
            "Paid on": "1 Mar 2026",
            "Payer": "<b>Ada</b>",
            "Method": "Card",
            "Amount": "1,250.50\u00a0EUR",
            "Status": "Recorded",
        }
    ]
    assert browser.page.done is None


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(browser: Browser) -> None:
    browser.get("/payments/new")
    page = browser.submit("Record the payment", amount="12.505", currency="EUR", payer="Ada", note="two\nlines")

    assert page.status == 422
    assert page.title.startswith("Problem: ")
    assert "must have at most 2 decimals: EUR has no smaller unit" in (page.field_error("amount") or "")
    assert page.field_error("payer") is None
    assert "must have at most 2 decimals" in (page.alert or "")
    assert (page.field("amount"), page.field("note")) == ("12.505", "two\nlines")


def test_a_frame_leads_to_what_the_role_may_open(client: Client) -> None:
    def nav(browser: Browser) -> list[str]:
        return [link.text for link in browser.get("/payments").root.one("nav", aria_label="Pages").all("a")]

    accountant, admin = (Browser(client).sign_in(role) for role in ("accountant", "admin"))

    assert nav(accountant) == ["Payments", "Invoices", "Customers", "Receivables", "Numbers", "Imports"]
    assert nav(admin) == [*nav(accountant), "Keys", "Shops", "Activity"]


def test_a_page_is_read_in_the_language_of_the_footer_else_of_the_browser(browser: Browser) -> None:
    assert browser.get("/payments", lang="fr-FR,fr;q=0.9").language == "fr"

    page = browser.submit("English")

    assert (page.address, page.language) == ("/payments", "en")


def test_the_page_that_was_asked_for_follows_the_sign_in(client: Client) -> None:
    browser = Browser(client)
    page = browser.get("/payments?currency=EUR")
    assert (page.status, page.h1, page.address) == (200, "Sign in", "/?next=/payments%3Fcurrency%3DEUR")

    assert browser.submit("Sign in", key=client.key("accountant")).address == "/payments?currency=EUR"


def test_who_isn_t_let_in_is_told_why(client: Client) -> None:
    browser = Browser(client)
    browser.get("/")
    assert "This key is not known" in (browser.submit("Sign in", key="fin_nonsense").alert or "")
    assert "This key is for programs" in (browser.submit("Sign in", key=client.key("client")).alert or "")
    assert browser.page.status == 403


def test_another_tenant_s_number_is_not_found_and_says_so_in_the_frame(client: Client) -> None:
    number = client.post("/payments", json=a_payment()).json["payment_number"]

    page = Browser(client).sign_in("accountant", "umbra").get(f"/payments/{number}")

    assert page.status == 404
    assert page.h1 == "There is nothing here"
    assert page.has_link("Payments")


def test_each_page_is_sent_with_the_headers_that_keep_it_ours(browser: Browser) -> None:
    for path in ("/", "/payments", "/payments/new", "/payments/nonsense", "/nowhere"):
        headers = browser.get(path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, path
        assert headers["Cache-Control"] == "no-store", path


def test_a_form_of_another_site_or_without_its_token_stores_nothing(browser: Browser) -> None:
    browser.get("/payments/new")
    fields = [*browser.page.form().fields(), ("amount", "1.00"), ("payer", "Ada")]
    bare = [(name, value) for name, value in fields if name != "csrf_token"]

    assert browser.post("/payments/new", fields, Sec_Fetch_Site="cross-site").status == 403
    assert browser.post("/payments/new", bare).status == 403
    assert browser.get("/payments").rows("Payments") == []
