"""Requests that are refused, each for a reason of its own, for what is asked of all of them."""

import re
from collections.abc import Iterator
from typing import Any

from tests.clients import Client, a_payment
from tests.edge import bad_bodies, bad_requests
from tests.edge.bad_requests import BadRequest

# What may stand in the place of any value of a form.
ODD: tuple[Any, ...] = (
    *(None, "", "  ", "x", "a\nb", "\u202ea", "-1", "1,5", "1e3", "12 EUR", "1.005"),
    *(5, -5, 1.5, True, [], [5], {}, {"a": 1}),
)


def by_its_schema() -> list[BadRequest]:
    """Return those of the bad requests that a test client can send and that don't take long."""
    rows = [*bad_requests.rows(), *bad_bodies.rows()]
    return [
        row
        for row in rows
        if row.code in ("invalid", "not_parseable")
        and len(row.sent) < 30_000
        and re.match(rb"(GET|POST|PUT|PATCH) /api/v1/[^\s<]*[^\s<\xff] HTTP/1\.1\r\n", row.sent)
        and row.sent.count(b"Content-Length") < 2
    ]


def parsed(sent: bytes) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return method, path, {name: headers[name] for name in headers if name.startswith("Content-")}, body


def forms() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield a method, an address and a form that is sent there, of which each value can be put wrong."""
    lines = [{"description": "Work", "unit_price": "5.00"}]
    customer = ("customer_name", "pan_number", "email_address", "contact_number", "customer_code")
    parts = ("gst_details", "banking", "products_services", "tds", "terms_conditions")
    invoice = {"shop": "par", "customer_name": "Ada", "lines": lines, "issued_on": "", "currency": "EUR"}
    shop = {"name": "Paris", "timezone": "Europe/Paris", "currency": "EUR", "invoice_format": "A", "reset": "month"}
    yield "POST", "/payments", {**a_payment(), "direction": "incoming", "allocations": [], "note": "", "metadata": {}}
    yield "POST", "/invoices", invoice
    yield "POST", "/customers", dict.fromkeys(customer, "1") | dict.fromkeys(parts)
    yield "PUT", "/shops/par", {**shop, "max_length": 30}
    yield "POST", "/keys", {"role": "client", "name": "Ada", "expires_at": "2030-01-01"}


def by_the_state_of_things(
    client: Client, invoice: str, cancelled: str, voided: str, paid: str, customer: str
) -> Iterator[Any]:
    """Send what each is refused though its schema takes it (or all of it but a bit), and yield the answers."""
    lines = [{"description": "Work", "unit_price": "5.00"}]
    ended = {"reason": "Closed"}
    yield client.post(f"/payments/{voided}/void", json=ended)
    yield client.patch(f"/payments/{voided}", json={"amount": "1.00"})
    yield client.get("/payments/PAY20269999")
    yield client.get("/payments/nonsense")
    yield client.get("/invoices/FAC-1")
    yield client.get("/credit-notes/AV-1")
    yield client.get("/customers/NOBODY")
    yield client.get("/shops/nowhere", role="admin")
    yield client.get("/audit-events", role="client")
    yield client.delete("/keys/ffffffffffffffff", role="admin")
    yield client.post("/keys", role="admin", key="once", json={"role": "client", "name": "Ada"})
    yield client.post("/keys", role="admin", key="once", json={"role": "admin", "name": "Ada"})
    yield client.post("/keys", role="admin", json={"role": "client", "expires_at": "2020-01-01T00:00:00Z"})
    yield client.pay_invoices([invoice], "900.00")
    yield client.pay_invoices([cancelled], "1.00")
    yield client.pay_invoices(["FAC-1"], "1.00")
    yield client.pay("5.00", allocations=[{"credit_note_number": "AV-1", "amount": "5.00"}])
    yield client.pay("5.00", customer_code="NOBODY")
    yield client.pay("5.00", paid_on="1999-12-31")
    yield client.post(f"/payments/{paid}/allocations", json={"allocations": [{"invoice_number": "F", "amount": "1"}]})
    yield client.post(f"/payments/{paid}/release", json={"invoice_number": "FAC-1", **ended})
    yield client.post(f"/payments/{paid}/release", json={"invoice_number": invoice, "amount": "901.00", **ended})
    yield client.post(f"/invoices/{cancelled}/cancel", json=ended)
    yield client.post(f"/invoices/{invoice}/cancel", json=ended)
    yield client.post(f"/invoices/{cancelled}/credit-notes", json={"lines": lines, **ended})
    yield client.post(
        f"/invoices/{invoice}/credit-notes", json={"lines": [{"description": "W", "unit_price": "2000"}], **ended}
    )
    yield client.issue("nowhere")
    yield client.issue(issued_on="2099-01-01")
    yield client.issue(due_on="2020-01-01")
    yield client.issue(total="1.00")
    yield client.issue(customer_gstin="••••83J1")
    yield client.post("/customers", json={"customer_name": "Eve", "pan_number": "AAPFU0939F"})
    yield client.post("/customers", json={"customer_code": customer, "customer_name": "Eve"})
    yield client.post(f"/customers/{customer}/activate", role="admin", json=ended)
    yield client.put(f"/customers/{customer}", headers={"If-Match": '"0"'}, json={"customer_name": "Ada"})
    yield client.put(f"/customers/{customer}", headers={"If-Match": "0"}, json={"customer_name": "Ada"})
    yield client.put(f"/customers/{customer}", json={"customer_name": "Ada", "customer_code": "OTHER"})
    wrong = ("A-{number}{year}", "A", "A-{week}-{number}", "é{number}", "{number}1", "A{shop}{number}", "{year}")
    for format_ in wrong:
        yield client.put_shop("lyo", invoice_format=format_)
    yield client.put_shop(
        "lyo", invoice_format="A-{year}{month}-{number}", credit_note_format="A-{year}{month}-{number}"
    )
    yield client.put_shop("lyo", invoice_format="A{year}{month}-{number:014}")
    yield client.put_shop("lyo", reset="year", invoice_format="A-{year}{month}-{number}")
    yield client.put_shop("lyo", max_length=12)
    yield client.get(f"/customers/{customer}/statement", query_string={"from": "2030-01-01"})
    yield client.get("/receivables/ageing", query_string={"as_of": "yesterday"})
    yield client.get("/payments", query_string={"limit": "5", "cursor": "nonsense"})
    yield client.get("/payments", query_string={"min_amount": "2", "max_amount": "1", "currency": "EUR"})
    yield client.get("/payments", query_string={"paid_from": "2026-02-01", "paid_to": "2026-01-01"})
    yield client.get("/payments/export.csv", query_string={"delimiter": "|"})
    yield client.get("/audit-events", role="admin", query_string={"at_from": "2026-02-01", "at_to": "2026-01-01"})
