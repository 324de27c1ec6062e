"""A tenant's money, as tests move it and look at it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.clients import Client


class Ledger:
    """What a test does with a tenant's money, a line each."""

    def __init__(self, app: Client) -> None:
        self.app = app

    def customer(self) -> str:
        return str(self.app.post("/customers", json={"customer_name": "Zoë"}).json["customer_code"])

    def invoice(self, **invoice: Any) -> str:
        """Issue an invoice over 1000.00 and return its number."""
        return str(self.app.issue(**invoice).json["invoice_number"])

    def payment(self, amount: str = "1000.00", **payment: Any) -> str:
        answer = self.app.pay(amount, **payment)
        assert answer.status_code == 201, answer.text
        return str(answer.json["payment_number"])

    def shown(self, payment_number: str) -> Any:
        return self.app.get(f"/payments/{payment_number}").json

    def allocate(self, payment_number: str, *given: tuple[str, str], key: str | None = None, query: str = "") -> Any:
        """Allocate (invoice or credit note, amount) of a payment."""
        named = [{_field_of(number): number, "amount": amount} for number, amount in given]
        return self.app.post(f"/payments/{payment_number}/allocations{query}", key=key, json={"allocations": named})

    def release(self, payment_number: str, number: str, amount: str | None = None, *, key: str | None = None) -> Any:
        body = {_field_of(number): number, "reason": "wrong one"} | ({} if amount is None else {"amount": amount})
        return self.app.post(f"/payments/{payment_number}/release", key=key, json=body)

    def void(self, payment_number: str, *, key: str | None = None) -> Any:
        return self.app.post(f"/payments/{payment_number}/void", key=key, json={"reason": "bounced"})

    def require_right(self) -> None:
        """Fail unless payments and what they pay agree, as they are shown, and nobody has more than there is."""
        given: dict[str, Decimal] = {}
        for stored in self.app.db.payments.find({}, {"payment_number": True}):
            payment = self.shown(stored["payment_number"])
            amounts = [Decimal(allocation["amount"]) for allocation in payment["allocations"]]
            assert Decimal(payment["allocated"]) == sum(amounts)
            left = Decimal(payment["unallocated"])
            assert left >= 0
            assert left == (0 if payment["status"] == "voided" else Decimal(payment["amount"]) - sum(amounts))
            for allocation, amount in zip(payment["allocations"], amounts, strict=True):
                number = allocation["invoice_number"] or allocation["credit_note_number"]
                given[number] = given.get(number, Decimal(0)) + amount
        for stored in self.app.db.invoices.find({}, {"invoice_number": True}):
            invoice = self.app.invoice(stored["invoice_number"])
            paid = given.get(invoice["invoice_number"], Decimal(0))
            assert Decimal(invoice["amount_paid"]) == paid
            assert Decimal(invoice["outstanding"]) == Decimal(invoice["total"]) - paid >= 0
            assert invoice["status"] == {0: "issued", 1000: "paid"}.get(int(paid), "partly_paid")

    def credit_note(self, total_minor: int = 100_000, **changes: Any) -> str:
        """Store a credit note of which nothing is allocated, and return its number."""
        seq = self.app.db.credit_notes.count_documents({}) + 1
        number = f"AV-PAR-202611-{seq:04}"
        self.app.db.credit_notes.insert_one(
            {
                "tenant": "acme",
                "credit_note_number": number,
                "invoice_number": f"elsewhere-{seq}",
                "shop": "par",
                "period": "2026-11",
                "number_seq": seq,
                "issued_on": "2026-11-18",
                "currency": "EUR",
                "total_minor": total_minor,
                "lines": [],
                "taxes": [],
                "allocations": [],
                "history": [],
                "created_at": datetime(2026, 11, 18, tzinfo=UTC),
                "created_by": "tests",
                **changes,
            }
        )
        return number


def _field_of(number: str) -> str:
    return "credit_note_number" if number.startswith("AV-") else "invoice_number"
