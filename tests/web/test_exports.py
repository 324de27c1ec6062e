"""Lists taken away from their pages: what is in the files is what the list shows, all of it."""

from typing import Any

import pytest

from finance.edge import exports
from tests.clients import Client, a_payment, poll
from tests.spreadsheets import csv_rows, sheet_rows, workbook
from tests.web.browser import ORIGIN, Browser


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def record(client: Client, **changes: Any) -> str:
    answer = client.post("/payments", json=a_payment(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json["payment_number"])


def file_rows(browser: Browser, words: str, *, delimiter: str) -> list[dict[str, str]]:
    """Take a list away by its link, and return the rows."""
    return csv_rows(browser.http.get(browser.page.link(words), base_url=ORIGIN), delimiter=delimiter)


def numbers_in(answer: Any) -> list[str]:
    """Return the numbers in the sheet of a workbook, in their order."""
    return [row["Payment number"].value for row in sheet_rows(workbook(answer).worksheets[1])]


def amounts(cells: list[str]) -> list[str]:
    return [cell.removesuffix("EUR").strip() for cell in cells]


def test_the_files_of_a_list_hold_all_of_its_filter_in_its_order(client: Client, browser: Browser) -> None:
    for place in range(30):
        record(client, amount=f"{place + 1}.50", currency="EUR" if place % 3 else "INR", payer="=cmd()")
    page = browser.get("/payments?currency=EUR&min_amount=4&sort=paid_on&limit=200")
    shown = page.column("Payment number", "Payments")
    assert len(shown) == 18

    rows = file_rows(browser, "CSV", delimiter=",")
    assert [row["Payment number"] for row in rows] == shown
    assert [row["Amount"] for row in rows] == amounts(page.column("Amount", "Payments"))
    assert {row["Payer"] for row in rows} == {"'=cmd()"}

    assert numbers_in(browser.http.get(page.link("XLSX"), base_url=ORIGIN)) == shown


def test_what_a_page_does_not_show_is_in_its_files(client: Client, browser: Browser) -> None:
    numbers = [record(client) for _place in range(27)]
    browser.get("/payments?limit=25")
    assert [row["Payment number"] for row in file_rows(browser, "CSV", delimiter=",")] == numbers[::-1]


def test_french_readers_are_offered_semicolons_and_decimal_commas_first(client: Client, browser: Browser) -> None:
    record(client, amount="1250.50")
    page = browser.get("/payments?currency=EUR&min_amount=1+250,50", lang="fr-FR")
    assert amounts(page.column("Montant", "Paiements")) == ["1\u202f250,50"]
    links = [words for words, address in page.links() if "/export." in address]
    assert links[0] == "CSV"

    rows = file_rows(browser, "CSV", delimiter=";")
    assert [row["Montant"] for row in rows] == ["1250,50"]
    assert [row["Montant"] for row in file_rows(browser, links[2], delimiter=",")] == ["1250.50"]


def test_taking_a_list_away_is_recorded_in_the_activity(client: Client, browser: Browser) -> None:
    browser.get("/payments?currency=EUR&payer=Ada")
    assert browser.page.text.endswith("No payment matches these filters.")
    browser.get("/payments/export.csv?currency=EUR&payer=Ada")

    event = client.get("/audit-events", role="admin").json["data"][0]
    assert (event["action"], event["object_id"], event["by_name"]) == ("exported", "payments", None)
    assert event["details"]["filters"] == {"currency": "EUR", "payer": "(not recorded)"}
    assert event["details"]["format"] == "csv"


def test_what_cannot_be_exported_is_a_page(client: Client, browser: Browser) -> None:
    page = browser.get("/payments/export.csv?nonsense=1")
    assert (page.status, page.h1) == (422, "Something can’t be understood")
    anybody = Browser(client).get("/payments/export.csv")
    assert anybody.h1 == "Sign in"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "XLSX_DIRECT_ROWS_MAX", 2)


@pytest.mark.usefixtures("large")
def test_a_large_workbook_is_made_in_the_background_and_then_fetched(client: Client, browser: Browser) -> None:
    numbers = [record(client) for _place in range(5)]
    browser.get("/payments?currency=EUR")
    page = browser.follow("XLSX")
    assert page.address.startswith("/files/")
    where = page.address

    ready = poll(lambda: browser.get(where).has_link("Download payments.xlsx"), within_s=20)
    assert ready
    assert "5 rows" in browser.page.text
    assert "Refresh" not in browser.page.headers
    answer = browser.http.get(browser.page.link("Download payments.xlsx"), base_url=ORIGIN)
    assert numbers_in(answer) == numbers[::-1]

    other = Browser(client).sign_in("accountant", "umbra").get(where)
    assert other.status == 404
    assert "There is no such file" in other.text


@pytest.mark.usefixtures("large")
def test_a_file_that_failed_says_why_and_can_be_asked_for_again(client: Client, browser: Browser) -> None:
    for _place in range(3):
        record(client)
    browser.get("/payments")
    where = browser.follow("XLSX").address
    poll(lambda: browser.get(where).has_link("Download payments.xlsx"), within_s=20)
    client.db.exports.update_many({}, {"$set": {"status": "failed", "failure": "The file could not be made."}})

    assert "The file could not be made." in browser.get(where).text
    assert browser.get(f"{where}/download").address == where
    assert browser.page.link("Ask for it again").startswith("/payments/export.xlsx?sort=-payment_number")
