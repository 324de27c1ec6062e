"""Shops as the OpenAPI document shows them."""

from typing import Any

from finance.edge.examples import CREATED

SETTINGS = {"name": "Dakar 1", "timezone": "Africa/Dakar", "currency": "EUR"}
SHOP: dict[str, Any] = SETTINGS | {
    "shop": "dkr1",
    "max_length": 30,
    "issue_ahead_days": 1,
    "applies_from": None,
    "history": [],
    **CREATED,
    "invoice_format": "FAC-{shop}-{year}{month}-{number:04}",
    "credit_note_format": "AV-{shop}-{year}{month}-{number:04}",
    "reset": "month",
    "fiscal_year_start_month": 1,
}
SHOPS = {"data": [SHOP]}
