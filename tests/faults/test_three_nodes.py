"""Three real mongods behind real workers: what was acknowledged is there whatever becomes of the nodes.

Each fault is met by clients that post all the while; afterwards history.py compares each of their attempts with what
is stored. The short form is part of the normal tests. The long one, with as many acknowledged payments as
`FINANCE_TEST_PAYMENTS` says: `scripts/test -m long tests/faults/test_three_nodes.py -o log_cli=true`.
"""

import itertools
import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo.read_concern import ReadConcern

from tests.clients import HttpClient, a_payment, poll
from tests.databases import new_name
from tests.faults.networks import Forwarders, Namespaces, can_make_namespaces
from tests.faults.posting import Posting
from tests.faults.proof import find_violations, posting_to, require_proven
from tests.faults.three_nodes import ThreeNodes

pytestmark = pytest.mark.faults
log = logging.getLogger(__name__)

BEFORE = 40  # payments acknowledged when something is broken
MEANWHILE = 15  # and before it is mended: with one node frozen MongoDB takes 2 s for each batch
ON_ONE_NODE = 15  # more than were under way when the others were killed
ATTEMPTS_MAX = 3  # on a machine that is busy the primary may notice first
PAYMENTS_LONG = int(os.environ.get("FINANCE_TEST_PAYMENTS") or 200_000)
CLIENTS_LONG = 32
FAULTS_LONG = 12  # each kind twice
WORKER_KILL_PAUSE_S = 15.0  # a worker takes seconds to start
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    folder = tmp_path_factory.mktemp("three-nodes")
    network = Namespaces if can_make_namespaces() else partial(Forwarders, folder=folder)
    with ThreeNodes(folder, network) as running:
        yield running


@pytest.fixture
def serve(nodes: ThreeNodes, serve_api: Callable[..., Any]) -> Callable[..., Any]:
    """`serve_api` on the three nodes."""
    return partial(serve_api, MONGODB_URI=nodes.uri, FINANCE_DATABASE=new_name())


# ---------------------------------------------------------------- what is broken, each until it has been felt


def primary_killed(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.kill(_primary(nodes))
    posting.wait_for(more)


def primary_frozen(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.freeze([_primary(nodes)])
    posting.wait_for(more)


def primary_stepped_down(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.step_down()
    posting.wait_for(more)


def primary_cut_off(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.network.cut_off(_primary(nodes))
    posting.wait_for(more)


def majority_lost(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.kill(*nodes.secondaries())
    _until_somebody_is_refused(posting)


def all_killed(nodes: ThreeNodes, posting: Posting, more: int) -> None:
    nodes.kill(*nodes.ports)
    _until_somebody_is_refused(posting)


Fault = Callable[[ThreeNodes, Posting, int], None]
FAULTS: tuple[Fault, ...] = (
    primary_killed,
    primary_frozen,
    primary_stepped_down,
    primary_cut_off,
    majority_lost,
    all_killed,
)

# One policy or the other, as both with each would take twice the time; the long form has both.
SHORT: dict[str, tuple[Fault, ...]] = {
    "standard": (primary_killed, primary_stepped_down, majority_lost),
    "no_gap": (primary_frozen, primary_cut_off, all_killed),
}


def _primary(nodes: ThreeNodes) -> int:
    return poll(nodes.find_primary, within_s=WITHIN_S)


def _until_somebody_is_refused(posting: Posting) -> None:
    known = len(posting.history)
    poll(lambda: any(a.is_valid and not a.is_success for a in posting.history[known:]), within_s=WITHIN_S)


def _broken(nodes: ThreeNodes, posting: Posting, fault: Fault, *, more: int) -> None:
    """Break something, and make all whole again."""
    log.warning("%.2f %s", time.monotonic(), fault.__name__)  # the history has the same clock
    try:
        fault(nodes, posting, more)
    finally:
        nodes.restore()
        poll(nodes.is_whole, within_s=WITHIN_S)


# ---------------------------------------------------------------- the proofs


@pytest.mark.parametrize("numbering", SHORT)
def test_every_answer_holds_whatever_becomes_of_the_nodes(
    nodes: ThreeNodes, serve: Callable[..., Any], tmp_path: Path, numbering: str
) -> None:
    api = serve(workers=2, PAYMENT_NUMBERING=numbering)
    posting = posting_to(api, requests=None)

    with posting.running():
        for fault in SHORT[numbering]:
            posting.wait_for(BEFORE)
            _broken(nodes, posting, fault, more=MEANWHILE)
        posting.wait_for(BEFORE)
        posting.stop()

    require_proven(api, posting, tmp_path, no_gap=numbering == "no_gap")


def test_nothing_is_acknowledged_or_repeated_before_a_majority_has_it(
    nodes: ThreeNodes, serve: Callable[..., Any]
) -> None:
    # Without gaps: numbers of the standard policy are reserved first, which already waits for a majority.
    api = serve(workers=1, PAYMENT_NUMBERING="no_gap")
    first, second = HttpClient(api, role="client"), HttpClient(api, role="client")
    assert first.post("/payments", key="before", json=a_payment()).status_code == 201
    primary, others = _primary(nodes), nodes.secondaries()
    with nodes.direct(primary) as direct, ThreadPoolExecutor(2) as pool:
        seen_by_one = direct[api.db.name].get_collection("payments", read_concern=ReadConcern("local"))
        nodes.freeze(others)
        try:
            posted = pool.submit(first.post, "/payments", key="k", json=a_payment())
            poll(lambda: seen_by_one.find_one({"idempotency_key": "k"}), within_s=WITHIN_S)
            repeated = pool.submit(second.post, "/payments", key="k", json=a_payment())
            answers = [posted.result(), repeated.result()]
        finally:
            nodes.thaw(others)

    assert [answer.status_code for answer in answers] == [503, 503]
    assert first.post_until_answered("/payments", key="k", json=a_payment()).status_code == 201
    assert api.db.payments.count_documents({"idempotency_key": "k"}) == 1


def test_a_server_that_acknowledges_with_one_node_is_caught(nodes: ThreeNodes, serve: Callable[..., Any]) -> None:
    api = serve(workers=2, app="tests.faults.broken:app", BROKEN_SERVER="w:1")
    posting = posting_to(api, requests=None)

    with posting.running():
        for _attempt in range(ATTEMPTS_MAX):
            posting.wait_for(BEFORE)
            _lose_what_one_node_has(nodes, posting)
            told = posting.acknowledged
            if api.db.payments.count_documents({}) < told:
                break
        posting.stop()

    wrong = find_violations(api, posting)
    assert [violation for violation in wrong if violation.endswith("was acknowledged and is stored 0 times")], wrong


def _lose_what_one_node_has(nodes: ThreeNodes, posting: Posting) -> None:
    """Let clients post to a primary that is alone and doesn't know it yet, and have the others elect one without it."""
    primary, others = _primary(nodes), nodes.secondaries()
    nodes.kill(*others)
    target = posting.acknowledged + ON_ONE_NODE
    poll(lambda: posting.acknowledged >= target or nodes.find_primary() != primary, within_s=WITHIN_S)
    nodes.kill(primary)
    for other in others:
        nodes.start(other)
    poll(nodes.find_primary, within_s=WITHIN_S)
    nodes.restore()
    poll(nodes.is_whole, within_s=WITHIN_S)


@pytest.mark.long
@pytest.mark.timeout(6 * 3_600)
@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_every_answer_holds_through_every_fault_while_workers_are_killed(
    nodes: ThreeNodes, serve: Callable[..., Any], tmp_path: Path, numbering: str
) -> None:
    """Half of the payments each: one fault after the other, and now and then a worker is killed."""
    payments = PAYMENTS_LONG // 2
    api = serve(workers=3, PAYMENT_NUMBERING=numbering)
    posting = posting_to(api, requests=None, clients=CLIENTS_LONG)
    faults = itertools.cycle(FAULTS)

    with posting.running(), _workers_killed(api) as killed:
        for _fault in range(FAULTS_LONG):
            posting.wait_for(payments // FAULTS_LONG)
            _broken(nodes, posting, next(faults), more=MEANWHILE)
        posting.wait_for(payments - posting.acknowledged)
        posting.stop()

    told = Counter((a.status, a.answer.get("code"), a.replayed) for a in posting.history)
    log.warning("%s: %d acknowledged, %d workers killed", numbering, posting.acknowledged, len(killed))
    log.warning("%d attempts: %s", len(posting.history), dict(told))
    require_proven(api, posting, tmp_path, no_gap=numbering == "no_gap")


@contextmanager
def _workers_killed(api: Any) -> Iterator[list[int]]:
    """Kill a worker now and then; gives those that were killed."""
    done = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not done.wait(WORKER_KILL_PAUSE_S):
            for pid in random.sample(api.worker_pids(), 1) if api.worker_pids() else ():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        yield killed
    finally:
        done.set()
        killing.join()
