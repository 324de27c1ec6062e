"""What is left of payments: exactly what the list with `unallocated=true` comes to."""

from decimal import Decimal
from typing import Any

from finance.context import utc_now
from finance.database import Db
from finance.payments.rests import sum_unallocated
from tests.clients import NOVEMBER, Client, a_payment


def rests(db: Db, tenant: str = "acme") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in sum_unallocated(db, tenant=tenant, now=utc_now()).data]


def an_invoice(client: Client) -> str:
    settings = {"name": "Dakar", "timezone": "UTC", "currency": "EUR"}
    client.put("/shops/dkr1", role="admin", json=settings)
    client.post("/customers", json={"customer_name": "Ada"})
    line = {"description": "Work", "quantity": "1", "unit_price": "100.00", "tax_rate": "0"}
    posted = {"shop": "dkr1", "customer_code": "CUST-000001", "lines": [line]}
    return str(client.post("/invoices", json=posted).json["invoice_number"])


def test_nothing_recorded_leaves_nothing(db: Db) -> None:
    assert rests(db) == []


def test_it_is_what_the_list_shows_by_currency_and_direction(db: Db) -> None:
    client = Client(db, now=NOVEMBER)
    number = an_invoice(client)
    given = [{"invoice_number": number, "amount": "30.00"}]
    whole = [{"invoice_number": number, "amount": "12.50"}]
    for changes in (
        {"amount": "50.10", "customer_code": "CUST-000001", "allocations": given},
        {"customer_code": "CUST-000001", "allocations": whole},
        {"amount": "9999999999999.99"},
        {"amount": "9999999999999.99"},
        {"currency": "KWD", "amount": "1.005"},
        {"direction": "outgoing", "amount": "0.01"},
    ):
        assert client.post("/payments", json=a_payment(**changes)).status_code == 201
    voided = client.post("/payments", json=a_payment()).json["payment_number"]
    client.post(f"/payments/{voided}/void", json={"reason": "Twice"})
    client.post("/payments", json=a_payment(), tenant="zeta")

    listed: dict[tuple[str, str], Decimal] = {}
    for row in client.get("/payments?unallocated=true").json["data"]:
        key = (row["currency"], row["direction"])
        listed[key] = listed.get(key, Decimal(0)) + Decimal(row["unallocated"])

    assert rests(db) == [
        ("EUR", "incoming", 3, "20000000000020.08"),
        ("EUR", "outgoing", 1, "0.01"),
        ("KWD", "incoming", 1, "1.005"),
    ]
    assert {row[:2]: Decimal(row[3]) for row in rests(db)} == listed


def test_what_cannot_be_read_counts_without_a_sum(db: Db) -> None:
    client = Client(db)
    client.post("/payments", json=a_payment())
    odd = {"tenant": "acme", "status": "recorded", "direction": "incoming"}
    db.payments.insert_many(
        [
            {**odd, "payment_number": "A", "currency": "EUR", "amount_minor": "many"},
            {**odd, "payment_number": "B", "currency": 7, "amount_minor": 100, "allocations": "none"},
        ]
    )
    assert rests(db) == [
        ("EUR", "incoming", 1, "12.50"),
        ("EUR", "incoming", 1, None),
        (None, "incoming", 1, None),
    ]


def test_an_index_leads_to_those_with_something_left(db: Db) -> None:
    db.payments.insert_many(
        [
            {"tenant": "acme", "payment_number": f"P{n}", "amount_minor": 5, "number_year": 2021, "number_seq": n}
            | ({"fully_allocated_on": "2021-03-01"} if n > 3 else {})
            for n in range(1, 200)
        ]
    )
    db.command("profile", 2)
    sum_unallocated(db, tenant="acme", now=utc_now())
    db.command("profile", 0)
    (asked,) = db.system.profile.find({"ns": f"{db.name}.payments"})
    assert asked["docsExamined"] < 20
