"""Customers' forms for tests. Each has a PAN of its own, so that none is a possible duplicate of another."""

import itertools
from typing import Any

from finance.customers.checks import gst_check_digit

_places = itertools.count()


def pan(place: int | None = None) -> str:
    """Return a PAN that no other call has returned (or the one of `place`)."""
    number = next(_places) if place is None else place
    letters, digits = divmod(number, 10_000)
    return f"{chr(65 + letters // 26 % 26)}{chr(65 + letters % 26)}CPT{digits:04}K"


def gstin(of_pan: str, state: str = "27", entity: str = "1") -> str:
    first_14 = f"{state}{of_pan}{entity}Z"
    return first_14 + gst_check_digit(first_14)


def full_form(**fields: Any) -> dict[str, Any]:
    """Return a form with every field filled in."""
    own_pan = fields.get("pan_number") or pan()
    return {
        "customer_name": "Société Générale Ltd",
        "customer_category": "wholesale",
        "pan_number": own_pan,
        "contact_person": "Asha Rao",
        "email_address": "asha@example.com",
        "contact_number": "+91 22 2493 1234",
        "gst_details": [
            {
                "gstin": gstin(own_pan),
                "state": "Maharashtra",
                "registration_type": "regular",
                "address": "1 Road\nFort",
            },
            {"gstin": gstin(own_pan, "29"), "state": "Karnataka"},
        ],
        "products_services": [
            {"name": "Steel", "hsn_sac": "7208", "unit_price": "1250.50", "currency": "INR", "tax_rate": "18"}
        ],
        "tds": {"applicable": True, "section": "194C", "rate": "2", "tan_number": "PDES03028F"},
        "banking": [
            {
                "bank_name": "State Bank of India",
                "account_number": "30001234567890",
                "ifsc": "SBIN0000691",
                "branch": "Fort",
                "primary": True,
            },
            {"iban": "GB82WEST12345698765432", "primary": False},
        ],
        "terms_conditions": {"payment_terms_days": 30, "credit_limit": "0.00", "currency": "INR", "notes": "net 30"},
        **fields,
    }
