"""Every file that is taken away leaves an event before its first row is read."""

import json
from typing import Any

import pytest

from finance.asked import Asked
from finance.context import utc_now
from finance.database import Db
from finance.events import EVERY_TENANT, record_event
from tests.clients import Client
from tests.customers.forms import pan

FILTERS = "status=voided&currency=EUR&min_amount=1.00&paid_from=2026-01-01&sort=-paid_on"


def test_an_export_tells_its_list_its_format_and_its_filters(client: Client) -> None:
    assert client.get(f"/payments/export.xlsx?{FILTERS}").status_code == 200

    (event,) = _events(client)

    assert (event["action"], event["object_kind"], event["object_id"]) == ("exported", "list", "payments")
    assert event["by"] == client.key().split("_")[1]
    assert event["details"] == {
        "format": "xlsx",
        "filters": {
            "status": "voided",
            "currency": "EUR",
            "min_amount": "1.00",
            "paid_from": "2026-01-01",
            "sort": "-paid_on",
        },
    }


def test_every_file_that_can_be_had_is_told_of(client: Client) -> None:
    rules = client.app.url_map.iter_rules()  # those of the pages are the same files: tests/web/test_exports.py
    files = [rule for rule in rules if rule.rule.startswith("/api/") and rule.rule.endswith((".csv", ".xlsx"))]

    client.put_shop()  # its currency is that of a statement which names none
    code = client.post("/customers", json={"customer_name": "Ada", "pan_number": pan(3)}).json["customer_code"]
    for rule in files:
        path = rule.rule.replace("<customer_code>", code)
        assert client.get(path, role="admin").status_code == 200, path

    told = [event for event in _events(client) if event["action"] == "exported"]
    assert len(files) >= 16
    assert len({(event["object_id"], event["details"]["format"]) for event in told}) == len(told) == len(files)


@pytest.mark.parametrize("name", ["payer", "reference", "idempotency_key"])
@pytest.mark.parametrize("value", ["Ada Lovelace", pan(1), "123456789012", "DE89370400440532013000"])
def test_a_filter_by_a_name_or_another_free_text_is_told_without_the_text(
    client: Client, name: str, value: str
) -> None:
    assert client.get("/payments/export.csv", query_string={name: value}).status_code == 200

    (event,) = _events(client)
    assert event["details"]["filters"] == {name: "(not recorded)"}
    assert value not in json.dumps(list(client.db.audit_events.find()), default=str)


def test_a_number_in_any_other_filter_is_masked(client: Client) -> None:
    for query in (f"previous_number={pan(1)}", "previous_number=123456789012", f"customer_code={pan(2)}"):
        client.get(f"/payments/export.csv?{query}")

    stored = json.dumps(list(client.db.audit_events.find()), default=str)
    assert client.db.audit_events.count_documents({}) == 3
    assert not [text for text in (pan(1), "123456789012", pan(2)) if text in stored]


@pytest.mark.parametrize(("query", "role"), [("limit=5", "accountant"), ("status=open", "accountant"), ("", "client")])
def test_what_is_refused_leaves_no_event(client: Client, query: str, role: str) -> None:
    assert client.get(f"/payments/export.csv?{query}", role=role).status_code in (403, 422)

    assert _events(client) == []


def test_where_the_event_cannot_be_stored_nothing_is_taken_away(client: Client) -> None:
    client.pay("1.00")
    client.db.command({"collMod": "audit_events", "validator": {"never": True}})

    refused = client.get("/payments/export.csv")

    assert (refused.status_code, refused.json["code"]) == (503, "not_recorded")
    assert "PAY" not in refused.text


def test_events_of_another_tenant_are_not_shown(client: Client) -> None:
    client.get("/payments/export.csv", tenant="other")

    assert _events(client) == []


def test_what_operators_do_to_no_tenant_alone_is_not_shown(client: Client, db: Db) -> None:

    record_event(db, Asked(EVERY_TENANT, "ops", utc_now()), action="indexes_migrated", of=("database", db.name))

    assert _events(client) == []
    assert client.get("/audit-events", role="admin", tenant="other").json["data"] == []


def _events(client: Client) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = client.get("/audit-events?sort=at", role="admin").json["data"]
    return data
