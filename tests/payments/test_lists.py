"""Lists of payments: filters, orders, pages, and that each of them is served by an index."""

import csv
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from finance import database
from finance.config import Config
from finance.paging import position_of
from finance.payments import store
from finance.payments.model import ORDER_BY_SORT
from finance.payments.model import SORTS as ALL_SORTS
from tests.clients import Client
from tests.databases import new_name

TENANT = "lists"
SORTS = [sort for sort in ALL_SORTS if not sort.endswith("amount")]  # that one needs a currency
COUNT = 600


@pytest.fixture(scope="module")
def listed(mongodb_uri: str) -> Iterator[Client]:
    """A client on a database with 600 payments of one tenant, and as many of another."""
    db = database.connect(Config(mongodb_uri=mongodb_uri, database_name=new_name()))
    database.create_indexes(db)
    db.customers.insert_one({"tenant": TENANT, "customer_code": "CUST-000001", "status": "active"})
    documents = [_payment(tenant, seq) for tenant in (TENANT, "other") for seq in range(1, COUNT + 1)]
    db.payments.insert_many(documents)
    yield Client(db, Config())
    db.client.drop_database(db.name)
    db.client.close()


def _payment(tenant: str, seq: int) -> dict[str, Any]:
    year, number = 2025 + seq % 2, f"FAC-{seq % 40}"
    optional = {
        "customer_code": "CUST-000001" if seq % 50 == 0 else None,
        "reference": f"REF {seq // 10}" if seq % 5 == 0 else None,
        "idempotency_key": f"key-{seq}",
    }
    return {
        "_id": ObjectId(),
        "tenant": tenant,
        "payment_number": f"PAY{year}{seq:04}",
        "number_year": year,
        "number_seq": seq,
        "amount_minor": seq * 100,
        "currency": "EUR" if seq % 3 else "JPY",
        "payer": f"Élodie {seq % 7}",
        "payer_folded": f"elodie {seq % 7}",
        "method": "card" if seq % 4 else "upi",
        "direction": "incoming" if seq % 10 else "outgoing",
        "paid_on": f"{year}-0{seq % 9 + 1}-15",
        "status": "voided" if seq % 20 == 0 else "recorded",
        "previous_numbers": [f"OLD{seq}"] if seq % 100 == 0 else [],
        "history": [],
        # Many of the same instant, as group commit makes them.
        "created_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=seq // 7),
        "created_by": "key",
        **{name: value for name, value in optional.items() if value is not None},
        **_allocated(seq, number),
    }


def _allocated(seq: int, invoice_number: str) -> dict[str, Any]:
    """Return what the payment gave: as it is stored today, as an earlier version stored it, and nothing."""
    entry = {"invoice_number": invoice_number, "amount_minor": seq * 100 - (seq % 2)}
    if seq % 7 == 0:
        return {"claim": f"claim-{seq}", "allocations": [entry]}
    if seq % 7 != 1:
        return {}
    state = {0: "settled", 1: "released"}[seq % 2] if seq % 3 else "settled"
    kept = entry["amount_minor"] if state == "settled" else 0
    return {
        "allocations": [{**entry, "claim": f"claim-{seq}", "state": state, "on": "2026-11-01", "since": 0}],
        "allocated_minor": kept,
        **({"fully_allocated_on": "2026-11-01"} if kept == seq * 100 else {}),
    }


FILTERS = {
    "status=voided": lambda p: p["status"] == "voided",
    "status=recorded": lambda p: p["status"] == "recorded",
    "currency=JPY": lambda p: p["currency"] == "JPY",
    "method=upi": lambda p: p["method"] == "upi",
    "direction=outgoing": lambda p: p["direction"] == "outgoing",
    "customer_code=CUST-000001": lambda p: p["customer_code"] == "CUST-000001",
    "payer=ELODIE%203": lambda p: p["payer"] == "Élodie 3",
    "payer=%C3%A9lodie": lambda p: True,
    "reference=REF%207": lambda p: p["reference"] == "REF 7",
    "previous_number=OLD300": lambda p: p["previous_numbers"] == ["OLD300"],
    "idempotency_key=key-77": lambda p: p["payment_number"].endswith("0077"),
    "paid_from=2025-03-15": lambda p: p["paid_on"] >= "2025-03-15",
    "paid_to=2025-03-15": lambda p: p["paid_on"] <= "2025-03-15",
    "paid_from=2025-03-15&paid_to=2025-05-15": lambda p: "2025-03-15" <= p["paid_on"] <= "2025-05-15",
    "currency=EUR&min_amount=100.00&max_amount=200.00": lambda p: (
        p["currency"] == "EUR" and 100 <= float(p["amount"]) <= 200
    ),
    "direction=incoming": lambda p: p["direction"] == "incoming",
    "invoice_number=FAC-7": lambda p: "FAC-7" in [part["invoice_number"] for part in p["allocations"]],
    "unallocated=true": lambda p: p["unallocated"] not in ("0.00", "0"),
    "unallocated=true&direction=outgoing&method=card": lambda p: (
        (p["direction"], p["method"]) == ("outgoing", "card") and p["unallocated"] not in ("0.00", "0")
    ),
    "status=voided&direction=outgoing&currency=EUR": lambda p: (
        (p["status"], p["direction"], p["currency"]) == ("voided", "outgoing", "EUR")
    ),
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_gives_exactly_what_it_says(listed: Client, query: str) -> None:
    everything = _walk(listed, "limit=200")
    wanted = [payment for payment in everything if FILTERS[query](payment)]

    found = _walk(listed, f"{query}&limit=200")

    assert wanted
    assert found == wanted


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", ["", "method=upi&", "status=voided&", "payer=elodie&"])
def test_pages_show_everything_once_and_in_order(listed: Client, sort: str, query: str) -> None:
    found = _walk(listed, f"{query}sort={sort}&limit=37")

    expected = [p for p in _walk(listed, "limit=200") if not query or FILTERS.get(query[:-1], lambda _p: True)(p)]
    name = sort.removeprefix("-")
    values = [(p["payment_number"][3:7], p["payment_number"]) if name == "payment_number" else p[name] for p in found]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert sorted(p["id"] for p in found) == sorted(p["id"] for p in expected)


@pytest.mark.parametrize("sort", ["amount", "-amount"])
@pytest.mark.parametrize("query", ["", "&method=upi", "&payer=elodie", "&unallocated=true"])
def test_the_order_by_amount_is_of_one_currency(listed: Client, sort: str, query: str) -> None:
    found = _walk(listed, f"currency=EUR{query}&sort={sort}&limit=37")

    amounts = [float(payment["amount"]) for payment in found]
    assert amounts == sorted(amounts, reverse=sort.startswith("-"))
    expected = _walk(listed, f"currency=EUR{query}&limit=200")
    assert sorted(p["id"] for p in found) == sorted(p["id"] for p in expected)
    refused = listed.get(f"/payments?sort={sort}", tenant=TENANT)
    assert (refused.status_code, refused.json["errors"][0]["parameter"]) == (422, "sort")


@pytest.mark.parametrize("query", ["unallocated=true", "invoice_number=FAC-7", "currency=EUR&sort=-amount"])
def test_an_export_has_what_the_list_has(listed: Client, query: str) -> None:
    exported = listed.get(f"/payments/export.csv?{query}", tenant=TENANT).text.removeprefix("\ufeff")
    rows = list(csv.DictReader(exported.splitlines()))

    shown = _walk(listed, f"{query}&limit=200" + ("" if "sort" in query else "&sort=payment_number"))
    names = ("payment_number", "allocated", "unallocated")
    assert [[row[name] for name in names] for row in rows] == [[one[name] for name in names] for one in shown]


def test_the_newest_number_comes_first_by_default(listed: Client) -> None:
    page = listed.get("/payments?limit=3", tenant=TENANT).json

    assert [payment["payment_number"] for payment in page["data"]] == ["PAY20260599", "PAY20260597", "PAY20260595"]
    assert page["has_more"] is True


def test_order_is_by_the_integer_past_9999(client: Client) -> None:
    client.db.counters.insert_one({"_id": "payment:acme:2026", "seq": 9997})
    for _ in range(5):
        client.post(
            "/payments",
            json={"amount": "1", "currency": "EUR", "payer": "P", "method": "card", "paid_on": "2026-01-01"},
        )

    numbers = [payment["payment_number"] for payment in client.get("/payments?sort=payment_number").json["data"]]

    assert numbers == ["PAY20269998", "PAY20269999", "PAY202610000", "PAY202610001", "PAY202610002"]


def test_the_link_header_leads_to_the_next_page(listed: Client) -> None:
    page = listed.get("/payments?limit=2&payer=%C3%A9lodie", tenant=TENANT)
    link = page.headers["Link"]

    following = listed.get(link[1 : link.index(">")].split("/api/v1")[1], tenant=TENANT)

    assert link.endswith('; rel="next"')
    assert following.status_code == 200
    assert (
        following.json
        == listed.get(f"/payments?limit=2&payer=%C3%A9lodie&cursor={page.json['next_cursor']}", tenant=TENANT).json
    )


def test_the_last_page_says_so(listed: Client) -> None:
    page = listed.get("/payments?previous_number=OLD300", tenant=TENANT)

    assert (page.json["has_more"], page.json["next_cursor"], "Link" in page.headers) == (False, None, False)


def test_a_cursor_of_other_filters_is_refused(listed: Client) -> None:
    cursor = listed.get("/payments?limit=2", tenant=TENANT).json["next_cursor"]

    assert listed.get(f"/payments?limit=2&method=upi&cursor={cursor}", tenant=TENANT).status_code == 422


def test_duplicates_from_older_systems_are_all_shown(db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([_payment("acme", 11) | {"idempotency_key": f"d-{i}"} for i in range(5)])
    client = Client(db, Config())

    found = _walk(client, "limit=2", tenant="acme")

    assert len({payment["id"] for payment in found}) == 5


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_payments_that_lack_what_they_are_sorted_by_are_shown_once(client: Client, sort: str, limit: int) -> None:
    payments = [_payment("acme", seq) for seq in range(1, 13)]
    for payment, lacking in zip(payments, ["paid_on", "created_at", "number_seq", "number_year"] * 2, strict=False):
        del payment[lacking]
    payments[9]["paid_on"] = None
    payments[10] |= {"paid_on": datetime(2026, 1, 1, tzinfo=UTC), "created_at": "2026-01-01"}
    client.db.payments.insert_many(payments)

    found = _walk(client, f"sort={sort}&limit={limit}", tenant="acme")

    assert sorted(shown["id"] for shown in found) == sorted(str(payment["_id"]) for payment in payments)


STORE_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "paid": {"paid_from": "2025-03-01", "paid_to": "2025-04-01"},
    "voided": {"status": "voided"},
    "recorded": {"status": "recorded"},
    "currency": {"currency": "JPY"},
    "method": {"method": "upi"},
    "direction": {"direction": "outgoing"},
    "customer": {"customer_code": "CUST-000001"},
    "payer": {"payer_folded": "elodie 3"},
    "reference": {"reference": "REF 7"},
    "previous": {"previous_number": "OLD300"},
    "key": {"idempotency_key": "key-77"},
    "amount": {"currency": "EUR", "min_amount": 5000, "max_amount": 6000},
    "invoice": {"invoice_number": "FAC-7"},
    "unallocated": {"unallocated": "true"},
}


@pytest.mark.parametrize(("name", "sort"), list(itertools.product(STORE_FILTERS, ALL_SORTS)))
def test_every_filter_and_sort_uses_an_index(listed: Client, name: str, sort: str) -> None:
    filters = ({"currency": "EUR"} if sort.endswith("amount") else {}) | STORE_FILTERS[name]
    order = ORDER_BY_SORT[sort.removeprefix("-")]
    middle = position_of(_payment(TENANT, COUNT // 2), order=order)
    bare = position_of({"_id": ObjectId()}, order=order)  # of a document that lacks all that is sorted by
    for after in (None, middle, bare):
        for query in store.find_pages(listed.db, tenant=TENANT, filters=filters, sort=sort, after=after):
            plan = query.limit(50).explain()

            stages = set(_stages(plan["queryPlanner"]["winningPlan"]))
            assert "COLLSCAN" not in stages
            assert "IXSCAN" in stages or stages == {"EOF"}
            examined = plan["executionStats"]["totalDocsExamined"]
            if name == "unallocated" and sort.removeprefix("-") == "payment_number":
                assert "SORT" not in stages
                assert examined <= 50 * 3  # of an earlier version, or voided: read and left out
            if name in ("none", "recorded"):
                assert "SORT" not in stages  # the order itself comes from the index
                assert examined <= 50 * 2
            if name in ("customer", "reference", "previous", "key", "invoice"):
                # Of an invoice also what was released or voided; of all, what is of another currency.
                named = store.query_of(TENANT, STORE_FILTERS[name])
                if name == "invoice":
                    named = {"tenant": TENANT, "allocations.invoice_number": "FAC-7"}
                assert examined <= listed.db.payments.count_documents(named) + 1


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan.get("inputStage"), *plan.get("inputStages", [])]:
        if inner:
            yield from _stages(inner)


def _walk(client: Client, query: str, tenant: str = TENANT) -> list[dict[str, Any]]:
    """Return all payments of a list, page by page."""
    found: list[dict[str, Any]] = []
    page = client.get(f"/payments?{query}", tenant=tenant).json
    found += page["data"]
    while page["has_more"]:
        page = client.get(f"/payments?{query}&cursor={page['next_cursor']}", tenant=tenant).json
        found += page["data"]
    return found
