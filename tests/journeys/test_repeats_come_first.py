"""A repeat (same Idempotency-Key, same body) is answered with the first result, whatever has changed since.

It is recognised before anything is looked at that may have changed: the customer, the calendar, the shop, the invoice,
who holds a number or a PAN. `CHANGES` is the table: an operation, what happens between its two requests, and what a
request with a new key is answered then, which shows that the change is one that matters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from finance.config import Config
from finance.database import Db
from tests.clients import ENCRYPTION_KEY, NOVEMBER, Client
from tests.customers.forms import pan

pytestmark = pytest.mark.journey

LAST_DAY_PAYABLE = "2027-11-20"
LAST_DAY_INVOICEABLE = "2027-01-21"
PAYMENT = {"amount": "400.00", "currency": "EUR", "payer": "Zoë", "method": "card"}
SHOP = {"name": "Paris", "timezone": "Europe/Paris", "currency": "EUR", "issue_ahead_days": 62}
OTHER_SETTINGS = {"timezone": "Africa/Dakar", "currency": "XOF", "reset": "year", "max_length": 20}
OTHER_FORMATS = {"invoice_format": "F{shop}{year}-{number:05}", "credit_note_format": "C{shop}{year}-{number:05}"}
LINES = [{"description": "Work", "unit_price": "1000.00"}]


@dataclass(frozen=True)
class Request:
    """A POST; `other_body` is another one that could be sent to the same address."""

    path: str
    body: dict[str, Any] | None = None
    other_body: dict[str, Any] | None = None


class Story:
    """A tenant with a shop, a customer, an open invoice over 1000.00 EUR and a payment.

    What it sends, it sends with an API key that can be replaced.
    """

    def __init__(self, db: Db) -> None:
        self.db = db
        config = Config(encryption_keys=(ENCRYPTION_KEY,), key_cache_s=0)
        self._client = Client(db, config, now=NOVEMBER)
        self._api_key = self._new_api_key()
        self.pan = pan()
        self.do("PUT", "/shops/par", SHOP)
        self.customer = self.do("POST", "/customers", {"customer_name": "Zoë", "pan_number": self.pan})["customer_code"]
        of_customer = {"shop": "par", "customer_code": self.customer, "customer_name": "Zoë", "lines": LINES}
        self.invoice = self.do("POST", "/invoices", of_customer)["invoice_number"]
        self.payment = self.do("POST", "/payments", PAYMENT)["payment_number"]

    def send(self, request: Request, *, key: str) -> Any:
        """Post the request with this Idempotency-Key."""
        return self._client.post(request.path, json=request.body, headers=self._headers(), key=key)

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do something that must succeed, and return what it is answered."""
        answer = self._client.call(method, path, role="admin", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json

    def replace_api_key(self) -> None:
        """Revoke the API key, and go on with another one of the same role."""
        self.revoke(self._api_key["key_id"])
        assert self._client.get(f"/payments/{self.payment}", headers=self._headers()).status_code == 401
        self._api_key = self._new_api_key()

    def move_the_clock(self, *, days: int) -> None:
        self._client.later(days=days)

    def revoke(self, key_id: str) -> None:
        assert self._client.delete(f"/keys/{key_id}", role="admin").status_code == 204

    def stored(self) -> dict[str, list[Any]]:
        """Return every document of the database, but for API keys, which may note when they were used, and the record
        of who was shown what: a repeat is shown it again.
        """
        names = sorted({*self.db.list_collection_names()} - {"api_keys", "audit_events"})
        return {name: sorted(self.db[name].find(), key=lambda document: str(document["_id"])) for name in names}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key['key']}"}

    def _new_api_key(self) -> dict[str, str]:
        return self._client.post("/keys", json={"role": "admin"}, role="admin").json


@pytest.fixture
def story(db: Db) -> Story:
    return Story(db)


# --- The operations: every POST that takes an Idempotency-Key --------------------------------------------------------


def pay(story: Story) -> Request:
    body = PAYMENT | {"customer_code": story.customer, "paid_on": LAST_DAY_PAYABLE}
    return Request("/payments", body, body | {"payer": "Ada"})


def pay_today(story: Story) -> Request:
    return Request("/payments", PAYMENT, PAYMENT | {"payer": "Ada"})


def pay_an_invoice(story: Story) -> Request:
    allocations = [{"invoice_number": story.invoice, "amount": "400.00"}]
    body = PAYMENT | {"customer_code": story.customer, "allocations": allocations, "paid_on": LAST_DAY_PAYABLE}
    return Request("/payments", body, body | {"payer": "Ada"})


def void(story: Story) -> Request:
    return Request(f"/payments/{story.payment}/void", {"reason": "sent twice"}, {"reason": "wrong payer"})


def allocate(story: Story) -> Request:
    body = {"allocations": [{"invoice_number": story.invoice, "amount": "300.00"}]}
    other = {"allocations": [{"invoice_number": story.invoice, "amount": "200.00"}]}
    return Request(f"/payments/{story.payment}/allocations", body, other)


def release(story: Story) -> Request:
    request = allocate(story)
    story.do("POST", request.path, request.body)
    body = {"invoice_number": story.invoice, "amount": "100.00", "reason": "wrong invoice"}
    return Request(f"/payments/{story.payment}/release", body, body | {"reason": "too much"})


def issue(story: Story) -> Request:
    body = {"shop": "par", "customer_code": story.customer, "issued_on": LAST_DAY_INVOICEABLE, "lines": LINES}
    return Request("/invoices", body, body | {"notes": "another"})


def cancel(story: Story) -> Request:
    return Request(f"/invoices/{story.invoice}/cancel", {"reason": "wrong address"}, {"reason": "never delivered"})


def onboard(story: Story) -> Request:
    body = {"customer_name": "Ada", "pan_number": pan()}
    return Request("/customers", body, body | {"customer_name": "Grace"})


def hand_out_a_code(story: Story) -> Request:
    return Request("/customers/codes")


def deactivate(story: Story) -> Request:
    return Request(f"/customers/{story.customer}/deactivate", {"reason": "closed"}, {"reason": "moved"})


def activate(story: Story) -> Request:
    story.do("POST", f"/customers/{story.customer}/deactivate", {"reason": "closed"})
    return Request(f"/customers/{story.customer}/activate", {"reason": "open again"}, {"reason": "by mistake"})


def erase(story: Story) -> Request:
    return Request(f"/customers/{story.customer}/erase", {"reason": "asked for"}, {"reason": "by mistake"})


OPERATIONS = [
    *(pay, pay_today, pay_an_invoice, void, allocate, release, issue, cancel),
    *(onboard, hand_out_a_code, deactivate, activate, erase),
]


# --- What happens meanwhile. `first` is the first result. ------------------------------------------------------------


def the_customer_is_deactivated(story: Story, first: dict[str, Any]) -> None:
    code = first.get("customer_code") or story.customer
    story.do("POST", f"/customers/{code}/deactivate", {"reason": "closed"})


def the_calendar_goes_back(story: Story, first: dict[str, Any]) -> None:
    story.move_the_clock(days=-2)


def new_year_comes(story: Story, first: dict[str, Any]) -> None:
    story.move_the_clock(days=60)


def the_invoice_is_paid(story: Story, first: dict[str, Any]) -> None:
    rest = {"amount": "600.00", "allocations": [{"invoice_number": story.invoice, "amount": "600.00"}]}
    story.do("POST", "/payments", PAYMENT | rest)
    assert story.do("GET", f"/invoices/{story.invoice}")["status"] == "paid"


def the_payment_is_voided(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/payments/{first['payment_number']}/void", {"reason": "bounced"})


def the_rest_is_allocated(story: Story, first: dict[str, Any]) -> None:
    rest = {"allocations": [{"invoice_number": story.invoice, "amount": "100.00"}]}
    story.do("POST", f"/payments/{first['payment_number']}/allocations", rest)


def all_is_released(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/payments/{story.payment}/release", {"invoice_number": story.invoice, "reason": "all of it"})


def the_invoice_is_cancelled(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/payments/{first['payment_number']}/void", {"reason": "wrong invoice"})
    story.do("POST", f"/invoices/{story.invoice}/cancel", {"reason": "wrong address"})


def the_note_is_corrected(story: Story, first: dict[str, Any]) -> None:
    story.do("PATCH", f"/payments/{first['payment_number']}", {"note": "later"})


def the_shop_changes(story: Story, first: dict[str, Any]) -> None:
    story.do("PUT", "/shops/par", SHOP | OTHER_SETTINGS | OTHER_FORMATS)


def another_has_the_pan_too(story: Story, first: dict[str, Any]) -> None:
    twin = {"customer_name": "Twin", "pan_number": first["pan_number"]}
    story.do("POST", "/customers?confirm_duplicate=true", twin)


def the_code_is_used(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", "/customers", {"customer_name": "Ada", "customer_code": first["customer_code"]})


def it_is_activated_again(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/customers/{story.customer}/activate", {"reason": "open again"})


def another_takes_over_the_pan(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/customers/{story.customer}/deactivate", {"reason": "closed for good"})
    story.do("POST", "/customers", {"customer_name": "Heir", "pan_number": story.pan})


def the_pan_is_onboarded_again(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", "/customers", {"customer_name": "Zoë", "pan_number": story.pan})


def the_customer_is_erased(story: Story, first: dict[str, Any]) -> None:
    story.do("POST", f"/customers/{story.customer}/erase", {"reason": "asked for"})


Operation = Callable[[Story], Request]
Change = Callable[[Story, dict[str, Any]], None]
CHANGES: list[tuple[Operation, Change, int, dict[str, Any]]] = [
    (pay, the_customer_is_deactivated, 422, {"code": "invalid"}),
    (pay, the_calendar_goes_back, 422, {"code": "invalid"}),
    (pay, the_customer_is_erased, 409, {"code": "customer_erased"}),
    (pay_today, new_year_comes, 201, {"paid_on": "2027-01-19", "payment_number": "PAY20270001"}),
    (pay_an_invoice, the_customer_is_deactivated, 422, {"code": "invalid"}),
    (pay_an_invoice, the_calendar_goes_back, 422, {"code": "invalid"}),
    (pay_an_invoice, the_invoice_is_paid, 409, {"code": "more_than_outstanding"}),
    (pay_an_invoice, the_invoice_is_cancelled, 409, {"code": "invoice_is_cancelled"}),
    (pay_an_invoice, the_payment_is_voided, 201, {"allocated": "400.00"}),
    (allocate, the_payment_is_voided, 409, {"code": "payment_already_voided"}),
    (allocate, the_rest_is_allocated, 409, {"code": "more_than_unallocated", "unallocated": "0.00"}),
    (allocate, all_is_released, 200, {"allocated": "300.00"}),
    (release, the_note_is_corrected, 200, {"allocated": "100.00"}),
    (release, all_is_released, 409, {"code": "nothing_allocated"}),
    (release, the_payment_is_voided, 409, {"code": "payment_already_voided"}),
    (void, the_note_is_corrected, 409, {"code": "payment_already_voided"}),
    (issue, the_customer_is_deactivated, 422, {"code": "invalid"}),
    (issue, the_customer_is_erased, 409, {"code": "customer_erased"}),
    (issue, the_calendar_goes_back, 422, {"code": "invalid"}),
    (issue, the_shop_changes, 201, {"currency": "XOF"}),
    (cancel, the_shop_changes, 409, {"code": "invoice_already_cancelled"}),
    (onboard, another_has_the_pan_too, 409, {"code": "possible_duplicate_customer"}),
    (onboard, the_customer_is_deactivated, 201, {"customer_code": "CUST-000003"}),
    (hand_out_a_code, the_code_is_used, 201, {"customer_code": "CUST-000003"}),
    (deactivate, it_is_activated_again, 200, {"status": "inactive"}),
    (activate, another_takes_over_the_pan, 409, {"code": "possible_duplicate_customer"}),
    (erase, the_pan_is_onboarded_again, 409, {"code": "customer_erased"}),
]
NAMES = [f"{operation.__name__}-{change.__name__}" for operation, change, *_answer in CHANGES]


@pytest.mark.parametrize(("operation", "change", "_status", "_body"), CHANGES, ids=NAMES)
def test_a_repeat_is_answered_with_the_first_result_whatever_has_changed_since(
    story: Story, operation: Operation, change: Change, _status: int, _body: dict[str, Any]
) -> None:
    request = operation(story)
    first = story.send(request, key="k-1")
    assert first.status_code in (200, 201), first.text
    change(story, first.json)
    before = story.stored()

    repeat = story.send(request, key="k-1")

    _assert_first_result(repeat, first)
    assert story.stored() == before


@pytest.mark.parametrize(
    ("operation", "change", "_status", "_body"),
    [pytest.param(*row, id=name) for row, name in zip(CHANGES, NAMES, strict=True) if row[0] is not hand_out_a_code],
)
def test_the_key_with_another_body_is_refused_as_reused_whatever_has_changed_since(
    story: Story, operation: Operation, change: Change, _status: int, _body: dict[str, Any]
) -> None:
    request = operation(story)
    change(story, story.send(request, key="k-1").json)
    before = story.stored()

    answer = story.send(Request(request.path, request.other_body), key="k-1")

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert story.stored() == before


@pytest.mark.parametrize(("operation", "change", "status", "body"), CHANGES, ids=NAMES)
def test_a_request_with_a_new_key_meets_what_has_changed(
    story: Story, operation: Operation, change: Change, status: int, body: dict[str, Any]
) -> None:
    request = operation(story)
    change(story, story.send(request, key="k-1").json)

    answer = story.send(request, key="k-2")

    assert (answer.status_code, {name: answer.json[name] for name in body}) == (status, body)
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_repeat_with_another_api_key_of_the_tenant_is_answered_with_the_first_result(
    story: Story, operation: Operation
) -> None:
    request = operation(story)
    first = story.send(request, key="k-1")
    story.replace_api_key()

    repeat = story.send(request, key="k-1")

    _assert_first_result(repeat, first)


# --- A number repair gives the number of the voided payment to another one -------------------------------------------


def test_a_void_is_repeated_by_the_number_its_payment_had_before_a_repair(story: Story) -> None:
    request = void(story)
    first = story.send(request, key="k-1")
    _give_its_number_to_another(story)
    before = story.stored()

    repeat = story.send(request, key="k-1")

    shown = first.json | {"payment_number": "PAY20260900", "previous_numbers": [story.payment]}
    assert (repeat.status_code, repeat.json) == (200, shown)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert story.stored() == before


def test_a_void_is_repeated_by_the_number_its_payment_has_since_a_repair(story: Story) -> None:
    request = void(story)
    first = story.send(request, key="k-1")
    _give_its_number_to_another(story)

    repeat = story.send(Request("/payments/PAY20260900/void", request.body), key="k-1")

    shown = first.json | {"payment_number": "PAY20260900", "previous_numbers": [story.payment]}
    assert (repeat.status_code, repeat.json) == (200, shown)


def test_a_void_by_a_number_before_a_repair_with_another_reason_is_refused_as_reused(story: Story) -> None:
    request = void(story)
    story.send(request, key="k-1")
    _give_its_number_to_another(story)
    before = story.stored()

    answer = story.send(Request(request.path, request.other_body), key="k-1")

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert story.stored() == before


def test_a_void_with_a_new_key_voids_the_payment_that_has_the_number_now(story: Story) -> None:
    request = void(story)
    story.send(request, key="k-1")
    other_id = _give_its_number_to_another(story)

    answer = story.send(request, key="k-2")

    assert (answer.status_code, answer.json["id"], answer.json["status"]) == (200, other_id, "voided")


# --- API keys are shown once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["nothing", "revoked", "asked_by_another_key"])
def test_an_api_key_is_not_shown_again_whatever_has_changed_since(story: Story, then: str) -> None:
    request = Request("/keys", {"role": "client"})
    first = story.send(request, key="k-1")
    assert first.status_code == 201
    if then == "revoked":
        story.revoke(first.json["key_id"])
    if then == "asked_by_another_key":
        story.replace_api_key()
    count = story.db.api_keys.count_documents({})

    repeat = story.send(request, key="k-1")

    assert (repeat.status_code, repeat.json["code"]) == (409, "api_key_already_shown")
    assert first.json["key"] not in repeat.text
    assert story.db.api_keys.count_documents({}) == count


def _assert_first_result(repeat: Any, first: Any) -> None:
    assert (repeat.status_code, repeat.json) == (first.status_code, first.json)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert repeat.headers.get("Location") == first.headers.get("Location")


def _give_its_number_to_another(story: Story) -> str:
    """Do to the documents what a repair does that leaves the number to another payment; return that one's id."""
    number = story.payment
    other = story.do("POST", "/payments", PAYMENT | {"payer": "Ada"})
    numbered = story.db.payments.find_one({"payment_number": number})
    assert numbered is not None
    moved = {"$set": {"payment_number": "PAY20260900", "number_seq": 900}, "$push": {"previous_numbers": number}}
    story.db.payments.update_one({"_id": numbered["_id"]}, moved)
    taken = {"$set": {"payment_number": number, "number_seq": numbered["number_seq"]}}
    story.db.payments.update_one({"payment_number": other["payment_number"]}, taken)
    return other["id"]
