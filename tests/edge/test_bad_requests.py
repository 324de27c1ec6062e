"""The table of bad requests, sent byte for byte to a served API: each is refused as it says, and nothing is written."""

import base64
import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from finance.database import shared_secret
from finance.edge.cursors import Cursors
from tests.clients import HttpClient, a_payment
from tests.conftest import Api
from tests.edge import bad_bodies, bad_requests
from tests.edge.bad_requests import BadRequest
from tests.edge.wire import Answer, connect, read_answer

TENANT = "bad-requests"
WRITTEN = (
    *("payments", "payment_intents", "invoices", "credit_notes", "shops", "customers", "customer_codes", "counters"),
    *("number_gaps", "encryption_keys", "api_keys", "secrets"),
)
ROWS = [*bad_requests.rows(), *bad_bodies.rows()]


@dataclass(frozen=True)
class Tried:
    """An API with one of each thing; `real` is what stands in the place of `<…>`, `before` what was stored then."""

    api: Api
    real: dict[bytes, bytes]
    before: dict[str, Any]


@pytest.fixture(scope="module")
def tried(shared_api: Api) -> Iterator[Tried]:
    acme = HttpClient(shared_api, TENANT, role="admin")
    acme.call("PUT", "/shops/dkr1", json={"name": "Dakar", "timezone": "UTC", "currency": "EUR"})
    paid = [acme.post("/payments", json=a_payment()).json()["payment_number"] for _three in range(3)]
    lines = [{"description": "Work", "unit_price": "5.00"}]
    invoice = acme.post("/invoices", json={"shop": "dkr1", "customer_name": "Ada", "lines": lines}).json()
    customer = acme.post("/customers", json={"customer_name": "Ada"}).json()
    real = {
        role: acme.headers(role)["Authorization"].removeprefix("Bearer ") for role in ("client", "accountant", "admin")
    }
    real |= {"payment": paid[0], "invoice": invoice["invoice_number"], "customer": customer["customer_code"]}
    real |= _cursors(shared_api, acme)
    shared_api.key("client", "another")
    yield Tried(shared_api, {f"<{name}>".encode(): value.encode() for name, value in real.items()}, _stored(shared_api))
    acme.close()


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_bad_request_is_refused_and_the_connection_stays_sound(tried: Tried, row: BadRequest) -> None:
    sent = row.sent
    for name, value in tried.real.items():
        sent = sent.replace(name, value)

    with connect(tried.api) as connection:
        _send(connection, sent)
        answer = read_answer(connection)
        assert answer is not None
        _assert_refused_as(row, answer)
        if answer.headers["connection"] == "close":
            assert connection.recv(1) == b""
        else:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            following = read_answer(connection)
            assert following is not None
            assert following.status == 200


def test_none_of_them_wrote_anything(tried: Tried) -> None:
    assert _stored(tried.api) == tried.before


def test_the_table_is_a_table() -> None:
    assert len(ROWS) >= 140
    assert len({row.name for row in ROWS}) == len(ROWS)


def _assert_refused_as(row: BadRequest, answer: Answer) -> None:
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"]) == (row.status, row.status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert len(problem["errors"]) <= 100
    assert b"evil.example" not in answer.head + answer.body
    assert row.code in (None, problem["code"])
    if row.at is not None:
        assert row.at in [error.get("pointer", error.get("parameter")) for error in problem["errors"]], problem[
            "errors"
        ]


def _send(connection: socket.socket, sent: bytes) -> None:
    """Send all of it; a server that has answered already need not take the rest."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(sent)


def _cursors(api: Api, acme: HttpClient) -> dict[str, str]:
    """Return a cursor of the list of payments, and those that only look like one."""
    good = acme.get("/payments", params={"limit": "1"}).json()["next_cursor"]
    payload, _point, signature = good.rpartition(".")
    ours = Cursors(lambda: shared_secret(api.db, name="cursors", fresh=b"never used"))
    foreign = Cursors(lambda: b"another secret")
    here = {"tenant": TENANT, "path": "/api/v1/payments", "query": {"sort": "-payment_number"}}
    position = [2021, 1, "6b00bb3405ce2d8deb32491b"]
    assert ours.decode(good, **here)
    return {
        "cursor": good,
        "edited cursor": f"{'A' if payload[0] != 'A' else 'B'}{payload[1:]}.{signature}",
        "cut cursor": good[:-1],
        "unsigned cursor": _unsigned(["0123456789ab", *position]),
        "unsigned cursor of year 1": _unsigned(["0123456789ab", "0001-01-01T00:00:00+23:59", position[2]]),
        "cursor of another secret": foreign.encode(position, **here),
        "cursor of another tenant": ours.encode(position, **{**here, "tenant": "another"}),
        "cursor of another list": ours.encode(position, **{**here, "path": "/api/v1/invoices"}),
    }


def _unsigned(content: list[Any]) -> str:
    """Return a cursor as earlier versions made it."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _stored(api: Api) -> dict[str, Any]:
    """Return how many documents each collection has, and a digest of those that no look changes."""
    digests = api.db.command("dbHash", collections=[name for name in WRITTEN if name != "api_keys"])["collections"]
    return {"counts": {name: api.db[name].count_documents({}) for name in WRITTEN}, "digests": digests}
