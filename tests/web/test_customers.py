"""Customers found and looked at: what they owe on top, numbers masked, whatever they are called or however damaged."""

from typing import Any

import pytest

from finance.config import Config
from finance.customers.checks import gst_check_digit
from finance.database import Db
from tests.clients import ENCRYPTION_KEY, NOVEMBER, Client
from tests.commands import Commands
from tests.web.browser import Browser
from tests.web.every_page import PAYERS

PAN, TAN = "AFZPK7190K", "MUMB12345C"
GSTIN = f"27{PAN}1Z{gst_check_digit(f'27{PAN}1Z')}"
ACCOUNT, IBAN = "00112233445566", "FR1420041010050500013M02606"
SECRETS = (PAN, GSTIN, TAN, ACCOUNT, IBAN)
FULL: dict[str, Any] = {
    "customer_name": "Atelier Nord SARL",
    "pan_number": PAN,
    "gst_details": [{"gstin": GSTIN, "state": "Maharashtra", "address": "12 Marine Drive\nMumbai"}],
    "banking": [{"bank_name": "State Bank", "account_number": ACCOUNT, "primary": True}, {"iban": IBAN}],
    "tds": {"applicable": True, "section": "194C", "rate": "2", "tan_number": TAN},
    "products_services": [{"name": "Consulting", "unit_price": "1250.50", "currency": "EUR", "tax_rate": "18"}],
    "terms_conditions": {"payment_terms_days": 30, "credit_limit": "5000000.00", "currency": "EUR"},
}


CONFIG = Config(encryption_keys=(ENCRYPTION_KEY,))


@pytest.fixture
def client(db: Db) -> Client:
    """The app on a real database, in November."""
    return Client(db, CONFIG, now=NOVEMBER)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def onboard(client: Client, **changes: Any) -> str:
    """Store a customer, and return its code."""
    answer = client.post("/customers", json={"customer_name": "Ada", **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json["customer_code"])


def test_customers_are_found_by_how_a_name_begins(client: Client, browser: Browser) -> None:
    onboard(client, customer_name="Bharat Textiles", customer_category="Trade")
    onboard(client, customer_name="Zoë")

    page = browser.get("/customers?customer_name=text")
    assert page.column("Customer name") == ["Bharat Textiles"]
    assert page.chips == ["Customer name: text"]

    page = browser.get("/customers?customer_name=<b>no")
    assert page.text.endswith("No customer name begins with “<b>no”.")
    assert browser.get("/customers?customer_name=<b>no", lang="fr").text.endswith("«\u00a0<b>no\u00a0».")


def test_a_number_that_must_not_stand_in_an_address_is_refused_and_not_repeated(browser: Browser) -> None:
    page = browser.get(f"/customers?pan_number={PAN}")

    assert page.status == 422
    assert PAN not in page.text


def test_what_a_customer_owes_and_has_paid_ahead_stands_on_top_and_leads_to_its_lists(
    client: Client, browser: Browser
) -> None:
    client.put_shop()
    code = onboard(client)
    client.issue(customer_code=code, issued_on="2026-10-01", due_on="2026-10-15")
    client.issue(customer_code=code, issued_on="2026-11-01", due_on="2026-12-15")
    client.pay("150.00", customer_code=code, paid_on="2026-11-02")

    page = browser.get(f"/customers/{code}")

    assert page.rows("What is open, as of 20 Nov 2026") == [
        {
            "Currency": "EUR",
            "Outstanding": "2,000.00\u00a0EUR",
            "Of that overdue": "1,000.00\u00a0EUR",
            "Not allocated": "150.00\u00a0EUR",
            "Balance": "1,850.00\u00a0EUR",
        }
    ]
    assert dict(page.links())["1,000.00\u00a0EUR"] == f"/invoices?customer_code={code}&currency=EUR&overdue=true"
    assert dict(page.links())["150.00\u00a0EUR"] == f"/payments?customer_code={code}&currency=EUR&unallocated=true"
    assert page.column("Due on", "Due first") == ["15 Oct 2026", "15 Dec 2026"]
    assert browser.follow("150.00\u00a0EUR").column("Amount", "Payments") == ["150.00\u00a0EUR"]
    ageing = client.get("/receivables/ageing?currency=EUR").json["data"][0]
    assert (ageing["outstanding"], ageing["unallocated_credit"], ageing["balance"]) == ("2000.00", "150.00", "1850.00")


def test_a_page_of_a_customer_asks_as_much_of_many_documents_as_of_one(watched: Db, commands: Commands) -> None:
    client = Client(watched, CONFIG, now=NOVEMBER)
    client.put_shop()
    codes = [onboard(client), onboard(client)]
    for code, count in zip(codes, (1, 30), strict=True):
        for _ in range(count):
            client.issue(customer_code=code)
            client.pay("1.00", customer_code=code)
    browser = Browser(client).sign_in("accountant")
    browser.get(f"/customers/{codes[0]}")

    asked = []
    for code in codes:
        before = len(commands.names)
        browser.get(f"/customers/{code}")
        asked.append(commands.collections[before:])

    assert asked[0] == asked[1]
    assert len(asked[0]) < 30


def test_numbers_show_four_characters_until_they_are_asked_for_which_is_on_record(
    client: Client, browser: Browser
) -> None:
    code = onboard(client, **FULL)

    masked = browser.get(f"/customers/{code}")
    assert not [number for number in SECRETS if number in masked.html]
    assert "******190K" in masked.text
    assert not events(client)

    page = browser.submit("Show in full")
    assert page.status == 200
    assert [number for number in SECRETS if number in page.html] == list(SECRETS)
    assert page.headers["Cache-Control"] == "no-store"
    (event,) = events(client)
    assert event["object_id"] == code
    assert event["details"] == {"fields": ["account_number", "gstin", "iban", "pan_number", "tan_number"]}
    assert not [number for number in SECRETS if number in browser.get(page.address).html]


def test_a_list_shows_a_pan_masked(client: Client, browser: Browser) -> None:
    onboard(client, **FULL)

    page = browser.get("/customers?columns=customer_code,pan_number")

    assert page.column("PAN") == ["******190K"]
    assert PAN not in page.html


def test_any_name_is_shown_as_it_is_on_every_page(client: Client, browser: Browser) -> None:
    codes = [onboard(client, customer_name=name, contact_person=name) for name in PAYERS]
    for code in codes:
        for path in ("", "/edit", "/deactivate", "/statement?currency=EUR"):
            page = browser.get(f"/customers/{code}{path}")
            assert page.status == 200
            assert "<script>alert" not in page.html
    shown = browser.get("/customers?sort=customer_code").column("Customer name")
    assert shown == [" ".join(name.split()) for name in PAYERS]


def test_another_tenants_customer_is_not_there(client: Client, browser: Browser) -> None:
    code = onboard(client)
    stranger = Browser(client).sign_in("accountant", tenant="other")

    for path in ("", "/edit", "/deactivate", "/activate", "/statement", "/in-full"):
        assert stranger.get(f"/customers/{code}{path}").status == 404
        assert browser.get(f"/customers/{code}{path}").status < 400 or path == "/statement"
    assert Browser(client).sign_in("admin", tenant="other").get(f"/customers/{code}/erase").status == 404
    assert browser.get(f"/customers/{code}/erase").status == 403


def test_small_letters_of_a_code_lead_to_it(client: Client, browser: Browser) -> None:
    code = onboard(client)

    assert browser.get(f"/customers/{code.lower()}").address == f"/customers/{code}"


DAMAGED: list[dict[str, Any]] = [
    {},
    dict.fromkeys(
        ("customer_name", "customer_category", "gst_details", "banking", "tds", "terms_conditions", "status")
    ),
    {"customer_name": 5, "gst_details": "x", "banking": [5, None, {"account_number": 12}], "tds": [], "history": 7},
    {"customer_name": ["a"], "status": ["active"], "terms_conditions": {"credit_limit_minor": "x", "currency": 7}},
    {
        "customer_name": {"a": 1},
        "status": {"a": 1},
        "products_services": [{"unit_price_minor": 5}, {"tax_rate": "9e9"}],
    },
    {"customer_name": "Ada", "history": [5, {"at": "x", "changes": 5}, {"changes": {"a": 5, "b": {"from": []}}}]},
    {"customer_name": "Ada", "version": "x", "created_at": "never", "updated_at": 5, "email_address": [1]},
]


def test_a_damaged_customer_is_shown_as_far_as_it_goes(client: Client, browser: Browser) -> None:
    for place, damaged in enumerate(DAMAGED):
        client.db.customers.insert_one({"tenant": "acme", "customer_code": f"OLD-{place}", **damaged})
    paths = ("", "/edit", "/deactivate", "/statement?currency=EUR")
    every_column = "customer_code,customer_name,customer_category,contact_person,pan_number,payment_terms_days"

    for path in (
        f"/customers?columns={every_column},credit_limit,status,created_at,created_by_name",
        *(f"/customers/OLD-{place}{path}" for place in range(len(DAMAGED)) for path in paths),
    ):
        assert browser.get(path).status == 200, (path, browser.page.text)


def test_documents_of_a_customer_that_are_damaged_hide_nothing_else(client: Client, browser: Browser) -> None:
    code = onboard(client)
    whose = {"tenant": "acme", "customer_code": code}
    client.db.invoices.insert_one({**whose, "invoice_number": "X-1", "free_minor": 5, "status": "issued"})
    client.db.payments.insert_one({**whose, "payment_number": 7, "status": ["x"], "method": {}, "number_seq": "x"})

    page = browser.get(f"/customers/{code}")

    assert page.status == 200
    assert page.rows("Due first")[0]["Invoice number"] == "X-1"


def events(client: Client) -> list[dict[str, Any]]:
    answer = client.get("/audit-events?action=numbers_read_in_full", role="admin")
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])
