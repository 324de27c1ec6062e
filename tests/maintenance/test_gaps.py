"""Explaining what is missing in a series: after an import with holes, the audit is content, and says why."""

from finance.database import Db
from finance.maintenance.gaps import explain_missing
from finance.maintenance.kinds import KINDS
from finance.numbering import counters
from finance.numbering.reasons import IDEMPOTENT_REPLAY, ISSUED_BY_OLDER_SYSTEM
from finance.payments.model import payment_series
from tests.commands import Commands
from tests.maintenance.audit.conftest import Store, audit_one
from tests.maintenance.conftest import NOW, YEAR

ACME = payment_series("acme", YEAR)


def explain(db: Db, *, last: int) -> int:
    return explain_missing(db, KINDS[0], ACME, last=last, reason=ISSUED_BY_OLDER_SYSTEM, now=NOW)


def test_an_import_with_holes_is_explained_as_taken_over_and_the_next_number_follows(db: Db, store: Store) -> None:
    store(2, 5)
    counters.record_gaps(db, [(ACME, 3)], reason=IDEMPOTENT_REPLAY, recorded_at=NOW)
    assert explain(db, last=7) == 4
    counters.go_on_after(db, ACME, 7)
    reasons = {gap["number_seq"]: gap["reason"] for gap in db.number_gaps.find()}
    assert reasons == {3: IDEMPOTENT_REPLAY} | dict.fromkeys((1, 4, 6, 7), ISSUED_BY_OLDER_SYSTEM)
    assert audit_one(db).is_accounted_for
    assert list(counters.reserve(db, ACME, 1)) == [8]


def test_explaining_again_reads_and_writes_nothing(db: Db, watched: Db, commands: Commands, store: Store) -> None:
    store(2, 5)
    explain(db, last=5)
    assert explain(watched, last=5) == 0
    assert set(commands.names) <= {"find", "getMore"}
