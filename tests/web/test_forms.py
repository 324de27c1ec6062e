"""A form: what was typed becomes a body of the API, what is refused stands at its field, and each is sent once."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from pymongo import MongoClient

from finance.app import create_app
from finance.config import Config
from finance.errors import FieldError, Invalid
from finance.once import IdempotencyKeyReused, OutcomeUnknown
from finance.payments.schemas import AllocatedPaymentSchema
from finance.web.forms import AmountsUnclear, Form, load
from tests.clients import ENCRYPTION_KEY, Client, a_payment
from tests.web.browser import Browser

PAYMENT = {"amount": "12.50", "currency": "EUR", "payer": "Ada", "method": "card", "paid_on": "2026-03-01"}


@pytest.fixture(scope="module")
def app() -> Flask:
    """The app on a database that is asked for nothing."""
    return create_app(
        Config(encryption_keys=(ENCRYPTION_KEY,)), db=MongoClient("mongodb://127.0.0.1:1/", connect=False)["finance"]
    )


@pytest.fixture
def english(app: Flask) -> Iterator[None]:
    with app.test_request_context("/", headers={"Accept-Language": "en-GB"}):
        yield


@pytest.mark.usefixtures("english")
def test_fields_become_a_body_with_lists_in_it() -> None:
    typed = {
        "csrf_token": "secret",
        "idempotency_key": "mine",
        "do": "add",
        "amount": " 1,250.50 ",
        "payer": " Ada ",
        "note": "",
        "lines-0-description": "Work",
        "lines-0-unit_price": "1,000.00",
        "lines-2-description": "More",
        "address-city": "Lyon",
    }

    assert Form(typed).body() == {
        "amount": "1250.50",
        "payer": "Ada",
        "lines": [{"description": "Work", "unit_price": "1000.00"}, {}, {"description": "More"}],
        "address": {"city": "Lyon"},
    }


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize(
    "typed",
    [
        {"a": "1", "a-0": "2", "a-0-b": "3"},
        {"a-0": "1", "a-b": "2"},
        {"-": "1", "--0": "2"},
        {"lines-99999999-unit_price": "1"},
        {"lines-9999-unit_price": "1"},
        {"lines-٣-unit_price": "1"},
    ],
)
def test_names_that_no_form_of_ours_has_do_no_harm(typed: dict[str, str]) -> None:
    body = Form(typed).body()

    assert len(str(body)) < 50_000


@pytest.mark.usefixtures("english")
def test_every_amount_that_is_unclear_is_told_at_its_field() -> None:
    form = Form({"amount": "12,50", "lines-0-unit_price": "1.2.3", "payer": "Ada"})

    with pytest.raises(AmountsUnclear) as refused:
        form.body()
    form.refuse(refused.value)

    assert set(form.errors) == {"amount", "lines-0-unit_price"}
    assert form.status == 422


@pytest.mark.usefixtures("english")
def test_an_error_of_the_api_stands_at_the_field_of_its_pointer() -> None:
    form = Form({})
    with pytest.raises(Invalid) as refused:
        load(AllocatedPaymentSchema(), {**PAYMENT, "amount": "12.505", "allocations": [{"amount": "1"}]})
    form.refuse(refused.value)
    form.refuse(
        Invalid(errors=[FieldError("is wrong.", pointer="/lines/0/tax_rate"), FieldError("is odd.", pointer="")])
    )

    assert "amount" in form.errors
    assert form.error("lines-0-tax_rate") == "is wrong."
    assert ("", "is odd.") in form.all_errors()
    assert form.status == 422


@pytest.mark.usefixtures("english")
def test_what_isn_t_known_to_be_stored_is_said_to_be_sent_again() -> None:
    form = Form({}, key="mine").refuse(OutcomeUnknown())

    assert form.status == 503
    assert "Send it again" in (form.notice or "")
    assert form.key == "mine"
    assert Form({}, key="mine").refuse(IdempotencyKeyReused()).reused


@pytest.mark.usefixtures("english")
def test_a_form_has_a_key_of_its_own_each_time_it_is_opened() -> None:
    first, second = Form({}), Form({})

    assert uuid.UUID(first.key) != uuid.UUID(second.key)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in()


def test_the_same_form_twice_is_stored_once_and_says_so(browser: Browser) -> None:
    browser.get("/payments/new")
    sent = browser.page.form(action="/payments/new").filled_in(PAYMENT, None)

    first = browser.post("/payments/new", sent)
    second = browser.post("/payments/new", sent)

    assert first.address.partition("?")[0] == second.address.partition("?")[0]
    assert "was already stored as" in (second.done or "")
    assert len(browser.get("/payments").rows()) == 1


def test_the_same_form_with_other_values_stores_nothing_more(browser: Browser) -> None:
    browser.get("/payments/new")
    form = browser.page.form(action="/payments/new")
    browser.post("/payments/new", form.filled_in(PAYMENT, None))

    page = browser.post("/payments/new", form.filled_in({**PAYMENT, "amount": "13.00"}, None))

    assert page.status == 422
    assert "with other values. Your changes were not stored." in (page.alert or "")
    assert page.field("amount") == "13.00"
    assert len(browser.get("/payments").rows()) == 1


def test_a_form_that_was_opened_keeps_its_key_through_errors(browser: Browser) -> None:
    browser.get("/payments/new")
    key = browser.page.field("idempotency_key")

    page = browser.submit("Record the payment", **{**PAYMENT, "amount": "12.505"})

    assert page.status == 422
    assert page.field("idempotency_key") == key
    assert browser.get("/payments/new").field("idempotency_key") != key


def test_a_payment_like_another_is_asked_about_once(client: Client, browser: Browser) -> None:
    number = client.post("/payments", json=a_payment(**PAYMENT)).json["payment_number"]
    browser.get("/payments/new")

    page: Any = browser.submit("Record the payment", **PAYMENT)
    assert number in page.text
    assert len(browser.get("/payments").rows()) == 1
