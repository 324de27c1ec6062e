"""What invoices come to, and what a VAT return needs: the same that a reader of the whole lists would add up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from finance.database import Db
from finance.invoices import summary_store
from tests.clients import NOVEMBER, Client
from tests.invoices.test_store import stages_of

AMOUNTS = ("total_net", "total_tax", "total", "amount_paid", "outstanding")


def line(price: str, rate: str) -> dict[str, str]:
    return {"description": "Work", "quantity": "1", "unit_price": price, "tax_rate": rate}


@pytest.fixture
def client(db: Db) -> Client:
    found = Client(db, now=NOVEMBER)
    found.put_shop()
    found.put_shop("dkr", currency="XOF", timezone="Africa/Dakar")
    return found


def issue(client: Client, *lines: dict[str, str], **invoice: Any) -> str:
    answer = client.issue(lines=list(lines), **invoice)
    assert answer.status_code == 201, answer.text
    return str(answer.json["invoice_number"])


def summary(client: Client, query: str = "") -> Any:
    answer = client.get(f"/invoices/summary?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def everything(client: Client, path: str, query: str) -> list[Any]:
    page = client.get(f"{path}?limit=200&{query}").json
    assert not page["has_more"]
    return list(page["data"])


def test_it_shows_totals_and_a_vat_return(client: Client) -> None:
    issue(client, line("100.00", "20"), line("50.00", "5.5"), issued_on="2026-10-05", due_on="2026-11-01")
    cancelled = issue(client, line("30.00", "20"), issued_on="2026-10-06")
    paid = issue(client, line("10.00", "20"), issued_on="2026-11-02", due_on="2026-11-30")
    client.post(f"/invoices/{cancelled}/cancel", json={"reason": "wrong"})
    client.pay_invoices([paid], "5.00")

    found = summary(client)

    assert found == {
        "as_of": "2026-11-20T12:00:00Z",
        "data": [
            {
                "currency": "EUR",
                "count": 3,
                "total_net": "190.00",
                "total_tax": "30.75",
                "total": "220.75",
                "amount_paid": "5.00",
                "amount_credited": found["data"][0]["amount_credited"],
                "outstanding": "179.75",
                "overdue": "172.75",
            }
        ],
        "taxes": found["taxes"],
    }
    assert found["taxes"] == [
        _tax("2026-10", "5.5", ("50.00", "2.75"), ("0.00", "0.00"), ("50.00", "2.75")),
        _tax("2026-10", "20", ("130.00", "26.00"), ("0.00", "0.00"), ("130.00", "26.00")),
        _tax("2026-11", "20", ("10.00", "2.00"), ("30.00", "6.00"), ("-20.00", "-4.00")),
    ]


def _tax(month: str, rate: str, *amounts: tuple[str, str]) -> dict[str, Any]:
    names = ("invoiced", "credited", "")
    row: dict[str, Any] = {"month": month, "currency": "EUR", "rate": rate}
    for name, (net, tax) in zip(names, amounts, strict=True):
        row |= {f"net_{name}".rstrip("_"): net, f"tax_{name}".rstrip("_"): tax}
    return row


QUERIES = [
    "",
    "shop=par",
    "currency=XOF",
    "issued_from=2026-10-15",
    "issued_to=2026-10-31&shop=par",
    "status=cancelled",
    "status=partly_paid&currency=EUR",
    "due_from=2026-11-01&due_to=2026-11-30",
    "idempotency_key=k3",
    "customer_code=CUST-000001",
]


def test_it_is_what_the_lists_come_to_at_any_filter(client: Client) -> None:
    code = client.post("/customers", json={"customer_name": "Ada"}).json["customer_code"]
    for n in range(12):
        number = issue(
            client,
            line(f"{10 + n}", "20" if n % 2 else "18"),
            line("1", "5.5"),
            shop="dkr" if n % 3 == 0 else "par",
            issued_on=f"2026-{10 + n // 6}-{1 + n:02}",
            due_on=f"2026-11-{10 + n:02}",
            key=f"k{n}",
            **({"customer_code": code} if n % 4 == 0 else {}),
        )
        if n % 5 == 4:
            client.post(f"/invoices/{number}/cancel", json={"reason": "wrong"})
        elif n % 3 == 1:
            client.pay_invoices([number], "5.00")

    for query in QUERIES:
        _assert_is_what_the_lists_come_to(client, query)


def _assert_is_what_the_lists_come_to(client: Client, query: str) -> None:
    found = summary(client, query)
    invoices = everything(client, "/invoices", query)

    for row in found["data"]:
        of_currency = [invoice for invoice in invoices if invoice["currency"] == row["currency"]]
        assert row["count"] == len(of_currency)
        for name in AMOUNTS:
            assert Decimal(row[name]) == sum(Decimal(invoice[name]) for invoice in of_currency), name
        late = [Decimal(invoice["outstanding"]) for invoice in of_currency if invoice["due_on"] < "2026-11-20"]
        assert Decimal(row["overdue"]) == sum(late)
    assert sum(row["count"] for row in found["data"]) == len(invoices)
    assert _taxes(found["taxes"], "net_invoiced", "tax_invoiced") == _added_up(invoices)
    if {part.partition("=")[0] for part in query.split("&") if part} <= {
        "shop",
        "currency",
        "issued_from",
        "issued_to",
    }:
        notes = [note for note in client.get("/credit-notes?limit=200").json["data"] if _is_wanted(note, query)]
        assert _taxes(found["taxes"], "net_credited", "tax_credited") == _added_up(notes)
    elif query != "customer_code=CUST-000001":
        assert {row["net_credited"] for row in found["taxes"]} <= {None}
        assert {row["net"] for row in found["taxes"]} <= {None}


def _is_wanted(note: dict[str, Any], query: str) -> bool:
    wanted = dict(part.split("=") for part in query.split("&") if part)
    return (
        wanted.get("issued_from", "") <= note["issued_on"] <= wanted.get("issued_to", "9")
        and wanted.get("shop", note["shop"]) == note["shop"]
        and wanted.get("currency", note["currency"]) == note["currency"]
    )


def _added_up(documents: list[Any]) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    sums: dict[tuple[str, ...], tuple[Decimal, Decimal]] = {}
    for document in documents:
        for tax in document["taxes"]:
            key = (document["issued_on"][:7], document["currency"], tax["rate"])
            net, taxed = sums.get(key, (Decimal(0), Decimal(0)))
            sums[key] = (net + Decimal(tax["net"]), taxed + Decimal(tax["tax"]))
    return {key: found for key, found in sums.items() if any(found)}


def _taxes(rows: list[Any], net: str, tax: str) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    found = {
        (row["month"], row["currency"], row["rate"]): (Decimal(row[net] or 0), Decimal(row[tax] or 0)) for row in rows
    }
    return {key: amounts for key, amounts in found.items() if any(amounts)}


def invoice(seq: int, **changes: Any) -> dict[str, Any]:
    found = {
        "_id": ObjectId(),
        "tenant": "acme",
        "invoice_number": f"F{seq}",
        "shop": "par",
        "period": "2026-11",
        "number_seq": seq,
        "issued_on": "2026-11-01",
        "due_on": "2026-11-10",
        "currency": "EUR",
        "lines": [],
        "taxes": [{"rate": "20", "net_minor": 100, "tax_minor": 20}],
        "net_minor": 100,
        "tax_minor": 20,
        "total_minor": 120,
        "paid_minor": 0,
        "free_minor": 120,
        "allocations": [],
        "unsettled": False,
        "status": "issued",
        "history": [],
        "created_at": datetime(2026, 11, 1, tzinfo=UTC),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def test_sums_beyond_64_bits_are_exact(client: Client) -> None:
    largest = Int64(9_999_999_999_999_999)
    taxes = [{"rate": "20", "net_minor": largest, "tax_minor": largest}]
    client.db.invoices.insert_many([invoice(seq, total_minor=largest, taxes=taxes) for seq in range(1, 1_001)])

    found = summary(client)

    assert found["data"][0]["total"] == "99999999999999990.00"
    assert found["taxes"][0]["net_invoiced"] == "99999999999999990.00"


DAMAGED: list[dict[str, Any]] = [
    {"total_minor": None},
    {"total_minor": "120"},
    {"paid_minor": 1.5},
    {"net_minor": Decimal128("1")},
    {"tax_minor": [1]},
    {"taxes": None},
    {"taxes": "20"},
    {"taxes": [7, {"rate": 20, "net_minor": 1, "tax_minor": None}]},
    {"currency": "EURO"},
    {"currency": None},
    {"issued_on": 7},
    {"due_on": None},
    {"due_on": {"a": 1}},
    {"status": None},
]


def test_a_damaged_invoice_hides_nothing_and_is_counted(client: Client) -> None:
    for number, changes in enumerate(DAMAGED):
        tenant = f"t{number}"
        client.db.invoices.insert_many([invoice(seq, tenant=tenant) for seq in (1, 2)])
        client.db.invoices.insert_one(invoice(3, tenant=tenant, **changes))

        found = client.get("/invoices/summary", tenant=tenant).json

        assert sum(row["count"] for row in found["data"]) == 3, changes
        sound = [row for row in found["data"] if row["total"] is not None]
        assert Decimal(sound[0]["total"]) in (Decimal("2.40"), Decimal("3.60")), changes
        rates = [row for row in found["taxes"] if row["net"] is not None]
        assert sum(Decimal(row["net"]) for row in rates) in (Decimal("2.00"), Decimal("3.00")), changes


def test_each_part_is_read_by_an_index(client: Client) -> None:
    client.db.invoices.insert_many([invoice(seq) for seq in range(1, 50)])
    asked: list[tuple[str, list[Any]]] = []

    class Watched:
        def __init__(self, kind: str) -> None:
            self.kind = kind

        def aggregate(self, pipeline: list[Any]) -> list[Any]:
            asked.append((self.kind, pipeline))
            return []

    class WatchedDb(dict[str, Any]):
        invoices = Watched("invoices")

        def __missing__(self, kind: str) -> Watched:
            return Watched(kind)

    for filters in ({}, {"shop": "par"}, {"currency": "EUR", "issued_from": "2026-11-01"}, {"status": "paid"}):
        summary_store.group_invoices(WatchedDb(), tenant="acme", filters=filters, today="2026-11-20")  # type: ignore[arg-type]
        for kind in ("invoices", "credit_notes"):
            summary_store.group_taxes(WatchedDb(), kind=kind, tenant="acme", filters=filters)  # type: ignore[arg-type]
    assert len(asked) == 12
    for kind, pipeline in asked:
        command = {"aggregate": kind, "pipeline": pipeline, "cursor": {}}
        stages = stages_of(client.db.command("explain", command, verbosity="queryPlanner"))
        assert "IXSCAN" in stages or stages == ["EOF"], (kind, pipeline)
