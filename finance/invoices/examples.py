"""Invoices, credit notes and sequences as the OpenAPI document shows them."""

from typing import Any

from finance.edge.examples import AT, CREATED, ID, change, entry, page

NEW_INVOICE = {
    "shop": "dkr1",
    "customer_code": "CUST-000001",
    "due_on": "2026-12-20",
    "lines": [{"description": "Work in November", "quantity": "2", "unit_price": "500.00", "tax_rate": "18"}],
}
CANCEL = {"reason": "Issued to the wrong customer."}

_ISSUED: dict[str, Any] = {
    "id": ID,
    "shop": "dkr1",
    "period": "2026-11",
    "customer_code": "CUST-000001",
    "customer_name": None,
    "issued_on": "2026-11-20",
    "currency": "EUR",
    "lines": [
        {
            "description": "Work in November",
            "quantity": "2",
            "unit_price": "500.00",
            "tax_rate": "18",
            "discount": None,
            "net": "1000.00",
        }
    ],
    "taxes": [{"rate": "18", "net": "1000.00", "tax": "180.00"}],
    "total_net": "1000.00",
    "total_tax": "180.00",
    "total": "1180.00",
    **CREATED,
}
INVOICE = _ISSUED | {
    "invoice_number": "FAC-DKR1-202611-0001",
    "due_on": "2026-12-20",
    "amount_paid": "0.00",
    "outstanding": "1180.00",
    "notes": None,
    "status": "issued",
    "cancel_reason": None,
    "cancelled_at": None,
    "credit_note_number": None,
    "history": [],
}
PARTLY_PAID = INVOICE | {
    "amount_paid": "1000.00",
    "outstanding": "180.00",
    "status": "partly_paid",
    "history": [entry("paid", amount_paid=change("0.00", "1000.00")) | {"payment_number": "PAY20260001"}],
}
CANCELLED = INVOICE | {
    "outstanding": "0.00",
    "status": "cancelled",
    "cancel_reason": CANCEL["reason"],
    "cancelled_at": AT,
    "credit_note_number": "AV-DKR1-202611-0001",
    "history": [
        entry("cancelled", status=change("issued", "cancelled"), cancel_reason={"to": CANCEL["reason"]})
        | {"payment_number": None}
    ],
}
INVOICES = page(PARTLY_PAID)
SUMMARY = {
    "as_of": AT,
    "data": [
        {
            "currency": "EUR",
            "count": 1,
            "total_net": "1000.00",
            "total_tax": "180.00",
            "total": "1180.00",
            "amount_paid": "1000.00",
            "amount_credited": "0.00",
            "outstanding": "180.00",
            "overdue": "0.00",
        }
    ],
    "taxes": [
        {
            "month": "2026-11",
            "currency": "EUR",
            "rate": "18",
            "net_invoiced": "1000.00",
            "tax_invoiced": "180.00",
            "net_credited": "0.00",
            "tax_credited": "0.00",
            "net": "1000.00",
            "tax": "180.00",
        }
    ],
}
CREDIT_NOTE = _ISSUED | {
    "credit_note_number": "AV-DKR1-202611-0001",
    "invoice_number": "FAC-DKR1-202611-0001",
    "reason": CANCEL["reason"],
}
CREDIT_NOTES = page(CREDIT_NOTE)
SEQUENCES = {
    "data": [
        {
            "kind": "invoice",
            "period": "2026-11",
            "newest_number": "FAC-DKR1-202611-0001",
            "newest_issued_on": "2026-11-20",
            "newest_seq": 1,
            "count": 1,
            "taken_over": 0,
            "whole": True,
        }
    ]
}
