"""No log line holds an API key, whichever way it came in, nor what else stands in a path or a query."""

import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from finance import logs
from tests.clients import poll

KEY_ID = "0123456789abcdef"
SECRET = "a1" * 32
KEY = f"fin_{KEY_ID}_{SECRET}"
PAN = "ABCDE1234F"
ACCOUNT = "123456789012"


def everything_encoded(text: str) -> str:
    return "".join(f"%{ord(character):02X}" for character in text)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.upper(),
        f"GET /api/v1/keys/{KEY} 404",
        f"twice {KEY}{KEY}",
        f"{KEY}/and?more={KEY}",
        KEY[:-20],
        SECRET,
        quote(KEY).replace("_", "%5F"),
        everything_encoded(KEY),
        everything_encoded(everything_encoded(KEY)),
        everything_encoded(KEY).lower(),
        f"'Authorization': 'Bearer {KEY}'",
        f'{{"detail": "{KEY}"}}',
    ],
)
def test_the_secret_of_a_key_is_never_written(text: str) -> None:
    record = logging.makeLogRecord({"msg": "about %s", "args": (text,), "asked": {"for": [text]}})

    line = logs.text_of(record).decode()

    for hidden in (SECRET, SECRET.upper(), SECRET[:-20], "%61%31", "%2561", everything_encoded(SECRET)[:40]):
        assert hidden not in line
    json.loads(line)


def test_the_id_of_a_key_may_be_written() -> None:
    assert logs.redacted(f"refused {KEY} now") == f"refused fin_{KEY_ID}_… now"


@pytest.mark.parametrize("text", ["finance", "100 %", "e3b0c44298fc1c149afbf4c8996fb924", "fin_short_1", "PAY20260001"])
def test_what_is_no_key_stays_as_it_is(text: str) -> None:
    assert logs.redacted(text) == text


def test_a_traceback_holds_no_key() -> None:
    try:
        {}[KEY]
    except KeyError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})

    line = logs.text_of(record).decode()

    assert "KeyError" in line
    assert SECRET not in line


FIELDS = {"route": "/api/v1/payments", "status": 201, "milliseconds": 1.5, "address": None, "tenant": "acme"}


@pytest.mark.parametrize("request_id", [None, "abc", SECRET])
def test_the_line_of_a_request_is_the_one_that_its_logger_would_write(
    capfd: pytest.CaptureFixture[str], request_id: str | None
) -> None:
    token = logs.request_id_now.set(request_id)
    try:
        logs.write_access("finance.access", "POST /api/v1/payments 201", FIELDS)
        record = logging.makeLogRecord(
            {"name": "finance.access", "levelname": "INFO", "msg": "POST /api/v1/payments 201", **FIELDS}
        )
        expected = json.loads(logs.text_of(record))
    finally:
        logs.request_id_now.reset(token)

    written = capfd.readouterr().err
    line = json.loads(written)
    assert (list(line), line | {"time": ""}) == (list(expected), expected | {"time": ""})
    assert abs(datetime.fromisoformat(line["time"]).timestamp() - record.created) < 5
    assert SECRET not in written
    assert written.endswith("\n")


def test_a_request_does_not_fail_where_nobody_reads_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(logs, "STDERR", writer)

    logs.write_access("finance.access", "GET /healthz 200", FIELDS)

    os.close(writer)


def test_a_long_line_is_searched_in_linear_time() -> None:  # else this would not end
    for hostile in ("fin_", "%25", "%2525", "0", "%", "a" * 63 + "g", "fin_" + "0" * 15):
        logs.redacted(hostile * 200_000)


def test_what_gunicorn_says_in_its_own_form_holds_neither() -> None:
    message = f"Error handling request GET /api/v1/customers/{PAN}?account={ACCOUNT} with {KEY}"

    line = logs.Redacting(logging.Formatter("[%(levelname)s] %(message)s")).format(
        logging.makeLogRecord({"msg": message, "levelname": "ERROR"})
    )

    assert line == f"[ERROR] Error handling request GET /api/v1/… with fin_{KEY_ID}_…"


REQUESTS = {
    "a path": f"DELETE /api/v1/keys/{KEY} HTTP/1.1",
    "an encoded path": f"GET /api/v1/keys/{everything_encoded(KEY)} HTTP/1.1",
    "an unknown path": f"GET /{KEY} HTTP/1.1",
    "a query": f"GET /api/v1/payments?reference={KEY}&payer={PAN} HTTP/1.1",
    "a method": f"{KEY} / HTTP/1.1",
    "a wrong version": f"GET /api/v1/customers/{PAN}?account={ACCOUNT}&key={KEY} HTTP/9.9",
    "a PAN in a path": f"GET /api/v1/customers/{PAN} HTTP/1.1",
    "an account in a path": f"PUT /api/v1/shops/{ACCOUNT} HTTP/1.1",
    "an account in an unknown path": f"GET /api/v2/accounts/{ACCOUNT} HTTP/1.1",
    "a wrong header": f"GET /healthz HTTP/1.1\r\nAuthorization : Bearer {KEY}",
    "a header without a colon": f"GET /healthz HTTP/1.1\r\n{KEY}",
    "a folded header": f"GET /healthz HTTP/1.1\r\nX-A: b\r\n {KEY}",
    "a request id": f"GET /healthz HTTP/1.1\r\nX-Request-Id: {KEY[:60]}",
    "a user agent": f"GET /healthz HTTP/1.1\r\nUser-Agent: {KEY} {PAN}",
    "a transfer coding": f"POST /api/v1/payments HTTP/1.1\r\nTransfer-Encoding: {KEY}",
    "an expectation": f"POST /api/v1/payments HTTP/1.1\r\nExpect: {KEY}",
}


def test_nothing_a_request_holds_comes_into_the_log_as_it_is(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=1)
    bearer = api.headers("admin")["Authorization"]

    for begin in REQUESTS.values():
        _send(api, f"{begin}\r\nHost: a\r\nAuthorization: {bearer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    poll(lambda: "No request: " in api.log and '"DELETE ' in api.log, within_s=10)

    for secret in (SECRET, SECRET[:30], bearer.rsplit("_")[-1], everything_encoded(SECRET[:10]), PAN, ACCOUNT):
        assert secret not in api.log
    assert "DELETE /api/v1/keys/<key_id> 404" in api.log


def _send(api: Any, request: str) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.encode())
        while connection.recv(65_536):
            pass
