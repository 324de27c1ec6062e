"""What the audit finds. On a real mongod: the order is an index's."""

from datetime import timedelta

from finance.database import Db
from finance.maintenance.audit.series import FINDINGS_KEPT_MAX, audit
from finance.numbering import counters
from finance.payments.model import payment_series
from tests.maintenance.audit.conftest import Store, audit_one, unexplained
from tests.maintenance.conftest import NOW, YEAR

ACME = payment_series("acme", YEAR)


def test_nothing_stored_is_nothing_to_audit(db: Db) -> None:
    assert list(audit(db, now=NOW)) == []


def test_a_series_without_holes_is_accounted_for(db: Db, store: Store) -> None:
    store(1, 2, 3, counter=3)
    found = audit_one(db)
    assert found.is_accounted_for
    assert (found.series.counter_id, found.documents, found.first, found.newest) == ("payment:acme:2026", 3, 1, 3)


def test_old_holes_are_unexplained_as_ranges(db: Db, store: Store) -> None:
    store(2, 5, 9, counter=11)
    found = audit_one(db)
    assert found.findings["unexplained"] == [
        unexplained(1, 1),
        unexplained(3, 4),
        unexplained(6, 8),
        unexplained(10, 11),
    ]
    assert found.counts["unexplained"] == 8
    assert not found.is_accounted_for


def test_a_hole_before_a_fresh_payment_is_on_its_way(db: Db, store: Store) -> None:
    store(1, counter=3)
    store(3, age_s=10)
    found = audit_one(db)
    assert (found.counts["on_their_way"], found.counts["unexplained"]) == (1, 0)


def test_a_hole_before_a_freshly_renumbered_old_payment_is_on_its_way(db: Db, store: Store) -> None:
    entry = {"at": NOW - timedelta(seconds=5), "by": "repair:x", "action": "renumbered", "changes": {}}
    store(1, counter=3)
    store(3, age_s=10_000_000, history=[entry])
    assert audit_one(db).counts["on_their_way"] == 1


def test_numbers_above_the_newest_payment_have_the_age_of_the_last_reservation(db: Db, store: Store) -> None:
    store(1, counter=4, reserved_s=10)
    assert audit_one(db).counts["on_their_way"] == 3
    store(counter=4, reserved_s=61)
    assert audit_one(db).findings["unexplained"] == [unexplained(2, 4)]
    assert audit_one(db, grace_s=120).counts["on_their_way"] == 3


def test_recorded_gaps_explain(db: Db, store: Store) -> None:
    store(1, 4, counter=4)
    counters.record_gaps(db, [(ACME, 2), (ACME, 3)], reason="idempotent_replay", recorded_at=NOW)
    found = audit_one(db)
    assert found.is_accounted_for
    assert found.recorded_gaps == 2


def test_a_counter_behind_payments_or_gaps_is_found(db: Db, store: Store) -> None:
    store(1, 2, 3, counter=1)
    assert audit_one(db).counts["counter_behind"] == 2
    counters.record_gaps(db, [(ACME, 4)], reason="lost", recorded_at=NOW)
    assert audit_one(db).counts["counter_behind"] == 3
    assert not audit_one(db).is_accounted_for


def test_duplicates_and_voided_are_counted(db: Db, store: Store) -> None:
    db.payments.drop_index("payment_number_unique")
    store(1, 2, 2, 2, 3, counter=3)
    store(4, counter=4, status="voided")
    found = audit_one(db)
    assert (found.documents, found.counts["duplicates"], found.voided) == (6, 2, 1)
    assert not found.is_accounted_for


def test_every_tenant_and_year_is_a_series_of_its_own(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    store(1, counter=1, year=2025)
    store(1, 3, counter=3, tenant="zeta")
    store(counter=2, tenant="only-a-counter")
    found = {series.series.counter_id: series.counts["unexplained"] for series in audit(db, now=NOW)}
    assert found == {
        "payment:acme:2025": 0,
        "payment:acme:2026": 0,
        "payment:only-a-counter:2026": 2,
        "payment:zeta:2026": 1,
    }


def test_many_holes_are_all_counted_and_the_first_ones_kept(db: Db, store: Store) -> None:
    store(*range(2, 1000, 2), counter=998)
    found = audit_one(db)
    assert (found.counts["unexplained"], len(found.findings["unexplained"])) == (499, FINDINGS_KEPT_MAX)


def test_the_walk_reads_indexes_only(db: Db, store: Store) -> None:
    store(*range(1, 50), counter=49)
    db.command("profile", 2)
    audit_one(db)
    db.command("profile", 0)
    walks = list(
        db.system.profile.find({"ns": f"{db.name}.payments", "command.hint": {"$exists": True}, "command.limit": None})
    )
    assert walks
    assert sum(walk["docsExamined"] for walk in walks) == 0
