"""Imports as accountants make them: choose, check, store; twice, stopped and gone on with; a bad file."""

import csv
import io
from typing import Any

import pytest

from finance.imports import storing
from finance.imports.making import EXTENSION
from tests.clients import Client, poll
from tests.imports.conftest import csv_of, new_rows
from tests.web.browser import Browser, Page

HOSTILE = "<script>alert(1)</script> שלום"


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def upload(browser: Browser, data: bytes, *, kind: str = "payments", name: str = "november.csv") -> Page:
    """Choose a file, and look at it when it is checked."""
    browser.get("/imports/new")
    browser.submit("Check the file", kind=kind, file=(name, data))
    return ended(browser)


def ended(browser: Browser) -> Page:
    """Look at the file until nothing is done with it any more."""
    poll(lambda: not browser.get(browser.page.address).headers.get("Refresh"), within_s=60, every_s=0.1)
    return browser.page


def test_a_file_is_chosen_checked_and_stored(browser: Browser) -> None:
    page = upload(
        browser, csv_of("1250.50,EUR,Zoë,card,2026-05-01,A1", f"2,EUR,{HOSTILE},card,2026-05-01,", "1.005,EUR,E,card,,")
    )

    assert (page.status, page.h1) == (200, "Import november.csv")
    assert "3 rows" in page.text
    assert page.rows("What becomes") == [
        {"Verdict": "New", "Rows": "2", "Amounts": "1,252.50\xa0EUR"},
        {"Verdict": "Refused", "Rows": "1", "Amounts": ""},
    ]
    [refused] = page.rows(-1)
    assert (refused["Line"], refused["Payer"]) == ("4", "E")
    assert refused["Reason"].startswith('amount "1.005": must have at most 2 decimals')
    page = browser.follow("New")
    assert [row["Payer"] for row in page.rows(-1)] == ["Zoë", HOSTILE]
    assert browser.client.db.payments.count_documents({}) == 0

    browser.submit("Store 2 payments")
    page = ended(browser)

    assert page.done == "2 stored. 1 row was not: look at it below."
    assert browser.client.db.payments.count_documents({}) == 2
    page = browser.follow("Stored")
    assert [row["Payment number"] for row in page.rows(-1)] == ["PAY20260001", "PAY20260002"]
    assert browser.follow("PAY20260001").h1.startswith("PAY20260001")
    assert browser.get("/imports").rows()[0]["File"] == "november.csv"


def test_the_same_file_again_leads_to_its_import(browser: Browser) -> None:
    upload(browser, new_rows(2))
    browser.submit("Store 2 payments")
    first = ended(browser).address

    browser.get("/imports/new")
    page = browser.submit("Check the file", kind="payments", file=("again.csv", new_rows(2)))

    assert page.address == first
    assert page.done is not None
    assert "was uploaded on" in page.root.all("p", role="status")[0].text
    assert browser.client.db.payments.count_documents({}) == 2


def test_what_looks_stored_already_is_stored_only_when_ticked(browser: Browser) -> None:
    browser.client.pay("1.50", payer="Payer 1", paid_on="2026-05-01")
    page = upload(browser, new_rows(2))

    assert page.column("Verdict") == ["New", "Looks like another"]
    assert "PAY20260001 has the same payer, amount, currency and day." in page.text
    browser.submit("Store 1 payment", alike_too=True)

    assert ended(browser).done == "2 stored."
    assert browser.client.db.payments.count_documents({}) == 3


def test_storing_is_stopped_and_gone_on_with(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "STEP_ROWS", 10)
    upload(browser, new_rows(25))

    def stop(life: Any) -> None:
        raise storing.Stopped

    with monkeypatch.context() as patch:
        patch.setattr(storing, "_require_going_on", stop)
        browser.submit("Store 25 payments")
        page = ended(browser)
    assert page.alert is not None
    assert page.alert.startswith("10 of 25 stored. It was stopped. What is stored stays;")
    assert "Throw this file away" not in page.buttons()
    assert page.rows("What became") == [{"Verdict": "New", "Rows": "15"}, {"Verdict": "Stored", "Rows": "10"}]

    browser.submit("Continue")

    assert ended(browser).done == "25 stored."
    assert browser.client.db.payments.count_documents({}) == 25


def test_it_is_told_how_far_it_is_and_can_be_stopped(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(browser, new_rows(3))
    monkeypatch.setattr(browser.client.app.extensions[EXTENSION], "look", lambda: None)

    page = browser.submit("Store 3 payments")
    assert (page.headers["Refresh"], page.done) == ("3", "0 of 3 stored. You may leave this page: it goes on.")
    page = browser.submit("Stop")

    assert "Stops after this step." in page.text
    assert browser.client.db.imports.find_one({})["stop_asked"] is True


def test_a_file_that_is_no_list_is_refused_in_words(browser: Browser) -> None:
    page = upload(browser, b"a,b\n1,2\n")

    assert page.alert is not None
    assert "amount is missing. currency is missing." in page.alert
    browser.submit("Throw this file away")
    assert browser.page.done == "The file was thrown away. Nothing of it was stored."
    assert browser.client.db.imports.count_documents({}) == 0


def test_without_a_file_the_form_says_so(browser: Browser) -> None:
    browser.get("/imports/new?kind=customers")
    page = browser.submit("Check the file")

    assert (page.status, page.field_error("file")) == (422, "Choose a file.")
    assert page.title.startswith("Problem: ")
    assert page.field("kind") == "customers"


def test_the_rows_that_are_not_stored_are_a_file(browser: Browser) -> None:
    upload(browser, csv_of("=1,EUR,=cmd(),card,2026-05-01,", "1,EUR,E,card,1999-01-01,"))

    answer = browser.http.get(f"{browser.page.address}/not-stored.csv", base_url="https://finance.test")

    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert [row["Line"] for row in rows] == ["2", "3"]
    assert rows[0]["Payer"] == "'=cmd()"
    assert rows[1]["Reason"].startswith('paid_on "1999-01-01": must be from 2000-01-01')


def test_many_rows_are_shown_a_page_at_a_time(browser: Browser) -> None:
    page = upload(browser, new_rows(60))

    assert len(page.rows(-1)) == 50
    assert [row["Line"] for row in browser.follow("Further rows →").rows(-1)] == [str(n) for n in range(52, 62)]
    assert browser.follow("← First rows").rows(-1)[0]["Line"] == "2"


def test_examples_are_files_that_can_be_imported(browser: Browser) -> None:
    for kind in ("payments", "customers"):
        example = browser.http.get(f"/imports/example-{kind}.csv", base_url="https://finance.test").get_data()
        page = upload(browser, example, kind=kind)
        assert page.column("Verdict", "What becomes") == ["New"], page.text


def test_customers_are_imported(browser: Browser) -> None:
    page = upload(browser, f"customer_name,colour\n{HOSTILE},red\n".encode(), kind="customers", name="c.csv")

    assert "Not read: colour" in page.text
    browser.submit("Store 1 customer")
    assert ended(browser).done == "1 stored."
    assert browser.client.db.customers.find_one({})["customer_name"] == HOSTILE


def test_it_is_read_in_french(client: Client) -> None:
    browser = Browser(client, lang="fr-FR").sign_in("accountant")
    browser.get("/imports/new")
    browser.submit(
        "Vérifier le fichier",
        kind="payments",
        file=("novembre.csv", csv_of("1.005,EUR,E,card,,", "1250.5,EUR,E,card,,")),
    )
    page = ended(browser)

    assert page.h1 == "Importer novembre.csv"
    assert "doit avoir au plus 2 décimales" in page.text
    assert page.rows(0)[0]["Montants"].replace("\u202f", " ").replace("\xa0", " ") == "1 250,50 EUR"
    assert page.form("Enregistrer 1 paiement")


def test_a_file_of_more_than_it_takes_is_refused(browser: Browser) -> None:
    browser.get("/imports/new")
    page = browser.submit("Check the file", file=("big.csv", b"x" * (10 * 1024 * 1024 + 1)))
    assert page.status == 422
    assert "scripts/import_payments.py big.csv --tenant acme --apply" in (page.field_error("file") or "")

    browser.get("/imports/new")
    page = browser.submit("Check the file", file=("big.csv", b"x" * (11 * 1024 * 1024)))
    assert (page.address, browser.client.db.imports.count_documents({})) == ("/imports/new?too_large", 0)
    assert "The file has more than 10 MB. Nothing was stored." in (page.field_error("file") or "")
    browser.get("/payments/new")
    assert browser.submit("Record the payment", note="x" * 1_100_000).status == 413


def test_others_do_not_see_it(browser: Browser, client: Client) -> None:
    address = upload(browser, new_rows(1)).address

    other = Browser(client).sign_in("accountant", "other")
    assert other.get(address).status == 404
    assert other.get("/imports").rows() == []
    stranger = Browser(client)
    stranger.get("/")
    assert stranger.post("/imports/new", [("file", ("a.csv", b"x"))], multipart=True).address == "/?next=/imports/new"
    assert stranger.get(address).status == 401 or stranger.page.h1 == "Sign in"


def test_a_form_of_another_site_stores_nothing(browser: Browser) -> None:
    address = upload(browser, new_rows(1)).address

    answer = browser.post(address, [("do", "store")], Sec_Fetch_Site="cross-site")

    assert answer.status == 403
    assert browser.client.db.payments.count_documents({}) == 0
