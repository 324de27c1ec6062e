"""One damaged document of a customer stops no list, no statement and no ageing, and changes nothing for others.

Each field is tried with a third of the odd values; FINANCE_TEST_ODD_VALUES=all tries them all.
"""

import os
from typing import Any, NamedTuple
from zlib import crc32

import pytest
from bson import Decimal128

from finance.database import Db
from tests.clients import NOVEMBER, Client

ALL = os.environ.get("FINANCE_TEST_ODD_VALUES") == "all"
NUMBERS = (float("nan"), float("inf"), Decimal128("NaN"), Decimal128("1E+6000"), 2.5, [1], "x", None)
CODES = (5, b"x", ["x"], Decimal128("1"), None)
PLACES = ("x", None, [1], {}, float("nan"))
DAYS = (["x"], ["2026-11-02"], 5, None)
DAMAGES = {
    "payments": {
        "amount_minor": NUMBERS,
        "allocations.0.amount_minor": NUMBERS,
        "customer_code": CODES,
        "paid_on": DAYS,
        **dict.fromkeys(("allocations.0.since", "allocations.0.until", "allocations.1.place"), PLACES),
        "allocations.0.claim": (["x"], [[]], Decimal128("1"), None),
        "currency": (5, None, [None], {}),
        "allocations.0.state": ("x", None),
        "allocations.0.on": DAYS,
    },
    "invoices": {
        "total_minor": NUMBERS,
        "allocations.0.amount_minor": NUMBERS,
        "customer_code": CODES,
        "issued_on": DAYS,
        "allocations.0.claim": (["x"], None),
        "allocations.0.state": ("x", None),
        "currency": (5, [None], {}),
        "due_on": DAYS,
        "allocations.0.on": DAYS,
        "credits": (5, [{}], [{"total_minor": "x"}]),
    },
    "credit_notes": {
        "total_minor": NUMBERS,
        "allocations.0.amount_minor": NUMBERS,
        "customer_code": CODES,
        "issued_on": DAYS,
        **dict.fromkeys(("allocations.0.since", "allocations.0.place"), PLACES),
        "allocations.0.claim": (["x"], None),
        "currency": (5, [None], {}),
    },
}
LISTS = ("/payments", "/invoices", "/credit-notes")


class Stored(NamedTuple):
    """What the customers C1 and C2 have, and how the whole of it is read."""

    numbers: dict[str, str]
    reads: tuple[str, ...]
    changes: tuple[tuple[str, Any], ...]


@pytest.fixture
def client(db: Db) -> Client:
    client = Client(db, now=NOVEMBER)
    assert client.put_shop().status_code == 201
    return client


@pytest.fixture
def stored(client: Client) -> Stored:
    """C1 has an invoice that is paid and credited in parts; something of C2 is beside each of its documents."""
    ours, others = (client.post("/customers", json={"customer_name": name}).json["customer_code"] for name in "ab")
    invoice, second = (client.issue(customer_code=ours).json["invoice_number"] for _ in range(2))
    theirs = client.issue(customer_code=others).json["invoice_number"]
    parts = [{"invoice_number": invoice, "amount": "100.00"}]
    payment = client.pay("200.00", allocations=parts, customer_code=ours).json["payment_number"]
    for numbers in ([invoice, second], [theirs]):
        parts = [{"invoice_number": number, "amount": "10.00"} for number in numbers]
        path = f"/payments/{payment}/allocations?confirm_other_customer=true"
        assert client.post(path, json={"allocations": parts}).status_code == 200
    credit = {"reason": "too much", "lines": [{"description": "Work", "unit_price": "50"}]}
    note = client.post(f"/invoices/{invoice}/credit-notes", json=credit).json["credit_note_number"]
    client.post(f"/invoices/{theirs}/credit-notes", json=credit)
    client.post(f"/credit-notes/{note}/release", json={"invoice_number": invoice, "amount": "20", "reason": "no"})
    client.pay("7.00", customer_code=others)
    named = {"payments": payment, "invoices": invoice, "credit_notes": note}
    reads = (
        *("/payments", f"/payments/{payment}", "/payments?unallocated=true", f"/customers/{ours}/payments"),
        *("/payments/export.csv", "/invoices", f"/invoices/{invoice}", "/invoices/export.csv"),
        *("/credit-notes", f"/credit-notes/{note}", f"/customers/{ours}/statement?currency=EUR"),
        *(f"/customers/{ours}/statement?currency=EUR&limit=1", f"/customers/{ours}/statement"),
        *("/receivables/ageing.csv?currency=EUR", f"/customers/{ours}/statement.csv?currency=EUR"),
        *("/receivables/ageing?currency=EUR", f"/customers/{others}/statement?currency=EUR"),
    )
    one = {"allocations": [{"invoice_number": second, "amount": "1.00"}]}
    back = {"invoice_number": invoice, "amount": "1.00", "reason": "no"}
    rest = {"amount": "1000.00", "currency": "EUR", "payer": "Zoë", "method": "card", "customer_code": ours}
    rest["allocations"] = [{"invoice_number": invoice, "amount": "1000.00"}]
    changes = (
        *((f"/payments/{payment}/allocations", one), (f"/payments/{payment}/release", back)),
        *((f"/credit-notes/{note}/allocations", one), (f"/credit-notes/{note}/release", back)),
        *(("/payments", rest), (f"/invoices/{invoice}/credit-notes", credit)),
        *((f"/payments/{payment}/void", {"reason": "no"}), (f"/invoices/{invoice}/cancel", {"reason": "no"})),
    )
    return Stored(named, reads, changes)


def number_field(collection: str) -> str:
    return f"{collection.removesuffix('s')}_number"


def rows(client: Client, path: str) -> Any:
    """Return the rows of a list, or None where it isn't answered."""
    answer = client.get(path)
    if answer.status_code != 200:
        return None
    return [] if answer.json is None else answer.json.get("data", answer.json.get("lines", []))


def met(client: Client, stored: Stored, others: Any, *, shares: bool) -> list[str]:
    """Return what of one damage stops something, or changes it for others."""
    found = [path for path in stored.reads if rows(client, path) is None]
    found += [path for path in LISTS if len(rows(client, path) or ()) < len(others[path])]
    if not shares:
        ageing, statement = stored.reads[-2:]
        found += [] if others[ageing][-1] in (rows(client, ageing) or ()) else [ageing]
        found += [] if others[statement] == rows(client, statement) else [statement]
    for path, body in stored.changes:
        answer = client.post(path, json=body)
        found += [path] if answer.status_code >= 500 else []
    return found


@pytest.mark.parametrize("collection", DAMAGES)
def test_one_damaged_document_stops_nothing(client: Client, stored: Stored, collection: str) -> None:
    others = {path: rows(client, path) for path in (*LISTS, *stored.reads)}
    documents = client.db[collection]
    whole = documents.find_one({number_field(collection): stored.numbers[collection]})
    kept = {name: list(client.db[name].find()) for name in DAMAGES}
    stopped = []
    for field, values in DAMAGES[collection].items():
        for value in values if ALL else values[crc32(field.encode()) % 3 :: 3]:
            documents.update_one({"_id": whole["_id"]}, {"$set": {field: value}})
            # C1's payment pays an invoice of C2, which is another matter.
            stopped += [(field, value, what) for what in met(client, stored, others, shares=collection == "payments")]
            for name, before in kept.items():
                client.db[name].delete_many({})
                client.db[name].insert_many(before)
    assert stopped == [], "\n".join(map(str, stopped))
