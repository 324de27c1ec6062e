"""Lists of audit events: filters, orders, pages, and that each of them is served by an index."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId

from finance import database
from finance.audit_events import store
from finance.audit_events.model import ORDER_BY_SORT, SORTS
from finance.config import Config
from finance.events import EVERY_TENANT
from finance.paging import position_of
from tests.clients import Client
from tests.databases import new_name

TENANT = "lists"
COUNT = 600
FIRST = datetime(2026, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def listed(mongodb_uri: str) -> Iterator[Client]:
    """A client in Kolkata on a database with 600 events of one tenant, as many of another, and as many of none."""
    config = Config(
        mongodb_uri=mongodb_uri,
        database_name=new_name(),
        timezone=ZoneInfo("Asia/Kolkata"),
    )
    db = database.connect(config)
    database.create_indexes(db)
    for tenant in (TENANT, "other", EVERY_TENANT):
        db.audit_events.insert_many([_event(tenant, seq) for seq in range(COUNT)])
    yield Client(db, config)
    db.client.drop_database(db.name)
    db.client.close()


def _event(tenant: str, seq: int) -> dict[str, Any]:
    return {
        "_id": ObjectId(),
        "tenant": tenant,
        # Many of the same instant, as a loop of a script makes them.
        "at": FIRST + timedelta(hours=seq // 7),
        "by": f"{seq % 9:016x}",
        "by_name": f"Key {seq % 9}" if seq % 2 else None,
        "address": None,
        "action": ("exported", "key_created", "numbers_read_in_full")[seq % 3],
        "object_kind": "customer" if seq % 3 == 2 else "list",
        "object_id": f"CUST-{seq % 50:06}" if seq % 3 == 2 else "payments",
        "details": {},
    }


FILTERS = {
    "action=exported": lambda e: e["action"] == "exported",
    "by=0000000000000004": lambda e: e["by"] == "0000000000000004",
    "object_kind=customer&object_id=CUST-000008": lambda e: e["object_id"] == "CUST-000008",
    "action=key_created&by=0000000000000001": lambda e: (e["action"], e["by"]) == ("key_created", "0000000000000001"),
    "by=0000000000000008&object_kind=customer&object_id=CUST-000017": lambda e: (
        (e["by"], e["object_id"]) == ("0000000000000008", "CUST-000017")
    ),
    "at_from=2026-11-01T00:00:00Z": lambda e: e["at"] >= "2026-11-01T00:00:00Z",
    "at_to=2026-11-01T00:00:00Z": lambda e: e["at"] <= "2026-11-01T00:00:00Z",
    "at_from=2026-11-01T05:30:00%2B05:30&at_to=2026-11-01T00:00:00Z": lambda e: e["at"] == "2026-11-01T00:00:00Z",
    # A day begins in Kolkata at 18:30 of the day before in UTC.
    "at_from=2026-11-01": lambda e: e["at"] >= "2026-10-31T18:30:00Z",
    "at_to=2026-11-01": lambda e: e["at"] < "2026-11-01T18:30:00Z",
    "at_from=2026-11-01&at_to=2026-11-01": lambda e: "2026-10-31T18:30" <= e["at"] < "2026-11-01T18:30",
    "at_from=2026-11-01&at_to=2026-11-01&action=exported": lambda e: (
        "2026-10-31T18:30" <= e["at"] < "2026-11-01T18:30" and e["action"] == "exported"
    ),
    "at_from=0001-01-01&at_to=9999-12-31": lambda e: True,
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_gives_exactly_what_it_says(listed: Client, query: str) -> None:
    everything = _walk(listed, "limit=200")
    wanted = [event for event in everything if FILTERS[query](event)]

    assert len(everything) == COUNT
    assert wanted
    assert _walk(listed, f"{query}&limit=200") == wanted


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", ["", "action=exported&", "by=0000000000000004&", "at_from=2026-11-01&"])
def test_pages_show_everything_once_and_in_order(listed: Client, sort: str, query: str) -> None:
    found = _walk(listed, f"{query}sort={sort}&limit=23")

    expected = _walk(listed, f"{query}limit=200")
    at = [event["at"] for event in found]
    assert at == sorted(at, reverse=sort.startswith("-"))
    assert [event["id"] for event in found] == [event["id"] for event in expected][:: 1 if sort == "-at" else -1]


def test_the_newest_comes_first_by_default(listed: Client) -> None:
    page = listed.get("/audit-events?limit=2", role="admin", tenant=TENANT).json

    assert [event["at"] for event in page["data"]] == ["2026-11-02T13:00:00Z"] * 2
    assert page["has_more"] is True


STORE_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "at": {"at_from": FIRST + timedelta(hours=20), "at_before": FIRST + timedelta(hours=30)},
    "action": {"action": "exported"},
    "by": {"by": "0000000000000004"},
    "object": {"object_kind": "customer", "object_id": "CUST-000008"},
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "names", [names for count in range(1, 5) for names in itertools.combinations(STORE_FILTERS, count)]
)
def test_every_combination_uses_an_index_and_none_sorts(listed: Client, names: tuple[str, ...], sort: str) -> None:
    filters = {name: value for group in names for name, value in STORE_FILTERS[group].items()}
    middle = position_of(_event(TENANT, COUNT // 2), order=ORDER_BY_SORT["at"])
    for after in (None, middle):
        for query in store.find_pages(listed.db, tenant=TENANT, filters=filters, sort=sort, after=after):
            plan = query.limit(50).explain()

            stages = set(_stages(plan["queryPlanner"]["winningPlan"]))
            assert "COLLSCAN" not in stages
            assert "SORT" not in stages  # the order itself comes from the index
            assert "IXSCAN" in stages or stages == {"EOF"}
            if len(names) == 1:
                assert plan["executionStats"]["totalDocsExamined"] <= 50 * 2


@pytest.mark.parametrize(
    ("query", "parameter", "right"),
    [
        ("at_from=yesterday", "at_from", "2027-01-31T12:00:00Z"),
        ("at_from=2026-11-01T05:30:00+05:30", "at_from", "%2B"),  # a + in an address is a space
        ("at_from=2026-11-01T05:30:00", "at_from", "offset"),
        ("at_to=2026-02-30", "at_to", "day"),
        ("at_to=0001-01-01T00:00:00%2B23:59", "at_to", "instant"),
        ("at_to=9999-12-31T23:59:59-23:59", "at_to", "instant"),
        ("at_from=2026-11-02&at_to=2026-11-01", "at_to", "before at_from"),
        ("at_from=2026-11-02T00:00:01Z&at_to=2026-11-02T00:00:00Z", "at_to", "before at_from"),
        ("action=export", "action", "exported"),
        ("object_id=CUST-000001", "object_id", "object_kind"),
        ("object_kind=customer", "object_kind", "object_id"),
        ("sort=by", "sort", "-at"),
        ("limit=201", "limit", "200"),
        ("who=me", "who", ""),
        ("action=exported&action=imported", "action", "once"),
    ],
)
def test_what_cannot_be_asked_for_says_what_would_be_right(
    listed: Client, query: str, parameter: str, right: str
) -> None:
    refused = listed.get(f"/audit-events?{query}", role="admin", tenant=TENANT)

    assert refused.status_code == 422
    (error,) = refused.json["errors"]
    assert error["parameter"] == parameter
    assert right in error["detail"]


def test_a_cursor_of_other_filters_is_refused(listed: Client) -> None:
    cursor = listed.get("/audit-events?limit=2", role="admin", tenant=TENANT).json["next_cursor"]

    other = listed.get(f"/audit-events?limit=2&action=exported&cursor={cursor}", role="admin", tenant=TENANT)

    assert other.status_code == 422


@pytest.mark.parametrize("role", ["client", "accountant"])
def test_only_admins_read_it(listed: Client, role: str) -> None:
    assert listed.get("/audit-events", role=role, tenant=TENANT).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_writes_it(listed: Client, method: str) -> None:
    assert listed.call(method, "/audit-events", role="admin", tenant=TENANT).status_code == 405


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan.get("inputStage"), *plan.get("inputStages", [])]:
        if inner:
            yield from _stages(inner)


def _walk(client: Client, query: str) -> list[dict[str, Any]]:
    """Return all events of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = client.get(f"/audit-events?{query}{cursor}", role="admin", tenant=TENANT)
        assert answer.status_code == 200, answer.text
        found += answer.json["data"]
        if not answer.json["has_more"]:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"
