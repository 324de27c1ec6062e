"""Every page that a GET shows, on data that is as odd as data is: what holds for all pages is asked of these."""

import json
from typing import Any

from tests.clients import Verbs

LONG_PAYER = "Établissements Müller-Ångström & Fils " + "Société à responsabilité limitée de longue dénomination " * 3
PAYERS = (
    LONG_PAYER[:200],
    "x" * 200,
    '<script>alert("1")</script>',
    "חברת התשלומים בעברית בע״מ",
    "شركة المدفوعات العربية",
    "🦊 Fox & Söhne",
    "Bharat Textiles Ltd",
)
RUPEES = "1234567890123.45"


def seeded(client: Verbs) -> list[str]:
    """Store some of everything, and return the addresses of the pages about it."""
    client.put_shop()
    payments = [_payment(client, payer=payer, reference=f"VIR {number}") for number, payer in enumerate(PAYERS)]
    payments.append(_payment(client, amount=RUPEES, currency="INR", method="upi", payer=PAYERS[0]))
    payments.append(_payment(client, direction="outgoing", amount="0.05"))
    client.post(f"/payments/{payments[-1]}/void", role="accountant", json={"reason": "Twice"})
    customers = [_customer(client, payer) for payer in PAYERS[:4]]
    invoices = [_invoice(client, customer_code=code, customer_name=None) for code in customers]
    invoices.append(_invoice(client, currency="INR", customer_name=PAYERS[4], lines=_lines("98765432101.50")))
    paying = {"allocations": [{"invoice_number": invoices[0], "amount": "400.00"}], "customer_code": customers[0]}
    paid = _payment(client, amount="1250.50", **paying)
    credit = {"reason": PAYERS[1], "lines": _lines("100.00")}
    note = _json(client.post(f"/invoices/{invoices[1]}/credit-notes", role="accountant", json=credit))
    client.post(f"/invoices/{invoices[2]}/cancel", role="accountant", json={"reason": "Wrong"})
    return [
        *("/overview", "/help", "/find?q=x", "/sign-out"),
        "/payments",
        "/payments?currency=EUR&paid_from=2026-03-01&min_amount=1.00&limit=25",
        "/payments?columns=" + ",".join(ALL_COLUMNS),
        "/payments?payer=nobody",
        "/payments/totals",
        "/payments/new",
        *(f"/payments/{number}" for number in (payments[0], payments[-2], payments[-1], paid)),
        *(f"/payments/{paid}/{change}" for change in ("edit", "void", "allocate", f"release?invoice={invoices[0]}")),
        *("/invoices", "/invoices?status=issued", "/invoices/new"),
        *(f"/invoices/{number}" for number in (invoices[0], invoices[1], invoices[2], invoices[-1])),
        f"/invoices/{invoices[3]}/cancel",
        f"/invoices/{invoices[0]}/credit",
        *("/credit-notes", f"/credit-notes/{note['credit_note_number']}"),
        *("/customers", "/customers/new", f"/customers/{customers[0]}", f"/customers/{customers[1]}"),
        *(f"/customers/{customers[0]}/{page}" for page in ("edit", "deactivate", "statement")),
        *("/receivables", "/receivables?currency=EUR"),
        *("/numbers", "/numbers/payment/2026", "/numbers/customer", "/imports", "/imports/new"),
        f"/credit-notes/{note['credit_note_number']}/refund",
        *(
            "/keys",
            "/keys/new",
            "/shops",
            "/shops/new",
            "/shops/par",
            "/shops/par/edit",
            "/activity",
            "/invoices/totals",
        ),
    ]


ALL_COLUMNS = (
    *("payment_number", "paid_on", "payer", "customer_code", "method", "reference", "direction", "amount"),
    *("unallocated", "status", "created_at", "created_by_name"),
)


def _payment(client: Verbs, **changes: Any) -> str:
    body = {"amount": "1250.50", "currency": "EUR", "payer": "Ada", "method": "bank_transfer", "paid_on": "2026-03-01"}
    return str(_json(client.post("/payments", role="accountant", json=body | changes))["payment_number"])


def _customer(client: Verbs, name: str) -> str:
    return str(_json(client.post("/customers", role="accountant", json={"customer_name": name}))["customer_code"])


def _invoice(client: Verbs, **invoice: Any) -> str:
    sent = {"shop": "par", "customer_name": "Zoë", "lines": _lines("1000.00"), **invoice}
    body = {name: value for name, value in sent.items() if value is not None}
    return str(_json(client.post("/invoices", role="accountant", json=body))["invoice_number"])


def _lines(unit_price: str) -> list[dict[str, str]]:
    return [{"description": PAYERS[0], "quantity": "1", "unit_price": unit_price, "tax_rate": "0"}]


def _json(answer: Any) -> Any:
    assert answer.status_code == 201, answer.text
    return json.loads(answer.text)
