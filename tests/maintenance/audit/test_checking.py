"""One series checked while somebody waits: what it says and stores, and where it ends."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from finance.asked import Asked
from finance.database import Db
from finance.maintenance.audit import checking, walk
from finance.maintenance.audit.checking import CheckTooLong, SeriesNotFound, check_all_series, check_series, get_series
from finance.maintenance.audit.stored import Range, find_checks
from finance.ownership import DatabaseNotOurs
from tests.commands import Commands
from tests.maintenance.audit.conftest import Store
from tests.maintenance.conftest import NOW, Run, a_payment

ASKED = Asked("acme", "key-1", NOW, by_name="Accounts Lyon")
PAYMENTS = {"kind": "payment", "scope": None, "period": "2026"}


def test_a_check_is_returned_and_stored_with_the_key_that_asked(db: Db, store: Store) -> None:
    store(1, 3, counter=3)
    store(1, 5, counter=5, tenant="zeta")
    found = check_series(db, ASKED, **PAYMENTS)
    assert found.missing_ranges == (Range("PAY20260002", "PAY20260002", 1),)
    assert (found.by, found.by_name, found.checked_at) == ("key-1", "Accounts Lyon", NOW)
    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {"payment:acme:2026": found}
    assert db.number_checks.count_documents({}) == 1


def test_numbers_of_a_shop_are_told_as_they_are_written_there(db: Db) -> None:
    of = {"tenant": "acme", "shop": "dkr1", "period": "FY2026", "number_format": "D1/{number:03}/26", "created_at": NOW}
    db.credit_notes.insert_many([{**of, "number_seq": n, "credit_note_number": f"D1/{n:03}/26"} for n in (1, 3)])
    found = check_series(db, ASKED, kind="credit_note", scope="DKR1", period="FY2026", grace_s=-3600)
    assert (found.first, found.newest) == ("D1/001/26", "D1/003/26")
    assert (found.missing_ranges, found.counter) == ((Range("D1/002/26", "D1/002/26", 1),), "behind")


def test_customers_are_one_series(db: Db) -> None:
    db.customers.insert_one({"tenant": "acme", "customer_code": "CUST-000001", "number_seq": 1, "created_at": NOW})
    found = check_series(db, ASKED, kind="customer", scope=None, period=None)
    assert (found.stored, found.chosen, found.counter) == (0, 1, "agrees")  # somebody chose it, beyond the counter


@pytest.mark.parametrize(
    ("kind", "scope", "period"),
    [
        ("payment", None, "2025"),
        ("payment", None, None),
        ("payment", None, "9" * 30),
        ("payment", "dkr1", "2026"),
        ("payment", None, "２０２６"),
        ("invoice", "dkr1", "2026-11"),
        ("invoice", "dkr1:x", "2026-11"),
        ("invoice", None, None),
        ("receipt", None, "2026"),
        ("customer", None, None),
    ],
)
def test_a_series_without_numbers_is_not_found(
    db: Db, store: Store, kind: str, scope: str | None, period: str | None
) -> None:
    store(1, counter=1)
    store(1, counter=1, tenant="zeta", year=2025)
    with pytest.raises(SeriesNotFound):
        get_series(db, tenant="acme", kind=kind, scope=scope, period=period)


def test_what_takes_too_long_names_the_command_and_leaves_the_last_check(
    db: Db, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(*range(1, 400), counter=399)
    before = check_series(db, ASKED, **PAYMENTS)
    monkeypatch.setattr(walk, "BATCH", 2)
    later = Asked("acme", "key-1", NOW + timedelta(hours=1))

    with pytest.raises(CheckTooLong) as refused:
        check_series(db, later, **PAYMENTS, within_s=0.01)

    assert refused.value.extra == {"command": "scripts/audit_numbers.py --series payment:acme:2026"}
    assert "scripts/audit_numbers.py --series payment:acme:2026" in refused.value.detail
    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {"payment:acme:2026": before}
    assert run(*refused.value.extra["command"].removeprefix("scripts/").split())[0] == 0


def test_a_check_reads_its_own_series_and_no_other(db: Db, watched: Db, commands: Commands, store: Store) -> None:
    store(1, 2, counter=2)
    check_series(watched, ASKED, **PAYMENTS)
    of_one = list(commands.names)
    for year in range(2000, 2020):
        store(1, 2, counter=2, year=year)
        store(1, 2, counter=2, tenant=f"t{year}")
    commands.names.clear()
    check_series(watched, ASKED, **PAYMENTS)
    assert commands.names == of_one


def test_others_have_their_turn_while_a_series_is_read(db: Db, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store(*range(1, 10), counter=9)
    monkeypatch.setattr(walk, "BATCH", 3)
    pauses: list[float] = []
    monkeypatch.setattr(checking, "time", SimpleNamespace(sleep=pauses.append))
    check_series(db, ASKED, **PAYMENTS)
    assert pauses == [0, 0, 0]


def test_nothing_is_checked_or_stored_where_the_database_is_another_softwares(db: Db) -> None:
    db.payments.insert_one(a_payment(1))
    db.customers.insert_one({"customerCode": "CUST-301819"})
    with pytest.raises(DatabaseNotOurs):
        check_series(db, ASKED, **PAYMENTS)
    assert db.number_checks.count_documents({}) == 0


def test_documents_whose_numbers_are_none_are_no_part_of_a_series(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    odd = [
        {"number_seq": "3"},
        {"number_seq": 0},
        {"number_seq": 10**17},
        {"number_year": "2026"},
        {"number_seq": None},
    ]
    db.payments.insert_many([{**a_payment(9), **one, "payment_number": f"ODD{n}"} for n, one in enumerate(odd)])
    found = check_series(db, ASKED, **PAYMENTS)
    assert (found.stored, found.newest, found.is_whole) == (2, "PAY20260002", True)


def test_all_series_are_checked_and_those_checked_just_now_are_left(db: Db, store: Store) -> None:
    store(1, 2, counter=2, year=2024)
    store(1, counter=1, year=2025)
    store(1, counter=1, tenant="zeta")
    check_series(db, ASKED, kind="payment", scope=None, period="2024")
    assert check_all_series(db, ASKED) == checking.Checked(done=1, left=0)
    assert check_all_series(db, ASKED) == checking.Checked(done=2, left=0)  # all were: all of them again
    assert sorted(db.number_checks.distinct("_id")) == ["payment:acme:2024", "payment:acme:2025"]


def test_where_the_time_ends_the_small_series_are_done_and_the_rest_is_counted(
    db: Db, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(*range(1, 400), counter=399, year=2024)
    store(1, counter=1, year=2025)
    checked = check_series

    def slow_where_large(db: Db, asked: Asked, **of: Any) -> Any:
        return checked(db, asked, **of | ({"within_s": 0.0001} if of["period"] == "2024" else {}))

    monkeypatch.setattr(checking, "check_series", slow_where_large)
    assert check_all_series(db, ASKED) == checking.Checked(done=1, left=1)
    assert db.number_checks.distinct("_id") == ["payment:acme:2025"]
