"""The worker: what a client draws out has an end, and nobody else waits for it meanwhile."""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finance.edge.worker import BODY_TIMEOUT_S, LINGER_TIMEOUT_S, JoiningSocket
from tests import conftest
from tests.clients import HttpClient, a_payment, poll
from tests.conftest import Api
from tests.edge.bad_requests import VALID, get, post
from tests.edge.wire import connect, read_answer

SLOW_CLIENTS = 900
WITHIN_S = 10.0  # what is promised
SHORT_S = 3.0  # instead of the 20 that a client has to take a piece of its answer
SLACK_S = 8.0  # for a machine that does much else


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory, mongodb_uri: str) -> Iterator[Api]:
    """An API of one worker: all that hold it up hold up everybody."""
    with conftest._serving(mongodb_uri, tmp_path_factory.mktemp("one-worker"), 1, {}) as api:
        yield api


@pytest.fixture
def client_key(one_worker: Api) -> bytes:
    return one_worker.key("client", "slow").encode()


class Sent:
    """Notes what a socket is asked to do."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def sendall(self, data: bytes) -> None:
        self.asked.append(data)

    def sendfile(self, file: str) -> None:
        self.asked.append(file)

    def shutdown(self, how: int) -> None:
        self.asked.append(how)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ([], []),
        ([("sendall", b"head")], [b"head"]),
        ([("sendall", b"head"), ("sendall", b"body")], [b"headbody"]),
        ([("sendall", b"head"), ("sendall", b"1"), ("sendall", b"2")], [b"head1", b"2"]),
        ([("sendall", b"head"), ("sendfile", "file")], [b"head", "file"]),
        ([("sendall", b"head"), ("shutdown", socket.SHUT_RDWR)], [socket.SHUT_RDWR]),
    ],
)
def test_the_head_of_an_answer_goes_out_with_the_first_of_its_body(told: list[Any], asked: list[object]) -> None:
    sent = Sent()
    joining = JoiningSocket(sent)

    for name, value in told:
        getattr(joining, name)(value)
    joining.flush()

    assert sent.asked == asked


def test_the_parser_in_c_is_not_taken_where_it_is_installed(tmp_path: Path, mongodb_uri: str) -> None:
    """It reads a folded header, and lines that end in LF alone."""
    (tmp_path / "gunicorn_h1c.py").write_text("LimitRequestLine = parse_request = None")

    with conftest._serving(mongodb_uri, tmp_path, 1, {"PYTHONPATH": str(tmp_path)}) as api:
        assert HttpClient(api, "sound", role="client").post("/payments", json=a_payment()).status_code == 201


def test_while_900_clients_hold_back_their_bodies_others_are_served(one_worker: Api, client_key: bytes) -> None:
    sound = HttpClient(one_worker, "sound", role="client")
    half = _as(client_key, post("/payments", VALID, role="client"))[: -len(VALID) + 1]
    with connect(one_worker) as first:  # so that the key is known: while that is looked up, few may wait
        first.sendall(_as(client_key, post("/payments", "[]", role="client")))
        assert read_answer(first).status == 422
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        slow = [stack.enter_context(connect(one_worker)) for _client in range(SLOW_CLIENTS)]
        for connection in slow:
            connection.sendall(half)

        posted = sound.post("/payments", json=a_payment())
        served_after_s = time.monotonic() - began
        answers = [read_answer(connection) for connection in slow]
        ended_after_s = time.monotonic() - began

        assert posted.status_code == 201
        assert served_after_s < BODY_TIMEOUT_S  # before a single one of them was sent away
        assert {answer and answer.status for answer in answers} == {408}
        assert ended_after_s < WITHIN_S + SLACK_S
        assert one_worker.db.payments.count_documents({"tenant": "slow"}) == 0


def test_a_client_that_goes_away_while_its_body_arrives_is_no_failure_of_ours(
    one_worker: Api, client_key: bytes
) -> None:
    before = one_worker.log
    with connect(one_worker) as connection:
        connection.sendall(_as(client_key, post("/payments", VALID, role="client"))[:-20])
        time.sleep(0.3)  # until its head is read
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset

    logged = poll(lambda: one_worker.log[len(before) :].count("POST /api/v1/payments 400"), within_s=WITHIN_S)
    assert logged == 1
    assert "ConnectionResetError" not in one_worker.log[len(before) :]


def test_a_body_that_trickles_in_is_408_and_the_connection_ends(one_worker: Api, client_key: bytes) -> None:
    with connect(one_worker) as connection:
        sent = _as(client_key, post("/payments", VALID + " " * 200, role="client"))
        connection.sendall(sent[:-250])
        began = time.monotonic()
        answer = _trickle(connection, sent[-250:])

        assert answer is not None
        problem = json.loads(answer.body)
        assert (answer.status, problem["code"], answer.headers["connection"]) == (408, "request_timeout", "close")
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert time.monotonic() - began < WITHIN_S + SLACK_S


def test_a_head_that_trickles_in_is_cut_off(one_worker: Api) -> None:
    with connect(one_worker) as connection:
        began = time.monotonic()

        assert _trickle(connection, b"GET /healthz HTTP/1.1\r\nX-A: " + b"a" * 300) is None
        assert time.monotonic() - began < WITHIN_S + SLACK_S


@pytest.mark.parametrize(
    "sent",
    [
        post("/payments", "", role=None).replace(b"Length: 0", b"Length: 99"),
        post("/nothing", "", role=None).replace(b"Length: 0", b"Length: 99"),
        post("/payments", "", role="client").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1;xx",
    ],
    ids=["401", "404", "411"],
)
def test_a_refused_body_is_not_waited_for(one_worker: Api, client_key: bytes, sent: bytes) -> None:
    with connect(one_worker) as connection:
        connection.sendall(_as(client_key, sent))
        began = time.monotonic()
        answer = read_answer(connection)

        assert answer is not None
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""
        connection.settimeout(LINGER_TIMEOUT_S + SLACK_S)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hears no more of us
            while time.monotonic() - began < LINGER_TIMEOUT_S + SLACK_S:
                connection.sendall(b"x")
                time.sleep(0.1)
            pytest.fail("The server still listens.")


def test_a_chunk_whose_line_never_ends_stops_nobody(one_worker: Api, client_key: bytes) -> None:
    chunked = post("/payments", "", role=None).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with connect(one_worker) as connection:
        connection.sendall(chunked + b"1;")
        with contextlib.suppress(OSError):  # it is sent away in the middle
            connection.sendall(b"x" * 30_000_000)

        assert _seconds_of_a_probe(one_worker) < SLACK_S


def test_the_answer_to_a_large_refused_body_arrives(one_worker: Api) -> None:
    with connect(one_worker) as connection:
        connection.sendall(post("/payments", " " * 1_000_000, role=None))
        answer = read_answer(connection)

        assert answer is not None
        assert answer.status == 401


def test_a_connection_goes_on_after_a_body_that_was_read(one_worker: Api, client_key: bytes) -> None:
    with connect(one_worker) as connection:
        for _three in range(3):
            connection.sendall(_as(client_key, post("/payments", "{}", role="client")))
            answer = read_answer(connection)

            assert answer is not None
            assert (answer.status, answer.headers["connection"]) == (422, "keep-alive")


def test_two_requests_sent_at_once_are_answered_one_after_the_other(one_worker: Api, client_key: bytes) -> None:
    with connect(one_worker) as connection:
        connection.sendall(_as(client_key, post("/payments", "{}", role="client") + get("/payments", role="client")))

        answers = [read_answer(connection), read_answer(connection)]

        assert [answer and answer.status for answer in answers] == [422, 403]


def test_a_client_that_does_not_take_its_answer_is_let_go(serve_api: Callable[..., Api], tmp_path: Path) -> None:
    api = serve_api(workers=1, config=_less_patient(tmp_path, f"SEND_TIMEOUT_S = {SHORT_S}"))
    _fill(api, 5_000)
    export = get("/payments/export.csv").replace(b"<accountant>", api.key("accountant", "many").encode())
    with connect(api, timeout_s=90) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(export)

        _wait_for_log(api, "did not take its answer", within_s=SHORT_S + SLACK_S)

        assert _seconds_of_a_probe(api) < SLACK_S


def test_no_key_that_was_sent_in_a_request_of_no_sense_is_logged(one_worker: Api, client_key: bytes) -> None:
    with connect(one_worker) as connection:
        connection.sendall(b"GET /" + client_key + b"\r\nAuthorization Bearer " + client_key + b"\r\n\r\n")
        answer = read_answer(connection)

    assert answer is not None
    assert json.loads(answer.body)["request_id"] in one_worker.log
    assert client_key.decode() not in one_worker.log


def _less_patient(folder: Path, setting: str) -> Path:
    """Return gunicorn's configuration, ours with one of the worker's limits set: it is read before workers are made."""
    path = folder / "gunicorn.conf.py"
    path.write_text(f"{conftest.GUNICORN_CONF.read_text()}\n\nfrom finance.edge import worker\n\nworker.{setting}\n")
    return path


def _as(key: bytes, sent: bytes) -> bytes:
    return sent.replace(b"<client>", key)


def _trickle(connection: socket.socket, sent: bytes):
    """Send a byte every tenth of a second until something comes back."""
    connection.settimeout(0.1)
    for position in range(len(sent)):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent[position : position + 1])
        try:
            connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return None
        connection.settimeout(60)
        return read_answer(connection)
    pytest.fail("All of it was taken.")


def _seconds_of_a_probe(api: Api) -> float:
    began = time.monotonic()
    with connect(api) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 200
    return time.monotonic() - began


def _fill(api: Api, count: int) -> None:
    """Store payments whose list is larger than what a connection holds on its way."""
    note = "n" * 5_000
    api.db.payments.insert_many(
        {
            "tenant": "many",
            "payment_number": f"PAY2026{seq:05}",
            "number_year": 2026,
            "number_seq": seq,
            "amount_minor": seq,
            "currency": "EUR",
            "payer": "Ada",
            "payer_folded": "ada",
            "note": note,
            "method": "card",
            "direction": "incoming",
            "status": "recorded",
            "paid_on": "2026-01-01",
        }
        for seq in range(1, count + 1)
    )


def _wait_for_log(api: Api, text: str, *, within_s: float) -> None:
    ends_s = time.monotonic() + within_s
    while text not in api.log:
        assert time.monotonic() < ends_s, f"{text!r} was not logged."
        time.sleep(0.5)
