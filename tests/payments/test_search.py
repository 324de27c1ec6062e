"""Payments by a word inside the payer's name, among those that an older version stored without their words."""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from finance import database
from finance.asked import Asked
from finance.config import Config
from finance.paging import position_of
from finance.payments import store
from finance.payments.model import ORDER_BY_SORT, new_payment
from finance.payments.model import SORTS as ALL_SORTS
from finance.text import fold
from tests.clients import Client, a_payment
from tests.databases import new_name

TENANT = "search"
SORTS = [sort for sort in ALL_SORTS if not sort.endswith("amount")]  # that one needs a currency: test_lists
COUNT = 2_000
FIRST = ("Ada", "Grace", "Élodie", "Bala", "Zoë")
LAST = ("Lovelace", "O'Hopper", "Ada", "Durand-Lévy", "(India) Ltd", "Lovelace King & Söhne", "Adams")


@pytest.fixture(scope="module")
def searched(mongodb_uri: str) -> Iterator[Client]:
    """A client on a database with 2,000 payments of one tenant, a third of them of an older version; and another's."""
    config = Config(mongodb_uri=mongodb_uri, database_name=new_name())
    db = database.connect(config)
    database.create_indexes(db)
    for tenant in (TENANT, "other"):
        db.payments.insert_many(_payment(tenant, seq) for seq in range(1, COUNT + 1))
    yield Client(db, config)
    db.client.drop_database(db.name)
    db.client.close()


def _payment(tenant: str, seq: int) -> dict[str, Any]:
    year = 2025 + seq % 2
    payer = f"{FIRST[seq % len(FIRST)]} {LAST[seq % len(LAST)]}" + (f" Nr{seq}" if seq % 100 == 0 else "")
    posted = {"amount_minor": seq, "currency": "EUR", "payer": payer, "method": "card", "direction": "incoming"}
    asked = Asked(tenant, "key", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=seq // 7))
    payment: dict[str, Any] = dict(new_payment(posted, asked, paid_on=date(year, seq % 9 + 1, 15)))
    payment |= {"_id": ObjectId(), "payment_number": f"PAY{year}{seq:04}", "number_year": year, "number_seq": seq}
    if seq % 3 == 0:
        payment["payer_folded"] = fold(payer)
    return payment


def _is_found(payment: dict[str, Any], sought: str) -> bool:
    """Return whether the payer's name begins so; of those with their words, whether a word of it does."""
    payer = fold(payment["payer"])
    if int(payment["payment_number"][7:]) % 3 == 0:
        return payer.startswith(fold(sought))
    return any(payer[place:].startswith(fold(sought)) for place in range(len(payer)) if _begins_word(payer, place))


def _begins_word(payer: str, place: int) -> bool:
    return place == 0 or (payer[place].isalnum() and not payer[place - 1].isalnum())


SOUGHT = (
    "lovelace",
    "LOVE",
    "ada",
    "Ada L",
    "hopper",
    "o'h",
    "lévy",
    "india",
    "sohne",
    "king & s",
    "nr500",
    "(ind",
    "x",
    "ada |",
    "a*",
    "a.a",
    "\\",
)


@pytest.mark.parametrize("sought", SOUGHT)
def test_a_word_inside_is_found_and_old_payments_by_how_the_name_begins(searched: Client, sought: str) -> None:
    everything = _walk(searched)
    wanted = [payment for payment in everything if _is_found(payment, sought)]

    found = _walk(searched, payer=sought)

    assert bool(wanted) == (sought not in SOUGHT[SOUGHT.index("(ind") :])
    assert found == wanted


@pytest.mark.parametrize(("sought", "sort"), list(itertools.product(("ada", "lovelace"), SORTS)))
def test_pages_show_each_payment_once_and_in_order(searched: Client, sought: str, sort: str) -> None:
    found = _walk(searched, payer=sought, sort=sort, limit=37)

    wanted = [payment["id"] for payment in _walk(searched) if _is_found(payment, sought)]
    name = sort.removeprefix("-")
    values = [(p["payment_number"][3:7], p["payment_number"]) if name == "payment_number" else p[name] for p in found]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert sorted(payment["id"] for payment in found) == sorted(wanted)


@pytest.mark.parametrize("sort", SORTS)
def test_a_rare_word_reads_what_it_finds_and_a_frequent_one_no_more_than_its_payments(
    searched: Client, sort: str
) -> None:
    middle = position_of(
        _payment(TENANT, COUNT // 2) | {"_id": ObjectId()}, order=ORDER_BY_SORT[sort.removeprefix("-")]
    )
    for sought, after in itertools.product(("nr500", "lovelace"), (None, middle)):
        filters = {"payer_folded": sought}
        matching = searched.db.payments.count_documents(store.query_of(TENANT, filters))
        for query in store.find_pages(searched.db, tenant=TENANT, filters=filters, sort=sort, after=after):
            plan = query.limit(51).explain()

            stages = set(_stages(plan["queryPlanner"]["winningPlan"]))
            assert "COLLSCAN" not in stages
            assert "IXSCAN" in stages or stages == {"EOF"}
            assert plan["executionStats"]["totalDocsExamined"] <= 2 * matching + 51


def test_a_payment_that_is_posted_is_found_by_a_word_inside(client: Client) -> None:
    client.post("/payments", json=a_payment(payer="Ada King Lovelace"))

    for sought in ("lovelace", "King L", "ada"):
        assert len(client.get(f"/payments?payer={sought}").json["data"]) == 1
    assert client.get("/payments?payer=ace").json["data"] == []
    assert len(client.get("/payments/export.csv?payer=lovelace").text.splitlines()) == 2
    assert client.get("/payments?payer=lovelace", tenant="other").json["data"] == []


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan.get("inputStage"), *plan.get("inputStages", [])]:
        if inner:
            yield from _stages(inner)


def _walk(client: Client, **query: Any) -> list[dict[str, Any]]:
    """Return all payments of a list, page by page."""
    query = {"limit": 200, **query}
    found: list[dict[str, Any]] = []
    page = client.get("/payments", tenant=TENANT, query_string=query).json
    found += page["data"]
    while page["has_more"]:
        page = client.get("/payments", tenant=TENANT, query_string=query | {"cursor": page["next_cursor"]}).json
        found += page["data"]
    return found
