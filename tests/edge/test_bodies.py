"""The edge: what is JSON, what is a request, and what every refusal looks like."""

import socket
from decimal import Decimal

import pytest
from marshmallow import ValidationError

from finance.edge.bodies import BodyTooLarge, LengthRequired, parse_json
from finance.edge.fields import ExactNumber
from finance.edge.items import ERRORS_MAX
from finance.errors import FieldError, NotParseable
from finance.invoices.schemas import LINES_MAX, NewInvoiceSchema
from tests.clients import Client
from tests.conftest import Api

PAYMENT = b'{"amount": "1.00", "currency": "EUR", "payer": "P", "method": "card"}'


@pytest.mark.parametrize(
    "raw",
    [
        b" ",
        b"{",
        b"nonsense",
        b"{'amount': 1}",
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": -Infinity}',
        b'{"amount": 1, "amount": 2}',
        b'{"metadata": {"a": "1", "a": "2"}}',
        b'{"payer": "\\ud800"}',
        b'{"payer": "\\u0000"}',
        b'{"a\\u0000b": 1}',
        b'{"payer": "a\x00b"}',
        b'{"payer": "\xff"}',
        b'\xef\xbb\xbf{"payer": "bom"}',
        '{"payer": "utf-16"}'.encode("utf-16"),
        b'{"amount": ' + b"9" * 5000 + b"}",
        b"[" * 990 + b"]" * 990,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"{} {}",
    ],
)
def test_what_is_not_plain_json_is_400(shared_client: Client, raw: bytes) -> None:
    answer = shared_client.post("/payments", data=raw, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (400, "not_parseable")
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_json_that_is_no_object_is_422(shared_client: Client, raw: bytes) -> None:
    answer = shared_client.post("/payments", data=raw, content_type="application/json")

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "")


def test_brackets_inside_texts_are_not_nesting() -> None:
    assert parse_json(b'{"note": "' + b"[" * 100 + b'\\"{"}') == {"note": "[" * 100 + '"{'}


def test_the_deepest_nesting_allowed_is_32() -> None:
    assert parse_json(b"[" * 32 + b"]" * 32)
    with pytest.raises(NotParseable):
        parse_json(b"[" * 33 + b"]" * 33)


def test_decimals_keep_the_digits_that_were_written() -> None:
    assert parse_json(b'{"a": 1250.50}') == {"a": Decimal("1250.50")}
    assert str(parse_json(b'{"a": 1250.50}')["a"]) == "1250.50"


def test_a_whole_surrogate_pair_is_text() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=utf-16"]
)
def test_another_media_type_is_415(shared_client: Client, content_type: str) -> None:
    answer = shared_client.post("/payments", data=PAYMENT, content_type=content_type)

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_body_without_length_is_411_and_one_too_large_413(shared_client: Client) -> None:
    large = shared_client.post("/payments", data=b" " * 1_100_000, content_type="application/json")

    assert (large.status_code, large.json["code"]) == (413, "body_too_large")
    assert LengthRequired.detail_default
    assert BodyTooLarge.detail_default


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"46\r\n" + PAYMENT + b"\r\n0\r\n\r\n", 411),
        (b"", b"", 411),
        (b"Content-Length: 500\r\n", PAYMENT, 400),
        (b"Content-Length: 5\r\n", PAYMENT, 400),
    ],
)
def test_on_the_wire_only_a_whole_body_of_known_length_is_taken(
    shared_api: Api, head: bytes, body: bytes, status: int
) -> None:
    tenant = f"wire-{status}-{len(body)}"
    key = shared_api.key("client", tenant)
    request = b"POST /api/v1/payments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    request += b"Content-Type: application/json\r\nAuthorization: Bearer " + key.encode() + b"\r\n" + head + b"\r\n"

    answer = _send(shared_api, request + body)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in answer
    assert shared_api.db.payments.count_documents({"tenant": tenant}) == 0


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic dXNlcjpwYXNz", 401),
        ("Bearer nonsense", 401),
        ("Bearer fin_0123456789abcdef_" + "0" * 64, 401),
        ("Bearer naïve", 401),
    ],
)
def test_without_a_valid_key_nothing_is_told(shared_client: Client, authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode().decode("latin-1")}

    answer = shared_client.app.test_client().get("/api/v1/payments/PAY20260001", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (status, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/payments/", 404, "not_found"),
        ("DELETE", "/payments", 405, "method_not_allowed"),
        ("PUT", "/payments/PAY20260001", 405, "method_not_allowed"),
        ("GET", "/payments/PAY20260001/void", 405, "method_not_allowed"),
    ],
)
def test_flasks_own_refusals_have_the_same_shape(
    shared_client: Client, method: str, path: str, status: int, code: str
) -> None:
    answer = shared_client.call(method, path)

    assert answer.content_type == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": answer.json["title"],
        "status": status,
        "detail": answer.json["detail"],
        "code": code,
        "request_id": answer.headers["X-Request-Id"],
        "errors": [],
    }
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("nonsense=1", "nonsense"),
        ("limit=1&limit=2", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=５", "limit"),
        ("limit=1.0", "limit"),
        ("sort=amount", "sort"),
        ("sort=--paid_on", "sort"),
        ("status=open", "status"),
        ("currency=eur", "currency"),
        ("paid_from=yesterday", "paid_from"),
        ("min_amount=5", "min_amount"),
        ("min_amount=5.001&currency=EUR", "min_amount"),
        ("max_amount=-5&currency=EUR", "max_amount"),
        ("payer=", "payer"),
        ("cursor=nonsense", "cursor"),
        ("cursor=bnVsbA", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=é", "cursor"),
    ],
)
def test_a_bad_query_is_refused_at_its_parameter(shared_client: Client, query: str, parameter: str) -> None:
    answer = shared_client.get(f"/payments?{query}")

    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (422, parameter)


def test_an_operation_without_parameters_refuses_them(shared_client: Client) -> None:
    answer = shared_client.post("/payments?dry_run=true", data=PAYMENT, content_type="application/json")

    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (422, "dry_run")


def test_a_sound_request_id_is_taken_over_and_another_replaced(shared_client: Client) -> None:
    taken = shared_client.get("/payments", headers={"X-Request-Id": "abc-123"})
    replaced = shared_client.get("/payments", headers={"X-Request-Id": 'x" onload="'})

    assert taken.headers["X-Request-Id"] == "abc-123"
    assert len(replaced.headers["X-Request-Id"]) == 32


def test_no_more_errors_are_collected_of_a_list_than_are_shown() -> None:
    errors = NewInvoiceSchema().validate({"lines": [{}] * LINES_MAX})

    assert sum(len(line) for line in errors["lines"].values()) == ERRORS_MAX


def test_a_list_is_refused_by_its_length_before_its_items_are_looked_at() -> None:
    class Untouchable(dict):
        def get(self, *_asked: object) -> object:
            pytest.fail("An item was looked at.")

    errors = NewInvoiceSchema().validate({"lines": [Untouchable()] * (LINES_MAX + 1)})

    assert errors["lines"] == [f"must hold 1 to {LINES_MAX} items."]


@pytest.mark.parametrize("written", ["1.50", "0.0000000", "0.000001", "2.0000000", "1", "0", "123456789.000000"])
def test_a_number_is_taken_as_the_digits_written(written: str) -> None:
    price = ExactNumber(digits_max=13, decimals_max=6)

    assert price.deserialize(parse_json(written.encode())) == price.deserialize(written)


@pytest.mark.parametrize("written", ["1e2", "1e400", "1e999999999", "1e9999999999999999999999", "-1.5", "-1"])
def test_a_number_that_is_not_plain_digits_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match=r"must be digits|must not be negative"):
        ExactNumber(digits_max=13, decimals_max=6).deserialize(parse_json(written.encode()))


def test_an_error_points_into_the_body_or_names_a_parameter() -> None:
    assert FieldError("x", pointer="/a/1").as_json() == {"pointer": "/a/1", "detail": "x"}
    assert FieldError("x", parameter="limit").as_json() == {"parameter": "limit", "detail": "x"}


def _send(api: Api, request: bytes) -> bytes:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "The body is empty; send a JSON object."),
        (b" \n", "The body is empty; send a JSON object."),
        (b"\xef\xbb\xbf{}", "The body begins with a byte order mark; send JSON in UTF-8 without one."),
        (b'{"a": "b', "The body is not JSON: Unterminated string starting at line 1, column 7."),
    ],
)
def test_what_is_not_json_is_told_what_it_is(raw: bytes, told: str) -> None:
    with pytest.raises(NotParseable) as refused:
        parse_json(raw)

    assert refused.value.detail == told
