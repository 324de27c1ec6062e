"""What recording gaps does about what the audit finds."""

import pytest

from finance.database import Db
from finance.indexes import Index
from finance.maintenance import kinds
from finance.maintenance.audit import record
from finance.maintenance.audit.record import Recording, record_gaps
from finance.maintenance.audit.series import audit
from finance.numbering.kinds import NumberedKind
from finance.numbering.series import Series
from tests.maintenance.audit.conftest import Store, audit_one, unexplained
from tests.maintenance.conftest import NOW, a_payment


def record_all(db: Db) -> Recording:
    return record_gaps(db, now=NOW)


def recorded(db: Db) -> list[int]:
    return [gap["number_seq"] for gap in db.number_gaps.find().sort("number_seq")]


def test_recording_gaps_makes_the_next_audit_clean(db: Db, store: Store) -> None:
    store(2, 5, counter=7)
    assert record_all(db).recorded == 5
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
    assert record_all(db).recorded == 0


def test_what_may_be_on_its_way_is_not_recorded(db: Db, store: Store) -> None:
    store(1, counter=5, reserved_s=10)
    assert record_all(db).recorded == 0


def test_a_gap_whose_payment_arrives_late_is_taken_back(db: Db, store: Store) -> None:
    store(1, 3, counter=3)
    record_all(db)
    db.payments.insert_one(a_payment(2))
    assert [late.first for late in audit_one(db).findings["recorded_and_stored"]] == [2]
    assert record_all(db).corrected == 1
    assert recorded(db) == []
    assert audit_one(db).is_accounted_for


def test_a_leap_of_the_counter_is_reported_and_not_recorded(db: Db, store: Store) -> None:
    store(1, 3, counter=20261234567)
    found = audit_one(db)
    assert found.counts["unexplained"] == found.leap_count + 1 == 20261234567 - 2
    recording = record_all(db)
    assert (recording.recorded, recording.leaps) == (1, [unexplained(4, 20261234567)])
    assert recorded(db) == [2]


def test_recording_stops_at_its_limit_and_the_next_run_goes_on(
    db: Db, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RECORDED_MAX", 4)
    monkeypatch.setattr(record, "RECORD_BATCH", 3)
    store(1, 8, counter=8)
    assert (record_all(db).recorded, recorded(db)) == (4, [2, 3, 4, 5])
    assert not record_all(db).beyond_limit
    assert audit_one(db).is_accounted_for


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
    (found,) = audit(db, now=NOW, grace_s=-1, kinds=[codes])
    assert found.findings["unexplained"] == [unexplained(2, 2), unexplained(4, 4)]
    record_gaps(db, now=NOW, grace_s=-1, kinds=[codes])
    assert [gap["number"] for gap in db.number_gaps.find().sort("number")] == ["C-000002", "C-000004"]
