"""Three real mongods behind real workers: what was acknowledged is there whatever becomes of the primary."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from pymongo.read_concern import ReadConcern

from tests.clients import HttpClient, a_payment, poll, share
from tests.faults.three_nodes import HOST, ThreeNodes

pytestmark = pytest.mark.faults

REQUESTS = 240
BEFORE = 60  # answered when the primary is lost
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with ThreeNodes(tmp_path_factory.mktemp("three-nodes")) as running:
        yield running


def test_nothing_is_acknowledged_or_repeated_before_a_majority_has_it(
    nodes: ThreeNodes, serve_api: Callable[..., Any]
) -> None:
    # Without gaps: numbers of the standard policy are reserved first, which already waits for a majority.
    api = serve_api(workers=1, MONGODB_URI=nodes.uri, FINANCE_DATABASE=_name(), PAYMENT_NUMBERING="no_gap")
    first, second = HttpClient(api, role="client"), HttpClient(api, role="client")
    assert first.post("/payments", key="before", json=a_payment()).status_code == 201
    primary, others = nodes.find_primary(), nodes.secondaries()
    with (
        pymongo.MongoClient(HOST, primary, directConnection=True) as direct,
        ThreadPoolExecutor(2) as pool,
    ):
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


@pytest.mark.parametrize("lost", ["killed", "frozen", "stepped down"])
def test_payments_are_stored_once_and_answered_though_the_primary_is_lost(
    nodes: ThreeNodes, serve_api: Callable[..., Any], lost: str
) -> None:
    api = serve_api(workers=2, MONGODB_URI=nodes.uri, FINANCE_DATABASE=_name())
    answered: list[str] = []
    primary = nodes.find_primary()
    assert primary is not None

    def post(client: HttpClient, key: str) -> str:
        answer = client.post_until_answered("/payments", key=key, json=a_payment(reference=key))
        assert answer.status_code == 201, answer.text
        answered.append(key)
        return str(answer.json()["payment_number"])

    def lose() -> None:
        poll(lambda: len(answered) >= BEFORE, within_s=WITHIN_S)
        {"killed": lambda: nodes.kill(primary), "frozen": lambda: nodes.freeze([primary])}.get(lost, nodes.step_down)()

    losing = threading.Thread(target=lose)
    losing.start()
    try:
        numbers = share([f"k{n}" for n in range(REQUESTS)], post, HttpClient(api, role="client"))
    finally:
        losing.join()
        nodes.thaw([primary])
        if lost == "killed":
            nodes.start(primary)
        poll(lambda: nodes.find_primary() and len(nodes.secondaries()) == 2, within_s=WITHIN_S)

    stored = {payment["reference"]: payment["payment_number"] for payment in api.db.payments.find()}
    assert api.db.payments.count_documents({}) == REQUESTS
    assert [stored[f"k{n}"] for n in range(REQUESTS)] == numbers
    assert len(set(numbers)) == REQUESTS


def _name() -> str:
    return f"finance_test_{uuid4().hex[:12]}"
