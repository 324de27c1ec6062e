"""deploy/nginx.conf, as it is but for its names and ports, run by nginx in front of the real API."""

import contextlib
import datetime
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import processes
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients import a_payment, at_once, poll
from tests.conftest import ROOT, Api

NAME = "finance.example.com"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
BODY_BYTES_MAX = 1024 * 1024
CONNECTIONS_MAX = 100
PAYMENTS = "/api/v1/payments"
CLIENT = "127.0.0.2"  # all of 127.0.0.0/8 is this machine: so clients and nginx have different addresses

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(NGINX is None, reason="there is no nginx here: apt-get install -y nginx-light"),
]


class Nginx:
    """A running nginx. `ask` connects from `address`, so that it can be another client each time."""

    def __init__(self, *, port: int, plain_port: int, api: Api, folder: Path, certificate: Path) -> None:
        self.port = port
        self.plain_port = plain_port
        self.api = api
        self.folder = folder
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def connect(self, address: str = CLIENT, name: str = NAME) -> ssl.SSLSocket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(address, 0))
        return self._tls.wrap_socket(connection, server_hostname=name)

    def ask(
        self, method: str, path: str, *, address: str = CLIENT, headers: dict[str, str] | None = None, body: Any = None
    ) -> "Answer":
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.sock = self.connect(address)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            sent = {"Host": NAME, "Content-Length": str(len(data)), "Content-Type": "application/json"}
            for header, value in (sent | (headers or {})).items():
                connection.putheader(header, value)
            connection.endheaders(data)
            return Answer.of(connection.getresponse())

    def log(self) -> list[dict[str, Any]]:
        """Return nginx's own access log."""
        text = (self.folder / "finance.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def api_line(self, request_id: str) -> dict[str, Any]:
        """Return the line that the API logged of a request."""
        lines = [json.loads(line) for line in self.api.log.splitlines() if line.startswith("{")]
        return next(line for line in lines if line.get("request_id") == request_id)


class Answer:
    """A response, read to its end."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Answer":
        return cls(response.status, response.headers, response.read())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def nginx(shared_api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    with _running(shared_api, folder) as running:
        yield running


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
    assert nginx.log()[-1]["request_id"] == line["request_id"]


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
    with _running(api, tmp_path) as nginx:
        assert nginx.ask("GET", "/api/v1/docs").status == 200
        api.kill()
        gone = nginx.ask("GET", PAYMENTS)

    assert gone.status == 502
    _assert_problem(gone, "bad_gateway")
    assert gone.headers["Retry-After"] == "1"


def test_a_post_that_breaks_off_is_not_sent_to_another_server(shared_api: Api, tmp_path: Path) -> None:
    with _servers_that_hang_up(2) as (servers, received), _running(shared_api, tmp_path, servers=servers) as nginx:
        assert nginx.ask("POST", PAYMENTS, body=a_payment()).status == 502
        assert received == ["POST"]


def test_connections_to_the_api_are_left_before_gunicorn_ends_them() -> None:
    gunicorn = re.search(r"^keepalive = (\d+)$", (ROOT / "finance/commands/gunicorn_conf.py").read_text(), re.MULTILINE)
    upstream = re.search(r"upstream finance_api {.*?keepalive_timeout (\d+)s;", _shipped(), re.DOTALL)

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


def _shipped() -> str:
    return (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")


@contextlib.contextmanager
def _running(api: Api, folder: Path, *, servers: list[str] | None = None) -> Iterator[Nginx]:
    """Run the shipped file in `folder` before `api` (or `servers`), and stop it by its process id."""
    certificate, key = _certificate(folder)
    port, plain_port = processes.free_port(), processes.free_port()
    changed = {
        "server 127.0.0.1:8000;": "".join(f"server {at};" for at in servers or [api.url.removeprefix("http://")]),
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/finance/tls/fullchain.pem": str(certificate),
        "/etc/finance/tls/privkey.pem": str(key),
        "/var/log/nginx": str(folder),
    }
    site = _shipped()
    for shipped, ours in changed.items():
        assert shipped in site
        site = site.replace(shipped, ours)
    (folder / "finance.conf").write_text(site, encoding="utf-8")
    (folder / "nginx.conf").write_text(_main(folder), encoding="utf-8")
    command = [str(NGINX), "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_listening(process, port)
        yield Nginx(port=port, plain_port=plain_port, api=api, folder=folder, certificate=certificate)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _main(folder: Path) -> str:
    """Return what surrounds the shipped file: all that nginx writes is in `folder`."""
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers may not enter the folder
    return (
        f"{user}\ndaemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nevents {{ worker_connections 1024; }}\n"
        f"http {{\n{paths}include {folder}/finance.conf;\n}}\n"
    )


def _wait_until_listening(process: subprocess.Popen[str], port: int) -> None:
    def listens() -> bool:
        if process.poll() is not None:
            pytest.fail(f"nginx ended: {process.stderr.read() if process.stderr else ''}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    poll(listens, within_s=20)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that signs itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(pem)
    return certificate_file, key_file
