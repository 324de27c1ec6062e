"""Invoices, credit notes and sequences as the OpenAPI document shows them."""

from typing import Any

from finance.edge.examples import AT, CREATED, ID, change, entry, page

NEW_INVOICE = {
    "shop": "dkr1",
    "customer_code": "CUST-000001",
    "due_on": "2026-12-20",
    "lines": [{"description": "Work in November", "quantity": "2", "unit_price": "500.00", "tax_rate": "18"}],
}
NEW_CREDIT_NOTE = {
    "reason": "One day less was worked.",
    "lines": [{"description": "Work in November", "unit_price": "200.00", "tax_rate": "18"}],
}
CANCEL = {"reason": "Issued to the wrong customer."}

_ISSUED: dict[str, Any] = {
    "id": ID,
    "shop": "dkr1",
    "period": "2026-11",
    "customer_code": "CUST-000001",
    "customer_name": "Bharat Textiles Ltd",
    "customer_address": None,
    "customer_gstin": "***********C1ZE",
    "customer_pan_number": None,
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
_OTHERS = {"payment_number": None, "credit_note_number": None}
INVOICE = _ISSUED | {
    "customer_gstin": "27AAAPL1234C1ZE",
    "invoice_number": "FAC-DKR1-202611-0001",
    "due_on": "2026-12-20",
    "amount_paid": "0.00",
    "amount_credited": "0.00",
    "outstanding": "1180.00",
    "notes": None,
    "status": "issued",
    "cancel_reason": None,
    "cancelled_at": None,
    "credit_note_number": None,
    "credit_note_numbers": [],
    "allocations": [],
    "history": [],
}
PARTLY_PAID = INVOICE | {
    "amount_paid": "1000.00",
    "outstanding": "180.00",
    "status": "partly_paid",
    "allocations": [{"payment_number": "PAY20260001", "credit_note_number": None, "amount": "1000.00"}],
    "history": [entry("paid", amount_paid=change("0.00", "1000.00")) | _OTHERS | {"payment_number": "PAY20260001"}],
}
_MASKED = {"customer_gstin": _ISSUED["customer_gstin"]}
CANCELLED = INVOICE | {
    **_MASKED,
    "outstanding": "0.00",
    "status": "cancelled",
    "cancel_reason": CANCEL["reason"],
    "cancelled_at": AT,
    "credit_note_number": "AV-DKR1-202611-0001",
    "credit_note_numbers": ["AV-DKR1-202611-0001"],
    "history": [
        entry("cancelled", status=change("issued", "cancelled"), cancel_reason={"to": CANCEL["reason"]}) | _OTHERS
    ],
}
INVOICES = page(PARTLY_PAID | _MASKED)
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
_TO_ITS_INVOICE = {"invoice_number": "FAC-DKR1-202611-0001", "payment_number": None, "amount": "180.00"}
CREDITED = _ISSUED | {
    "customer_gstin": INVOICE["customer_gstin"],
    "credit_note_number": "AV-DKR1-202611-0001",
    "invoice_number": "FAC-DKR1-202611-0001",
    "reason": NEW_CREDIT_NOTE["reason"],
    "lines": [_ISSUED["lines"][0] | {"quantity": "1", "unit_price": "200.00", "net": "200.00"}],
    "taxes": [{"rate": "18", "net": "200.00", "tax": "36.00"}],
    "total_net": "200.00",
    "total_tax": "36.00",
    "total": "236.00",
    "allocations": [_TO_ITS_INVOICE],
    "allocated": "180.00",
    "unallocated": "56.00",
    "history": [],
}
CREDIT_NOTE = _ISSUED | {
    "customer_gstin": INVOICE["customer_gstin"],
    "credit_note_number": "AV-DKR1-202611-0001",
    "invoice_number": "FAC-DKR1-202611-0001",
    "reason": CANCEL["reason"],
    "allocations": [_TO_ITS_INVOICE | {"amount": "1180.00"}],
    "allocated": "1180.00",
    "unallocated": "0.00",
    "history": [],
}
CREDIT_NOTES = page(CREDIT_NOTE | _MASKED)
_TO_ANOTHER = {"invoice_number": "FAC-DKR1-202611-0002", "amount": "50.00"}
ALLOCATE_CREDIT_NOTE = {"allocations": [_TO_ANOTHER]}
_GAVE = entry("allocated", allocated=change("180.00", "230.00")) | {
    "payment_number": None,
    "allocations": [_TO_ANOTHER | {"payment_number": None}],
}
ALLOCATED_CREDIT_NOTE = CREDITED | {
    **_MASKED,
    "allocations": [_TO_ITS_INVOICE, _TO_ANOTHER | {"payment_number": None}],
    "allocated": "230.00",
    "unallocated": "6.00",
    "history": [_GAVE],
}
RELEASE_CREDIT_NOTE = {"invoice_number": "FAC-DKR1-202611-0002", "reason": "It was for another invoice."}
RELEASED_CREDIT_NOTE = CREDITED | {
    **_MASKED,
    "history": [
        _GAVE,
        entry("released", allocated=change("230.00", "180.00"))
        | {
            "payment_number": None,
            "reason": RELEASE_CREDIT_NOTE["reason"],
            "allocations": [_TO_ANOTHER | {"payment_number": None}],
        },
    ],
}
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
            "capacity_left": 99_999_999_999_998,
            "nearly_full": False,
        }
    ]
}
