"""The last check of each series, as it is stored: what it tells of damage, and which of two checks stays."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from finance.asked import Asked
from finance.database import Db
from finance.maintenance.audit import stored
from finance.maintenance.audit.record import Recording, audit_and_record
from finance.maintenance.audit.series import GRACE_S, audit
from finance.maintenance.audit.stored import NumberCheck, Range, Reason, Storing, check_of, find_checks, store_checks
from finance.numbering import counters
from finance.payments.model import payment_series
from tests.maintenance.audit.conftest import Store
from tests.maintenance.conftest import NOW, YEAR, Run, a_payment

ACME = payment_series("acme", YEAR)
ASKED = Asked("acme", "scripts/audit_numbers.py", NOW, by_name="ops@host")


def check(db: Db) -> NumberCheck:
    """Audit, store what is found, and read it back."""
    storing = Storing(db, ASKED, GRACE_S)
    (found,) = storing.through(audit(db, now=NOW))
    read = find_checks(db, [found.series.counter_id], tenant="acme")[found.series.counter_id]
    assert read == check_of(found, ASKED, grace_s=GRACE_S)
    return read


def invoices(db: Db, *number_seqs: int, counter: int) -> None:
    of = {"tenant": "acme", "shop": "dkr1", "period": "2026-05", "created_at": NOW - timedelta(hours=1)}
    numbered = [{**of, "number_seq": n, "invoice_number": f"FAC-DKR1-202605-{n:04}"} for n in number_seqs]
    db.invoices.insert_many(numbered)
    db.counters.insert_one({"_id": "invoice:acme:DKR1:2026-05", "seq": counter, "reserved_at": NOW})


def test_a_whole_series_says_from_where_to_where_and_who_checked_it_when(db: Db, store: Store) -> None:
    store(1, 2, counter=5)
    store(4, 5, status="voided")
    counters.record_gaps(db, [(ACME, 3)], reason="idempotent_replay", recorded_at=NOW)

    found = check(db)

    assert (found.tenant, found.kind, found.scope, found.period) == ("acme", "payment", None, "2026")
    assert (found.first, found.newest, found.newest_seq) == ("PAY20260001", "PAY20260005", 5)
    assert (found.stored, found.voided, found.explained, found.missing) == (4, 2, 1, 0)
    assert (found.reasons, found.missing_ranges) == ((Reason("idempotent_replay", 1),), ())
    assert (found.counter, found.counter_seq, found.accounted_seq) == ("agrees", 5, 5)
    assert (found.is_whole, found.by, found.by_name) == (True, "scripts/audit_numbers.py", "ops@host")
    assert NOW <= found.checked_at < NOW + timedelta(minutes=1)


def test_an_invoice_that_somebody_deleted_is_missing_by_its_number(db: Db) -> None:
    invoices(db, 1, 2, 3, counter=3)
    db.invoices.delete_one({"number_seq": 2})

    found = check(db)

    assert (found.missing, found.is_whole) == (1, False)
    assert found.missing_ranges == (Range("FAC-DKR1-202605-0002", "FAC-DKR1-202605-0002", 1),)
    assert (found.scope, found.period) == ("DKR1", "2026-05")


def test_missing_numbers_are_counted_all_and_named_up_to_a_limit(db: Db, store: Store) -> None:
    store(*range(2, 500, 2), counter=498)
    found = check(db)
    assert (found.missing, len(found.missing_ranges)) == (249, stored.MISSING_KEPT_MAX)
    assert found.missing_ranges[1] == Range("PAY20260003", "PAY20260003", 1)


def test_a_leap_is_told_as_one(db: Db, store: Store) -> None:
    store(1, counter=20261234567)
    found = check(db)
    (leap,) = found.missing_ranges
    assert (leap.first, leap.is_leap, leap.count) == ("PAY20260002", True, found.missing)
    assert found.counter == "beyond"


def test_numbers_that_documents_share_are_named(db: Db, store: Store) -> None:
    db.payments.drop_index("payment_number_unique")
    store(*range(1, 30), counter=30)
    store(*range(1, 30))
    store(30, 30, 30)
    found = check(db)
    assert (found.duplicates, found.is_whole) == (31, False)
    assert found.duplicate_numbers == tuple(f"PAY2026{n:04}" for n in range(1, stored.DUPLICATES_KEPT_MAX + 1))


def test_a_counter_that_was_set_back_would_give_numbers_again(db: Db, store: Store) -> None:
    store(1, 2, 3, counter=1)
    found = check(db)
    assert (found.counter, found.counter_seq, found.accounted_seq, found.counter_again) == ("behind", 1, 3, 2)
    assert not found.is_whole


def test_a_counter_beyond_what_is_stored_has_given_numbers_that_are_on_their_way(db: Db, store: Store) -> None:
    store(1, counter=3, reserved_s=10)
    found = check(db)
    assert (found.counter, found.on_their_way, found.missing, found.is_whole) == ("beyond", 2, 0, True)


def test_a_recorded_gap_whose_document_has_come_is_named(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    counters.record_gaps(db, [(ACME, 2)], reason="lost", recorded_at=NOW)
    found = check(db)
    assert (found.late, found.late_ranges, found.is_whole) == (1, (Range("PAY20260002", "PAY20260002", 1),), False)


def test_what_recording_explains_is_stored_as_explained(db: Db, store: Store) -> None:
    store(1, 4, counter=6)
    storing = Storing(db, ASKED, GRACE_S)
    list(storing.through(audit_and_record(db, Recording(NOW))))
    found = find_checks(db, ["payment:acme:2026"], tenant="acme")["payment:acme:2026"]
    assert (found.missing, found.missing_ranges, found.explained, found.is_whole) == (0, (), 4, True)
    assert (found.reasons, found.counter) == ((Reason("lost", 4),), "agrees")


def test_an_earlier_check_never_takes_the_place_of_a_later_one(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    (found,) = audit(db, now=NOW)
    earlier = check_of(found, ASKED, grace_s=0)
    store(3, counter=3)
    (found,) = audit(db, now=NOW + timedelta(seconds=5))
    later = check_of(found, ASKED, grace_s=0)

    for made in ([later, earlier], [earlier], [later]):
        store_checks(db, made)

    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {"payment:acme:2026": later}
    assert db.number_checks.count_documents({}) == 1


def test_of_checks_stored_at_the_same_moment_the_latest_stays(db: Db, store: Store) -> None:
    store(1, counter=1)
    made = []
    for after_s in range(24):
        (found,) = audit(db, now=NOW + timedelta(seconds=after_s))
        made.append(check_of(found, ASKED, grace_s=0))
    failed: list[Exception] = []

    def write(some: list[NumberCheck]) -> None:
        try:
            for one in some:
                store_checks(db, [one])
        except Exception as error:  # noqa: BLE001  whatever it is, the test has to see it
            failed.append(error)

    threads = [threading.Thread(target=write, args=(made[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {"payment:acme:2026": made[-1]}


def test_a_check_of_another_tenant_is_not_found(db: Db, store: Store) -> None:
    store(1, counter=1)
    check(db)
    assert find_checks(db, ["payment:acme:2026"], tenant="zeta") == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"checked_at": "yesterday"},
        {"is_whole": "yes"},
        {"missing": None},
        {"missing_ranges": [{"begin": 1}]},
        {"reasons": 7},
        {"counter": "lost"},
        {"kind": None},
    ],
)
def test_a_damaged_check_counts_as_none_and_the_next_one_takes_its_place(
    db: Db, store: Store, damage: dict[str, Any]
) -> None:
    store(1, counter=1)
    check(db)
    db.number_checks.update_one({}, {"$set": damage})
    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {}

    (found,) = audit(db, now=NOW + timedelta(seconds=9))
    later = check_of(found, ASKED, grace_s=0)
    store_checks(db, [later])
    assert find_checks(db, ["payment:acme:2026"], tenant="acme") == {"payment:acme:2026": later}


def test_the_command_stores_what_it_finds_in_every_series(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(4), a_payment(1, tenant="zeta")])
    invoices(db, 1, counter=1)
    assert run("audit_numbers.py")[0] == 1
    assert {one["_id"]: one["missing"] for one in db.number_checks.find()} == {
        "payment:acme:2026": 2,
        "payment:zeta:2026": 0,
        "invoice:acme:DKR1:2026-05": 0,
    }
    run("audit_numbers.py", "--record-gaps", "--sync-counters", "--json")
    assert db.number_checks.count_documents({"is_whole": True}) == 3
    one = db.number_checks.find_one({"_id": "payment:acme:2026"})
    assert (one["recorded_gaps"], one["by"]) == (2, "scripts/audit_numbers.py")


def test_the_command_stores_nothing_where_it_is_told_so(run: Run, db: Db) -> None:
    db.payments.insert_one(a_payment(1))
    run("audit_numbers.py", "--no-store")
    assert db.number_checks.count_documents({}) == 0


def test_the_command_stores_nothing_of_other_software(run: Run, db: Db) -> None:
    db.old.insert_one({"paymentNumber": "PAY20260001"})
    assert run("audit_numbers.py", "--collection", "old", "--number-field", "paymentNumber")[0] == 0
    assert db.number_checks.count_documents({}) == 0
    db.payments.insert_one({"paymentNumber": "PAY20260001"})
    assert run("audit_numbers.py")[0] == 2
    assert db.number_checks.count_documents({}) == 0


def test_where_the_check_cannot_be_stored_the_verdict_stands_and_says_so(
    run: Run, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.payments.insert_one(a_payment(1))
    db.command("collMod", "number_checks", validator={"nothing": {"$exists": True}})  # as a user who may only read
    try:
        code, output = run("audit_numbers.py", "--sync-counters")
    finally:
        db.command("collMod", "number_checks", validator={})
    assert code == 0
    assert "This check could not be stored, so pages show the one before it. MongoDB refused an operation" in output
    assert db.number_checks.count_documents({}) == 0


def test_a_database_that_takes_no_writes_ends_no_audit(db: Db, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store(1, counter=1)
    store(1, counter=1, tenant="zeta")
    asked = 0

    def refuse(_db: Db, _made: Any) -> None:
        nonlocal asked
        asked += 1
        raise OperationFailure("not authorized", 13)

    monkeypatch.setattr(stored, "store_checks", refuse)
    monkeypatch.setattr(stored, "WRITE_BATCH", 1)
    storing = Storing(db, ASKED, GRACE_S)
    assert len(list(storing.through(audit(db, now=NOW)))) == 2
    assert (storing.failure is not None, asked) == (True, 1)


def test_one_series_alone_is_audited_where_it_is_named(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(1), a_payment(3), a_payment(1, year=2025)])
    invoices(db, 1, 3, counter=1)
    assert run("audit_numbers.py", "--series", "payment:acme:2025", "--sync-counters")[0] == 0
    assert db.number_checks.distinct("_id") == ["payment:acme:2025"]
    assert db.counters.find_one({"_id": "payment:acme:2026"}) is None  # only its own counter is raised
    assert run("audit_numbers.py", "--series", "invoice:acme:DKR1:2026-05", "--record-gaps")[0] == 1
    assert db.number_gaps.distinct("number") == ["FAC-DKR1-202605-0002"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--series", "payment:acme:2019"], "--series payment:acme:2019: no number was given in it here."),
        (["--series", "receipt:acme:2019"], "must be named as payment:acme:2026"),
        (["--series", "payment"], "must be named as payment:acme:2026"),
        (["--series", "payment:acme:" + "9" * 5000], "no number was given in it here"),
        (["--series", "payment:acme:2026", "--collection", "invoices"], "no number was given in it here"),
    ],
)
def test_a_series_that_is_none_is_refused(run: Run, db: Db, options: list[str], said: str) -> None:
    db.payments.insert_one(a_payment(1))
    code, output = run("audit_numbers.py", *options)
    assert code == 2
    assert said in output
