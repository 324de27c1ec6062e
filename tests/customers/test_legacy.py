"""Customers that another system filled: codes used twice per tenant are found, repaired, and refused from then on."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.maintenance.repair import command as repair_command

OPTIONS = ["--collection", "legacy_customers", "--number-field", "customerCode", "--scope", "tenantId"]


def _legacy(tenant: str, code: str, day: int) -> dict[str, Any]:
    return {
        "tenantId": tenant,
        "customerCode": code,
        "name": f"{tenant} {day}",
        "createdAt": datetime(2026, 1, day, tzinfo=UTC),
    }


@pytest.fixture
def legacy(db: Db) -> Db:
    """CUST-301819 was made when a form was loaded, and saved three times; another tenant has the same code once."""
    db.legacy_customers.insert_many(
        [
            *(_legacy("acme", "CUST-301819", day) for day in (3, 1, 2)),
            _legacy("acme", "CUST-301820", 4),
            _legacy("other", "CUST-301819", 5),
        ]
    )
    return db


def _run(db: Db, uri: str, *options: str) -> int:
    return repair_command.main(["--uri", uri, "--database", db.name, *OPTIONS, *options])


def test_codes_used_twice_per_tenant_are_found_and_nothing_is_changed(
    legacy: Db, mongodb_uri: str, tmp_path: Path
) -> None:
    before = list(legacy.legacy_customers.find())

    code = _run(legacy, mongodb_uri, "--report", str(tmp_path / "plan.jsonl"))

    lines = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert code == 1
    assert len(lines) == 2
    assert list(legacy.legacy_customers.find()) == before


def test_the_oldest_keeps_its_code_and_the_others_get_fresh_ones(legacy: Db, mongodb_uri: str) -> None:
    assert _run(legacy, mongodb_uri, "--apply") == 0

    by_name = {found["name"]: found["customerCode"] for found in legacy.legacy_customers.find()}
    assert (by_name["acme 1"], by_name["acme 4"], by_name["other 5"]) == ("CUST-301819", "CUST-301820", "CUST-301819")
    assert {by_name["acme 2"], by_name["acme 3"]} == {"CUST-301821", "CUST-301822"}
    with pytest.raises(DuplicateKeyError):
        legacy.legacy_customers.insert_one(_legacy("acme", "CUST-301819", 6))
    assert _run(legacy, mongodb_uri) == 0
