"""Which commands mend what a check found."""

from dataclasses import replace

import pytest

from finance.asked import Asked
from finance.database import Db
from finance.maintenance.audit.checking import check_series
from finance.maintenance.audit.mending import command_for, commands_for
from finance.maintenance.audit.stored import NumberCheck, Range
from tests.maintenance.audit.conftest import Store
from tests.maintenance.conftest import NOW

LOST = {"missing": 1, "missing_ranges": (Range("PAY20260002", "PAY20260002", 1),)}
LEAP = {"missing": 200_000, "missing_ranges": (Range("PAY20260002", "PAY2026200001", 200_000, True),)}
ONE = "scripts/audit_numbers.py --series payment:acme:2026"


@pytest.fixture
def check(db: Db, store: Store) -> NumberCheck:
    store(1, counter=1)
    return check_series(db, Asked("acme", "key", NOW), kind="payment", scope=None, period="2026")


def test_each_finding_has_its_command(check: NumberCheck) -> None:
    expected = {
        (): [],
        (("missing", 1), ("missing_ranges", LOST["missing_ranges"])): [f"{ONE} --record-gaps"],
        (("late", 1),): [f"{ONE} --record-gaps"],
        (("counter_again", 2),): [f"{ONE} --sync-counters"],
        (("duplicates", 1),): ["scripts/repair_duplicates.py --apply"],
        (("kind", "invoice"), ("duplicates", 1)): [],
        (("missing", 200_000), ("missing_ranges", LEAP["missing_ranges"])): [],
        (("duplicates", 1), ("late", 1), ("counter_again", 1)): [
            "scripts/repair_duplicates.py --apply",
            f"{ONE} --record-gaps --sync-counters",
        ],
    }
    assert {found: commands_for([replace(check, **dict(found))]) for found in expected} == expected


def test_several_series_are_mended_together(check: NumberCheck) -> None:
    found = [replace(check, **LOST), replace(check, period="2025", counter_again=3)]
    assert commands_for(found) == ["scripts/audit_numbers.py --record-gaps --sync-counters"]


def test_a_series_is_checked_alone_by_its_name() -> None:
    assert command_for("payment:acme:2026") == ONE
