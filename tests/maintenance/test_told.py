"""What operators' commands change is told by events, to each tenant whose data it is, before it is changed."""

import base64
from typing import Any

import pytest

from finance.commands import rotate_encryption_key
from finance.database import Db
from finance.events import EVERY_TENANT
from tests.clients import ENCRYPTION_KEY
from tests.maintenance.conftest import YEAR, Run, a_payment


@pytest.fixture
def duplicates(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1), a_payment(1, tenant="globex"), a_payment(1, tenant="globex")])
    db.payments.insert_one(a_payment(1, tenant="untouched"))


def test_a_repair_is_told_to_each_tenant_that_it_touches(run: Run, db: Db, duplicates: None) -> None:
    code, output = run("repair_duplicates.py", "--apply", "--by", "ana")

    repair = output.split()[1]
    assert code == 0
    about = {"collection": "payments", "keep": "oldest"}
    assert _told(db) == [
        (tenant, "scripts/repair_duplicates.py", "ana", "repaired", "repair", repair, about)
        for tenant in (EVERY_TENANT, "acme", "globex")
    ]


def test_taking_a_repair_back_is_told_in_the_same_way(run: Run, db: Db, duplicates: None) -> None:
    repair = run("repair_duplicates.py", "--apply")[1].split()[1]
    db.audit_events.drop()

    run("repair_duplicates.py", "--undo", repair)

    about = {"collection": "payments", "undoes": repair}
    assert [(tenant, action, details) for tenant, _by, _name, action, _kind, _id, details in _told(db)] == [
        (tenant, "repair_undone", about) for tenant in (EVERY_TENANT, "acme", "globex")
    ]
    assert all(name and "@" in name for _tenant, _by, name, *_rest in _told(db))


def test_a_look_is_no_event(run: Run, db: Db, duplicates: None) -> None:
    run("repair_duplicates.py")
    run("migrate_indexes.py")
    run("audit_numbers.py")

    assert _told(db) == []


@pytest.mark.parametrize(
    ("option", "action"), [("--record-gaps", "gaps_recorded"), ("--sync-counters", "counters_raised")]
)
def test_what_the_audit_puts_right_is_told_to_operators_first(run: Run, db: Db, option: str, action: str) -> None:
    run("audit_numbers.py", option)

    ((tenant, by, name, told, *of, details),) = _told(db)
    assert (tenant, by, told, of, details) == (
        EVERY_TENANT,
        "scripts/audit_numbers.py",
        action,
        ["database", db.name],
        {},
    )
    assert "@" in name


def test_a_new_master_key_is_told_to_operators_first(db: Db, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"MONGODB_URI": mongodb_uri, "FINANCE_DATABASE": db.name}
    settings["FINANCE_ENCRYPTION_KEY"] = base64.b64encode(ENCRYPTION_KEY).decode()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["rotate_encryption_key.py"])

    assert rotate_encryption_key.main() == 0

    ((tenant, by, _name, *told),) = _told(db)
    assert (tenant, by) == (EVERY_TENANT, "scripts/rotate_encryption_key.py")
    assert told == ["encryption_key_rotated", "database", db.name, {}]


def test_a_collection_of_other_software_has_no_tenant_of_ours(run: Run, db: Db) -> None:
    db.old.insert_many([{"tenant": "acme", "paymentNumber": "PAY20260006"} for _twice in range(2)])

    run(
        "repair_duplicates.py", "--collection", "old", "--number-field", "paymentNumber", "--scope", "tenant", "--apply"
    )

    assert [event[0] for event in _told(db)] == [EVERY_TENANT]


@pytest.mark.parametrize("command", ["repair_duplicates.py", "migrate_indexes.py"])
def test_where_the_event_cannot_be_stored_nothing_is_changed(run: Run, db: Db, duplicates: None, command: str) -> None:
    db.command({"collMod": "audit_events", "validator": {"never": True}})

    assert run(command, "--apply")[0] == 2

    assert "payment_number_unique" not in db.payments.index_information()
    assert db.payments.count_documents({"payment_number": "PAY20260001"}) == 5
    assert db.number_repairs.count_documents({}) == 0


def test_where_a_tenant_cannot_be_told_its_documents_stay(run: Run, db: Db, duplicates: None) -> None:
    db.command({"collMod": "audit_events", "validator": {"tenant": {"$ne": "globex"}}})

    run("repair_duplicates.py", "--apply")

    assert db.payments.count_documents({"tenant": "globex", "payment_number": "PAY20260001"}) == 2
    assert db.counters.find_one({"_id": f"payment:globex:{YEAR}"})["seq"] == 1  # none was reserved for them


def test_migrated_indexes_are_told_and_nothing_is_where_all_is_right(run: Run, db: Db) -> None:
    assert run("migrate_indexes.py", "--apply")[0] == 0
    assert _told(db) == []
    db.payments.drop_index("method")

    assert run("migrate_indexes.py", "--apply")[0] == 0

    ((tenant, by, _name, action, *of, details),) = _told(db)
    assert (tenant, by, action, of) == (
        EVERY_TENANT,
        "scripts/migrate_indexes.py",
        "indexes_migrated",
        ["database", db.name],
    )
    assert details == {"indexes": ["missing: payments.method"]}


def test_a_replaced_index_and_sequences_taken_over_are_told(run: Run, db: Db) -> None:
    db.seq.create_index("shop", unique=True)
    db.seq.insert_one({"shop": "dkr1", "year": 2026, "month": 11, "last": 5})
    asked = ("--collection", "seq", "--wrong", "shop", "--right", "shop,year,month", "--keep-max", "last")

    assert run("migrate_indexes.py", *asked, "--take-over", "acme", "--apply")[0] == 0

    replaced, taken_over = _told(db)
    assert (replaced[0], replaced[3:6]) == (EVERY_TENANT, ("indexes_migrated", "collection", "seq"))
    assert replaced[6] == {"wrong": ["shop"], "right": ["shop", "year", "month"], "keep_max": "last"}
    assert (taken_over[0], taken_over[3:]) == (
        "acme",
        ("sequences_taken_over", "collection", "seq", {"database": db.name, "sequences": 1}),
    )


def _told(db: Db) -> list[tuple[Any, ...]]:
    """Return what the events tell, in the order in which they were stored."""
    found = sorted(db.audit_events.find(), key=lambda event: (event["at"], event["tenant"]))
    return [
        tuple(event[name] for name in ("tenant", "by", "by_name", "action", "object_kind", "object_id", "details"))
        for event in found
    ]
