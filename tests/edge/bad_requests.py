"""The table of bad requests: what is sent, byte for byte, and what has to come back. `test_bad_requests.py` runs it.

`<client>`, `<accountant>`, `<admin>` stand for keys of these roles; `<payment>`, `<invoice>`, `<customer>` for things
of their tenant that exist; `<cursor>` for one of its list of payments, `<edited cursor>` and the like for those that
are not. The bodies are in `bad_bodies.py`.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class BadRequest:
    """What is sent, and what comes back: `at` is the pointer or the parameter of one of the errors."""

    name: str
    sent: bytes
    status: int
    code: str | None
    at: str | None = None


def request(method: str, path: str, *headers: str, role: str | None = "accountant", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if role is not None:
        lines.append(f"Authorization: Bearer <{role}>")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def get(path: str, *headers: str, role: str | None = "accountant") -> bytes:
    return request("GET", f"/api/v1{path}", *headers, role=role)


def post(path: str, body: bytes | str, *headers: str, method: str = "POST", role: str | None = "admin") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    sent = (f"Content-Length: {len(raw)}", "Content-Type: application/json", *headers)
    return request(method, f"/api/v1{path}", *sent, role=role, body=raw)


def members(base: dict[str, str], **changes: str) -> str:
    """Return a JSON object of members whose values are JSON already."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in {**base, **changes}.items()) + "}"


PAYMENT = {"amount": '"1.00"', "currency": '"EUR"', "payer": '"Ada"', "method": '"card"'}
VALID = members(PAYMENT)


def rows() -> Iterator[BadRequest]:
    """Yield what is wrong with a request before its body is looked at, or without one."""
    yield from _request_lines()
    yield from _headers()
    yield from _lengths()
    yield from _callers()
    yield from _addresses()
    yield from _queries()
    yield from _cursors()


def _request_lines() -> Iterator[BadRequest]:
    tail = b"Host: localhost\r\n\r\n"
    for name, line, status, code in (
        ("no version", b"GET /healthz", 400, "bad_request"),
        ("HTTP/2.0 in words", b"GET /healthz HTTP/2.0", 400, "bad_request"),
        ("HTTP/0.9", b"GET /healthz HTTP/0.9", 400, "bad_request"),
        ("HTTP/1.10", b"GET /healthz HTTP/1.10", 400, "bad_request"),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01", 400, "bad_request"),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0", 400, "bad_request"),
        ("a method in small letters", b"get /healthz HTTP/1.1", 400, "bad_request"),
        ("a method with a bracket", b"GE(T /healthz HTTP/1.1", 400, "bad_request"),
        ("a method without end", b"G" * 21 + b" /healthz HTTP/1.1", 400, "bad_request"),
        ("no address", b"GET  HTTP/1.1", 400, "bad_request"),
        ("an address without a slash", b"GET healthz HTTP/1.1", 400, "bad_request"),
        ("a star that only OPTIONS takes", b"GET * HTTP/1.1", 400, "bad_request"),
        ("an address with a space", b"GET /health z HTTP/1.1", 400, "bad_request"),
        ("an address of 5,000 bytes", b"GET /" + b"a" * 5_000 + b" HTTP/1.1", 414, "request_uri_too_large"),
        ("a proxy's CONNECT", b"CONNECT localhost:80 HTTP/1.1", 404, "not_found"),
        ("TRACE", b"TRACE /api/v1/payments HTTP/1.1", 405, "method_not_allowed"),
        ("a method that isn't ours", b"BREW /api/v1/payments HTTP/1.1", 405, "method_not_allowed"),
        ("another host in the address", b"GET http://evil.example/api/v1/nothing HTTP/1.1", 404, "not_found"),
    ):
        yield BadRequest(name, line + b"\r\n" + tail, status, code)


def _headers() -> Iterator[BadRequest]:
    for name, header, status, code in (
        ("a header without a colon", "Nonsense", 400, "bad_request"),
        ("a header without a name", ": value", 400, "bad_request"),
        ("a space before the colon", "X-A : value", 400, "bad_request"),
        ("a folded header", "X-A: one\r\n two", 400, "bad_request"),
        ("a header with a NUL", "X-A: \0", 400, "bad_request"),
        ("a header with a bare CR", "X-A: a\rX-B: b", 400, "bad_request"),
        ("a name that isn't ASCII", "X-\xe9: 1", 400, "bad_request"),
        ("two hosts", "Host: evil.example", 400, "bad_request"),
        ("a header of 5,000 bytes", "X-A: " + "a" * 5_000, 431, "request_header_fields_too_large"),
        ("65 headers", "\r\n".join(f"X-{n}: 1" for n in range(65)), 431, "request_header_fields_too_large"),
        ("an expectation that nobody knows", "Expect: miracles", 417, "expectation_failed"),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 0", 400, "bad_request"),
        ("two different lengths", "Content-Length: 0\r\nContent-Length: 5", 400, "bad_request"),
        ("two lengths in one", "Content-Length: 5, 5", 400, "bad_request"),
        ("a negative length", "Content-Length: -1", 400, "bad_request"),
        ("a length with a plus", "Content-Length: +5", 400, "bad_request"),
        ("a hexadecimal length", "Content-Length: 0x5", 400, "bad_request"),
        ("a length with a point", "Content-Length: 5.0", 400, "bad_request"),
        ("a superscript length", "Content-Length: \xb2", 400, "bad_request"),
        ("an empty length", "Content-Length:", 400, "bad_request"),
        ("a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400, "bad_request"),
        ("chunked twice", "Transfer-Encoding: chunked, chunked", 400, "bad_request"),
        ("chunked before gzip", "Transfer-Encoding: chunked, gzip", 400, "bad_request"),
        ("an encoding that nobody knows", "Transfer-Encoding: xchunked", 400, "bad_request"),
        ("chunked in a header with a tab", "Transfer-Encoding: \x0bchunked", 400, "bad_request"),
        ("two content types", "Content-Type: text/plain\r\nContent-Type: application/json", 400, "bad_request"),
    ):
        yield BadRequest(name, request("GET", "/api/v1/payments/<payment>", header), status, code)


def _lengths() -> Iterator[BadRequest]:
    def raw(*headers: str, body: str = VALID) -> bytes:
        return request("POST", "/api/v1/payments", *headers, body=body.encode())

    json_type, size = "Content-Type: application/json", f"Content-Length: {len(VALID)}"
    yield BadRequest("no length", raw(json_type, body=""), 411, "length_required")
    chunks = f"{len(VALID):x}\r\n{VALID}\r\n0\r\n\r\n"
    yield BadRequest("chunks", raw(json_type, "Transfer-Encoding: chunked", body=chunks), 411, "length_required")
    endless = "1;" + "x" * 100_000
    yield BadRequest(
        "a chunk's line without end",
        raw(json_type, "Transfer-Encoding: chunked", body=endless),
        411,
        "length_required",
    )
    yield BadRequest("a body of no bytes", raw(json_type, "Content-Length: 0", body=""), 400, "not_parseable")
    yield BadRequest(
        "a body of more than 1 MiB", raw(json_type, f"Content-Length: {MIB + 1}", body=""), 413, "body_too_large"
    )
    yield BadRequest(
        "a body of more than 1 MiB, sent",
        raw(json_type, f"Content-Length: {MIB + 1}", body=" " * (MIB + 1)),
        413,
        "body_too_large",
    )
    yield BadRequest(
        "a length beyond all machines", raw(json_type, f"Content-Length: {'9' * 30}", body=""), 413, "body_too_large"
    )
    for name, value in (
        ("gzip announced", "gzip"),
        ("gzip in capitals", "GZIP"),
        ("identity and gzip", "identity, gzip"),
        ("br announced", "br"),
        ("a star as encoding", "*"),
    ):
        yield BadRequest(name, raw(json_type, size, f"Content-Encoding: {value}"), 415, "unsupported_media_type")
    packed = gzip.compress(VALID.encode(), mtime=0)
    head = raw(json_type, f"Content-Length: {len(packed)}", "Content-Encoding: gzip", body="")
    yield BadRequest("gzip, packed", head + packed, 415, "unsupported_media_type")
    for name, value in (
        ("a form", "application/x-www-form-urlencoded"),
        ("multipart", "multipart/form-data; boundary=x"),
        ("plain text", "text/plain"),
        ("XML", "application/xml"),
        ("JSON in UTF-16 by name", "application/json; charset=utf-16"),
        ("JSON in Latin-1 by name", "application/json; charset=iso-8859-1"),
        ("JSON of a kind", "application/merge-patch+json"),
        ("a type without an end", "application/json/"),
    ):
        yield BadRequest(name, raw(f"Content-Type: {value}", size), 415, "unsupported_media_type")
    yield BadRequest("no content type", raw(size), 415, "unsupported_media_type")
    for name, *keys in (
        ("two keys", "a", "b"),
        ("the same key twice", "a", "a"),
        ("a key and an empty one", "a", ""),
    ):
        sent = post("/payments", VALID, *(f"Idempotency-Key: {key}" for key in keys))
        yield BadRequest(name, sent, 400, "not_parseable")
    for name, key in (
        ("a key that is empty", ""),
        ("a key that is empty in quotes", '""'),
        ("a key that only begins with a quote", '"abc'),
        ("a key that only ends with a quote", 'abc"'),
        ("a quote for a key", '"'),
        ("a key with a quote inside", 'a"b'),
        ("a key with quotes inside quotes", '"a"b"'),
        ("a key with a space", "a b"),
        ("a key of 256 characters", "k" * 256),
        ("a key that isn't ASCII", "cl\xe9"),
    ):
        sent = post("/payments", VALID, f"Idempotency-Key: {key}")
        yield BadRequest(name, sent, 422, "invalid", at="Idempotency-Key")


def _callers() -> Iterator[BadRequest]:
    for name, *headers in (
        ("no key", "X-A: 1"),
        ("a password", "Authorization: Basic dXNlcjpwYXNz"),
        ("a key without its scheme", "Authorization: <client>"),
        ("two keys of callers", "Authorization: Bearer <client>", "Authorization: Bearer <client>"),
    ):
        yield BadRequest(name, get("/payments/<payment>", *headers, role=None), 401, "unauthenticated")
    yield BadRequest(
        "no key, and a body that never comes",
        post("/payments", "", role=None).replace(b"Length: 0", b"Length: 99"),
        401,
        "unauthenticated",
    )
    yield BadRequest("no key, and a large body", post("/payments", " " * MIB, role=None), 401, "unauthenticated")
    yield BadRequest("a list for a client", get("/payments", role="client"), 403, "forbidden")
    yield BadRequest("a void for a client", post("/payments/<payment>/void", "{}", role="client"), 403, "forbidden")
    yield BadRequest(
        "a key for an accountant", post("/keys", '{"role": "client"}', role="accountant"), 403, "forbidden"
    )


def _addresses() -> Iterator[BadRequest]:
    for path in (
        *("/nothing", "/payments/", "//payments", "/payments//", "/payments/../keys", "/payments/PAY20269999"),
        *("/payments/%00", "/payments/%ff", "/payments/%E2%80%AE", "/payments/" + "9" * 3_000, "/payments/$ne"),
        *("/invoices/NONE", "/customers/NONE", "/customers/a%20b", "/credit-notes/NONE"),
    ):
        yield BadRequest(f"GET {path[:40]}", get(path), 404, None)
    yield BadRequest("a DELETE of payments", request("DELETE", "/api/v1/payments/<payment>"), 405, "method_not_allowed")
    yield BadRequest("a GET of a void", get("/payments/<payment>/void"), 405, "method_not_allowed")
    yield BadRequest("two slashes and a host", request("GET", "//evil.example/api/v1/payments"), 404, "not_found")


def _queries() -> Iterator[BadRequest]:
    for query, parameter in (
        *(("nonsense=1", "nonsense"), ("limit=1&limit=1", "limit"), ("limit=0", "limit"), ("limit=201", "limit")),
        *(
            ("limit=1e2", "limit"),
            ("limit=%EF%BC%95", "limit"),
            ("limit=-1", "limit"),
            ("limit=" + "9" * 3_000, "limit"),
        ),
        *(("sort=amount", "sort"), ("sort=--paid_on", "sort"), ("sort=", "sort"), ("status=open", "status")),
        *(("currency=eur", "currency"), ("method=card,cash", "method"), ("direction[$ne]=x", "direction[$ne]")),
        *(("paid_from=yesterday", "paid_from"), ("paid_to=2026-02-30", "paid_to"), ("paid_from=%00", "paid_from")),
        *(("min_amount=5", "min_amount"), ("min_amount=5.001&currency=EUR", "min_amount")),
        *(("max_amount=-5&currency=EUR", "max_amount"), ("max_amount=1e400&currency=EUR", "max_amount")),
        *(
            ("payer=", "payer"),
            ("payer=%0A", "payer"),
            ("payer=" + "a" * 201, "payer"),
            ("customer_code=a%20b", "customer_code"),
        ),
        ("&".join(f"p{n}=1" for n in range(400)), "p100"),
    ):
        yield BadRequest(f"?{query[:40]}", get(f"/payments?{query}"), 422, "invalid", at=parameter)
    unquoted = get("/payments?limit=QQ").replace(b"QQ", b"\xff")
    yield BadRequest("a byte in the query that is no text", unquoted, 422, "invalid", at="limit")
    for path, parameter in (
        *(
            ("/payments/<payment>?a=1", "a"),
            ("/invoices?shop=a%20b", "shop"),
            ("/invoices?issued_from=1", "issued_from"),
        ),
        *(("/customers?pan_number=x", "pan_number"), ("/customers?status=gone", "status"), ("/keys?a=1", "a")),
        *(("/payments/export.csv?limit=5", "limit"), ("/payments/export.xlsx?sort=amount", "sort")),
    ):
        yield BadRequest(f"GET {path}", get(path, role="admin"), 422, "invalid", at=parameter)


def _cursors() -> Iterator[BadRequest]:
    for cursor in (
        *("", "nonsense", "bnVsbA", "W10", "%C3%A9", "a.b.c", ".a.b", "%00", "a" * 2_001),
        *("<edited cursor>", "<cut cursor>", "<cursor>x", "<unsigned cursor>", "<unsigned cursor of year 1>"),
        *("<cursor of another secret>", "<cursor of another tenant>", "<cursor of another list>"),
    ):
        yield BadRequest(f"a cursor: {cursor[:30]}", get(f"/payments?cursor={cursor}"), 422, "invalid", at="cursor")
    yield BadRequest("a cursor and a filter", get("/payments?cursor=<cursor>&method=upi"), 422, "invalid", at="cursor")
    yield BadRequest("a cursor and a sort", get("/payments?cursor=<cursor>&sort=paid_on"), 422, "invalid", at="cursor")
    for path in ("/invoices", "/customers", "/credit-notes", "/customers/<customer>/payments"):
        yield BadRequest(
            f"a cursor of payments for {path}", get(f"{path}?cursor=<cursor>"), 422, "invalid", at="cursor"
        )
