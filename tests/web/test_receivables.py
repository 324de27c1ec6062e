"""Who owes how much and since when, on a page: the API's own sums, each leading to its invoices."""

import re

import pytest

from finance.database import Db
from tests.clients import NOVEMBER, Client
from tests.web.browser import Browser
from tests.web.every_page import PAYERS
from tests.web.test_customers import CONFIG, onboard

OWED = ("2026-11-25", "2026-11-01", "2026-10-01", "2026-09-01", "2026-06-01")  # due: one for each part
PARTS = ("Not due yet", "1–30 days", "31–60 days", "61–90 days", "Over 90 days")


@pytest.fixture
def client(db: Db) -> Client:
    client = Client(db, CONFIG, now=NOVEMBER)
    client.put_shop()
    return client


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def owing(client: Client, name: str, *, due: tuple[str, ...] = OWED) -> str:
    code = onboard(client, customer_name=name)
    for day in due:
        client.issue(customer_code=code, issued_on="2026-06-01", due_on=day)
    return code


def test_what_is_owed_stands_in_five_parts_that_lead_to_their_invoices(client: Client, browser: Browser) -> None:
    code = owing(client, "Zoë")
    client.pay("150.00", customer_code=code, paid_on="2026-11-02")
    client.issue(issued_on="2026-11-01")  # of no code

    page = browser.get("/receivables?currency=EUR&as_of=2026-11-20")

    assert page.status == 200
    assert page.rows()[0] == {
        "Customer": f"{code} Zoë",
        **dict.fromkeys(PARTS, "1,000.00"),
        "Outstanding": "5,000.00",
        "Unallocated credit": "150.00",
        "Balance": "4,850.00",
    }
    assert page.column("Customer")[1] == "Invoices that name no customer by a code"
    assert page.main.one("tfoot").text.startswith("Total 1,000.00 2,000.00 1,000.00 1,000.00 1,000.00 6,000.00 150.00")
    of = f"/invoices?customer_code={code}&currency=EUR&status=open"
    assert [address for words, address in page.links() if words == "1,000.00"][:5] == [
        f"{of}&due_from=2026-11-20",
        f"{of}&due_from=2026-10-21&due_to=2026-11-19",
        f"{of}&due_from=2026-09-21&due_to=2026-10-20",
        f"{of}&due_from=2026-08-22&due_to=2026-09-20",
        f"{of}&due_to=2026-08-21",
    ]
    leading = [address for words, address in page.links() if words == "1,000.00" and code in address]
    for day, address in zip(OWED, leading, strict=True):
        assert [invoice["due_on"] for invoice in client.get(address).json["data"]] == [day]


def test_the_five_parts_of_a_bar_are_its_amounts(client: Client, browser: Browser) -> None:
    owing(client, "Zoë", due=(OWED[0], OWED[0], OWED[0], OWED[4]))

    page = browser.get("/receivables?currency=EUR")

    bar = page.html.partition("<svg")[2].partition("</svg>")[0]
    parts = [tuple(map(float, part)) for part in re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', bar)]
    assert parts == [(0, 75), (75, 25)]
    assert "style=" not in page.html


def test_a_past_day_is_shown_as_it_was_and_its_links_say_what_they_can(client: Client, browser: Browser) -> None:
    code = owing(client, "Zoë", due=("2026-07-01",))
    number = client.get(f"/invoices?customer_code={code}").json["data"][0]["invoice_number"]
    client.pay_invoices([number], "1000.00", paid_on="2026-11-10", customer_code=code)

    assert browser.get("/receivables?currency=EUR").text.endswith("Nothing is outstanding in EUR.")
    page = browser.get("/receivables?currency=EUR&as_of=2026-11-09")
    assert page.column("Over 90 days") == ["1,000.00"]
    assert "may be paid since" in page.text
    addresses = [address for _words, address in page.links()]
    assert f"/customers/{code}/statement?to=2026-11-09&currency=EUR" in addresses
    assert f"/invoices?customer_code={code}&currency=EUR&due_to=2026-08-10" in addresses


def test_the_total_is_that_of_all_pages(client: Client, browser: Browser) -> None:
    for name in PAYERS:
        owing(client, name, due=OWED[:1])

    page = browser.get("/receivables?currency=EUR&limit=3")
    seen, totals = page.column("Customer"), [page.main.one("tfoot").text]
    while page.has_link("Next customers →"):
        page = browser.follow("Next customers →")
        seen += page.column("Customer")
        totals.append(page.main.one("tfoot").text)

    assert len(seen) == len(PAYERS)
    assert "<script>" not in page.html
    assert len(set(totals)) == 1
    assert "7,000.00" in totals[0]
    assert len(browser.follow("From the top").rows()) == 3


def test_of_several_currencies_one_is_chosen_and_none_are_added_up(client: Client, browser: Browser) -> None:
    client.put_shop("del", currency="INR", timezone="Asia/Kolkata")
    owing(client, "Zoë", due=OWED[:1])

    page = browser.get("/receivables")
    assert page.status == 200
    assert not page.rows()
    assert browser.follow("EUR").column("Outstanding") == ["1,000.00"]
    browser.get("/receivables")
    assert browser.follow("INR").text.endswith("Nothing is outstanding in INR.")


def test_the_files_are_of_the_day_and_the_currency_that_are_shown(client: Client, browser: Browser) -> None:
    code = owing(client, "Zoë")

    page = browser.get("/receivables?currency=EUR&as_of=2026-11-20", lang="fr")
    file = browser.get(page.link("CSV"))

    assert file.html.splitlines()[1].startswith(f'"{code}";"Zoë";"EUR";1000,00;')


def test_what_is_asked_wrongly_is_said(browser: Browser) -> None:
    for field, query in {"as_of": "as_of=x", "currency": "currency=eur"}.items():
        page = browser.get(f"/receivables?{query}")
        assert page.status == 422
        assert page.field_error(field)

    page = browser.get("/receivables?limit=0")
    assert page.status == 422
    assert page.alert
