"""What an invoice keeps of its customer, who sees it, and how the customer's terms count."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from finance.config import Config
from finance.customers.masking import mask
from finance.encryption import is_ciphertext
from finance.invoices.model import hash_of
from finance.invoices.schemas import NewInvoiceSchema
from tests.clients import LINES, NOVEMBER, Client, is_replayed
from tests.customers.forms import gstin, pan

ADDRESS = "12 Fort Road\nMumbai 400001"


@pytest.fixture
def app(db: Any) -> Client:
    client = Client(db, now=NOVEMBER)
    client.put_shop()
    return client


def onboard(app: Client, **form: Any) -> str:
    answer = app.post("/customers", json={"customer_name": "Bharat Textiles", **form})
    assert answer.status_code == 201, answer.text
    return str(answer.json["customer_code"])


def bought(app: Client, customer_code: str, **invoice: Any) -> Any:
    """Issue an invoice to the customer and return it as it is answered."""
    answer = app.issue(customer_code=customer_code, customer_name=invoice.pop("customer_name", None), **invoice)
    assert answer.status_code == 201, answer.text
    return answer.json


def shown(invoice: Any) -> tuple[Any, ...]:
    names = ("customer_name", "customer_address", "customer_gstin", "customer_pan_number")
    return tuple(invoice[name] for name in names)


def test_an_invoice_stays_as_issued_when_its_customer_is_renamed_moved_or_erased(app: Client) -> None:
    its_pan = pan()
    number = gstin(its_pan)
    form = {"customer_name": "Bharat Textiles", "pan_number": its_pan}
    form["gst_details"] = [{"gstin": number, "address": ADDRESS}]
    code = onboard(app, **form)
    invoice = bought(app, code)
    issued = ("Bharat Textiles", ADDRESS, number, None)
    assert shown(invoice) == issued

    moved = {"customer_name": "Renamed Ltd", "gst_details": [{"gstin": gstin(its_pan, "29"), "address": "Elsewhere"}]}
    assert app.put(f"/customers/{code}", json=moved).status_code == 200
    assert shown(app.invoice(invoice["invoice_number"])) == (*issued[:2], mask(number), None)
    assert app.post(f"/customers/{code}/erase", role="admin", json={"reason": "Asked for it."}).status_code == 200

    path = f"/invoices/{invoice['invoice_number']}"
    assert shown(app.get(path).json) == issued
    note = app.post(f"{path}/cancel", json={"reason": "wrong"}).json["credit_note_number"]
    assert shown(app.get(f"/credit-notes/{note}").json) == issued
    [row] = csv.DictReader(io.StringIO(app.get("/invoices/export.csv").text.lstrip("\ufeff")))
    assert (row["customer_code"], row["customer_name"]) == (code, "Bharat Textiles")


def test_a_name_and_an_address_that_are_posted_come_before_the_customers(app: Client) -> None:
    code = onboard(app, gst_details=[{"gstin": gstin(pan()), "address": ADDRESS}])

    invoice = bought(app, code, customer_name="Its branch", customer_address="The branch's address")

    assert shown(invoice)[:2] == ("Its branch", "The branch's address")
    assert invoice["customer_code"] == code


def test_of_several_registrations_none_is_guessed_and_one_can_be_named_in_full_or_masked(app: Client) -> None:
    its_pan = pan()
    numbers = [gstin(its_pan, state) for state in ("27", "29")]
    details = [{"gstin": number, "address": number[:2]} for number in numbers]
    code = onboard(app, gst_details=details)

    def refused(**invoice: Any) -> Any:
        answer = app.issue(customer_code=code, customer_name=None, **invoice)
        assert (answer.status_code, [error["pointer"] for error in answer.json["errors"]]) == (422, ["/customer_gstin"])
        assert its_pan not in answer.text
        return answer.json["errors"][0]["detail"]

    assert shown(bought(app, code)) == ("Bharat Textiles", None, None, None)  # none is guessed
    assert "one of the customer's" in refused(customer_gstin=gstin(pan()))
    assert "GSTIN" in refused(customer_gstin="27ABC")
    for number in numbers:
        for written in (number, mask(number), number.lower()):
            assert shown(bought(app, code, customer_gstin=written))[1:3] == (number[:2], number)


def test_masked_registrations_that_end_alike_can_not_be_told_apart(app: Client) -> None:
    its_pan = pan()
    by_ending: dict[str, list[str]] = {}
    for state in range(1, 38):
        number = gstin(its_pan, f"{state:02}")
        by_ending.setdefault(number[-4:], []).append(number)
    alike = next(numbers for numbers in by_ending.values() if len(numbers) > 1)
    code = onboard(app, gst_details=[{"gstin": number} for number in alike])

    answer = app.issue(customer_code=code, customer_gstin=mask(alike[0]))

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/customer_gstin")
    assert shown(bought(app, code, customer_gstin=alike[1]))[2] == alike[1]


def test_a_buyer_without_a_code_can_have_a_gstin_and_one_without_a_gstin_keeps_its_pan(app: Client) -> None:
    its_pan = pan()
    number = gstin(its_pan)
    assert shown(app.issue(customer_gstin=number, customer_address="There").json) == ("Zoë", "There", number, None)
    masked = app.issue(customer_gstin=mask(number))
    assert (masked.status_code, masked.json["errors"][0]["pointer"]) == (422, "/customer_gstin")

    invoice = bought(app, onboard(app, pan_number=its_pan))

    assert shown(invoice)[2:] == (None, mask(its_pan))
    assert app.get(f"/invoices/{invoice['invoice_number']}").json["customer_pan_number"] == its_pan


def test_tax_numbers_are_stored_encrypted_and_shown_in_full_to_few_with_a_record_of_it(app: Client) -> None:
    number = gstin(pan())
    code = onboard(app, gst_details=[{"gstin": number}])
    app.db.audit_events.delete_many({})
    invoice_number = bought(app, code, key="k", customer_gstin=number)["invoice_number"]

    stored = app.db.invoices.find_one({"invoice_number": invoice_number})
    customer = app.db.customers.find_one({"customer_code": code})
    assert is_ciphertext(stored["customer_gstin"])
    assert stored["customer_gstin"] == customer["gst_details"][0]["gstin"]
    assert number not in str(stored)
    body = {"shop": "par", "customer_code": code, "customer_gstin": number, "lines": LINES}
    assert stored["request_hash"] != hash_of(NewInvoiceSchema().load(body))  # the number could be found out from it
    assert app.invoice(invoice_number)["customer_gstin"] == mask(number)  # to a client
    assert app.get("/invoices").json["data"][0]["customer_gstin"] == mask(number)
    assert number not in app.get("/invoices/export.csv").text
    assert app.db.audit_events.count_documents({"action": "numbers_read_in_full"}) == 0
    assert app.get(f"/invoices/{invoice_number}").json["customer_gstin"] == number  # to an accountant
    [event] = app.db.audit_events.find({"action": "numbers_read_in_full"})
    assert (event["object_kind"], event["object_id"]) == ("invoice", invoice_number)
    assert event["details"] == {"fields": ["customer_gstin"]}
    again = app.issue(customer_code=code, customer_name=None, key="k", customer_gstin=number)
    assert (is_replayed(again), again.json["customer_gstin"]) == (True, number)
    other = app.issue(customer_code=code, customer_name=None, key="k", customer_gstin=gstin(pan()))
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_a_credit_note_shows_its_numbers_to_whom_its_invoice_does(app: Client) -> None:
    number = gstin(pan())
    invoice = bought(app, onboard(app, gst_details=[{"gstin": number}]))
    body = {"reason": "too much", "lines": [{"description": "Less", "unit_price": "1.00"}]}

    made = app.post(f"/invoices/{invoice['invoice_number']}/credit-notes", json=body)

    path = made.headers["Location"]
    assert made.json["customer_gstin"] == number  # who issues it hands it out
    assert app.get(path, role="client").json["customer_gstin"] == mask(number)
    assert app.db.audit_events.count_documents({"action": "numbers_read_in_full"}) == 0
    read = app.get(path)
    assert read.json["customer_gstin"] == number
    [event] = app.db.audit_events.find({"action": "numbers_read_in_full"})
    assert (event["object_kind"], event["object_id"]) == ("credit_note", made.json["credit_note_number"])
    given = {"invoice_number": invoice["invoice_number"], "reason": "tried"}
    for tag in (made.headers["ETag"], read.headers["ETag"]):  # each names the present state
        answer = app.post(f"{path}/release", json=given, headers={"If-Match": tag})
        assert answer.status_code != 412, answer.text


def test_an_invoice_is_shown_though_its_numbers_can_not_be_decrypted(app: Client) -> None:
    code = onboard(app, gst_details=[{"gstin": gstin(pan())}])
    number = bought(app, code)["invoice_number"]
    keyless = Client(app.db, Config(), now=NOVEMBER)

    assert keyless.get(f"/invoices/{number}").json["customer_gstin"] == "*" * 15
    assert keyless.get("/invoices").json["data"][0]["customer_gstin"] == "*" * 15
    refused = keyless.issue(customer_code=code)
    assert (refused.status_code, refused.json["code"]) == (503, "encryption_not_configured")
    assert app.db.invoices.count_documents({}) == 1


def test_an_invoice_of_an_earlier_version_is_shown_and_repeated_as_it_is(app: Client) -> None:
    code = onboard(app, terms_conditions={"payment_terms_days": 30})
    issued = bought(app, code, key="k")
    # An earlier version kept the code alone, and no due day.
    gone = {"customer_name": "", "customer_folded": ""}
    app.db.invoices.update_one({}, {"$unset": gone, "$set": {"due_on": None}})

    again = app.issue(customer_code=code, customer_name=None, key="k")

    assert is_replayed(again)
    assert again.json == issued | {"customer_name": None, "due_on": None}
    assert app.get("/invoices").json["data"][0]["customer_name"] is None


def test_an_invoice_is_due_when_the_customers_terms_say(app: Client) -> None:
    code = onboard(app, terms_conditions={"payment_terms_days": 45})
    assert bought(app, code)["due_on"] == "2027-01-04"  # 20 November and 45 days
    assert bought(app, code, issued_on="2026-11-20", due_on="2026-11-21")["due_on"] == "2026-11-21"
    assert bought(app, onboard(app, terms_conditions={"payment_terms_days": 0}))["due_on"] == "2026-11-20"
    assert bought(app, onboard(app))["due_on"] is None
    assert app.issue().json["due_on"] is None


def test_the_due_day_follows_an_issue_day_that_moved_while_the_invoice_waited(app: Client) -> None:
    code = onboard(app, terms_conditions={"payment_terms_days": 10})
    app.now = datetime(2026, 11, 19, 23, tzinfo=UTC)  # the 20th in Paris
    bought(app, code)
    app.later(milliseconds=-1)  # another process, whose clock is behind

    moved = bought(app, code)

    assert (moved["issued_on"], moved["due_on"]) == ("2026-11-20", "2026-11-30")


def limited(app: Client, amount: str = "1500.00", currency: str = "EUR") -> str:
    return onboard(app, terms_conditions={"credit_limit": amount, "currency": currency})


def over_limit(answer: Any) -> tuple[str, str]:
    assert (answer.status_code, answer.json["code"]) == (409, "over_credit_limit"), answer.text
    return answer.json["credit_limit"], answer.json["outstanding"]


def test_over_the_credit_limit_an_invoice_has_to_be_confirmed(app: Client) -> None:
    code = limited(app)
    first = bought(app, code)["invoice_number"]
    refused = app.issue(customer_code=code, customer_name=None, key="k")
    assert over_limit(refused) == ("1500.00", "1000.00")
    assert app.db.invoices.count_documents({}) == 1

    body = {"shop": "par", "customer_code": code, "lines": LINES}
    confirmed = app.post("/invoices?confirm_over_limit=true", key="k", json=body)
    assert (confirmed.status_code, is_replayed(confirmed)) == (201, False)
    assert is_replayed(app.post("/invoices", key="k", json=body))  # confirming is no part of the request
    assert over_limit(app.issue(customer_code=code)) == ("1500.00", "2000.00")
    half = [{**LINES[0], "unit_price": "500.00"}]
    app.pay_invoices([first], "999.99")
    assert over_limit(app.issue(customer_code=code, lines=half)) == ("1500.00", "1000.01")
    app.pay_invoices([first], "0.01")
    assert app.issue(customer_code=code, lines=half).status_code == 201  # 1500.00 in all: not over it
    assert over_limit(app.issue(customer_code=code, lines=[{**LINES[0], "unit_price": "0.01"}])) == (
        "1500.00",
        "1500.00",
    )
    app.post(f"/invoices/{confirmed.json['invoice_number']}/cancel", json={"reason": "wrong"})
    assert app.issue(customer_code=code).status_code == 201


def test_a_limit_counts_in_its_own_currency_and_for_its_own_customer(app: Client) -> None:
    code = limited(app, "10.00", "USD")
    bought(app, code)  # in euros
    assert over_limit(app.issue(customer_code=code, currency="USD")) == ("10.00", "0.00")
    assert app.issue(customer_code=onboard(app), currency="USD").status_code == 201
    none = limited(app, "0.00")
    assert over_limit(app.issue(customer_code=none)) == ("0.00", "0.00")
    assert app.issue(customer_code=none, lines=[{**LINES[0], "unit_price": "0"}]).status_code == 201
    refused = app.post("/invoices?confirm_over_limit=yes", json={"shop": "par", "customer_name": "Zoë", "lines": LINES})
    assert refused.json["errors"][0]["parameter"] == "confirm_over_limit"
