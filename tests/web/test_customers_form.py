"""The form of a customer: saved whole, nothing typed is lost, secrets stay masked and are carried nowhere."""

import logging
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any

import pytest

from finance.database import Db
from tests.clients import NOVEMBER, Client
from tests.web.browser import Browser, Page
from tests.web.test_customers import ACCOUNT, CONFIG, FULL, GSTIN, IBAN, PAN, SECRETS, TAN, events, onboard

TYPED = {
    "customer_name": "Atelier Nord",
    "pan_number": PAN,
    "gst_details-0-gstin": GSTIN,
    "gst_details-0-address": "12 Marine Drive\nMumbai",
    "products_services-0-name": "Consulting",
    "products_services-0-unit_price": "1,250.50",
    "products_services-0-currency": "EUR",
    "products_services-0-tax_rate": "18",
    "tds-applicable": "true",
    "tds-tan_number": TAN,
    "banking-0-account_number": ACCOUNT,
    "terms_conditions-payment_terms_days": "30",
    "terms_conditions-credit_limit": "5,000.00",
    "terms_conditions-currency": "EUR",
}
STORE, SAVE = "Store the customer", "Save the changes"


@pytest.fixture
def client(db: Db) -> Client:
    return Client(db, CONFIG, now=NOVEMBER)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def stored(client: Client, code: str) -> dict[str, Any]:
    answer = client.get(f"/customers/{code}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def open_part(page: Page) -> list[str]:
    return [details.get("id") for details in page.main.all("details") if details.has("open")]


def test_six_parts_are_stored_in_one_and_saved_again_as_they_stand(client: Client, browser: Browser) -> None:
    browser.get("/customers/new")
    page = browser.submit(STORE, **TYPED)
    code = page.address.removeprefix("/customers/")

    assert page.done == f"{code} is stored."
    assert not [number for number in SECRETS if number in page.html]
    whole = stored(client, code)
    assert (whole["pan_number"], whole["banking"][0]["account_number"]) == (PAN, ACCOUNT)
    assert whole["gst_details"] == [{"gstin": GSTIN, "address": "12 Marine Drive\nMumbai"}]
    assert whole["tds"] == {"applicable": True, "tan_number": TAN}
    assert whole["terms_conditions"] == {"payment_terms_days": 30, "credit_limit": "5000.00", "currency": "EUR"}

    for lang in ("fr", "en-IN", "en"):
        form = browser.get(f"/customers/{code}/edit", lang=lang)
        assert not [number for number in SECRETS if number in form.html]
        browser.submit("Enregistrer les modifications" if lang == "fr" else SAVE)
        assert stored(client, code) == whole  # nothing has changed, not even its version


def test_what_is_wrong_opens_the_part_that_it_is_in_and_names_it(browser: Browser) -> None:
    page = browser.get("/customers/new")
    assert open_part(page) == ["part-general"]

    page = browser.submit(STORE, **{**TYPED, "banking-0-ifsc": "12", "terms_conditions-payment_terms_days": "soon"})

    assert page.status == 422
    assert page.title.startswith("Problem: ")
    assert open_part(page) == ["part-banking"]
    assert (page.field_error("banking-0-ifsc") or "").startswith("must be an IFSC")
    assert page.field_error("terms_conditions-payment_terms_days") == "must be a whole number from 0 to 3650."
    terms = page.main.one("details", id="part-terms_conditions")
    assert "1 problem" in terms.one("summary").text
    assert {name: page.field(name) for name in TYPED} == {**TYPED, "terms_conditions-payment_terms_days": "soon"}


def test_rows_come_and_go_and_nothing_that_was_typed_is_lost(client: Client, browser: Browser) -> None:
    browser.get("/customers/new")
    browser.submit("Add an account", **TYPED)
    page = browser.submit("Add an account", **{"banking-1-iban": IBAN, "banking-1-primary": True})
    assert open_part(page) == ["part-banking"]
    assert [page.field(f"banking-{row}-iban") for row in (0, 1, 2)] == ["", IBAN, ""]

    browser.submit("Add a GSTIN")
    page = browser.submit("Remove account 1", customer_name="Changed")
    assert (page.field("customer_name"), page.field("banking-0-iban"), page.field("pan_number")) == (
        "Changed",
        IBAN,
        PAN,
    )
    assert page.status == 200
    assert client.db.customers.count_documents({}) == 0

    code = browser.submit(STORE).address.removeprefix("/customers/")  # rows in which nothing stands are none
    assert stored(client, code)["banking"] == [{"iban": IBAN, "primary": True}]
    assert len(stored(client, code)["gst_details"]) == 1


def test_a_wrong_row_behind_an_empty_one_has_its_error_where_it_is_shown(browser: Browser) -> None:
    browser.get("/customers/new")
    browser.submit("Add an account", customer_name="Ada")

    page = browser.submit(STORE, **{"banking-1-iban": "FR00"})

    assert page.field("banking-0-iban") == "FR00"
    assert (page.field_error("banking-0-iban") or "").startswith("must be an IBAN")


def test_a_fresh_code_is_offered_and_a_taken_one_is_answered_with_one(client: Client, browser: Browser) -> None:
    onboard(client, customer_code="CUST-000001")
    browser.get("/customers/new")
    assert client.db.customer_codes.count_documents({}) == 0  # opening a form gives no code away

    page = browser.submit("Give me a fresh code", customer_name="Ada")
    assert (page.field("customer_code"), page.field("customer_name")) == ("CUST-000002", "Ada")
    assert browser.submit("Give me a fresh code").field("customer_code") == "CUST-000002"

    page = browser.submit(STORE, customer_code="cust-000001")
    assert (page.status, page.field_error("customer_code")) == (422, "is taken.")
    page = browser.submit("Take CUST-000003")
    assert page.field("customer_code") == "CUST-000003"
    assert browser.submit(STORE).done == "CUST-000003 is stored."


def test_a_form_that_is_sent_twice_is_stored_once(client: Client, browser: Browser) -> None:
    form = browser.get("/customers/new").form(STORE)
    sent = form.filled_in({"customer_name": "Ada"}, form.find_button(STORE))

    first, second = browser.post("/customers/new", sent), browser.post("/customers/new", sent)
    assert first.done == "CUST-000001 is stored."
    assert second.done == "This form was already stored as CUST-000001. Nothing was stored twice."

    other = [(name, "Eve" if name == "customer_name" else value) for name, value in sent]
    page = browser.post("/customers/new", other)
    assert "already stored as CUST-000001, with other values" in (page.alert or "")
    page = browser.submit("Store these values as a new one")
    assert (page.status, page.field("customer_name")) == (200, "Eve")
    assert browser.submit(STORE).done == "CUST-000002 is stored."
    assert client.db.customers.count_documents({}) == 2


def test_a_possible_duplicate_is_asked_about_once(client: Client, browser: Browser) -> None:
    onboard(client, pan_number=PAN)
    browser.get("/customers/new")

    page = browser.submit(STORE, **TYPED)
    assert page.status == 422
    assert page.field_error("pan_number") == "is that of customer CUST-000001."
    assert "confirm_duplicate" not in page.text

    page = browser.submit(STORE, confirmed=True, email_address="x")
    assert (page.field_error("email_address"), page.field_error("pan_number")) != (None, None)
    page = browser.submit(STORE, email_address="ada@example.com")
    assert page.done == "CUST-000002 is stored."


def test_what_was_confirmed_of_one_customer_is_not_said_of_another(client: Client, browser: Browser) -> None:
    onboard(client, pan_number=PAN)
    onboard(client, pan_number="AAPFU0939F")
    browser.get("/customers/new")
    browser.submit(STORE, customer_name="Ada", pan_number=PAN)

    page = browser.submit(STORE, confirmed=True, pan_number="AAPFU0939F")

    assert (page.status, page.field_error("pan_number")) == (422, "is that of customer CUST-000002.")
    assert client.db.customers.count_documents({}) == 2


def test_who_becomes_active_again_may_be_another_customer(client: Client, browser: Browser) -> None:
    code = onboard(client, pan_number=PAN)
    client.post(f"/customers/{code}/deactivate", json={"reason": "Moved away"})
    other = onboard(client, pan_number=PAN)
    browser.get(f"/customers/{code}/activate")

    page = browser.submit(f"Activate {code}", reason="Is back")
    assert page.status == 422
    assert f"{other} has the same PAN or GSTIN." in page.text
    assert browser.submit(f"Activate {code}", confirmed=True).done == f"{code} is active again."


def test_of_two_who_edit_the_second_is_told_and_overwrites_nothing(client: Client, browser: Browser) -> None:
    code = onboard(client, **FULL)
    other = Browser(client).sign_in("admin")
    browser.get(f"/customers/{code}/edit")
    other.get(f"/customers/{code}/edit")

    assert browser.submit(SAVE, contact_person="Ada").done == f"{code} is saved."
    page = other.submit(SAVE, contact_person="Eve", **{"banking-0-account_number": "99887766554433"})

    assert page.status == 422
    assert "This changed while you were looking." in (page.alert or "")
    assert page.field("contact_person") == "Ada"
    assert {"Field": "Contact", "Now": "Ada", "Yours": "Eve"} in page.rows("What you had typed otherwise")
    assert "99887766554433" not in page.html
    assert stored(client, code)["contact_person"] == "Ada"
    assert other.submit(SAVE, contact_person="Eve").done == f"{code} is saved."
    assert stored(client, code)["banking"] == [FULL["banking"][0], {"iban": IBAN, "primary": False}]


def test_of_two_saves_at_the_same_moment_one_is_stored_and_the_other_told(client: Client) -> None:
    code = onboard(client, **FULL)
    browsers = [Browser(client).sign_in("accountant") for _ in range(6)]
    for browser in browsers:
        browser.get(f"/customers/{code}/edit")

    names = [f"Ada {place}" for place in range(len(browsers))]
    with ThreadPoolExecutor(len(browsers)) as at_once:
        pages = list(at_once.map(lambda b, name: b.submit(SAVE, contact_person=name), browsers, names))

    saved = [name for page, name in zip(pages, names, strict=True) if page.done]
    assert saved == [stored(client, code)["contact_person"]]
    assert sum("This changed while you were looking." in (page.alert or "") for page in pages) == len(pages) - 1
    assert stored(client, code)["version"] == 2


def test_a_form_that_is_sent_many_times_at_once_is_stored_once(client: Client, browser: Browser) -> None:
    form = browser.get("/customers/new").form(STORE)
    sent = form.filled_in({"customer_name": "Ada", "pan_number": PAN}, form.find_button(STORE))
    browsers = [copy(browser) for _ in range(6)]  # with its session

    with ThreadPoolExecutor(len(browsers)) as at_once:
        pages = list(at_once.map(lambda b: b.post("/customers/new", sent), browsers))

    assert len({page.address for page in pages}) == 1
    assert client.db.customers.count_documents({}) == 1


def test_a_masked_number_stays_and_another_replaces_it(client: Client, browser: Browser) -> None:
    code = onboard(client, **FULL)
    browser.get(f"/customers/{code}/edit")

    browser.submit(SAVE, customer_name="Atelier Sud", **{"banking-0-account_number": "99887766554433"})

    whole = stored(client, code)
    assert (whole["customer_name"], whole["pan_number"], whole["banking"][1]["iban"]) == ("Atelier Sud", PAN, IBAN)
    assert whole["banking"][0]["account_number"] == "99887766554433"
    (changed,) = client.get("/audit-events?action=bank_details_changed", role="admin").json["data"]
    assert changed["details"] == {"added": 1, "removed": 1}


def test_no_number_is_kept_while_somebody_signs_in_again_and_the_form_says_so(
    client: Client, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser.get("/customers/new")
    client.db.sessions.delete_many({})

    asked = browser.submit(STORE, **TYPED)
    assert asked.status == 401
    assert not [number for number in SECRETS if number in asked.html]
    page = browser.submit("Sign in", key=client.key("accountant"))

    assert page.address == "/customers/new"
    assert (page.field("customer_name"), page.field("pan_number")) == ("Atelier Nord", "")
    for name in ("pan_number", "gst_details-0-gstin", "tds-tan_number", "banking-0-account_number"):
        assert (page.field_error(name) or "").startswith("was not kept while you were signed out"), name
    whole = " ".join(map(str, client.db.sessions.find()))
    assert not [number for number in SECRETS if number in whole + caplog.text]
    assert browser.submit(STORE, **TYPED).done == "CUST-000001 is stored."


def test_masked_numbers_are_kept_while_somebody_signs_in_again(client: Client, browser: Browser) -> None:
    code = onboard(client, **FULL)
    browser.get(f"/customers/{code}/edit")
    client.db.sessions.delete_many({})

    browser.submit(SAVE, customer_name="Atelier Sud")
    page = browser.submit("Sign in", key=client.key("accountant"))

    assert (page.alert, page.field("customer_name"), page.field("pan_number")) == (None, "Atelier Sud", "******190K")
    assert browser.submit(SAVE).done == f"{code} is saved."
    assert stored(client, code)["pan_number"] == PAN


def test_a_form_made_to_hurt_is_refused_and_never_fails(client: Client, browser: Browser) -> None:
    browser.get("/customers/new")
    token = browser.page.field("csrf_token")
    odd: list[list[tuple[str, str]]] = [
        [(f"banking-{row}-iban", IBAN) for row in range(2_000)],
        [("banking", "x"), ("banking-0-iban", IBAN), ("banking-x-iban", IBAN), ("banking-0-iban-0", IBAN)],
        [("do", "remove banking 99"), ("banking-0-iban", "x")],
        [("do", "add nothing"), ("do", "take <b>")],
        [("tds", "x"), ("tds-applicable", "maybe"), ("terms_conditions", "5"), ("gst_details-9999-gstin", "\x00")],
        [("customer_name", "\u202eada"), ("state", "x" * 5_000), ("confirmed", "y"), ("idempotency_key", "é")],
        [("customer_name", "x"), ("terms_conditions-credit_limit", "1.2.3,4"), ("products_services-0-tax_rate", "1,5")],
    ]
    for fields in odd:
        page = browser.post("/customers/new", [("csrf_token", token), *fields])
        assert page.status in (200, 422), (fields[:3], page.text)
    assert client.db.customers.count_documents({}) == 0


def test_a_customer_is_deactivated_and_made_active_again_with_a_reason(client: Client, browser: Browser) -> None:
    code = onboard(client)
    browser.get(f"/customers/{code}")
    page = browser.follow("Deactivate…")
    assert (page.status, page.h1) == (200, f"Deactivate {code}?")

    page = browser.submit(f"Deactivate {code}")
    assert (page.status, page.field_error("reason")) == (422, "is required.")
    page = browser.submit(f"Deactivate {code}", reason="Moved away")
    assert page.done == f"{code} is deactivated."
    assert "Moved away" in page.text

    browser.follow("Activate…")
    assert browser.submit(f"Activate {code}", reason="Is back").done == f"{code} is active again."
    assert stored(client, code)["status"] == "active"
    assert [row["Action"] for row in browser.page.rows("Newest first")] == ["Activated", "Deactivated"]


def test_who_decides_on_what_has_changed_is_told_first(client: Client, browser: Browser) -> None:
    code = onboard(client)
    browser.get(f"/customers/{code}/deactivate")
    client.put(f"/customers/{code}", json={"customer_name": "Eve"})

    page = browser.submit(f"Deactivate {code}", reason="Moved away")
    assert "This changed while you were looking." in (page.alert or "")
    assert "Eve" in page.text
    assert stored(client, code)["status"] == "active"
    assert browser.submit(f"Deactivate {code}").done == f"{code} is deactivated."


def test_an_admin_erases_for_good(client: Client) -> None:
    code = onboard(client, **FULL)
    admin = Browser(client).sign_in("admin")
    admin.get(f"/customers/{code}")
    admin.follow("Erase…")

    page = admin.submit(f"Erase {code} for good", reason="Asked for")

    assert page.done == f"{code} is erased."
    assert "Atelier" not in page.html
    assert not page.has_link("Edit")
    assert admin.get(f"/customers/{code}/edit").status == 409
    assert admin.get(f"/customers/{code}/statement?currency=EUR").status == 200
    assert not events(client)
