"""Customers as the OpenAPI document shows them."""

from typing import Any

from finance.edge.examples import AT, CREATED, ID, UPDATED, change, entry, page

FORM: dict[str, Any] = {
    "customer_name": "Bharat Textiles Ltd",
    "customer_category": "wholesale",
    "pan_number": "AAAPL1234C",
    "contact_person": "Asha Rao",
    "email_address": "asha@example.com",
    "contact_number": "+91 22 2493 1234",
    "gst_details": [{"gstin": "27AAAPL1234C1ZE", "state": "Maharashtra", "registration_type": "regular"}],
    "products_services": [
        {"name": "Steel", "hsn_sac": "7208", "unit_price": "1250.50", "currency": "INR", "tax_rate": "18"}
    ],
    "tds": {"applicable": True, "section": "194C", "rate": "2"},
    "banking": [
        {
            "bank_name": "State Bank of India",
            "account_number": "30001234567890",
            "ifsc": "SBIN0000691",
            "primary": True,
        }
    ],
    "terms_conditions": {"payment_terms_days": 30, "credit_limit": "500000.00", "currency": "INR"},
}
FOUND = {
    "data": [
        {name: FORM[name] for name in ("customer_name", "customer_category", "contact_person")}
        | {"customer_code": "CUST-000001"}
    ]
}
SEARCH = {"pan_number": FORM["pan_number"]}
SAVED_FORM = FORM | {"contact_person": "Meera Rao"}
DEACTIVATE = {"reason": "Closed its business."}
ACTIVATE = {"reason": "Opened again."}
ERASE = {"reason": "Asked to be forgotten."}

CUSTOMER = FORM | {
    "id": ID,
    "customer_code": "CUST-000001",
    "status": "active",
    "status_reason": None,
    "erased_at": None,
    "version": 1,
    **CREATED,
    **UPDATED,
    "history": [],
}
SAVED = CUSTOMER | {
    "contact_person": "Meera Rao",
    "version": 2,
    "history": [entry("saved", contact_person=change("Asha Rao", "Meera Rao"))],
}
_DEACTIVATION = DEACTIVATE | entry(
    "deactivated", status=change("active", "inactive"), status_reason=change(None, DEACTIVATE["reason"])
)
_ACTIVATION = ACTIVATE | entry(
    "activated",
    status=change("inactive", "active"),
    status_reason=change(DEACTIVATE["reason"], ACTIVATE["reason"]),
)
DEACTIVATED = CUSTOMER | {
    "status": "inactive",
    "status_reason": DEACTIVATE["reason"],
    "version": 2,
    "history": [_DEACTIVATION],
}
ACTIVATED = CUSTOMER | {
    "status_reason": ACTIVATE["reason"],
    "version": 3,
    "history": [_DEACTIVATION, _ACTIVATION],
}
ERASED = {
    **dict.fromkeys(FORM),
    "gst_details": [],
    "products_services": [],
    "banking": [],
    "id": ID,
    "customer_code": "CUST-000001",
    "status": "erased",
    "status_reason": ERASE["reason"],
    "erased_at": AT,
    "version": 2,
    **CREATED,
    **UPDATED,
    "history": [ERASE | entry("erased")],
}
_LISTED = {name: member for name, member in CUSTOMER.items() if name != "history"}
CUSTOMERS = page(
    _LISTED
    | {
        "pan_number": "******234C",
        "gst_details": [FORM["gst_details"][0] | {"gstin": "***********C1ZE"}],
        "banking": [FORM["banking"][0] | {"account_number": "**********7890"}],
    }
)
CODE = {"customer_code": "CUST-000002"}
