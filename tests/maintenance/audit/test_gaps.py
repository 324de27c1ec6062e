"""What the audit finds, and what recording gaps does about it. On a real mongod: the order is an index's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from finance.database import Db
from finance.indexes import Index
from finance.maintenance import kinds
from finance.maintenance.audit import gaps
from finance.maintenance.audit.gaps import Missing
from finance.maintenance.gaps import insert_gaps
from finance.maintenance.series import sync_counters
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from finance.payments.model import payment_series
from tests.maintenance.conftest import NOW, YEAR, a_payment

Store = Callable[..., None]
ACME = payment_series("acme", YEAR)


def audit_one(db: Db, **options: Any) -> gaps.SeriesAudit:
    (found,) = gaps.audit(db, now=NOW, **options)
    return found


def record(db: Db) -> gaps.Recording:
    return gaps.record_gaps(db, now=NOW)


def recorded(db: Db) -> list[int]:
    return [gap["number_seq"] for gap in db.number_gaps.find().sort("number_seq")]


def test_nothing_stored_is_nothing_to_audit(db: Db) -> None:
    assert list(gaps.audit(db, now=NOW)) == []


def test_a_series_without_holes_is_accounted_for(db: Db, store: Store) -> None:
    store(1, 2, 3, counter=3)
    found = audit_one(db)
    assert found.is_accounted_for
    assert (found.series.counter_id, found.documents, found.first, found.newest) == ("payment:acme:2026", 3, 1, 3)


def test_old_holes_are_unexplained_as_ranges(db: Db, store: Store) -> None:
    store(2, 5, 9, counter=11)
    found = audit_one(db)
    assert found.unexplained == [
        Missing(1, 1, False),
        Missing(3, 4, False),
        Missing(6, 8, False),
        Missing(10, 11, False),
    ]
    assert found.unexplained_count == 8
    assert not found.is_accounted_for


def test_a_hole_before_a_fresh_payment_is_on_its_way(db: Db, store: Store) -> None:
    store(1, counter=3)
    store(3, age_s=10)
    found = audit_one(db)
    assert (found.pending_count, found.unexplained_count) == (1, 0)


def test_a_hole_before_a_freshly_renumbered_old_payment_is_on_its_way(db: Db, store: Store) -> None:
    entry = {"at": NOW - timedelta(seconds=5), "by": "repair:x", "action": "renumbered", "changes": {}}
    store(1, counter=3)
    store(3, age_s=10_000_000, history=[entry])
    assert audit_one(db).pending_count == 1


def test_numbers_above_the_newest_payment_have_the_age_of_the_last_reservation(db: Db, store: Store) -> None:
    store(1, counter=4, reserved_s=10)
    assert audit_one(db).pending_count == 3
    store(counter=4, reserved_s=61)
    assert audit_one(db).unexplained == [Missing(2, 4, False)]
    assert audit_one(db, grace_s=120).pending_count == 3


def test_recorded_gaps_explain(db: Db, store: Store) -> None:
    store(1, 4, counter=4)
    insert_gaps(db, ACME, [2, 3], reason="idempotent_replay", recorded_at=NOW)
    found = audit_one(db)
    assert found.is_accounted_for
    assert found.recorded_gaps == 2


def test_a_counter_behind_payments_or_gaps_is_found(db: Db, store: Store) -> None:
    store(1, 2, 3, counter=1)
    assert audit_one(db).counter_behind == 2
    insert_gaps(db, ACME, [4], reason="lost", recorded_at=NOW)
    assert audit_one(db).counter_behind == 3
    assert not audit_one(db).is_accounted_for


def test_duplicates_and_voided_are_counted(db: Db, store: Store) -> None:
    db.payments.drop_index("payment_number_unique")
    store(1, 2, 2, 2, 3, counter=3)
    store(4, counter=4, status="voided")
    found = audit_one(db)
    assert (found.documents, found.duplicates, found.voided) == (6, 2, 1)
    assert not found.is_accounted_for


def test_every_tenant_and_year_is_a_series_of_its_own(db: Db, store: Store) -> None:
    store(1, 2, counter=2)
    store(1, counter=1, year=2025)
    store(1, 3, counter=3, tenant="zeta")
    store(counter=2, tenant="only-a-counter")
    found = {audit.series.counter_id: audit.unexplained_count for audit in gaps.audit(db, now=NOW)}
    assert found == {
        "payment:acme:2025": 0,
        "payment:acme:2026": 0,
        "payment:only-a-counter:2026": 2,
        "payment:zeta:2026": 1,
    }


def test_recording_gaps_makes_the_next_audit_clean(db: Db, store: Store) -> None:
    store(2, 5, counter=7)
    assert record(db).recorded == 5
    assert recorded(db) == [1, 3, 4, 6, 7]
    gap = db.number_gaps.find_one({"number_seq": 3}, {"_id": False})
    assert gap == {
        "tenant": "acme",
        "kind": "payment",
        "scope": None,
        "period": "2026",
        "number_seq": 3,
        "number": "PAY20260003",
        "reason": "lost",
        "recorded_at": NOW,
    }
    assert audit_one(db).is_accounted_for
    assert record(db).recorded == 0


def test_what_may_be_on_its_way_is_not_recorded(db: Db, store: Store) -> None:
    store(1, counter=5, reserved_s=10)
    assert record(db).recorded == 0


def test_a_gap_whose_payment_arrives_late_is_taken_back(db: Db, store: Store) -> None:
    store(1, 3, counter=3)
    record(db)
    db.payments.insert_one(a_payment(2))
    assert audit_one(db).late == [2]
    assert record(db).corrected == 1
    assert recorded(db) == []
    assert audit_one(db).is_accounted_for


def test_a_leap_of_the_counter_is_reported_and_not_recorded(db: Db, store: Store) -> None:
    store(1, 3, counter=20261234567)
    found = audit_one(db)
    assert found.unexplained_count == found.leap_count + 1 == 20261234567 - 2
    recording = record(db)
    assert (recording.recorded, recording.leaps) == (1, [Missing(4, 20261234567, False)])
    assert recorded(db) == [2]


def test_recording_stops_at_its_limit_and_the_next_run_goes_on(
    db: Db, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "RECORDED_MAX", 4)
    monkeypatch.setattr(gaps, "RECORD_BATCH", 3)
    store(1, 8, counter=8)
    assert (record(db).recorded, recorded(db)) == (4, [2, 3, 4, 5])
    assert not record(db).beyond_limit
    assert audit_one(db).is_accounted_for


def test_many_holes_are_all_counted_and_the_first_ones_kept(db: Db, store: Store) -> None:
    store(*range(2, 1000, 2), counter=998)
    found = audit_one(db)
    assert (found.unexplained_count, len(found.unexplained)) == (499, gaps.RANGES_SHOWN_MAX)


def test_counters_are_raised_to_payments_and_gaps_and_never_lowered(db: Db, store: Store) -> None:
    store(1, 2, counter=1)
    store(1, counter=9, tenant="ahead")
    insert_gaps(db, ACME, [3], reason="lost", recorded_at=NOW)
    raised = sync_counters(db)
    assert [(series.counter_id, before, after) for series, before, after in raised] == [("payment:acme:2026", 1, 3)]
    assert db.counters.find_one({"_id": "payment:ahead:2026"})["seq"] == 9


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


def test_a_kind_of_one_series_a_tenant_is_audited_by_an_index_on_its_numbers_alone(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Index("codes", "order", (("tenant", 1), ("number_seq", 1)), partial=kinds.NUMBERED_ONLY)
    monkeypatch.setattr(kinds, "INDEXES", (order,))
    db.codes.create_indexes([order.as_model()])
    codes = kinds.MaintainedKind(
        NumberedKind("code", "codes", "code"),
        series_fields=(),
        series_of=lambda document: Series(document["tenant"], "code", "C-", 6),
        series_of_counter=lambda parts: Series(parts[0], "code", "C-", 6),
        voided_filter={"status": "inactive"},
    )
    db.codes.insert_many([{"tenant": "acme", "number_seq": n, "created_at": NOW} for n in (1, 3)])
    db.codes.insert_one({"tenant": "zeta", "code": "CHOSEN"})
    db.counters.insert_one({"_id": "code:acme", "seq": 4})
    (found,) = gaps.audit(db, now=NOW, grace_s=-1, kinds=[codes])
    assert found.unexplained == [Missing(2, 2, False), Missing(4, 4, False)]
    gaps.record_gaps(db, now=NOW, grace_s=-1, kinds=[codes])
    assert [gap["number"] for gap in db.number_gaps.find().sort("number")] == ["C-000002", "C-000004"]
