"""Who is signed in at a browser: until they sign out, or their key ends."""

import re

import pytest

from tests.web.journeys.conftest import Desk, OpenDesk

pytestmark = pytest.mark.journey


def test_signed_out_back_shows_nothing(desk: Desk) -> None:
    desk.api.post("/payments", json={"amount": "5.00", "currency": "EUR", "payer": "Ada Secret", "method": "card"})
    desk.open("/payments")
    assert "Ada Secret" in desk.text
    desk.page.click(".who a")
    desk.page.locator("main button.solid").click()
    desk.page.wait_for_selector("#key")

    desk.page.go_back()
    desk.page.go_back()

    assert "Ada Secret" not in desk.page.content()
    assert not [cookie for cookie in desk.context.cookies() if cookie["name"] == "__Host-finance"]


def test_a_key_that_is_revoked_in_mid_form_leads_to_the_sign_in_and_back_to_the_form(open_desk: OpenDesk) -> None:
    desk = open_desk()
    made = desk.api.post("/keys", role="admin", json={"role": "accountant", "name": "Accounts"}).json()
    desk.sign_in(key=made["key"])
    desk.open("/payments/new")
    desk.type(amount="12.50", currency="EUR", payer="Ada", method="card", paid_on="2026-03-01")

    assert desk.api.delete(f"/keys/{made['key_id']}", role="admin").status_code == 204
    desk.page.wait_for_timeout(5_200)  # every worker has heard of it by then
    desk.press("Record the payment")
    assert "You were signed out." in desk.text

    desk.page.fill("#key", desk.api.api.key("accountant", desk.api.tenant))
    desk.press("Sign in")
    assert desk.path == "/payments/new"
    assert desk.page.locator("#f-payer").input_value() == "Ada"
    desk.press("Record the payment")
    assert re.search(r"PAY\d+ is recorded", desk.text)


def test_the_footer_changes_the_language_of_the_page_that_is_read(open_desk: OpenDesk) -> None:
    desk = open_desk("en-GB").sign_in()
    desk.open("/payments?currency=EUR")
    desk.page.get_by_role("button", name="Français").click()
    desk.page.wait_for_load_state()

    assert desk.path == "/payments?currency=EUR"
    assert desk.page.locator("html").get_attribute("lang") == "fr"
    assert desk.page.locator("h1").inner_text() == "Paiements"


def test_copy_and_the_slash_are_there_with_scripts(open_desk: OpenDesk) -> None:
    desk = open_desk().sign_in()
    number = desk.api.post(
        "/payments", json={"amount": "5.00", "currency": "EUR", "payer": "Ada", "method": "card"}
    ).json()["payment_number"]
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.open(f"/payments/{number}")

    desk.page.get_by_role("button", name=f"Copy {number}").click()
    assert desk.page.evaluate("navigator.clipboard.readText()") == number
    desk.page.keyboard.press("/")
    assert desk.page.evaluate("document.activeElement.id") == "find"
