"""deploy/nginx.conf in front of the real API, by Debian's nginx."""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import a_payment, at_once, poll
from tests.conftest import ROOT, Api
from tests.deploy.nginx import CLIENT, NAME, NGINX, Answer, Nginx, running, shipped

BODY_BYTES_MAX = 1024 * 1024
CONNECTIONS_MAX = 100
PAYMENTS = "/api/v1/payments"

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(NGINX is None, reason="there is no nginx here: apt-get install -y nginx-light"),
]


@pytest.fixture(scope="module")
def nginx(shared_api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    with running(shared_api, folder) as started:
        yield started


def test_a_payment_is_recorded_through_it(nginx: Nginx) -> None:
    headers = nginx.api.headers("client", "nginx") | {"Idempotency-Key": "order-1"}

    recorded = nginx.ask("POST", PAYMENTS, headers=headers, body=a_payment())
    repeated = nginx.ask("POST", PAYMENTS, headers=headers, body=a_payment())

    assert (recorded.status, repeated.status) == (201, 201)
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert nginx.ask("GET", recorded.headers["Location"], headers=headers).json["amount"] == "12.50"


def test_every_answer_tells_browsers_to_stay_with_tls(nginx: Nginx) -> None:
    answers = [nginx.ask("GET", path) for path in (PAYMENTS, "/api/v1/docs", "/metrics", "/nowhere")]

    assert [answer.status for answer in answers] == [401, 200, 404, 404]
    assert {answer.headers["Strict-Transport-Security"] for answer in answers} == {"max-age=31536000"}


def test_without_tls_one_is_sent_to_where_there_is_tls(nginx: Nginx) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.plain_port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/api/v1/docs?a=b", headers={"Host": NAME})
        answer = connection.getresponse()

        assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/api/v1/docs?a=b")


def test_another_name_gets_no_connection(nginx: Nginx) -> None:
    with pytest.raises(ssl.SSLError):
        nginx.connect(name="evil.example")


def test_the_api_logs_the_address_of_the_client_and_the_same_request_id(nginx: Nginx) -> None:
    answer = nginx.ask("GET", PAYMENTS, address="127.0.0.9", headers=nginx.api.headers("accountant", "nginx"))

    line = nginx.api_line(answer.headers["X-Request-Id"])

    assert line["address"] == "127.0.0.9"
    poll(lambda: nginx.log()[-1]["request_id"] == line["request_id"], within_s=5)  # written after the answer


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip", "X_Forwarded_For"])
def test_an_address_that_a_client_invents_is_ignored(nginx: Nginx, header: str) -> None:
    invented = {header: "for=198.51.100.1" if header == "Forwarded" else "198.51.100.1"}

    answer = nginx.ask("GET", PAYMENTS, headers=invented)

    assert nginx.api_line(answer.headers["X-Request-Id"])["address"] == CLIENT


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Forwarded-Host"])
def test_what_a_client_says_of_its_connection_is_ignored(nginx: Nginx, header: str) -> None:
    headers = nginx.api.headers("accountant", "nginx") | {header: "evil.example"}

    answer = nginx.ask("GET", f"{PAYMENTS}?limit=1", headers=headers)

    assert answer.status == 200
    assert b"evil.example" not in answer.body
    assert "evil.example" not in str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/healthz",
        "/readyz",
        "//metrics",
        "/./metrics",
        "/x/../metrics",
        "/%6detrics",
        "/metrics?a",
        "/metrics/",
    ],
)
def test_probes_are_not_for_the_internet(nginx: Nginx, path: str) -> None:
    answer = nginx.ask("GET", path)

    assert answer.status == 404
    _assert_problem(answer, "not_found")


def test_a_body_that_is_too_large_is_refused_where_the_api_refuses_it(nginx: Nginx) -> None:
    headers = nginx.api.headers("client", "nginx")

    largest = nginx.ask("POST", PAYMENTS, headers=headers, body=b" " * BODY_BYTES_MAX)
    larger = nginx.ask("POST", PAYMENTS, headers=headers | {"Content-Length": str(BODY_BYTES_MAX + 1)})

    assert largest.status == 400  # the API's word on spaces
    assert larger.status == 413
    _assert_problem(larger, "body_too_large")


def test_5000_payments_in_one_body_reach_the_api(nginx: Nginx) -> None:
    headers = nginx.api.headers("client", "nginx") | {"Idempotency-Key": "large"}
    path = f"{PAYMENTS}/bulk"

    large = nginx.ask("POST", path, headers=headers, body=b" " * (2 * BODY_BYTES_MAX))
    larger = nginx.ask("POST", path, headers=headers | {"Content-Length": str(4 * BODY_BYTES_MAX + 1)})

    assert large.status == 400  # the API's word on spaces
    assert larger.status == 413
    _assert_problem(larger, "body_too_large")


def test_a_chunked_body_reaches_the_api_with_its_length(nginx: Nginx) -> None:
    body = json.dumps(a_payment()).encode()
    key = nginx.api.headers("client", "nginx")["Authorization"]
    with nginx.connect() as connection:
        connection.sendall(
            f"POST {PAYMENTS} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{len(body):x}\r\n".encode()
            + body + b"\r\n0\r\n\r\n"
        )  # fmt: skip
        assert connection.recv(4_096).startswith(b"HTTP/1.1 201")


def test_slow_bodies_and_slow_heads_are_ended_and_disturb_nobody(nginx: Nginx) -> None:
    address = "127.0.0.3"
    begun = time.monotonic()
    with nginx.connect(address) as slow_body, nginx.connect(address) as slow_head:
        slow_body.sendall(f"POST {PAYMENTS} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n\r\n{{".encode())
        slow_head.sendall(f"GET {PAYMENTS} HTTP/1.1\r\nHost: ".encode())
        assert nginx.ask("GET", PAYMENTS).status == 401  # meanwhile
        ends = [_read_to_the_end(connection) for connection in (slow_body, slow_head)]
    assert time.monotonic() - begun < 25

    assert ends == [b"", b""]
    poll(lambda: [line["status"] for line in nginx.log() if line["address"] == address] == [408, 408], within_s=5)
    assert nginx.log()[-1]["upstream_status"] == ""  # the API never heard of them


def test_too_many_connections_of_one_address_are_429_and_others_are_served(nginx: Nginx) -> None:
    address = "127.0.0.4"
    with contextlib.ExitStack() as stack:
        for _connection in range(CONNECTIONS_MAX):
            waiting = stack.enter_context(nginx.connect(address))
            waiting.sendall(f"POST {PAYMENTS} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\n{{".encode())
        refused = poll(lambda: _if_refused(nginx.ask("GET", PAYMENTS, address=address)), within_s=5)
        assert nginx.ask("GET", PAYMENTS).status == 401

    _assert_problem(refused, "too_many_requests")
    assert refused.headers["Retry-After"] == "1"


def test_too_many_requests_of_one_address_are_429(nginx: Nginx) -> None:
    def send_300(_connection: int) -> list[bytes]:
        request = f"GET {PAYMENTS} HTTP/1.1\r\nHost: {NAME}\r\n"
        with nginx.connect("127.0.0.5") as connection:
            connection.sendall(f"{request}\r\n".encode() * 299 + f"{request}Connection: close\r\n\r\n".encode())
            return re.findall(rb"HTTP/1.1 (\d+) ", _read_to_the_end(connection))

    statuses = [status for answered in at_once(8, send_300) for status in answered]

    assert (len(statuses), set(statuses)) == (2_400, {b"401", b"429"})
    assert statuses.count(b"401") >= 400  # the burst
    assert nginx.ask("GET", PAYMENTS).status == 401  # somebody else


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /%zz HTTP/1.1", 400, "bad_request"),
        (f"GET /{'a' * 9_000} HTTP/1.1", 414, "uri_too_long"),
        (f"GET / HTTP/1.1\r\nX-Long: {'a' * 9_000}", 400, "bad_request"),
    ],
)
def test_what_nginx_refuses_itself_is_problem_json(nginx: Nginx, request_line: str, status: int, code: str) -> None:
    with nginx.connect() as connection:
        connection.sendall(f"{request_line}\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        answer = Answer.of(response)

    assert answer.status == status
    _assert_problem(answer, code)


def test_the_apis_own_errors_stay_its_own(nginx: Nginx) -> None:
    answer = nginx.ask("POST", PAYMENTS, headers=nginx.api.headers("client", "nginx"), body={"amount": "x"})

    assert answer.status == 422
    assert answer.json["errors"]


def test_neither_log_of_nginx_holds_a_path_or_a_query(nginx: Nginx) -> None:
    for path in ("/api/v1/customers/ABCDE1234F", "/api/v1/customers?pan_number=ABCDE1234F", "/%zzABCDE1234F"):
        nginx.ask("GET", path, headers={"Referer": "https://a/ABCDE1234F"})

    logs = "".join(log.read_text(encoding="utf-8") for log in nginx.folder.glob("*.log"))

    assert logs
    assert "ABCDE1234F" not in logs


def test_an_api_that_is_gone_is_a_502(serve_api: Callable[..., Any], tmp_path: Path) -> None:
    api = serve_api(workers=1)
    with running(api, tmp_path) as nginx:
        assert nginx.ask("GET", "/api/v1/docs").status == 200
        api.kill()
        gone = nginx.ask("GET", PAYMENTS)

    assert gone.status == 502
    _assert_problem(gone, "bad_gateway")
    assert gone.headers["Retry-After"] == "1"


def test_a_post_that_breaks_off_is_not_sent_to_another_server(shared_api: Api, tmp_path: Path) -> None:
    with _servers_that_hang_up(2) as (servers, received), running(shared_api, tmp_path, servers=servers) as nginx:
        assert nginx.ask("POST", PAYMENTS, body=a_payment()).status == 502
        assert received == ["POST"]


def test_connections_to_the_api_are_left_before_gunicorn_ends_them() -> None:
    gunicorn = re.search(r"^keepalive = (\d+)$", (ROOT / "finance/commands/gunicorn_conf.py").read_text(), re.MULTILINE)
    upstream = re.search(r"upstream finance_api {.*?keepalive_timeout (\d+)s;", shipped(), re.DOTALL)

    assert gunicorn is not None
    assert upstream is not None
    assert int(upstream[1]) < int(gunicorn[1])


def _assert_problem(answer: Answer, code: str) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert (problem["status"], problem["code"]) == (answer.status, code)
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}


def _if_refused(answer: Answer) -> Answer | None:
    return answer if answer.status == 429 else None


def _read_to_the_end(connection: ssl.SSLSocket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while piece := connection.recv(65_536):
            received += piece
    return received


@contextlib.contextmanager
def _servers_that_hang_up(count: int) -> Iterator[tuple[list[str], list[str]]]:
    """Give the addresses of servers that close each connection unanswered, and the methods that they were sent."""
    received: list[str] = []

    def hang_up(server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # when it is shut down
            while True:
                connection, _address = server.accept()
                with connection:
                    received.append(connection.recv(65_536).partition(b" ")[0].decode())

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _server in range(count)]
        for server in servers:
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        yield [f"127.0.0.1:{server.getsockname()[1]}" for server in servers], received
