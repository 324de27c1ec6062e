"""Payments as the OpenAPI document shows them."""

from typing import Any

from finance.edge.examples import AT, CREATED, ID, change, entry, page

_TO_INVOICE = {"invoice_number": "FAC-DKR1-202611-0001", "amount": "1000.00"}
_ANSWERED_TO_INVOICE = {**_TO_INVOICE, "credit_note_number": None}
_REST = {"invoice_number": "FAC-DKR1-202611-0002", "amount": "250.50"}

NEW_PAYMENT = {
    "amount": "1250.50",
    "currency": "EUR",
    "payer": "Ada Lovelace",
    "method": "bank_transfer",
    "paid_on": "2026-11-20",
    "customer_code": "CUST-000001",
    "reference": "VIR 2026-881",
    "allocations": [_TO_INVOICE],
}
EDIT = {"note": "The rest follows in December."}
VOID = {"reason": "The bank took it back."}

PAYMENT: dict[str, Any] = {
    **NEW_PAYMENT,
    "id": ID,
    "payment_number": "PAY20260001",
    "direction": "incoming",
    "allocations": [_ANSWERED_TO_INVOICE],
    "allocated": "1000.00",
    "unallocated": "250.50",
    "note": None,
    "metadata": {},
    "status": "recorded",
    "void_reason": None,
    "voided_at": None,
    "previous_numbers": [],
    "history": [],
    **CREATED,
}
EDITED = PAYMENT | EDIT | {"history": [entry("edited", note=change(None, EDIT["note"]))]}
VOIDED = PAYMENT | {
    "status": "voided",
    "allocations": [],
    "allocated": "0.00",
    "unallocated": "0.00",
    "void_reason": VOID["reason"],
    "voided_at": AT,
    "history": [
        entry(
            "voided",
            status=change("recorded", "voided"),
            void_reason=change(None, VOID["reason"]),
            voided_at=change(None, AT),
        )
    ],
}
ALLOCATE = {"allocations": [_REST]}
_ANSWERED_REST = {**_REST, "credit_note_number": None}
ALLOCATED = PAYMENT | {
    "allocations": [_ANSWERED_TO_INVOICE, _ANSWERED_REST],
    "allocated": "1250.50",
    "unallocated": "0.00",
    "history": [
        entry("allocated", allocated=change("1000.00", "1250.50")) | {"allocations": [_ANSWERED_REST]},
    ],
}
RELEASE = {"invoice_number": "FAC-DKR1-202611-0001", "reason": "It was meant for another invoice."}
RELEASED = PAYMENT | {
    "allocations": [],
    "allocated": "0.00",
    "unallocated": "1250.50",
    "history": [
        entry("released", allocated=change("1000.00", "0.00"))
        | {"reason": RELEASE["reason"], "allocations": [_ANSWERED_TO_INVOICE]},
    ],
}
PAYMENTS = page(PAYMENT)
_TOTAL = {"currency": "EUR", "direction": "incoming", "status": "recorded", "count": 1, "total": "1250.50"}
SUMMARY = {"as_of": AT, "data": [_TOTAL | {"month": "2026-11"}], "totals": [_TOTAL]}
NEW_PAYMENTS = {"payments": [{name: value for name, value in NEW_PAYMENT.items() if name != "allocations"}]}
RECORDED = {"data": [PAYMENT | {"allocations": [], "allocated": "0.00", "unallocated": "1250.50"}]}
