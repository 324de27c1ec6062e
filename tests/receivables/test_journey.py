"""Whatever is done to invoices and payments, statements and the ageing agree with what the documents themselves say."""

import random
from typing import Any

import pytest

from finance.database import Db
from tests.clients import NOVEMBER, Client

CUSTOMERS = ("CUST-A", "CUST-B")
DAYS = [f"2026-{month:02}-15" for month in range(1, 12)]
STEPS = 60

pytestmark = pytest.mark.journey


class Office:
    """An accountant who does whatever comes up; what is refused changes nothing."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client, self.chance = client, random.Random(seed)
        self.invoices: list[str] = []
        self.payments: list[str] = []
        self.done = 0

    def step(self) -> None:
        act = self.chance.choice(
            [
                self.issue,
                self.issue,
                self.record,
                self.record,
                self.allocate,
                self.allocate,
                self.release,
                self.void,
                self.cancel,
            ]
        )
        act()

    def issue(self) -> None:
        line = {"description": "Work", "unit_price": f"{self.chance.randint(1, 90)}.{self.chance.randint(10, 99)}"}
        # A series is chronological, so each day has a shop of its own.
        day = self.chance.choice(DAYS)
        answer = self.post(
            "/invoices", shop=f"s{day[5:7]}", issued_on=day, lines=[line], customer_name="Zoë", **self.customer()
        )
        self.invoices.append(answer.json["invoice_number"])

    def record(self) -> None:
        body: dict[str, Any] = {"amount": f"{self.chance.randint(1, 150)}.50", "currency": "EUR", "payer": "Zoë"}
        if self.invoices and self.chance.random() < 0.5:
            named = self.chance.sample(self.invoices, min(len(self.invoices), self.chance.randint(1, 2)))
            body["allocations"] = [{"invoice_number": number, "amount": "5.00"} for number in named]
        path = "/payments?confirm_other_customer=true"
        answer = self.post(path, method="card", paid_on=self.chance.choice(DAYS), **body, **self.customer())
        if answer.status_code == 201:
            self.payments.append(answer.json["payment_number"])

    def allocate(self) -> None:
        if self.payments and self.invoices:
            part = {"invoice_number": self.chance.choice(self.invoices), "amount": f"{self.chance.randint(1, 40)}.25"}
            path = f"/payments/{self.chance.choice(self.payments)}/allocations?confirm_other_customer=true"
            self.post(path, allocations=[part])

    def release(self) -> None:
        if self.payments:
            payment = self.client.get(f"/payments/{self.chance.choice(self.payments)}").json
            for allocation in payment["allocations"][:1]:
                amount = self.chance.choice([{}, {"amount": "1.00"}])
                body = {"invoice_number": allocation["invoice_number"], "reason": "Meant for another.", **amount}
                self.post(f"/payments/{payment['payment_number']}/release", **body)

    def void(self) -> None:
        if self.payments and self.chance.random() < 0.3:
            self.post(f"/payments/{self.chance.choice(self.payments)}/void", reason="It bounced.")

    def cancel(self) -> None:
        if self.invoices and self.chance.random() < 0.5:
            self.post(f"/invoices/{self.chance.choice(self.invoices)}/cancel", reason="It was wrong.")

    def customer(self) -> dict[str, str]:
        code = self.chance.choice([*CUSTOMERS, None])
        return {} if code is None else {"customer_code": code}

    def post(self, path: str, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code in (200, 201, 409, 422), answer.text
        self.done += answer.status_code < 300
        return answer


@pytest.mark.parametrize("seed", [1])
def test_statements_and_ageing_agree_with_the_documents_after_whatever_is_done(db: Db, seed: int) -> None:
    client = Client(db, now=NOVEMBER)
    for day in DAYS:
        shop = {"name": "Dakar", "timezone": "UTC", "currency": "EUR"}
        assert client.put(f"/shops/s{day[5:7]}", role="admin", json=shop).status_code == 201
    for code in CUSTOMERS:
        assert client.put(f"/customers/{code}", json={"customer_name": code}).status_code == 201
    office = Office(client, seed)
    for _step in range(STEPS):
        office.step()
    assert office.done > STEPS / 3

    invoices = client.get("/invoices?limit=200").json["data"]
    payments = [row for row in client.get("/payments?limit=200").json["data"] if row["status"] == "recorded"]
    ageing = rows(client, "2027-12-31")
    for code in (*CUSTOMERS, None):
        outstanding = sum(minor(row["outstanding"]) for row in invoices if row["customer_code"] == code)
        unallocated = sum(minor(row["unallocated"]) for row in payments if row["customer_code"] == code and code)
        assert minor(ageing[code]["outstanding"]) == outstanding
        assert minor(ageing[code]["unallocated_credit"]) == unallocated
    for day in [*DAYS[::3], "2027-12-31"]:
        ageing = rows(client, day)
        for code in CUSTOMERS:
            statement = client.get(f"/customers/{code}/statement?to={day}&limit=500&currency=EUR").json
            assert statement["closing_balance"] == ageing.get(code, {"balance": "0.00"})["balance"]
            lines = [minor(line["debit"] or "0") - minor(line["credit"] or "0") for line in statement["lines"]]
            assert sum(lines) == minor(statement["closing_balance"])


def rows(client: Client, day: str) -> dict[str | None, Any]:
    answer = client.get(f"/receivables/ageing?as_of={day}&currency=EUR")
    return {row["customer_code"]: row for row in answer.json["data"]}


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))
