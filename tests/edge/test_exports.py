"""How many files are written at a time, and that a slot is given back whatever becomes of the file."""

import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from embedded_mongodb import EmbeddedMongodb

from finance.config import Config
from finance.database import Db
from finance.edge.exports import Slots, Table, TooManyExports
from finance.edge.files.csv_files import CsvFile
from finance.edge.files.options import FileOptions
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


def test_a_csv_file_that_breaks_says_so_in_its_last_line_before_it_breaks_off() -> None:
    table = Table("t", ("number",), frozenset())
    chunks = CsvFile(table, dict, FileOptions()).chunks(_broken_after(6_000, {"number": "PAY20260001"}))
    received: list[bytes] = []

    with pytest.raises(RuntimeError):
        received += chunks  # what came before it broke stays

    *_rows, last = b"".join(received).decode().splitlines()
    assert last == '"THIS FILE IS NOT COMPLETE: something failed after 6000 rows. Ask for it again."'


def test_a_stream_that_breaks_ends_without_its_last_chunk(
    serve_api: Callable[..., Any], own_mongod: EmbeddedMongodb
) -> None:
    api = serve_api(workers=1, MONGODB_URI=own_mongod.uri)
    client = HttpClient(api)
    _fill(api.db, client)

    received: list[bytes] = []

    with client.get(CSV, stream=True) as answer:
        pieces = answer.iter_content(64 * 1024)
        received.append(next(pieces))
        own_mongod.kill()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            received += pieces

    assert answer.status_code == 200
    assert b"THIS FILE IS NOT COMPLETE" in received[-1]


def _broken_after(pages: int, row: Any) -> Iterator[list[Any]]:
    yield from itertools.repeat([row], pages)
    raise RuntimeError("something inside")


def _is_served(client: HttpClient) -> bool:
    with client.get(CSV, stream=True) as answer:
        return bool(answer.status_code == 200)


def _with_many_payments(serve_api: Callable[..., Any], db: Db) -> Any:
    """Serve a database that holds more than the buffers of a socket."""
    api = serve_api(workers=1, FINANCE_DATABASE=db.name, FINANCE_EXPORTS_AT_ONCE="2")
    _fill(db, HttpClient(api))
    return api


def _fill(db: Db, client: HttpClient) -> None:
    client.post("/payments", json=a_payment(note="n" * 1_000)).raise_for_status()
    payment = db.payments.find_one({}, {"_id": False})
    assert payment is not None
    for start in range(0, 40_000, 5_000):
        db.payments.insert_many(
            {**payment, "payment_number": f"PAY2021{n}", "number_seq": n} for n in range(start + 10_000, start + 15_000)
        )


def _half_read(api: Any, client: HttpClient) -> socket.socket:
    """Return a connection on which an export has begun, and that will be reset when it is closed."""
    host, port = api.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    authorization = client.headers("accountant")["Authorization"]
    connection.sendall(f"GET /api/v1{CSV} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n".encode())
    assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
    return connection
