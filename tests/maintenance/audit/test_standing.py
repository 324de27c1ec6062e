"""How the numbers of a tenant stand, as pages show it: from counters and stored checks, never from the numbers."""

from datetime import timedelta
from typing import Any

import pytest

from finance.asked import Asked
from finance.database import Db
from finance.maintenance.audit import standing
from finance.maintenance.audit.checking import check_series, get_series
from finance.maintenance.audit.series import audit
from finance.maintenance.audit.standing import list_standing, list_wrong, read_state, read_summary
from finance.maintenance.audit.stored import check_of, store_checks
from tests.commands import Commands
from tests.maintenance.audit.conftest import Store
from tests.maintenance.conftest import NOW

ASKED = Asked("acme", "key-1", NOW)


def count(db: Db, *counter_ids: str, seq: int = 1) -> None:
    db.counters.insert_many([{"_id": counter_id, "seq": seq} for counter_id in counter_ids])


def check_all(db: Db, *, after_s: float = 0) -> None:
    at = NOW + timedelta(seconds=after_s)
    store_checks(db, [check_of(found, ASKED, grace_s=60) for found in audit(db, now=at)])


def names(db: Db, **options: Any) -> list[str]:
    rows = list_standing(db, tenant="acme", **options).rows
    return [" ".join(part for part in (row.kind, row.scope, row.period) if part) for row in rows]


def test_nothing_numbered_is_an_empty_list(db: Db) -> None:
    found = list_standing(db, tenant="acme")
    assert (found.rows, found.position, found.summary.series) == ([], None, 0)
    assert not found.summary.is_accounted_for


def test_series_are_listed_the_newest_first_whether_or_not_they_were_checked(db: Db, store: Store) -> None:
    count(db, "payment:acme:2025", "customer:acme", "invoice:acme:DKR1:2026-11", "invoice:acme:ABJ:2026-11")
    count(db, "credit_note:acme:DKR1:2026-11", "invoice:acme:DKR1:2026-10", "invoice:acme:LYO:FY2025")
    count(db, "invoice:acme:OLD:all", "payment:acme-2:2026", "payment:acme2:2026", "customer:acme-2", "payment:acme:x")
    store(1, counter=1)
    check_series(db, ASKED, kind="payment", scope=None, period="2026")
    db.counters.delete_one({"_id": "payment:acme:2026"})  # known by its check alone
    assert names(db) == [
        "payment 2026",
        "invoice OLD all",
        "customer",
        "invoice ABJ 2026-11",
        "invoice DKR1 2026-11",
        "credit_note DKR1 2026-11",
        "invoice DKR1 2026-10",
        "payment 2025",
        "invoice LYO FY2025",
    ]


def test_a_page_leads_to_the_next_one(db: Db) -> None:
    count(db, *(f"payment:acme:{year}" for year in range(2000, 2026)))
    first = list_standing(db, tenant="acme", limit=20)
    assert (len(first.rows), first.position, first.summary.series) == (20, 20, 26)
    second = list_standing(db, tenant="acme", begin=20, limit=20)
    assert (len(second.rows), second.position) == (6, None)
    assert [row.period for row in second.rows] == ["2005", "2004", "2003", "2002", "2001", "2000"]


def test_all_are_accounted_for_only_once_all_were_checked(db: Db, store: Store) -> None:
    store(1, counter=1)
    store(1, counter=1, year=2025)
    check_all(db)
    assert read_summary(db, tenant="acme").is_accounted_for
    count(db, "invoice:acme:DKR1:2026-11")
    found = read_summary(db, tenant="acme")
    assert (found.series, found.checked, found.unchecked, found.wrong) == (3, 2, 1, 0)
    assert not found.is_accounted_for


def test_what_is_wrong_is_counted_and_listed_with_the_time_of_the_oldest_check(db: Db, store: Store) -> None:
    store(1, counter=1, year=2025)
    check_all(db)
    store(1, 3, counter=3)
    store(7, counter=1, tenant="zeta")
    check_series(db, Asked("acme", "key-1", NOW + timedelta(hours=2)), kind="payment", scope=None, period="2026")
    found = read_summary(db, tenant="acme")
    assert (found.wrong, found.series, found.is_accounted_for) == (1, 2, False)
    assert NOW <= found.as_of < NOW + timedelta(hours=1)
    assert found.newest_check == NOW + timedelta(hours=2)
    (wrong,) = list_wrong(db, tenant="acme")
    assert (wrong.kind, wrong.period, wrong.check.missing) == ("payment", "2026", 1)


def test_a_row_says_what_its_counter_gave_since_the_check(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    _kind, series = get_series(db, tenant="acme", kind="payment", scope=None, period="2026")
    assert (read_state(db, series).check, read_state(db, series).given_since) == (None, None)
    check_all(db)
    for seq, since in ((2, 0), (14, 12), (1, -1), ("lost", None)):
        db.counters.update_one({"_id": "payment:acme:2026"}, {"$set": {"seq": seq}})
        (row,) = list_standing(db, tenant="acme").rows
        assert row == read_state(db, series)
        assert row.given_since == since


@pytest.mark.parametrize("damage", [{"kind": 7}, {"kind": "receipt"}, {"checked_at": None}, {"is_whole": "no"}])
def test_a_damaged_check_hides_no_series(db: Db, store: Store, damage: dict[str, Any]) -> None:
    store(1, counter=1)
    check_all(db)
    db.number_checks.update_one({}, {"$set": damage})
    found = list_standing(db, tenant="acme")
    assert [row.check for row in found.rows] == [None]
    assert (found.summary.series, found.summary.unchecked) == (1, 1)


def test_a_page_asks_as_much_however_many_series_and_numbers_there_are(
    db: Db, watched: Db, commands: Commands, store: Store
) -> None:
    store(1, counter=1)
    check_all(db)
    list_standing(watched, tenant="acme")
    of_one = list(commands.collections)
    for year in range(2001, 2025):
        store(*range(1, 20), counter=19, year=year)
        count(db, f"invoice:acme:DKR1:{year}-01")
    check_all(db)
    commands.collections.clear()
    list_standing(watched, tenant="acme")
    assert commands.collections == of_one
    assert {collection for _name, collection in of_one} == {"counters", "number_checks"}


def test_indexes_alone_tell_which_series_there_are(db: Db, store: Store) -> None:
    for year in range(2001, 2025):
        store(1, counter=1, year=year)
        store(1, counter=1, year=year, tenant="zeta")
    check_all(db)
    db.command("profile", 2)
    read_summary(db, tenant="acme")
    db.command("profile", 0)
    asked = list(db.system.profile.find({"ns": {"$in": [f"{db.name}.counters", f"{db.name}.number_checks"]}}))
    assert len(asked) == 5
    assert sum(one["docsExamined"] for one in asked) == 0
    assert max(one["keysExamined"] for one in asked) <= 25


def test_more_series_than_are_read_are_told_to_be_more(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "SERIES_MAX", 3)
    count(db, *(f"payment:acme:{year}" for year in range(2001, 2007)))
    found = list_standing(db, tenant="acme")
    assert (names(db), found.summary.is_cut) == (["payment 2006", "payment 2005", "payment 2004"], True)
