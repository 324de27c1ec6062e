"""How many files are written at a time, and that a slot is given back whatever becomes of the file."""

import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from finance.config import Config
from finance.database import Db
from finance.edge.exports import Slots, TooManyExports
from tests.clients import Client, HttpClient, a_payment, poll

CSV = "/payments/export.csv"
XLSX = "/payments/export.xlsx"


def test_one_tenant_has_at_most_half_of_the_slots() -> None:
    slots = Slots(4)
    slots.take("acme")
    give_back = slots.take("acme")

    with pytest.raises(TooManyExports):
        slots.take("acme")
    slots.take("globex")
    give_back()
    give_back()  # no slot is given back twice
    slots.take("acme")
    with pytest.raises(TooManyExports):
        slots.take("acme")


def test_all_slots_taken_are_refused_to_everybody() -> None:
    slots = Slots(2)
    slots.take("acme")
    slots.take("globex")

    with pytest.raises(TooManyExports):
        slots.take("initech")


def test_a_single_slot_is_anybodys() -> None:
    give_back = Slots(1).take("acme")
    give_back()


@pytest.mark.parametrize("path", [CSV, XLSX])
def test_one_export_too_many_is_a_429_until_another_is_done(db: Db, path: str) -> None:
    client = Client(db, Config(exports_at_once=2))
    under_way = client.get(path, buffered=False)

    refused = client.get(path)

    assert (under_way.status_code, refused.status_code) == (200, 429)
    assert (refused.json["code"], refused.headers["Retry-After"]) == ("too_many_exports", "5")
    assert client.get(path, tenant="globex").status_code == 200
    under_way.close()
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", [CSV, XLSX])
def test_what_breaks_gives_its_slot_back(db: Db, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(db, Config(exports_at_once=2))
    with monkeypatch.context() as patch:
        patch.setattr("finance.payments.service.export_payments", lambda *_, **__: _broken_after(0, {}))
        for _again in range(3):
            assert client.get(path).status_code == 500
            assert client.get(f"{path}?status=open").status_code == 422

    assert [client.call("HEAD", path).status_code for _again in range(3)] == [200] * 3
    assert client.get(path).status_code == 200


def test_a_client_that_leaves_midway_gives_its_slot_back(serve_api: Callable[..., Any], db: Db) -> None:
    api = _with_many_payments(serve_api, db)
    client = HttpClient(api)

    for _again in range(3):
        with _half_read(api, client):
            assert client.get(CSV).status_code == 429
        poll(lambda: _is_served(client), within_s=20)


def test_an_export_that_breaks_midway_gives_its_slot_back(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(db, Config(exports_at_once=2))
    client.post("/payments", json=a_payment())
    row = db.payments.find_one()
    with monkeypatch.context() as patch:
        patch.setattr("finance.payments.service.export_payments", lambda *_, **__: _broken_after(1_000, row))
        for _again in range(3):
            with pytest.raises(RuntimeError):  # the status was sent long before
                client.get(CSV)

    assert client.get(CSV).status_code == 200


def _broken_after(pages: int, row: Any) -> Iterator[list[Any]]:
    yield from itertools.repeat([row], pages)
    raise RuntimeError("something inside")


def _is_served(client: HttpClient) -> bool:
    with client.get(CSV, stream=True) as answer:
        return bool(answer.status_code == 200)


def _with_many_payments(serve_api: Callable[..., Any], db: Db) -> Any:
    """Serve a database that holds more than the buffers of a socket."""
    api = serve_api(workers=1, FINANCE_DATABASE=db.name, FINANCE_EXPORTS_AT_ONCE="2")
    HttpClient(api).post("/payments", json=a_payment(note="n" * 1_000)).raise_for_status()
    payment = db.payments.find_one({}, {"_id": False})
    assert payment is not None
    for start in range(0, 40_000, 5_000):
        db.payments.insert_many(
            {**payment, "payment_number": f"PAY2021{n}", "number_seq": n} for n in range(start + 10_000, start + 15_000)
        )
    return api


def _half_read(api: Any, client: HttpClient) -> socket.socket:
    """Return a connection on which an export has begun, and that will be reset when it is closed."""
    host, port = api.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    authorization = client.headers("accountant")["Authorization"]
    connection.sendall(f"GET /api/v1{CSV} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n".encode())
    assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
    return connection
