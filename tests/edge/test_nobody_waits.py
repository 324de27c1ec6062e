"""Whatever is sent, of whatever size: no 5xx, and nobody else waits a second."""

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finance.database import shared_secret
from finance.edge.cursors import Cursors
from tests import conftest
from tests.clients import Client, HttpClient, a_payment
from tests.conftest import Api
from tests.edge.bad_bodies import CUSTOMER, INVOICE
from tests.edge.bad_requests import MIB, VALID, members, post
from tests.edge.wire import connect, read_answer

NOBODY_WAITS_S = 1.0
SLACK = 4.0  # times as long, on two cores that do much else; what this is about took five seconds and more
PROBE_PAUSE_S = 0.05
RANDOM = partial(settings, deadline=None, suppress_health_check=list(HealthCheck))

BODIES = {
    "/payments": VALID,
    "/invoices": members(INVOICE, notes='"n"', total='"1.00"'),
    "/customers": members(CUSTOMER, banking='[{"iban": "x"}]', tds='{"applicable": true, "rate": 1.5}'),
}
# What is put in, once or until a megabyte is full.
FRAGMENTS = [
    *(b"[", b"]", b"{", b"}", b"[]", b"{}", b"[],", b"{},", b'{"a":', b'"', b'\\"', b"\\", b"\\u0000", b"\\ud800"),
    *(b"\\u00e9", b"\n", b" ", b"\t", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b",", b":", b"1,", b'"a",'),
    *(b'"a":1,', b"0", b"9", b"1.", b".", b"e9", b"1e9999999999999999999999,", b"-", b"null,", b"NaN", b"a"),
]
LISTS = ("/payments", "/invoices", "/customers", "/credit-notes")
SORTS = {"/payments": "-payment_number", "/invoices": "-issued_on", "/customers": "-created_at", "/credit-notes": ""}


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory, mongodb_uri: str) -> Iterator[Api]:
    with conftest._serving(mongodb_uri, tmp_path_factory.mktemp("nobody-waits"), 1, {}) as api:
        yield api


@pytest.fixture(scope="module")
def key(one_worker: Api) -> bytes:
    HttpClient(one_worker, role="admin").call(
        "PUT", "/shops/dkr1", json={"name": "Dakar", "timezone": "UTC", "currency": "EUR"}
    )
    return one_worker.key("admin").encode()


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return a path, and a body of it with a few places overwritten by something repeated."""
    path = draw(st.sampled_from(sorted(BODIES)))
    raw = BODIES[path].encode()
    for _change in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw)))
        overwritten = draw(st.integers(0, 8))
        fragment = draw(st.sampled_from(FRAGMENTS))
        times = draw(st.sampled_from([1, 2, 32, 33, 100, 5_000, MIB]))
        raw = raw[:place] + fragment * min(times, (MIB - len(raw)) // len(fragment)) + raw[place + overwritten :]
    return path, raw


@RANDOM(max_examples=150)
@given(sent=bodies())
def test_no_body_gives_a_5xx_and_nobody_waits_for_it(one_worker: Api, key: bytes, sent: tuple[str, bytes]) -> None:
    path, raw = sent
    with _nobody_waits(one_worker), connect(one_worker) as connection:
        connection.sendall(post(path, raw).replace(b"<admin>", key))
        answer = read_answer(connection)

    assert answer is not None
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@RANDOM(max_examples=150)
@given(
    raw=st.binary(max_size=300),
    head=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST /api/v1/payments HTTP/1.1\r\n"]),
)
def test_no_bytes_at_all_give_a_5xx(one_worker: Api, head: bytes, raw: bytes) -> None:
    with _nobody_waits(one_worker), connect(one_worker) as connection:
        connection.sendall(head + raw + b"\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            answer = read_answer(connection)

            assert answer is not None
            assert 200 <= answer.status < 500, answer.body  # / is the sign-in


positions = st.lists(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(["2026-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59"])
    | st.sampled_from(["2026-11-21T10:00:00", "6b00bb3405ce2d8deb32491b", "$ne", "\0"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.sampled_from(["$gt", "$where", "a"]), st.text(max_size=5), max_size=2),
    max_size=5,
)


@RANDOM(max_examples=200)
@given(path=st.sampled_from(LISTS), position=positions)
def test_no_position_gives_a_5xx_even_if_it_were_signed(shared_client: Client, path: str, position: list[Any]) -> None:
    ours = Cursors(lambda: shared_secret(shared_client.db, name="cursors", fresh=b"made by a test"))
    query = {"sort": SORTS[path]} if SORTS[path] else {}
    cursor = ours.encode(position, tenant="acme", path=f"/api/v1{path}", query=query)

    answer = shared_client.get(f"{path}?cursor={cursor}")

    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert answer.json["errors"][0]["parameter"] == "cursor"


@RANDOM(max_examples=100)
@given(path=st.sampled_from(LISTS), data=st.data())
def test_no_cursor_gives_a_5xx(shared_client: Client, path: str, data: st.DataObject) -> None:
    for _two in range(2 - shared_client.db.payments.count_documents({"tenant": "cursors"}, limit=2)):
        shared_client.post("/payments", json=a_payment(), tenant="cursors")
    cursor = shared_client.get("/payments?limit=1", tenant="cursors").json["next_cursor"]
    place = data.draw(st.integers(0, len(cursor)))
    changed = cursor[:place] + data.draw(st.text(max_size=2_000)) + cursor[place + data.draw(st.integers(0, 9)) :]

    answer = shared_client.get(path, query_string={"cursor": changed}, tenant="cursors")

    assert answer.status_code == (200 if (path, changed) == ("/payments", cursor) else 422)


@contextlib.contextmanager
def _nobody_waits(api: Api) -> Iterator[None]:
    """Ask for something simple again and again meanwhile; fails where an answer takes too long."""
    longest_s, ended = 0.0, threading.Event()

    def probe() -> None:
        nonlocal longest_s
        while not ended.is_set():
            began = time.monotonic()
            with connect(api) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert read_answer(connection) is not None
            longest_s = max(longest_s, time.monotonic() - began)
            ended.wait(PROBE_PAUSE_S)

    beside = threading.Thread(target=probe)
    beside.start()
    try:
        yield
    finally:
        ended.set()
        beside.join()
    assert longest_s < NOBODY_WAITS_S * SLACK
