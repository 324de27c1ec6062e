"""Whole answers: their headers go out once, as they were added."""

from typing import Any

import pytest
from flask import Response
from werkzeug.test import create_environ, run_wsgi_app

from finance.edge.replies import Reply, reply

ADDRESSES = (
    "/api/v1/payments/PAY20260001",
    "/api/v1/invoices/Reçu-1",
    "/api/v1/invoices/a b",
    "/api/v1/invoices/F%2F1",
    "/api/v1/invoices/[1]",
    "/api/v1/invoices/1+2",
)


def sent(response: Response, method: str = "GET") -> tuple[bytes, str, list[tuple[str, str]]]:
    chunks, status, headers = run_wsgi_app(response, create_environ(method=method), buffered=True)  # to its end
    return b"".join(chunks), status, list(headers)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_location_is_written_as_werkzeug_writes_it(address: str) -> None:
    expected = Response(headers={"Location": address}).get_wsgi_headers(create_environ())["Location"]

    assert dict(sent(reply({}, headers={"Location": address}))[2])["Location"] == expected
    assert expected.isascii()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_answer_is_sent_as_flask_sends_it(method: str) -> None:
    theirs = Response(b'{"a":1}', status=201, mimetype="application/json", headers={"ETag": '"x"'})
    ours = reply({"a": 1}, status=201, headers={"ETag": '"x"'})

    def comparable(response: Any) -> tuple[bytes, str, list[tuple[str, str]]]:
        body, status, headers = sent(response, method)
        return body, status, sorted(headers)

    assert comparable(ours) == comparable(theirs)


def test_what_waits_for_the_end_of_an_answer_is_called_once() -> None:
    ended: list[str] = []
    response = reply({})
    response.call_on_close(lambda: ended.append("ended"))

    assert sent(response)[0] == b"{}"
    assert ended == ["ended"]


def test_a_header_holds_no_line_break() -> None:
    with pytest.raises(ValueError, match="newline"):
        Reply(b"", status=200, content_type="text/plain", headers=[("ETag", "a\r\nSet-Cookie: b")])
