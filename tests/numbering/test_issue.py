"""Both policies on a real mongod. A rival that is faster is made certain: it acts when our command is on its way."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Decimal128, Int64
from embedded_mongodb import EmbeddedMongodb
from prometheus_client import REGISTRY
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, ServerSelectionTimeoutError
from pymongo.monitoring import CommandListener, CommandStartedEvent
from pymongo.write_concern import WriteConcern

from finance import database
from finance.database import Db, Document
from finance.numbering import counters
from finance.numbering.counters import CounterUnreadable
from finance.numbering.documents import newest_stored
from finance.numbering.drafts import Draft, NotStored, Numbered, NumbersExhausted, Outcome, Stored, Taken
from finance.numbering.issue import ATTEMPTS_MAX, issue_no_gap, issue_standard
from finance.numbering.series import Series
from finance.once import NothingStored, OutcomeUnknown
from finance.payments.model import NUMBERED

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOTH = pytest.mark.parametrize("issue", [issue_standard, issue_no_gap])

Issue = Callable[..., list[Outcome]]


# --- First and later, one and many, one series and several -------------------------------------------------------


@BOTH
def test_first_and_later_documents_are_numbered_in_their_order(db: Db, issue: Issue) -> None:
    first = issue(_payments(db), [_draft(), _draft()], now=NOW)
    later = issue(_payments(db), [_draft()], now=NOW)

    assert _numbers(first + later) == ["PAY20260001", "PAY20260002", "PAY20260003"]
    assert _stored_numbers(db) == [1, 2, 3]
    assert counters.read(db, _series()) == 3


@BOTH
def test_several_series_and_tenants_in_one_batch_each_count_for_themselves(db: Db, issue: Issue) -> None:
    drafts = [_draft(tenant, year) for tenant in ("acme", "globex") for year in (2025, 2026) for _twice in range(2)]

    outcomes = issue(_payments(db), drafts, now=NOW)

    assert _numbers(outcomes) == ["PAY20250001", "PAY20250002", "PAY20260001", "PAY20260002"] * 2
    assert {counter["_id"]: counter["seq"] for counter in db.counters.find()} == {
        f"payment:{tenant}:{year}": 2 for tenant in ("acme", "globex") for year in (2025, 2026)
    }


@BOTH
def test_an_empty_batch_changes_nothing(db: Db, issue: Issue) -> None:
    assert issue(_payments(db), [], now=NOW) == []
    assert db.counters.count_documents({}) == 0


@BOTH
def test_numbers_widen_past_9999_and_stay_in_order(db: Db, issue: Issue) -> None:
    counters.raise_to(db, _series(), 9990)

    outcomes = issue(_payments(db), [_draft() for _position in range(20)], now=NOW)

    expected = [f"PAY2026{number_seq}" for number_seq in range(9991, 10_011)]
    assert _numbers(outcomes) == expected
    assert [payment["payment_number"] for payment in db.payments.find().sort("number_seq")] == expected
    assert newest_stored(_payments(db), _series()) == 10_010


# --- Once --------------------------------------------------------------------------------------------------------


@BOTH
def test_the_same_key_twice_in_a_batch_costs_no_number(db: Db, issue: Issue) -> None:
    first, repeat, other = issue(_payments(db), [_draft(key="k"), _draft(key="k"), _draft()], now=NOW)

    assert isinstance(first, Stored)
    assert isinstance(repeat, Taken)
    assert repeat.document == first.document
    assert repeat.fields == {"tenant", "idempotency_key"}
    assert _numbers([other]) == ["PAY20260002"]
    assert _stored_numbers(db) == [1, 2]
    assert _gaps(db) == []


@BOTH
def test_a_key_stored_earlier_costs_no_number(db: Db, issue: Issue) -> None:
    [first] = issue(_payments(db), [_draft(key="k")], now=NOW)

    repeat, other = issue(_payments(db), [_draft(key="k"), _draft(key="l")], now=NOW)

    assert isinstance(repeat, Taken)
    assert repeat.document == db.payments.find_one({"idempotency_key": "k"})
    assert repeat.document["_id"] == first.document["_id"]
    assert _numbers([other]) == ["PAY20260002"]
    assert (_stored_numbers(db), _gaps(db)) == ([1, 2], [])


@BOTH
def test_the_same_key_of_two_tenants_is_two_documents(db: Db, issue: Issue) -> None:
    outcomes = issue(_payments(db), [_draft("acme", key="k"), _draft("globex", key="k")], now=NOW)

    assert [type(outcome) for outcome in outcomes] == [Stored, Stored]
    assert sorted(payment["tenant"] for payment in db.payments.find()) == ["acme", "globex"]


def test_a_key_that_a_rival_stores_first_is_answered_with_the_rivals_and_its_number_recorded(
    db: Db, disturbed: "Disturbed"
) -> None:
    rivals = disturbed.before("insert", lambda: issue_standard(_payments(db), [_draft(key="k")], now=NOW))

    taken, other = issue_standard(_payments(rivals), [_draft(key="k"), _draft()], now=NOW)

    assert isinstance(taken, Taken)
    assert taken.document == db.payments.find_one({"idempotency_key": "k"})
    assert taken.document["number_seq"] == 3  # ours had 1 and 2 by then
    assert _numbers([other]) == ["PAY20260002"]
    assert _gaps(db) == [("PAY20260001", "idempotent_replay")]
    assert disturbed.count("insert") == 1


def test_without_gaps_a_key_that_a_rival_stores_first_gives_its_number_to_the_next(
    db: Db, disturbed: "Disturbed"
) -> None:
    rival = [_draft(), _draft(key="k")]
    rivals = disturbed.before("insert", lambda: issue_no_gap(_payments(db), rival, now=NOW))

    before, taken, after = issue_no_gap(_payments(rivals), [_draft(), _draft(key="k"), _draft()], now=NOW)

    assert isinstance(taken, Taken)
    assert taken.document["number_seq"] == 2
    assert _numbers([before, after]) == ["PAY20260003", "PAY20260004"]
    assert (_stored_numbers(db), _gaps(db)) == ([1, 2, 3, 4], [])


# --- A number that is taken --------------------------------------------------------------------------------------


def test_a_counter_behind_the_data_is_raised_and_the_log_says_so(db: Db, caplog: pytest.LogCaptureFixture) -> None:
    _seed(db, range(1, 501))
    retries_before = _metric("finance_duplicate_number_retries_total")

    outcomes = issue_standard(_payments(db), [_draft()], now=NOW)

    assert _numbers(outcomes) == ["PAY20260501"]
    assert _warnings(caplog) == ["Duplicate payment number detected (attempt 1/5): PAY20260001"]
    assert counters.read(db, _series()) == 501
    assert _gaps(db) == []  # what was tried has a document, it is no gap
    assert _metric("finance_duplicate_number_retries_total") - retries_before == 1


def test_a_counter_behind_the_data_costs_a_batch_one_retry(db: Db, caplog: pytest.LogCaptureFixture) -> None:
    _seed(db, range(1, 501))

    outcomes = issue_standard(_payments(db), [_draft() for _position in range(20)], now=NOW)

    assert _numbers(outcomes) == [f"PAY2026{number_seq:04}" for number_seq in range(501, 521)]
    assert len(_warnings(caplog)) == 1


def test_a_batch_that_collides_in_part_renumbers_only_what_collided(db: Db, caplog: pytest.LogCaptureFixture) -> None:
    _seed(db, [2, 3])

    outcomes = issue_standard(_payments(db), [_draft(key=f"k{position}") for position in range(4)], now=NOW)

    assert _numbers(outcomes) == ["PAY20260001", "PAY20260005", "PAY20260006", "PAY20260004"]
    assert _warnings(caplog) == ["Duplicate payment number detected (attempt 1/5): PAY20260002"]
    assert (_stored_numbers(db), _gaps(db)) == ([1, 2, 3, 4, 5, 6], [])


def test_another_series_in_the_batch_is_untouched_by_a_collision(db: Db) -> None:
    _seed(db, range(1, 501))

    outcomes = issue_standard(_payments(db), [_draft("globex"), _draft("acme"), _draft("acme", 2025)], now=NOW)

    assert _numbers(outcomes) == ["PAY20260001", "PAY20260501", "PAY20250001"]
    assert counters.read(db, _series("globex")) == 1


def test_a_number_taken_again_and_again_is_retried_until_one_is_free(
    db: Db, disturbed: "Disturbed", caplog: pytest.LogCaptureFixture
) -> None:
    # Someone imports numbers just ahead of us, four times.
    rivals = disturbed.before("insert", lambda: _seed(db, [counters.read(db, _series())]), times=4)

    outcomes = issue_standard(_payments(rivals), [_draft()], now=NOW)

    assert _numbers(outcomes) == ["PAY20260005"]
    assert _warnings(caplog) == [
        f"Duplicate payment number detected (attempt {attempt}/5): PAY2026000{attempt}" for attempt in range(1, 5)
    ]


def test_exhausted_attempts_store_nothing(db: Db, disturbed: "Disturbed", caplog: pytest.LogCaptureFixture) -> None:
    rivals = disturbed.before("insert", lambda: _seed(db, [counters.read(db, _series())]), times=ATTEMPTS_MAX)

    [outcome] = issue_standard(_payments(rivals), [_draft(key="ours")], now=NOW)

    assert isinstance(outcome, NumbersExhausted)
    assert "nothing was stored" in outcome.detail
    assert db.payments.find_one({"idempotency_key": "ours"}) is None
    assert (len(_warnings(caplog)), _gaps(db)) == (ATTEMPTS_MAX, [])
    assert disturbed.count("insert") == ATTEMPTS_MAX


def test_exhausted_attempts_leave_the_others_of_the_batch_stored(db: Db) -> None:
    _seed(db, range(1, ATTEMPTS_MAX + 1), number_seq=None)  # numbers that a raise of the counter can't see

    exhausted, stored = issue_standard(_payments(db), [_draft("acme"), _draft("globex")], now=NOW)

    assert isinstance(exhausted, NumbersExhausted)
    assert _numbers([stored]) == ["PAY20260001"]
    assert db.payments.count_documents({"tenant": "acme"}) == ATTEMPTS_MAX


def test_without_gaps_the_data_counts_and_not_a_counter_behind_it(db: Db, caplog: pytest.LogCaptureFixture) -> None:
    _seed(db, range(1, 501))

    assert _numbers(issue_no_gap(_payments(db), [_draft()], now=NOW)) == ["PAY20260501"]
    assert counters.read(db, _series()) == 501
    assert _warnings(caplog) == []


def test_without_gaps_a_number_that_a_rival_takes_is_given_up_for_the_next(db: Db, disturbed: "Disturbed") -> None:
    rivals = disturbed.before("insert", lambda: issue_no_gap(_payments(db), [_draft(), _draft()], now=NOW), times=3)

    outcomes = issue_no_gap(_payments(rivals), [_draft(), _draft()], now=NOW)

    assert _numbers(outcomes) == ["PAY20260007", "PAY20260008"]
    assert _stored_numbers(db) == list(range(1, 9))


def test_without_gaps_a_number_that_can_never_be_had_ends_in_a_refusal(db: Db) -> None:
    _seed(db, [1], number_seq=None)

    [outcome] = issue_no_gap(_payments(db), [_draft(key="ours")], now=NOW)

    assert isinstance(outcome, NumbersExhausted)
    assert db.payments.find_one({"idempotency_key": "ours"}) is None


# --- Another unique index, and documents that the database refuses -----------------------------------------------


def test_a_collision_on_another_index_is_never_retried(
    db: Db, disturbed: "Disturbed", caplog: pytest.LogCaptureFixture
) -> None:
    earlier = _store_with_unique_reference(db)
    watched = disturbed.before("insert", lambda: None)

    taken, other = issue_standard(_payments(watched), [_draft(reference="R1"), _draft(reference="R2")], now=NOW)

    assert taken == Taken(earlier, frozenset({"tenant", "reference"}))
    assert _numbers([other]) == ["PAY20260003"]
    assert disturbed.count("insert") == 1
    assert _warnings(caplog) == []
    assert _gaps(db) == [("PAY20260002", "not_stored")]


def test_without_gaps_a_collision_on_another_index_leaves_no_hole(db: Db) -> None:
    earlier = _store_with_unique_reference(db)

    taken, other = issue_no_gap(_payments(db), [_draft(reference="R1"), _draft(reference="R2")], now=NOW)

    assert taken == Taken(earlier, frozenset({"tenant", "reference"}))
    assert _numbers([other]) == ["PAY20260002"]
    assert _stored_numbers(db) == [1, 2]


def test_a_document_that_the_database_refuses_is_not_stored_and_its_number_recorded(db: Db) -> None:
    _refuse_without_payer(db)

    good, bad, good_too = issue_standard(_payments(db), [_draft(), _draft(payer=None), _draft()], now=NOW)

    assert isinstance(bad, NotStored)
    assert "nothing was stored" in bad.detail
    assert _numbers([good, good_too]) == ["PAY20260001", "PAY20260003"]
    assert (_stored_numbers(db), _gaps(db)) == ([1, 3], [("PAY20260002", "not_stored")])


@pytest.mark.parametrize("bad_position", [0, 1, 2])
def test_without_gaps_a_document_that_the_database_refuses_leaves_no_hole(db: Db, bad_position: int) -> None:
    _refuse_without_payer(db)
    drafts = [_draft(payer=None if position == bad_position else "Ada") for position in range(3)]

    outcomes = issue_no_gap(_payments(db), drafts, now=NOW)

    assert isinstance(outcomes.pop(bad_position), NotStored)
    assert _numbers(outcomes) == ["PAY20260001", "PAY20260002"]
    assert (_stored_numbers(db), _gaps(db)) == ([1, 2], [])
    assert counters.read(db, _series()) == 2


def test_without_gaps_a_batch_that_is_refused_whole_leaves_the_counter_alone(db: Db) -> None:
    _refuse_without_payer(db)

    outcomes = issue_no_gap(_payments(db), [_draft(payer=None), _draft(payer=None)], now=NOW)

    assert [type(outcome) for outcome in outcomes] == [NotStored, NotStored]
    assert _numbers(issue_no_gap(_payments(db), [_draft()], now=NOW)) == ["PAY20260001"]


# --- What isn't known --------------------------------------------------------------------------------------------


@BOTH
def test_a_document_without_its_majority_is_an_unknown_outcome_and_its_repeat_is_answered(db: Db, issue: Issue) -> None:
    [outcome] = issue(_OnTwoNodes(db, NUMBERED), [_draft(key="k")], now=NOW)
    assert isinstance(outcome, OutcomeUnknown)

    [repeat] = issue(_payments(db), [_draft(key="k")], now=NOW)
    assert isinstance(repeat, Taken)
    assert repeat.document["payment_number"] == "PAY20260001"
    assert _stored_numbers(db) == [1]


@pytest.mark.faults
@pytest.mark.parametrize(("issue", "next_number"), [(issue_standard, "PAY20260003"), (issue_no_gap, "PAY20260002")])
def test_a_database_killed_while_documents_are_on_their_way_loses_and_doubles_nothing(
    own_mongod: EmbeddedMongodb, issue: Issue, next_number: str
) -> None:
    with pymongo.MongoClient(own_mongod.uri, tz_aware=True, w="majority", journal=True, timeoutMS=1500) as client:
        db = client["finance_test"]
        database.create_indexes(db)
        issue(_payments(db), [_draft(key="before")], now=NOW)
        disturbed = Disturbed(own_mongod.uri, "finance_test", deadline_ms=1500)

        [unknown] = issue(_payments(disturbed.before("insert", own_mongod.kill)), [_draft(key="lost")], now=NOW)
        assert isinstance(unknown, OutcomeUnknown)
        disturbed.close()
        own_mongod.start()

        before, lost = issue(_payments(db), [_draft(key="before"), _draft(key="lost")], now=NOW)
        assert isinstance(before, Taken)
        assert (type(lost), *_numbers([lost])) == (Stored, next_number)
        assert db.payments.count_documents({}) == 2


@pytest.mark.faults
def test_without_gaps_a_number_that_a_failover_undoes_leaves_no_hole(own_mongod: EmbeddedMongodb) -> None:
    with pymongo.MongoClient(own_mongod.uri, tz_aware=True, timeoutMS=30_000) as client:
        client.admin.command("setParameter", 1, journalCommitInterval=500)  # the longest there is
        db = client["finance_test"]
        database.create_indexes(db)
        disturbed = Disturbed(own_mongod.uri, "finance_test")

        def undo_what_no_majority_has() -> None:
            own_mongod.kill()
            own_mongod.start()

        # Another process's payment is visible on the primary, and its process and the primary end before it is safe.
        _seed(db.client.get_database("finance_test", write_concern=WriteConcern(w=1, j=False)), [1])
        outcomes = issue_no_gap(
            _payments(disturbed.before("insert", undo_what_no_majority_has)), [_draft(), _draft()], now=NOW
        )
        disturbed.close()

        assert len(_numbers(outcomes)) == 2
        assert _stored_numbers(db) == [1, 2]


# --- What fails before, beside and after the insert ----------------------------------------------------------------


@BOTH
def test_what_fails_before_the_insert_stored_nothing(db: Db, cut_off: "CutOff", issue: Issue) -> None:
    cut_off("find_one" if issue is issue_no_gap else "find_one_and_update")

    outcomes = issue(_payments(db), [_draft(), _draft()], now=NOW)

    assert [type(outcome) for outcome in outcomes] == [NothingStored, NothingStored]
    assert len({id(outcome) for outcome in outcomes}) == 2  # an instance of its own for each request
    assert db.payments.count_documents({}) == 0


def test_a_key_that_cannot_be_looked_for_stored_nothing(db: Db, cut_off: "CutOff") -> None:
    cut_off("find")

    keyed, plain = issue_standard(_payments(db), [_draft(key="k"), _draft()], now=NOW)

    assert isinstance(keyed, NothingStored)
    assert _numbers([plain]) == ["PAY20260001"]


@BOTH
@pytest.mark.parametrize("seq", ["7", -5, 7000.5, 10**17, None, True, float("nan"), [7]])
def test_an_unreadable_counter_concerns_its_own_series_alone(db: Db, issue: Issue, seq: object) -> None:
    db.counters.insert_one({"_id": "payment:acme:2026", "seq": seq})
    unreadable_before = _metric("finance_counters_unreadable_total")

    drafts = [_draft("globex"), _draft("acme"), _draft("acme"), _draft("initech")]
    before, *refused, after = issue(_payments(db), drafts, now=NOW)

    assert _numbers([before, after]) == ["PAY20260001", "PAY20260001"]
    assert [type(outcome) for outcome in refused] == [CounterUnreadable, CounterUnreadable]
    assert refused[0] is not refused[1]
    assert "nothing was stored" in refused[0].detail
    assert "--sync-counters" in refused[0].detail
    assert db.payments.count_documents({"tenant": "acme"}) == 0
    assert _metric("finance_counters_unreadable_total") - unreadable_before == 1


@BOTH
@pytest.mark.parametrize("seq", [7000.0, Int64(7000), Decimal128("7000")])
def test_a_counter_that_holds_a_whole_number_counts_whatever_its_type(db: Db, issue: Issue, seq: object) -> None:
    db.counters.insert_one({"_id": "payment:acme:2026", "seq": seq})

    outcomes = issue(_payments(db), [_draft(), _draft()], now=NOW)

    assert _numbers(outcomes) == ["PAY20267001", "PAY20267002"]
    assert all(type(payment["number_seq"]) is int for payment in db.payments.find())


@BOTH
def test_a_counter_without_a_number_begins_after_the_data(db: Db, issue: Issue) -> None:
    _seed(db, range(1, 4))
    db.counters.insert_one({"_id": "payment:acme:2026"})

    assert _numbers(issue(_payments(db), [_draft()], now=NOW)) == ["PAY20260004"]


@BOTH
@pytest.mark.parametrize("number_seq", ["9", -3, float("inf"), float("nan"), 10**17, None, 2.0])
def test_a_poisoned_number_in_a_stored_document_stops_nobody(db: Db, issue: Issue, number_seq: object) -> None:
    _seed(db, [1, 2])
    db.payments.insert_one({"tenant": "acme", "number_year": 2026, "number_seq": number_seq, "payment_number": "odd"})

    assert _numbers(issue(_payments(db), [_draft(), _draft()], now=NOW)) == ["PAY20260003", "PAY20260004"]


def test_a_gap_that_cannot_be_recorded_takes_nothing_from_what_is_stored(db: Db, cut_off: "CutOff") -> None:
    _refuse_without_payer(db)
    cut_off("bulk_write")

    stored, refused = issue_standard(_payments(db), [_draft(), _draft(payer=None)], now=NOW)

    assert _numbers([stored]) == ["PAY20260001"]
    assert isinstance(refused, NotStored)


def test_without_gaps_a_counter_that_cannot_be_raised_takes_nothing_from_what_is_stored(
    db: Db, cut_off: "CutOff", monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off("bulk_write")
    assert _numbers(issue_no_gap(_payments(db), [_draft()], now=NOW)) == ["PAY20260001"]
    monkeypatch.undo()

    assert _numbers(issue_no_gap(_payments(db), [_draft()], now=NOW)) == ["PAY20260002"]


@pytest.mark.parametrize("code", [91, 189, 10107, 11600, 13435, 50, 262])
@BOTH
def test_a_write_error_that_is_not_certain_leaves_an_unknown_outcome_and_no_gap(
    db: Db, issue: Issue, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_many = Collection.insert_many

    def passed_on_by_mongos(self: Any, documents: Any, **options: Any) -> None:
        if self.name != "payments":
            return insert_many(self, documents, **options)
        raise BulkWriteError({"writeErrors": [{"index": 0, "code": code, "errmsg": ""}], "writeConcernErrors": []})

    monkeypatch.setattr(Collection, "insert_many", passed_on_by_mongos)
    [outcome] = issue(_payments(db), [_draft()], now=NOW)

    assert isinstance(outcome, OutcomeUnknown)
    assert _gaps(db) == []


def test_many_series_whose_reservations_are_slow_are_stored_all_the_same(db: Db, disturbed: "Disturbed") -> None:
    slow = disturbed.before("findAndModify", lambda: time.sleep(0.035), times=64)

    with database.deadline(4.0):
        outcomes = issue_standard(_payments(slow), [_draft(f"tenant-{n}") for n in range(64)], now=NOW)

    assert _numbers(outcomes) == ["PAY20260001"] * 64


def test_series_whose_numbers_take_too_long_leave_the_others_time_to_be_stored(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = counters.reserve

    def never_in_time(db: Db, series: Series, count: int) -> range:
        if series.tenant.startswith("slow"):
            db.client.admin.command("ping")
            time.sleep(database.remaining_s() or 0)
            raise ServerSelectionTimeoutError
        return reserve(db, series, count)

    monkeypatch.setattr(counters, "reserve", never_in_time)
    drafts = [_draft(f"slow-{n}") for n in range(10)] + [_draft("acme")]
    with database.deadline(1.0):
        *slow, stored = issue_standard(_payments(db), drafts, now=NOW)

    assert {type(outcome) for outcome in slow} == {NothingStored}
    assert _numbers([stored]) == ["PAY20260001"]


# --- Several processes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["standard", "no_gap"])
def test_processes_that_collide_share_the_numbers_1_to_n(db: Db, mongodb_uri: str, policy: str) -> None:
    command = [sys.executable, "-m", "tests.numbering.issuer", mongodb_uri, db.name, policy, "40", "5"]
    issuers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _process in range(2)
    ]
    for issuer in issuers:
        assert issuer.stdout.readline() == "ready\n"

    for issuer in issuers:
        issuer.stdin.write("begin\n")
        issuer.stdin.flush()
    numbers = [json.loads(issuer.communicate()[0]) for issuer in issuers]

    assert sorted(numbers[0] + numbers[1]) == list(range(1, 401))
    assert _stored_numbers(db) == list(range(1, 401))
    assert _gaps(db) == []


CutOff = Callable[[str], None]


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> CutOff:
    """Make every call of one method of collections find no connection."""

    def cut(method: str) -> None:
        def find_no_connection(*args: Any, **options: Any) -> None:
            raise AutoReconnect("cut off")

        monkeypatch.setattr(Collection, method, find_no_connection)

    return cut


class Disturbed(CommandListener):
    """Connections on which `act` runs, and ends, after a command was chosen and before it is sent."""

    def __init__(self, uri: str, name: str, *, deadline_ms: int = 30_000) -> None:
        self._act: Callable[[], Any] = lambda: None
        self._command = ""
        self._times = 0
        self._started: list[str] = []
        self._client: pymongo.MongoClient[Document] = pymongo.MongoClient(
            uri,
            event_listeners=[self],
            tz_aware=True,
            w="majority",
            journal=True,
            readConcernLevel="majority",
            timeoutMS=deadline_ms,
        )
        self._db = self._client[name]

    def before(self, command: str, act: Callable[[], Any], *, times: int = 1) -> Db:
        """Return the database as seen over connections that are disturbed the next `times` times."""
        self._act, self._command, self._times = act, command, times
        return self._db

    def count(self, command: str) -> int:
        return self._started.count(command)

    def close(self) -> None:
        self._client.close()

    def started(self, event: CommandStartedEvent) -> None:
        self._started.append(event.command_name)
        if event.command_name == self._command and self._times:
            self._times -= 1
            self._act()

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@pytest.fixture
def disturbed(db: Db, mongodb_uri: str) -> Iterator[Disturbed]:
    connections = Disturbed(mongodb_uri, db.name)
    yield connections
    connections.close()


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="finance.numbering")


def _payments(db: Db) -> Numbered:
    return Numbered(db, NUMBERED)


class _OnTwoNodes(Numbered):
    """Documents that two nodes must have, where there is one."""

    @property
    def collection(self) -> Any:
        return super().collection.with_options(write_concern=WriteConcern(w=2, wtimeout=100))


def _series(tenant: str = "acme", year: int = 2026) -> Series:
    return Series(tenant, "payment", f"PAY{year}", 4, period=str(year), document_filter={"number_year": year})


def _draft(tenant: str = "acme", year: int = 2026, *, key: str | None = None, **fields: Any) -> Draft:
    document = {"tenant": tenant, "number_year": year, "payer": "Ada", **fields}
    return Draft(_series(tenant, year), document if key is None else {**document, "idempotency_key": key})


def _seed(db: Db, number_seqs: Any, **fields: Any) -> None:
    """Store payments of 2026 as an import does: past the counter."""
    common = {"tenant": "acme", "number_year": 2026, "payer": "Ada"}
    db.payments.insert_many(
        [{**common, "number_seq": n, "payment_number": f"PAY2026{n:04}", **fields} for n in number_seqs]
    )


def _store_with_unique_reference(db: Db) -> Document:
    """Add a unique index that isn't ours, and return the document that holds R1 in it (number 1)."""
    db.payments.create_index(
        [("tenant", 1), ("reference", 1)],
        name="reference_unique",
        unique=True,
        partialFilterExpression={"reference": {"$exists": True}},
    )
    [stored] = issue_standard(_payments(db), [_draft(reference="R1")], now=NOW)
    assert isinstance(stored, Stored)
    return stored.document


def _refuse_without_payer(db: Db) -> None:
    schema = {"bsonType": "object", "properties": {"payer": {"bsonType": "string"}}}
    db.command("collMod", "payments", validator={"$jsonSchema": schema})


def _numbers(outcomes: list[Outcome]) -> list[str]:
    return [outcome.document["payment_number"] for outcome in outcomes if isinstance(outcome, Stored)]


def _stored_numbers(db: Db) -> list[int]:
    return sorted(payment["number_seq"] for payment in db.payments.find())


def _gaps(db: Db) -> list[tuple[str, str]]:
    return [(gap["number"], gap["reason"]) for gap in db.number_gaps.find().sort("number_seq")]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def _metric(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"kind": "payment"}) or 0.0
