"""A day of an accountant: payments found, recorded once, given to invoices, taken back, voided and taken away."""

import io
import re

import openpyxl
import pytest
from playwright.sync_api import Route

from tests.clients import a_payment
from tests.web.journeys.conftest import Desk, OpenDesk

pytestmark = pytest.mark.journey

_NUMBER = re.compile(r"\bPAY\d+")
PAYMENT = {"amount": "12.50", "currency": "EUR", "payer": "Ada", "paid_on": "2026-03-01", "method": "card"}


def _record(desk: Desk, count: int = 1, **changes: str) -> list[str]:
    answers = [desk.api.post("/payments", json=a_payment(**changes)) for _each in range(count)]
    return [answer.json()["payment_number"] for answer in answers]


def _numbers(desk: Desk) -> list[str]:
    return desk.page.locator("table.cards").last.locator("tbody th").all_inner_texts()


def _payments(desk: Desk) -> list[str]:
    return [payment["payment_number"] for payment in desk.api.walk("/payments", limit=100)]


def test_a_list_is_filtered_walked_and_its_columns_chosen(desk: Desk) -> None:
    _record(desk, 27, currency="EUR")
    _record(desk, 3, currency="INR")
    listed = _payments(desk)

    desk.open("/payments?limit=25")
    assert _numbers(desk) == listed[:25]
    desk.page.click("a[rel=next]")
    assert _numbers(desk) == listed[25:]
    desk.page.click("a[rel=prev]")
    assert _numbers(desk) == listed[:25]

    desk.open("/payments")
    desk.type(currency="INR")
    desk.page.locator("form.filter-form .row > button").first.click()
    desk.page.wait_for_url("**/payments?currency=INR")
    assert _numbers(desk) == listed[:3]
    desk.page.locator(".chips a[aria-label]").click()
    desk.page.wait_for_url("**/payments")
    assert len(_numbers(desk)) == 30

    desk.page.click(".columns summary")
    desk.page.check("input[name=column][value=reference]")
    desk.page.uncheck("input[name=column][value=method]")
    desk.page.locator("form[data-columns] button").click()
    desk.page.wait_for_url("**columns=*")
    assert desk.page.locator("th[scope=col]", has_text=re.compile("R.f.rence")).count() == 1


def test_a_double_click_records_one(desk: Desk) -> None:
    desk.open("/payments/new")
    desk.type(**PAYMENT)
    desk.page.locator("main button.solid").dblclick(no_wait_after=True)
    desk.page.wait_for_url(re.compile(r"/payments/PAY\d+"))

    (number,) = _payments(desk)
    assert number in desk.text


def test_back_after_recording_and_sending_again_asks_before_a_second_one(desk: Desk) -> None:
    desk.open("/payments/new")
    desk.type(**PAYMENT)
    desk.press("Record the payment")
    (number,) = _payments(desk)

    desk.page.go_back()
    desk.type(**PAYMENT)
    desk.press("Record the payment")

    assert number in desk.text
    assert _payments(desk) == [number]


def test_an_answer_that_is_cut_off_is_sent_again_and_stored_once(open_desk: OpenDesk) -> None:
    desk = open_desk().sign_in()
    desk.open("/payments/new")
    desk.type(**PAYMENT)

    def store_and_cut_off(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort("aborted")  # the form stays open, as where a reader stops the page

    desk.page.route("**/payments/new", store_and_cut_off, times=1)
    desk.page.locator("main button.solid").click(no_wait_after=True)
    while not _payments(desk):  # the test's own time limit ends this
        desk.page.wait_for_timeout(100)  # Playwright's own wait: a plain one would hold up the route
    desk.page.wait_for_timeout(1_000)  # the script leaves out what is sent twice within a second
    desk.page.locator("main button.solid").click()
    desk.page.wait_for_url(re.compile(r"/payments/PAY\d+"))

    (number,) = _payments(desk)
    assert f"This form was already stored as {number}. Nothing was stored twice." in desk.text


def test_what_is_wrong_has_the_focus_and_leads_to_its_field(desk: Desk) -> None:
    desk.open("/payments/new")
    desk.type(**{**PAYMENT, "amount": "12.505"})
    desk.press("Record the payment")

    assert desk.page.locator("[role=alert]").evaluate("alert => alert === document.activeElement")
    desk.page.locator("[role=alert] a").first.click()
    assert desk.page.locator("#f-amount").evaluate("field => field === document.activeElement")
    assert desk.page.locator("#f-amount").input_value() == "12.505"
    assert _payments(desk) == []


def test_a_payment_is_given_to_an_invoice_taken_back_and_voided(desk: Desk) -> None:
    desk.api.put_shop()
    customer = desk.api.post("/customers", json={"customer_name": "Ada"}).json()["customer_code"]
    invoice = desk.api.issue(customer_code=customer, customer_name=None).json()["invoice_number"]
    (number,) = _record(desk, amount="1250.50", customer_code=customer)

    desk.open(f"/payments/{number}")
    desk.follow("Give to invoices")
    assert invoice in desk.text
    desk.page.locator("main button.solid").click()
    desk.page.wait_for_url(f"**/payments/{number}")
    assert desk.api.get(f"/payments/{number}").json()["unallocated"] == "250.50"

    desk.page.locator("main a[href*='/release?']").click()
    desk.type(reason="Wrong invoice")
    desk.page.locator("main button.danger").click()
    desk.page.wait_for_url(f"**/payments/{number}")
    assert desk.api.get(f"/payments/{number}").json()["unallocated"] == "1250.50"

    desk.page.locator("main a.danger").click()
    desk.page.locator("main button.danger").click()
    assert desk.page.locator("#f-reason[aria-invalid=true]").count() == 1  # a reason is asked for
    desk.type(reason="Paid twice")
    desk.page.locator("main button.danger").click()
    desk.page.wait_for_url(f"**/payments/{number}")
    assert desk.api.get(f"/payments/{number}").json()["status"] == "voided"


def test_what_is_exported_is_all_of_the_filter(desk: Desk) -> None:
    _record(desk, 28, currency="EUR", payer="=SUM(A1)")
    _record(desk, 1, currency="INR")
    desk.open("/payments?currency=EUR&limit=25")

    with desk.page.expect_download() as download:
        desk.page.get_by_role("main").get_by_role("link", name="XLSX").first.click()
    sheets = openpyxl.load_workbook(io.BytesIO(download.value.path().read_bytes())).worksheets
    rows = [row for sheet in sheets for row in sheet.iter_rows(values_only=True) if _NUMBER.search(str(row))]

    assert len(rows) == 28
    assert all("=SUM(A1)" in row and 12.5 in row for row in rows)


def test_find_opens_a_number_and_lists_a_payer(desk: Desk) -> None:
    (number,) = _record(desk, payer="Bharat Textiles")
    desk.page.fill("#find", number)
    desk.page.press("#find", "Enter")
    desk.page.wait_for_url(f"**/payments/{number}")

    desk.page.fill("#find", "Bharat")
    desk.page.press("#find", "Enter")
    desk.page.wait_for_load_state()
    assert number in desk.text


def test_a_payment_is_recorded_by_the_keyboard_alone(open_desk: OpenDesk) -> None:
    desk = open_desk().sign_in()
    desk.open("/payments")
    keys = desk.page.keyboard

    keys.press("Tab")
    keys.press("Enter")  # the skip link
    for _stop in range(3):
        keys.press("Tab")
        if desk.page.evaluate("document.activeElement.getAttribute('href')") == "/payments/new":
            break
    keys.press("Enter")
    desk.page.wait_for_url("**/payments/new")
    for _stop in range(40):
        keys.press("Tab")
        name, tag, shown = desk.page.evaluate(FOCUSED)
        assert shown, f"the focus isn't seen on {tag} {name}"
        if name in PAYMENT and name != "paid_on":
            keys.press("Home") if tag == "INPUT" else None
            keys.type(PAYMENT[name] if tag == "INPUT" else "Card")
        if name == "note":
            break
    while desk.page.evaluate("document.activeElement.className") != "solid":
        keys.press("Tab")
    keys.press("Enter")
    desk.page.wait_for_url(re.compile(r"/payments/PAY\d+"))

    assert len(_payments(desk)) == 1


FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    return [at.name || "", at.tagName, parseFloat(style.outlineWidth) >= 3 && style.outlineStyle === "solid"];
}"""
