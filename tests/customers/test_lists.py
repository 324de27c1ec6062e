"""Lists of customers: filters, orders, pages, and that each of them is served by an index."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finance import database
from finance.config import Config
from finance.customers import store
from finance.customers.model import ORDER_BY_SORT, SORTS, Book
from finance.encryption import FieldCipher
from finance.paging import position_of
from finance.text import fold, words_of
from tests.clients import ENCRYPTION_KEY, Client
from tests.customers.forms import gstin, pan
from tests.databases import new_name

TENANT = "lists"
COUNT = 400
NAMES = ("Élodie Durand", "elodie dupont", "ELODIE", "Société Générale", "Ärzte & Söhne", "Zoë")


@pytest.fixture(scope="module")
def listed(mongodb_uri: str) -> Iterator[Client]:
    """A client on a database with 400 customers of one tenant, and as many of another."""
    config = Config(mongodb_uri=mongodb_uri, database_name=new_name(), encryption_keys=(ENCRYPTION_KEY,))
    db = database.connect(config)
    database.create_indexes(db)
    cipher = FieldCipher(db, master_keys=config.encryption_keys)
    for tenant in (TENANT, "other"):
        db.customers.insert_many(
            store._sealed(cipher, _customer(tenant, seq), tenant=tenant) for seq in range(1, COUNT + 1)
        )
    yield Client(db, config)
    db.client.drop_database(db.name)
    db.client.close()


def _customer(tenant: str, seq: int) -> dict[str, Any]:
    name = f"{NAMES[seq % len(NAMES)]} {seq:03}"
    words = {"name_words": words_of(fold(name))} if seq % 5 else {}  # an older version stored none
    return words | {
        "tenant": tenant,
        "customer_code": f"CUST-{seq:06}",
        "number_seq": seq,
        "customer_name": name,
        "name_folded": fold(name),
        "customer_category": "retail" if seq % 40 == 0 else "wholesale",
        "pan_number": pan(seq),
        "gst_details": [{"gstin": gstin(pan(seq))}, {"gstin": gstin(pan(seq), "29")}],
        "status": "inactive" if seq % 50 == 0 else "active",
        "version": 1,
        "history": [],
        # Many of the same instant, as an import makes them.
        "created_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=seq // 7),
        "created_by": "key",
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_by": "key",
    }


def _has_words(customer: dict[str, Any]) -> bool:
    return int(customer["customer_code"][-6:]) % 5 != 0


FILTERS = {
    "": lambda c: True,
    "customer_name=%C3%89LODIE": lambda c: fold(c["customer_name"]).startswith("elodie"),
    "customer_name=arzte": lambda c: c["customer_name"].startswith("Ärzte"),
    "customer_name=Dur": lambda c: "Durand" in c["customer_name"] and _has_words(c),
    "customer_name=sohne%20%32": lambda c: "Söhne 2" in c["customer_name"] and _has_words(c),
    "customer_name=g": lambda c: "Générale" in c["customer_name"] and _has_words(c),
    "customer_code=cust-000077": lambda c: c["customer_code"] == "CUST-000077",
    "customer_category=retail": lambda c: c["customer_category"] == "retail",
    "status=inactive": lambda c: c["status"] == "inactive",
    "status=active": lambda c: c["status"] == "active",
    "customer_name=zoe&customer_category=wholesale&status=active": lambda c: (
        (c["customer_name"][:3], c["customer_category"], c["status"]) == ("Zoë", "wholesale", "active")
    ),
}


@pytest.mark.parametrize(("query", "sort"), list(itertools.product(FILTERS, SORTS)))
def test_a_filter_gives_exactly_what_it_says_once_and_in_order(listed: Client, query: str, sort: str) -> None:
    wanted = [customer for customer in _walk(listed, "limit=200") if FILTERS[query](customer)]

    found = _walk(listed, f"{query}&sort={sort}&limit=37")

    assert wanted
    assert sorted(c["id"] for c in found) == sorted(c["id"] for c in wanted)
    name = sort.removeprefix("-")
    values = [fold(c[name]) if name == "customer_name" else c[name] for c in found]
    assert values == sorted(values, reverse=sort.startswith("-"))


def test_the_newest_come_first_but_a_search_by_name_is_in_the_order_of_names(listed: Client) -> None:
    newest = listed.get("/customers?limit=3", tenant=TENANT).json
    by_name = listed.get("/customers?limit=2&customer_name=elodie", tenant=TENANT)

    assert [c["customer_code"] for c in newest["data"]] == ["CUST-000400", "CUST-000399", "CUST-000398"]
    assert [c["customer_name"] for c in by_name.json["data"]] == ["ELODIE 002", "ELODIE 008"]
    following = by_name.headers["Link"].split("/api/v1")[1].split(">")[0]
    assert listed.get(following, tenant=TENANT).json["data"][0]["customer_name"] == "ELODIE 014"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "sort=pan_number",
        "cursor=x",
        "status=gone",
        "q=x",
        "limit=1&limit=2",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(listed: Client, query: str) -> None:
    answer = listed.get(f"/customers?{query}", tenant=TENANT)

    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.split("=")[0]


def test_a_cursor_of_other_filters_is_refused(listed: Client) -> None:
    cursor = listed.get("/customers?limit=2", tenant=TENANT).json["next_cursor"]

    assert listed.get(f"/customers?limit=2&status=active&cursor={cursor}", tenant=TENANT).status_code == 422


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_customers_that_lack_what_they_are_sorted_by_are_shown_once(client: Client, sort: str, limit: int) -> None:
    customers = [_customer(TENANT, seq) for seq in range(1, 11)]
    for customer, lacking in zip(customers, ["name_folded", "created_at"] * 3, strict=False):
        del customer[lacking]
    customers[7] |= {"name_folded": None, "created_at": None}
    customers[8] |= {"name_folded": datetime(2026, 1, 1, tzinfo=UTC), "created_at": "2026-01-01"}
    customers[9]["name_folded"] = 5
    client.db.customers.insert_many(customers)

    found = _walk(client, f"sort={sort}&limit={limit}")

    assert sorted(shown["id"] for shown in found) == sorted(str(customer["_id"]) for customer in customers)


STORE_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "name": {"name_folded": "elodie d"},
    "rare word": {"name_folded": "399"},
    "code": {"customer_code": "CUST-000077"},
    "category": {"customer_category": "retail"},
    "inactive": {"status": "inactive"},
    "active": {"status": "active"},
    "pan": {"pan_number": pan(77)},
    "gstin": {"gstin": gstin(pan(77))},
}
ORDERED_BY_INDEX = {
    *itertools.product(("none", "active"), SORTS),
    *itertools.product(("category", "inactive"), ("created_at", "-created_at")),
}


@pytest.mark.parametrize(("name", "sort"), list(itertools.product(STORE_FILTERS, SORTS)))
def test_every_filter_and_sort_uses_an_index(listed: Client, name: str, sort: str) -> None:
    cipher = FieldCipher(listed.db, master_keys=(ENCRYPTION_KEY,))
    filters = STORE_FILTERS[name]
    customer = _customer(TENANT, COUNT // 2) | {"_id": listed.db.customers.find_one()["_id"]}
    order = ORDER_BY_SORT[sort.removeprefix("-")]
    middle = position_of(customer, order=order)
    bare = position_of({"_id": customer["_id"]}, order=order)  # of a document that lacks all that is sorted by
    for after in (None, middle, bare):
        pages = store.find_pages(Book(listed.db, cipher), tenant=TENANT, filters=filters, sort=sort, after=after)
        for query in pages:
            plan = query.limit(50).explain()

            stages = set(_stages(plan["queryPlanner"]["winningPlan"]))
            assert "COLLSCAN" not in stages
            assert "IXSCAN" in stages or stages == {"EOF"}
            if (name, sort) in ORDERED_BY_INDEX:
                assert "SORT" not in stages
                assert plan["executionStats"]["totalDocsExamined"] <= 50 * 2
            if name in ("code", "pan", "gstin"):
                assert plan["executionStats"]["totalDocsExamined"] <= 1
            if name == "rare word":
                assert plan["executionStats"]["totalDocsExamined"] <= 2


def test_what_saving_asks_uses_an_index(listed: Client) -> None:
    listed.db.customers.insert_one({"tenant": TENANT, "customer_code": "X", "action_keys": ["inactive:k"]})
    queries: list[dict[str, Any]] = [
        {"tenant": TENANT, "customer_code": "CUST-000001"},
        {"tenant": TENANT, "idempotency_key": "k"},
        {"tenant": TENANT, "action_keys": "inactive:k"},
        {"tenant": TENANT, "number_seq": {"$gt": 5}},
    ]
    for query in queries:
        plan = listed.db.customers.find(query).limit(1).explain()

        assert "COLLSCAN" not in set(_stages(plan["queryPlanner"]["winningPlan"]))
        assert plan["executionStats"]["totalDocsExamined"] <= 1
    listed.db.customers.delete_one({"customer_code": "X"})


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan.get("inputStage"), *plan.get("inputStages", [])]:
        if inner:
            yield from _stages(inner)


def _walk(client: Client, query: str) -> list[dict[str, Any]]:
    """Return all customers of a list, page by page."""
    found: list[dict[str, Any]] = []
    page = client.get(f"/customers?{query}", tenant=TENANT).json
    found += page["data"]
    while page["has_more"]:
        page = client.get(f"/customers?{query}&cursor={page['next_cursor']}", tenant=TENANT).json
        found += page["data"]
    return found
