"""An answer and its schema in the OpenAPI document name the same fields, so that neither can drift from the other."""

from typing import Any

import pytest

from tests.answers import assert_answer_matches, schema_name_of
from tests.clients import LINES, Client
from tests.customers.forms import full_form

TENANT = "answers"
PAYMENT = {"amount": "5.00", "currency": "EUR", "payer": "Ada", "method": "card"}
FULL_PAYMENT = PAYMENT | {"reference": "R", "note": "N", "metadata": {"a": "b"}, "paid_on": "2026-11-20"}
SHOP = {"name": "Paris", "timezone": "Europe/Paris", "currency": "EUR"}
FULL_INVOICE = {
    "shop": "par",
    "customer_name": "Zoë",
    "notes": "N",
    "due_on": "2027-01-01",
    "issued_on": "2026-11-20",
    "lines": [LINES[0] | {"discount": "10%"}],
}


@pytest.fixture(scope="module")
def made(shared_client: Client) -> dict[str, str]:
    """One of everything, with every field filled in; by the names that the addresses below use."""

    def made(method: str, path: str, /, **body: Any) -> Any:
        answer = shared_client.call(method, path, role="admin", tenant=TENANT, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    made("POST", "/keys", role="client", name="Till", expires_at="2100-01-01T00:00:00Z")
    made("PUT", "/shops/par", **SHOP | {"name": "Lutetia"})
    made("PUT", "/shops/par", **SHOP)
    customer = made("POST", "/customers", **full_form())["customer_code"]
    invoice = made("POST", "/invoices", **FULL_INVOICE, customer_code=customer)["invoice_number"]
    allocations = [{"invoice_number": invoice, "amount": "5.00"}]
    payment = made("POST", "/payments", **FULL_PAYMENT, customer_code=customer, allocations=allocations)
    made("PATCH", f"/payments/{payment['payment_number']}", note="corrected")
    voided = made("POST", "/payments", **PAYMENT)["payment_number"]
    made("POST", f"/payments/{voided}/void", reason="bounced")
    cancelled = made("POST", "/invoices", **FULL_INVOICE)["invoice_number"]
    note = made("POST", f"/invoices/{cancelled}/cancel", reason="wrong")["credit_note_number"]
    own, other = (made("POST", "/invoices", **FULL_INVOICE)["invoice_number"] for _ in range(2))
    made("POST", "/payments", **PAYMENT, allocations=[{"invoice_number": own, "amount": "5.00"}])
    path = f"/invoices/{own}/credit-notes"
    credited = made("POST", path, reason="too much", lines=FULL_INVOICE["lines"])["credit_note_number"]
    part = {"invoice_number": other, "amount": "4.00"}
    made("POST", f"/credit-notes/{credited}/allocations", allocations=[part])
    made("POST", f"/credit-notes/{credited}/release", **part | {"amount": "1.00"}, reason="mistaken")
    return {
        "credited": credited,
        "credited_invoice": own,
        "payment_number": payment["payment_number"],
        "voided": voided,
        "invoice_number": invoice,
        "cancelled": cancelled,
        "credit_note_number": note,
        "customer_code": customer,
        "shop": "par",
    }


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("/payments/{payment_number}", "/payments/{payment_number}"),
        ("/payments/{payment_number}", "/payments/{voided}"),
        ("/payments", "/payments"),
        ("/customers/{customer_code}/payments", "/customers/{customer_code}/payments"),
        ("/invoices/{invoice_number}", "/invoices/{invoice_number}"),
        ("/invoices/{invoice_number}", "/invoices/{cancelled}"),
        ("/invoices", "/invoices"),
        ("/credit-notes/{credit_note_number}", "/credit-notes/{credit_note_number}"),
        ("/credit-notes/{credit_note_number}", "/credit-notes/{credited}"),
        ("/invoices/{invoice_number}", "/invoices/{credited_invoice}"),
        ("/credit-notes", "/credit-notes"),
        ("/shops/{shop}/sequences", "/shops/{shop}/sequences"),
        ("/shops/{shop}", "/shops/{shop}"),
        ("/shops", "/shops"),
        ("/customers/{customer_code}", "/customers/{customer_code}"),
        ("/customers", "/customers"),
        ("/keys", "/keys"),
        ("/audit-events", "/audit-events"),
    ],
)
def test_what_is_shown_is_what_the_document_says(
    shared_client: Client, made: dict[str, str], operation: str, path: str
) -> None:
    document = shared_client.get("/openapi.json").json
    answer = shared_client.get(path.format_map(made), role="admin", tenant=TENANT)

    assert answer.status_code == 200
    assert answer.json.get("data") != []
    name = schema_name_of(document, "get", f"/api/v1{operation}", 200)
    assert_answer_matches(document, name, answer.json)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/payments", PAYMENT),
        ("/invoices", {"shop": "par", "customer_name": "Zoë", "lines": LINES}),
        ("/customers", {"customer_name": "Zoë"}),
        ("/customers/codes", None),
        ("/keys", {"role": "client"}),
    ],
)
def test_what_is_answered_to_the_least_of_a_request_is_what_the_document_says(
    shared_client: Client, made: dict[str, str], path: str, body: dict[str, Any] | None
) -> None:
    document = shared_client.get("/openapi.json").json
    answer = shared_client.post(path, role="admin", tenant=TENANT, json=body)

    assert answer.status_code == 201
    name = schema_name_of(document, "post", f"/api/v1{path}", 201)
    assert_answer_matches(document, name, answer.json)
