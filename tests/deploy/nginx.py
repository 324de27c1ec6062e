"""Runs deploy/nginx.conf, as it is but for its names and ports, in front of an API."""

import contextlib
import datetime
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients import poll
from tests.conftest import ROOT, Api

NAME = "finance.example.com"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CLIENT = "127.0.0.2"  # all of 127.0.0.0/8 is this machine: so clients and nginx have different addresses


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


def shipped() -> str:
    return (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")


@contextlib.contextmanager
def running(api: Api, folder: Path, *, servers: list[str] | None = None) -> Iterator[Nginx]:
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
    site = shipped()
    for named, ours in changed.items():
        assert named in site
        site = site.replace(named, ours)
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
