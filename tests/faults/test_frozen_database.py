"""A MongoDB that answers nothing: who can't be served is told so at once, and the probes are served all the while."""

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from embedded_mongodb import EmbeddedMongodb

from finance.edge.waiting import WAITING_MAX
from tests.clients import HttpClient, a_payment
from tests.edge.bad_requests import VALID, post
from tests.edge.wire import connect, read_answer

pytestmark = pytest.mark.faults

CLIENTS = 600
OF_ONE_KEY = WAITING_MAX // 2
WITHIN_S = 60.0


def test_a_crowd_is_refused_at_once_and_nobody_else_waits(
    own_mongod: EmbeddedMongodb, serve_api: Callable[..., Any]
) -> None:
    api = serve_api(workers=1, MONGODB_URI=own_mongod.uri, FINANCE_REQUESTS_PER_KEY="off")
    client = HttpClient(api, role="client")
    assert client.post("/payments", json=a_payment()).status_code == 201  # so that the key is known
    key = client.headers("client")["Authorization"].removeprefix("Bearer ").encode()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(api)) for _client in range(CLIENTS)]
        os.kill(own_mongod.pid, signal.SIGSTOP)
        try:
            for number, connection in enumerate(crowd):
                connection.sendall(_post(key, number))
            refused = _first_answered(crowd, CLIENTS - OF_ONE_KEY)
            answers = [read_answer(connection) for connection in refused]
            probed = requests.get(f"{api.url}/healthz", timeout=WITHIN_S)
            again = refused[0]
            again.sendall(_post(key, crowd.index(again)))
            refused_again = read_answer(again)
        finally:
            os.kill(own_mongod.pid, signal.SIGCONT)
        waited = [read_answer(connection) for connection in crowd if connection not in refused]

    codes = {(answer.status, json.loads(answer.body)["code"]) for answer in (*answers, refused_again) if answer}
    assert codes == {(503, "too_busy")}
    assert probed.status_code == 200
    assert len(waited) == OF_ONE_KEY
    assert {answer.status for answer in waited if answer} <= {201, 503}
    stored = api.db.payments.count_documents({"idempotency_key": {"$regex": "^frozen-"}})
    assert stored >= sum(answer.status == 201 for answer in waited if answer)


def _post(key: bytes, number: int) -> bytes:
    return post("/payments", VALID, f"Idempotency-Key: frozen-{number}", role="client").replace(b"<client>", key)


def _first_answered(connections: list[socket.socket], count: int) -> list[socket.socket]:
    """Return the first `count` connections on which an answer has come."""
    answered: list[socket.socket] = []
    until = time.monotonic() + WITHIN_S
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while len(answered) < count:
            assert time.monotonic() < until, f"{len(answered)} of {count} were answered"
            for key, _events in selector.select(timeout=1):
                selector.unregister(key.fileobj)
                answered.append(key.fileobj)  # type: ignore[arg-type]
    return answered
