"""A document that is damaged, or of another system, is shown and changed as far as it can be, and hides no other.

Each field is tried with a third of the odd values; FINANCE_TEST_ODD_VALUES=all tries them all.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest
from bson import Decimal128, ObjectId

from finance.customers import model as customers
from finance.customers.model import Customer
from finance.customers.schemas import ListedCustomerSchema
from finance.invoices import model as invoices
from finance.invoices.model import Invoice
from finance.payments import model as payments
from finance.payments.model import Payment
from tests.clients import Client
from tests.customers.forms import full_form

MISSING = "missing"
ALL = os.environ.get("FINANCE_TEST_ODD_VALUES") == "all"
ODD: list[Any] = [
    *(MISSING, None, {}, {"a": ObjectId()}, [], [5], [{}], [None, {"at": b"x"}], 5, 7.5, float("nan"), True, "text"),
    *(ObjectId(), Decimal128("1.5"), b"bytes", datetime(2026, 1, 1, tzinfo=UTC), 2**62),
]
NOT_SHOWN = {"_id", "tenant", "identity_claims", "action_keys", "name_words", "payer_folded", "allocations", "claim"}
SORTED_BY = {
    field for orders in (payments, invoices, customers) for order in orders.ORDER_BY_SORT.values() for field in order
}
PAYMENT = [
    *sorted(Payment.__annotations__.keys() - NOT_SHOWN - {"payment_number"}),
    *("allocations", "allocations.0", "allocations.0.amount_minor", "allocations.0.invoice_number"),
    *("history.0", "history.0.at", "history.0.by", "history.0.changes", "history.0.action", "metadata.a"),
]
INVOICE = [
    *sorted(Invoice.__annotations__.keys() - NOT_SHOWN - {"invoice_number", "unsettled"}),
    *("lines.0", "lines.0.unit_price", "lines.0.net", "taxes.0", "taxes.0.rate", "taxes.0.net_minor"),
    *("history.0", "history.0.changes", "history.0.changes.paid_minor", "history.0.changes.paid_minor.from"),
]
CREDIT_NOTE = [
    *("allocations", "allocations.0", "allocations.0.amount_minor", "allocations.0.state", "allocations.0.claim"),
    *(
        "allocations.0.invoice_number",
        "allocated_minor",
        "unallocated",
        "unsettled",
        "claim",
        "total_minor",
        "currency",
    ),
    *("history", "history.0", "history.0.changes", "history.0.allocations", "history.0.changes.allocated_minor"),
]
CUSTOMER = [
    *sorted(Customer.__annotations__.keys() - NOT_SHOWN - {"customer_code"}),
    *("gst_details.0", "gst_details.0.gstin", "gst_details.0.state", "banking.0", "banking.0.account_number"),
    *("banking.0.iban", "products_services.0", "products_services.0.currency", "products_services.0.unit_price_minor"),
    *("tds.rate", "tds.tan_number", "terms_conditions.currency", "terms_conditions.credit_limit_minor"),
    *("history.0", "history.0.changes", "history.0.changes.tds", "history.0.at"),
]


@pytest.mark.parametrize("field", PAYMENT)
def test_a_damaged_payment_is_shown_and_hides_no_other(client: Client, field: str) -> None:
    whole = client.pay("12.50", paid_on="2026-01-02", metadata={"a": "b"}, note="x", reference="y").json
    client.pay("1.00", paid_on="2026-01-01")
    client.patch(f"/payments/{whole['payment_number']}", json={"note": "z"})
    stored = client.db.payments.find_one({"payment_number": whole["payment_number"]})
    stored |= {"allocations": [{"invoice_number": "A", "amount_minor": 5}], "claim": "c"}
    path = f"/payments/{stored['payment_number']}"
    for value in _damaged(client.db.payments, stored, field):
        _answered(client.get(path), 200)
        _listed(client, "/payments", ("payment_number", "-paid_on", "created_at"), field, value)
        _answered(client.get("/payments/export.csv"), 200)
        _answered(client.patch(path, json={"note": "changed"}), 200)
        _answered(client.patch(path, json={"note": "changed again", "reference": None}), 200)
        _answered(client.post(f"{path}/void", json={"reason": "wrong"}), 200, 409)
        _answered(client.get(path), 200)


@pytest.mark.parametrize("field", INVOICE)
def test_a_damaged_invoice_is_shown_and_hides_no_other(client: Client, field: str) -> None:
    client.put_shop()
    number = client.issue().json["invoice_number"]
    client.issue()
    stored = client.db.invoices.find_one({"invoice_number": number})
    change = {"paid_minor": {"from": 0, "to": 5}}
    stored["history"] = [{"at": stored["created_at"], "by": "key", "action": "paid", "changes": change}]
    for value in _damaged(client.db.invoices, stored, field):
        _answered(client.get(f"/invoices/{number}"), 200)
        _listed(client, "/invoices", ("invoice_number", "-issued_on", "created_at"), field, value)
        _answered(client.get("/invoices/export.csv"), 200)


@pytest.mark.parametrize("field", CREDIT_NOTE)
def test_a_damaged_credit_note_is_shown_and_hides_no_other(client: Client, field: str) -> None:
    client.put_shop()
    number = client.issue().json["invoice_number"]
    credit = {"reason": "too much", "lines": [{"description": "Work", "unit_price": "10"}]}
    whole, _other = (client.post(f"/invoices/{number}/credit-notes", json=credit).json for _ in range(2))
    client.post(
        f"/credit-notes/{whole['credit_note_number']}/release", json={"invoice_number": number, "reason": "mistaken"}
    )
    stored = client.db.credit_notes.find_one({"credit_note_number": whole["credit_note_number"]})
    for value in _damaged(client.db.credit_notes, stored, field):
        _answered(client.get(f"/credit-notes/{whole['credit_note_number']}"), 200)
        page = client.get("/credit-notes")
        _answered(page, 200)
        assert len(page.json["data"]) == 2, (field, value)


@pytest.mark.parametrize("field", CUSTOMER)
def test_a_damaged_customer_is_shown_and_can_be_saved_over(client: Client, field: str) -> None:
    form = full_form()
    code = client.post("/customers", json=form).json["customer_code"]
    client.post("/customers", json=full_form())
    _answered(client.put(f"/customers/{code}", json=form | {"contact_person": "B"}), 200)
    stored = client.db.customers.find_one({"customer_code": code})
    for value in _damaged(client.db.customers, stored, field):
        _answered(client.get(f"/customers/{code}"), 200)
        _answered(client.get(f"/customers/{code}", role="client"), 200)
        _listed(client, "/customers", ("customer_code", "-customer_name", "created_at"), field, value)
        _answered(client.put(f"/customers/{code}", json=form | {"contact_person": "C"}), 200, 409)
        _answered(client.post(f"/customers/{code}/deactivate", json={"reason": "gone"}), 200, 409)
        _answered(client.post(f"/customers/{code}/activate", json={"reason": "back"}), 200, 409)
        _answered(client.get(f"/customers/{code}"), 200)


def test_every_shown_field_of_a_customer_is_tried() -> None:
    assert ListedCustomerSchema().fields.keys() - {"id", "customer_code"} <= {*CUSTOMER}


def test_what_has_no_type_in_json_is_shown_as_text(client: Client) -> None:
    number = client.pay("12.50").json["payment_number"]
    values = {"payer": ObjectId("65f0abcd12345fabcd123456"), "reference": Decimal128("1.50"), "note": b"\x01\xff"}
    client.db.payments.update_one({"payment_number": number}, {"$set": values})

    shown = client.get(f"/payments/{number}").json

    assert [shown[name] for name in values] == ["65f0abcd12345fabcd123456", "1.50", "01ff"]


def _damaged(collection: Any, stored: dict[str, Any], field: str) -> Iterator[Any]:
    """Store the document with each odd value in its field, one after the other."""
    for value in ODD if ALL else ODD[crc32(field.encode()) % 3 :: 3]:
        collection.replace_one({"_id": stored["_id"]}, stored)
        change = {"$unset": {field: ""}} if value is MISSING else {"$set": {field: value}}
        collection.update_one({"_id": stored["_id"]}, change)
        yield value


def _listed(client: Client, path: str, sorts: tuple[str, ...], field: str, value: Any) -> None:
    """Walk a list of two documents, one at a time, in each of these orders (one, where the field decides in none)."""
    for sort in sorts if field in SORTED_BY else sorts[:1]:
        first = client.get(f"{path}?sort={sort}&limit=1")
        _answered(first, 200)
        if first.json["next_cursor"] is None:
            assert _has_no_place(field, value)
            continue
        second = client.get(f"{path}?sort={sort}&limit=1&cursor={first.json['next_cursor']}")
        _answered(second, 200)
        assert _has_no_place(field, value) or [len(page.json["data"]) for page in (first, second)] == [1, 1]
        assert _has_no_place(field, value) or first.json["data"][0]["id"] != second.json["data"][0]["id"]
        assert _has_no_place(field, value) or not second.json["has_more"]


def _has_no_place(field: str, value: Any) -> bool:
    """Return whether MongoDB's order knows no place between two others for what is sorted by: a list, or NaN."""
    return field in SORTED_BY and (isinstance(value, list) or value != value)


def _answered(answer: Any, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
