"""Statements and the ageing as the OpenAPI document shows them."""

from finance.edge.examples import page

STATEMENT = {
    "customer_code": "CUST-000001",
    "customer_name": "Bharat Textiles Ltd",
    "currency": "EUR",
    "from": "2026-11-20",
    "to": "2026-11-20",
    "opening_balance": "0.00",
    "lines": [
        {
            "date": "2026-11-20",
            "kind": "invoice",
            "number": "FAC-DKR1-202611-0001",
            "debit": "1180.00",
            "credit": None,
            "balance": "1180.00",
        },
        {
            "date": "2026-11-20",
            "kind": "payment",
            "number": "PAY20260001",
            "debit": None,
            "credit": "1250.50",
            "balance": "-70.50",
        },
    ],
    "closing_balance": "-70.50",
    "has_more": False,
    "next_cursor": None,
}
_AMOUNTS = {
    "current": "180.00",
    "days_1_30": "0.00",
    "days_31_60": "0.00",
    "days_61_90": "0.00",
    "days_over_90": "0.00",
    "outstanding": "180.00",
    "unallocated_credit": "250.50",
    "balance": "-70.50",
}
AGEING = {
    "as_of": "2026-11-20",
    "currency": "EUR",
    **page({"customer_code": "CUST-000001", "customer_name": "Bharat Textiles Ltd", **_AMOUNTS}),
    "total": _AMOUNTS,
}
