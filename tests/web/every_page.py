"""Every page that a GET shows, on data that is as odd as data is: what holds for all pages is asked of these."""

from typing import Any

from tests.clients import Client, Verbs

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
    payments = [_payment(client, payer=payer, reference=f"VIR {number}") for number, payer in enumerate(PAYERS)]
    payments.append(_payment(client, amount=RUPEES, currency="INR", method="upi", payer=PAYERS[0]))
    payments.append(_payment(client, direction="outgoing", amount="0.05"))
    client.post(f"/payments/{payments[-1]}/void", role="accountant", json={"reason": "Twice"})
    return [
        "/payments",
        "/payments?currency=EUR&paid_from=2026-03-01&min_amount=1.00&limit=25",
        "/payments?columns=" + ",".join(ALL_COLUMNS),
        "/payments?payer=nobody",
        "/payments/new",
        f"/payments/{payments[0]}",
        f"/payments/{payments[-2]}",
        f"/payments/{payments[-1]}",
        "/overview",
        "/numbers",
        "/numbers/payment/2026",
        "/sign-out",
    ]


ALL_COLUMNS = (
    *("payment_number", "paid_on", "payer", "customer_code", "method", "reference", "direction", "amount"),
    *("unallocated", "status", "created_at", "created_by_name"),
)


def _payment(client: Verbs, **changes: Any) -> str:
    body = {"amount": "1250.50", "currency": "EUR", "payer": "Ada", "method": "bank_transfer", "paid_on": "2026-03-01"}
    answer = client.post("/payments", role="accountant", json=body | changes)
    assert answer.status_code == 201, answer.text
    number = answer.json["payment_number"] if isinstance(client, Client) else answer.json()["payment_number"]
    return str(number)
