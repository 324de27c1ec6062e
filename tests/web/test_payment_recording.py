"""Payments recorded from a page: once, however often and from wherever the form is sent."""

import threading
from typing import Any

import pytest

from finance.database import Db
from finance.once import OutcomeUnknown
from finance.web import payment_recording
from tests.clients import Client, at_once
from tests.web.browser import Browser
from tests.web.test_payments import NOW, issue, record

TYPED = {"amount": "1,250.50", "currency": "EUR", "payer": "Ada", "method": "card", "paid_on": "2026-11-20"}
RECORD = "Record the payment"


@pytest.fixture
def client(db: Db) -> Client:
    return Client(db, now=NOW)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def numbers(client: Client) -> list[str]:
    return [payment["payment_number"] for payment in client.get("/payments?sort=payment_number").json["data"]]


def test_a_double_click_records_once(client: Client) -> None:
    key = client.key("accountant")
    browsers = [Browser(client).sign_in(key=key) for _each in range(6)]
    browsers[0].get("/payments/new")
    token = {browser: dict(browser.get("/payments/new").form().fields())["csrf_token"] for browser in browsers}
    fields = dict(browsers[0].page.form(RECORD).filled_in(TYPED, None))
    barrier = threading.Barrier(len(browsers))

    def send(place: int) -> Any:
        barrier.wait()
        browser = browsers[place]
        return browser.post("/payments/new", (fields | {"csrf_token": token[browser]}).items())

    pages = at_once(len(browsers), send)
    [number] = numbers(client)
    said = {page.done for page in pages}
    assert said <= {
        f"{number} is recorded.",
        f"This form was already stored as {number}. Nothing was stored twice.",
    }
    assert len(said) == 2
    assert {page.address for page in pages} == {f"/payments/{number}"}
    assert pages[0].link("Record another") == "/payments/new"


def test_a_form_sent_again_with_other_values_stores_nothing_and_leads_on(client: Client, browser: Browser) -> None:
    browser.get("/payments/new")
    fields = browser.page.form(RECORD).filled_in(TYPED, None)
    number = browser.post("/payments/new", fields).address.rpartition("/")[2]
    other = [(name, "99.00" if name == "amount" else value) for name, value in fields]
    page = browser.post("/payments/new", other)
    assert page.status == 422
    assert f"This form was already stored as {number}, with other values. Your changes were not stored." in page.text
    assert page.link("Open it") == f"/payments/{number}"
    assert numbers(client) == [number]

    page = browser.submit("Store these values as a new one")
    assert (page.status, page.field("amount")) == (200, "99.00")
    assert browser.submit(RECORD).done is not None
    assert len(numbers(client)) == 2


def test_going_back_and_sending_again_asks_whether_it_is_another_payment(client: Client, browser: Browser) -> None:
    browser.get("/payments/new")
    first = browser.submit(RECORD, **TYPED).address.rpartition("/")[2]
    browser.get("/payments/new")  # what Back leads to: a key of its own
    page = browser.submit(RECORD, **TYPED | {"payer": "ADA"})
    assert page.status == 422
    assert f"{first} has the same payer, amount and day." in page.text
    assert numbers(client) == [first]
    page = browser.submit(RECORD, confirmed=True)
    assert (page.done or "").endswith("is recorded.")
    assert len(numbers(client)) == 2


def test_what_only_resembles_is_not_asked_for(client: Client, browser: Browser) -> None:
    voided = record(client, amount="1250.50", paid_on="2026-11-20", payer="Ada")
    client.post(f"/payments/{voided}/void", json={"reason": "Typed wrong"})
    record(client, amount="1250.50", paid_on="2026-11-20", payer="Countess Ada")
    record(client, amount="1250.50", paid_on="2026-11-19", payer="Ada")
    record(client, amount="1250.50", paid_on="2026-11-20", payer="Ada", direction="outgoing")
    record(client, amount="1250.50", paid_on="2026-11-20", payer="Ada", currency="USD")
    browser.get("/payments/new")
    assert (browser.submit(RECORD, **TYPED).done or "").endswith("is recorded.")


def test_an_answer_that_is_cut_off_keeps_the_form_and_its_key(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.get("/payments/new")
    key = browser.page.field("idempotency_key")
    record_payment = payment_recording.service.record_payment

    def cut_off(*args: Any, **kwargs: Any) -> Any:
        record_payment(*args, **kwargs)
        raise OutcomeUnknown

    monkeypatch.setattr(payment_recording.service, "record_payment", cut_off)
    page = browser.submit(RECORD, **TYPED)
    assert page.status == 503
    assert "Send it again: this form is never stored twice." in (page.alert or "")
    assert (page.field("idempotency_key"), page.field("amount")) == (key, "1,250.50")
    monkeypatch.undo()
    [number] = numbers(client)
    assert browser.submit(RECORD).done == f"This form was already stored as {number}. Nothing was stored twice."
    assert numbers(client) == [number]


def test_an_invoice_s_payment_is_filled_in_with_what_is_outstanding(client: Client, browser: Browser) -> None:
    code = client.post("/customers", json={"customer_name": "Atelier Nord"}).json["customer_code"]
    [invoice] = issue(client, "1000.00", customer_code=code, customer_name=None)
    client.pay_invoices([invoice], "250.00")
    page = browser.get(f"/payments/new?invoice={invoice}")
    filled = {name: page.field(name) for name in ("amount", "currency", "payer", "customer_code")}
    assert filled == {"amount": "750.00", "currency": "EUR", "payer": "Atelier Nord", "customer_code": code}
    page = browser.submit(RECORD, method="card")
    assert page.rows("What this payment is for")[0]["Number"] == invoice
    assert client.invoice(invoice)["outstanding"] == "0.00"
    assert browser.get("/payments/new?invoice=FAC-NO-202611-0001").status == 404


def test_lines_are_added_and_removed_and_nothing_typed_is_lost(client: Client, browser: Browser) -> None:
    first, second = issue(client, "100.00", "200.00")
    browser.get("/payments/new")
    browser.submit("Add what it pays", **TYPED)
    browser.submit("Add what it pays", **{"allocations-0-invoice_number": first, "allocations-0-amount": "100.00"})
    page = browser.submit(
        "Add what it pays", **{"allocations-1-invoice_number": second, "allocations-1-amount": "nine"}
    )
    page = browser.submit("Remove line 3")
    assert page.field("payer") == "Ada"
    page = browser.submit(RECORD)
    assert page.status == 422
    assert page.field_error("allocations-1-amount") is not None
    page = browser.submit(RECORD, **{"allocations-1-amount": "200.00"})
    assert [row["Number"] for row in page.rows("What this payment is for")] == [first, second, "Not allocated"]


def test_a_customer_is_found_by_how_the_name_begins(client: Client, browser: Browser) -> None:
    codes = [
        client.post("/customers", json={"customer_name": f"Atelier {place}"}).json["customer_code"]
        for place in range(22)
    ]
    browser.get("/payments/new")
    page = browser.submit("find", **TYPED | {"customer_code": "atel"})
    radios = [field.get("value") for field in page.root.all("input", name="found_customer")]
    assert len(radios) == 20
    assert set(radios) <= set(codes)
    assert (page.field("customer_code"), page.field("amount")) == ("atel", "1,250.50")
    page = browser.submit(RECORD, found_customer=radios[3])
    assert f"({radios[3]})" in page.text
    browser.get("/payments/new")
    assert "No customer name begins with “zzz”." in browser.submit("find", customer_code="zzz").text


def test_a_sign_in_in_between_keeps_the_form_and_its_key(client: Client, browser: Browser) -> None:
    browser.get("/payments/new")
    key = browser.page.field("idempotency_key")
    client.db.sessions.delete_many({})
    page = browser.submit(RECORD, **TYPED)
    assert (page.status, page.h1) == (401, "Sign in")
    page = browser.submit("Sign in", key=client.key("accountant"))
    assert (page.address, page.field("idempotency_key"), page.field("amount")) == ("/payments/new", key, "1,250.50")
    assert numbers(client) == []
    assert browser.submit(RECORD).done is not None


def test_amounts_are_read_as_the_reader_writes_them(client: Client, browser: Browser) -> None:
    browser.get("/payments/new", lang="fr-FR")
    page = browser.submit("Enregistrer le paiement", **TYPED | {"amount": "1\u00a0250,50"})
    assert "1\u202f250,50\u00a0EUR" in page.text
    browser.get("/payments/new", lang="en-GB")
    page = browser.submit(RECORD, **TYPED | {"amount": "1250,50"})
    assert page.status == 422
    assert "can be read as" in (page.field_error("amount") or "")
