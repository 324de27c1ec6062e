"""Group commit. What a batch does is made up here, save for the last tests, which kill a real mongod."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from embedded_mongodb import EmbeddedMongodb
from pymongo.errors import ServerSelectionTimeoutError

from finance import database
from finance.config import Config
from finance.errors import TooBusy, Unavailable
from finance.numbering import documents
from finance.numbering import issue as issue_module
from finance.numbering import lane as lane_module
from finance.numbering.drafts import Draft, NotStored, Numbered, Outcome, Stored, Taken
from finance.numbering.issue import issue_no_gap, issue_standard
from finance.numbering.lane import Lane
from finance.numbering.series import Series
from finance.once import NothingStored, OutcomeUnknown
from finance.payments.model import NUMBERED
from tests.clients import at_once, poll

SERIES = Series(
    tenant="acme",
    kind="payment",
    prefix="PAY2026",
    digits_min=4,
    period="2026",
    document_filter={"number_year": 2026},
)
Commit = Callable[[Sequence[Draft]], list[Outcome]]

LONG_S = 30.0  # what nobody waits for in a test that passes
SHORT_S = 0.05  # what a test waits out on purpose
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Gate:
    """A commit in which every batch waits until it is let through. `batches` holds the names of those that came."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._may_pass = threading.Semaphore(0)

    def commit(self, drafts: Sequence[Draft]) -> list[Outcome]:
        self.batches.append([draft.document["name"] for draft in drafts])
        self._may_pass.acquire(timeout=LONG_S)
        return [Stored({**draft.document, "stored": True}) for draft in drafts]

    def let_through(self, batches: int) -> None:
        self._may_pass.release(batches)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture(autouse=True)
def _nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "LATE_S", LONG_S)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    with ThreadPoolExecutor(300) as threads:
        yield threads


def test_a_request_gets_the_outcome_of_its_own_document() -> None:
    lane = Lane(lambda drafts: [Stored({**draft.document, "stored": True}) for draft in drafts], kind="test")

    outcomes = at_once(50, lambda position: lane.submit(_draft(str(position)), deadline_s=LONG_S))

    assert [outcome.document["name"] for outcome in outcomes] == [str(position) for position in range(50)]


def test_a_taken_document_is_an_answer_and_a_refused_one_is_raised_for_its_request_alone() -> None:
    taken = Taken({"name": "earlier"}, frozenset({"tenant", "idempotency_key"}))
    outcomes = {"stored": Stored({"name": "stored"}), "taken": taken, "refused": NotStored()}
    lane = Lane(lambda drafts: [outcomes[draft.document["name"]] for draft in drafts], kind="test")

    assert lane.submit(_draft("stored"), deadline_s=LONG_S) is outcomes["stored"]
    assert lane.submit(_draft("taken"), deadline_s=LONG_S) is taken
    with pytest.raises(NotStored):
        lane.submit(_draft("refused"), deadline_s=LONG_S)


def test_a_batch_holds_all_that_waits(gate: Gate, pool: ThreadPoolExecutor) -> None:
    lane = Lane(gate.commit, kind="test")
    first = _occupy(lane, gate, pool)
    waiting = [pool.submit(lane.submit, _draft(str(position)), deadline_s=LONG_S) for position in range(20)]
    poll(lambda: len(lane._waiting) == 20, within_s=LONG_S)

    gate.let_through(1)
    poll(lambda: len(gate.batches) > 1, within_s=LONG_S)

    assert sorted(gate.batches[1], key=int) == [str(position) for position in range(20)]
    gate.let_through(1)
    assert all(future.result().document["stored"] for future in first + waiting)


def test_a_commit_beyond_every_deadline_is_seen(
    gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(gate.commit, kind="test")
    first = _occupy(lane, gate, pool)
    assert not lane.is_stuck()

    monkeypatch.setattr(lane_module, "STUCK_S", 0.0)
    assert lane.is_stuck()

    gate.let_through(1)
    assert all(future.result() for future in first)
    assert not lane.is_stuck()


def test_a_batch_has_a_limit(gate: Gate, pool: ThreadPoolExecutor) -> None:
    lane = Lane(gate.commit, kind="test", batch_size_max=8)
    _occupy(lane, gate, pool)
    waiting = [pool.submit(lane.submit, _draft(str(position)), deadline_s=LONG_S) for position in range(20)]
    poll(lambda: len(lane._waiting) == 20, within_s=LONG_S)

    gate.let_through(4)

    assert all(future.result().document["stored"] for future in waiting)
    assert sorted(len(batch) for batch in gate.batches[1:]) == [4, 8, 8]


def test_drafts_that_are_submitted_together_are_stored_together_and_answered_in_their_order(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    lane = Lane(gate.commit, kind="test", batch_size_max=8)
    _occupy(lane, gate, pool)
    parts = [[_draft(f"{part}-{place}") for place in range(5)] for part in range(3)]
    waiting = [pool.submit(lane.submit_many, part, deadline_s=LONG_S) for part in parts]
    poll(lambda: len(lane._waiting) == 3, within_s=LONG_S)

    gate.let_through(4)

    for part, future in zip(parts, waiting, strict=True):
        outcomes = future.result()
        assert [outcome.document["name"] for outcome in outcomes] == [draft.document["name"] for draft in part]
    assert [len(batch) for batch in gate.batches[1:]] == [5, 5, 5]  # two of them would be more than 8


def test_a_withdrawn_request_is_never_stored(gate: Gate, pool: ThreadPoolExecutor) -> None:
    lane = Lane(gate.commit, kind="test")
    _occupy(lane, gate, pool)

    with pytest.raises(TooBusy):
        lane.submit(_draft("withdrawn"), deadline_s=SHORT_S)
    after = pool.submit(lane.submit, _draft("after"), deadline_s=LONG_S)
    gate.let_through(3)

    assert after.result().document["name"] == "after"
    assert "withdrawn" not in [name for batch in gate.batches for name in batch]


def test_a_lane_goes_on_after_a_batch_of_withdrawn_requests_only(gate: Gate, pool: ThreadPoolExecutor) -> None:
    lane = Lane(gate.commit, kind="test")
    occupied = _occupy(lane, gate, pool)
    with pytest.raises(TooBusy):
        lane.submit(_draft("withdrawn"), deadline_s=SHORT_S)

    gate.let_through(1)
    assert all(future.result() for future in occupied)
    poll(lambda: len(lane._waiting) == 0, within_s=LONG_S)
    gate.let_through(2)

    for name in ("one", "two"):
        assert lane.submit(_draft(name), deadline_s=LONG_S).document["name"] == name


def test_a_request_that_runs_out_of_time_while_it_is_stored_has_an_unknown_outcome(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    lane = Lane(gate.commit, kind="test")
    _occupy(lane, gate, pool)
    leads = pool.submit(lane.submit, _draft("leads"), deadline_s=LONG_S)
    poll(lambda: len(lane._waiting) == 1, within_s=LONG_S)
    slow = pool.submit(lane.submit, _draft("slow"), deadline_s=SHORT_S * 20)
    poll(lambda: len(lane._waiting) == 2, within_s=LONG_S)

    gate.let_through(1)

    assert isinstance(slow.exception(), OutcomeUnknown)
    assert gate.batches[1] == ["leads", "slow"]
    gate.let_through(1)
    assert leads.result().document["name"] == "leads"


def test_a_commit_that_is_late_does_not_hold_up_those_after_it(
    gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "LATE_S", SHORT_S)
    hung = threading.Event()

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        if drafts[0].document["name"] == "hung":
            hung.wait(LONG_S)
        return [Stored(draft.document) for draft in drafts]

    lane = Lane(commit, kind="test")
    held_up = pool.submit(lane.submit, _draft("hung"), deadline_s=LONG_S)
    poll(lambda: lane._begun_at, within_s=LONG_S)

    assert lane.submit(_draft("after"), deadline_s=LONG_S).document["name"] == "after"

    hung.set()
    assert held_up.result().document["name"] == "hung"


def test_a_crowd_of_one_tenant_does_not_shut_out_another(
    gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "PENDING_MAX", 8)
    lane = Lane(gate.commit, kind="test")
    _occupy(lane, gate, pool)
    crowd = [pool.submit(lane.submit, _draft("crowd"), deadline_s=LONG_S) for _position in range(20)]
    poll(lambda: sum(future.done() for future in crowd) == 17, within_s=LONG_S)

    other = pool.submit(lane.submit, _draft("other", tenant="globex"), deadline_s=LONG_S)
    poll(lambda: len(lane._waiting) == 4, within_s=LONG_S)
    gate.let_through(2)

    assert other.result().document["name"] == "other"
    assert sum(isinstance(future.exception(), TooBusy) for future in crowd) == 17


def test_where_there_is_no_database_those_who_wait_are_told_at_once_and_one_looks_whether_it_is_back(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    back = threading.Event()

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        gate.commit(drafts)
        if back.is_set():
            return [Stored(draft.document) for draft in drafts]
        return [NothingStored.because_of(ServerSelectionTimeoutError("nobody there")) for _draft in drafts]

    lane = Lane(commit, kind="test")
    first = _occupy(lane, gate, pool)
    waiting = [pool.submit(lane.submit, _draft("waiting"), deadline_s=LONG_S) for _position in range(20)]
    poll(lambda: len(lane._waiting) == 20, within_s=LONG_S)

    gate.let_through(1)
    errors = [future.exception() for future in [*first, *waiting]]
    assert {type(error) for error in errors} == {NothingStored}
    assert len({id(error) for error in errors}) == len(errors)  # each its own

    looks = pool.submit(lane.submit, _draft("looks"), deadline_s=LONG_S)
    poll(lambda: len(gate.batches) == 2, within_s=LONG_S)
    with pytest.raises(NothingStored):
        lane.submit(_draft("meanwhile"), deadline_s=LONG_S)
    back.set()
    gate.let_through(2)
    assert looks.result().document["name"] == "looks"
    assert lane.submit(_draft("after"), deadline_s=LONG_S).document["name"] == "after"


def test_a_request_that_is_ended_while_it_stores_a_batch_leaves_a_lane_that_goes_on(
    gate: Gate, pool: ThreadPoolExecutor
) -> None:
    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        if drafts[0].document["name"] == "ended":
            raise SystemExit
        return [Stored(draft.document) for draft in drafts]

    lane = Lane(commit, kind="test")
    with pytest.raises(SystemExit):
        lane.submit(_draft("ended"), deadline_s=LONG_S)

    assert lane.submit(_draft("after"), deadline_s=LONG_S).document["name"] == "after"


def test_more_than_can_wait_is_refused_at_once(
    gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "PENDING_MAX", 8)  # half of it for one tenant
    lane = Lane(gate.commit, kind="test")
    _occupy(lane, gate, pool)
    waiting = [pool.submit(lane.submit, _draft("waiting"), deadline_s=LONG_S) for _position in range(3)]
    poll(lambda: len(lane._waiting) == 3, within_s=LONG_S)

    with pytest.raises(TooBusy):
        lane.submit(_draft("refused"), deadline_s=LONG_S)

    gate.let_through(4)
    assert all(future.result() for future in waiting)
    assert "refused" not in [name for batch in gate.batches for name in batch]


def test_an_exception_in_a_commit_answers_all_of_its_batch(gate: Gate, pool: ThreadPoolExecutor) -> None:
    lane = Lane(_raising_on_bad(gate.commit), kind="test")
    _occupy(lane, gate, pool)
    together = [pool.submit(lane.submit, _draft(name), deadline_s=LONG_S) for name in ("bad", "good", "good")]
    poll(lambda: len(lane._waiting) == 3, within_s=LONG_S)

    gate.let_through(2)

    assert [type(future.exception()) for future in together] == [OutcomeUnknown] * 3


def test_a_lane_goes_on_after_exceptions() -> None:
    lane = Lane(_raising_on_bad(lambda drafts: [Stored(draft.document) for draft in drafts]), kind="test")
    for _failure in range(2):
        with pytest.raises(OutcomeUnknown):
            lane.submit(_draft("bad"), deadline_s=SHORT_S * 20)

    assert lane.submit(_draft("after"), deadline_s=LONG_S).document["name"] == "after"


@pytest.mark.parametrize("issue", [issue_standard, issue_no_gap])
def test_requests_at_once_get_the_numbers_1_to_n(db: database.Db, issue: Callable[..., list[Outcome]]) -> None:
    numbered = Numbered(db, NUMBERED)
    lane = Lane(lambda drafts: issue(numbered, drafts, now=NOW), kind="payment")

    outcomes = at_once(100, lambda position: lane.submit(_draft(str(position)), deadline_s=LONG_S))

    assert sorted(outcome.document["number_seq"] for outcome in outcomes) == list(range(1, 101))
    stored = {document["name"]: document["number_seq"] for document in db.payments.find()}
    assert stored == {outcome.document["name"]: outcome.document["number_seq"] for outcome in outcomes}


@pytest.mark.faults
@pytest.mark.parametrize(("issue", "next_number"), [(issue_standard, "PAY20260003"), (issue_no_gap, "PAY20260002")])
def test_a_database_killed_half_way_leaves_an_unknown_outcome_and_a_lane_that_goes_on(
    own_mongod: EmbeddedMongodb,
    monkeypatch: pytest.MonkeyPatch,
    issue: Callable[..., list[Outcome]],
    next_number: str,
) -> None:
    db = database.connect(Config(mongodb_uri=own_mongod.uri, database_name="finance_test", database_deadline_s=1.0))
    database.create_indexes(db)
    numbered = Numbered(db, NUMBERED)
    killed = threading.Event()

    insert = documents.insert

    def insert_after_a_kill(numbered: Numbered, drafts: Sequence[Draft], *, ordered: bool) -> object:
        if drafts[0].document["name"] == "lost" and not killed.is_set():
            own_mongod.kill()
            killed.set()
        return insert(numbered, drafts, ordered=ordered)

    monkeypatch.setattr(issue_module, "insert", insert_after_a_kill)

    def commit(drafts: Sequence[Draft]) -> list[Outcome]:
        return issue(numbered, drafts, now=NOW)

    lane = Lane(commit, kind="payment")
    assert _number(lane.submit(_draft("before", key="k1"), deadline_s=LONG_S)) == "PAY20260001"
    with pytest.raises(OutcomeUnknown) as unknown:
        lane.submit(_draft("lost", key="k2"), deadline_s=3)
    assert isinstance(unknown.value, Unavailable)
    assert "unknown whether this took effect" in unknown.value.detail

    own_mongod.start()

    assert lane.submit(_draft("before", key="k1"), deadline_s=LONG_S).fields == {"tenant", "idempotency_key"}
    assert _number(lane.submit(_draft("lost", key="k2"), deadline_s=LONG_S)) == next_number
    assert db.payments.count_documents({}) == 2
    db.client.close()


def _draft(name: str, key: str | None = None, *, tenant: str = "acme") -> Draft:
    document = {"tenant": tenant, "number_year": 2026, "name": name}
    series = replace(SERIES, tenant=tenant)
    return Draft(series, document if key is None else {**document, "idempotency_key": key})


def _raising_on_bad(commit: Commit) -> Commit:
    def commit_or_raise(drafts: Sequence[Draft]) -> list[Outcome]:
        outcomes = commit(drafts)
        if any(draft.document["name"] == "bad" for draft in drafts):
            raise RuntimeError("the database said something new")
        return outcomes

    return commit_or_raise


def _occupy(lane: Lane, gate: Gate, pool: ThreadPoolExecutor) -> list[Future[Stored | Taken]]:
    """Begin a commit that stays in the gate, so that all further requests wait."""
    first = pool.submit(lane.submit, _draft("first"), deadline_s=LONG_S)
    poll(lambda: len(gate.batches) == 1, within_s=LONG_S)
    return [first]


def _number(outcome: Stored | Taken) -> str:
    return outcome.document["payment_number"]
