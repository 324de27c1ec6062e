"""What a browser is told about pages of other origins."""

from dataclasses import replace
from typing import Any

import pytest

from finance.app import create_app
from finance.config import Config
from finance.database import Db
from finance.edge.failures import operations_of
from tests.clients import ENCRYPTION_KEY, Client, a_payment

OURS = "https://app.example.com"
CONFIG = Config(encryption_keys=(ENCRYPTION_KEY,), cors_origins=(OURS, "http://localhost:5173"))
EXPOSED = {"ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After", "X-Request-Id"}
OFF_LIMITS = ("https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null")


@pytest.fixture
def shared(db: Db) -> Client:
    return Client(db, CONFIG)


def cors_headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def a_preflight(method: str = "POST", origin: str = OURS) -> dict[str, Any]:
    asked = "authorization,content-type,idempotency-key,if-match"
    return {
        "method": "OPTIONS",
        "headers": {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked},
    }


def test_a_page_of_a_named_origin_may_read_answers_and_their_headers(shared: Client) -> None:
    answer = shared.post("/payments", json=a_payment(), headers={"Origin": OURS})

    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == EXPOSED
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


def test_every_header_that_operations_answer_with_can_be_read(shared: Client) -> None:
    document = shared.get("/openapi.json").json

    assert document["components"]["headers"].keys() - {"WWW-Authenticate"} == EXPOSED


def test_every_header_that_operations_take_can_be_sent(shared: Client) -> None:
    document = shared.get("/openapi.json").json
    taken = {
        parameter["name"]
        for _method, operation in operations_of(document)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }

    answer = shared.app.test_client().open("/api/v1/payments", **a_preflight())

    sent = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert sent >= taken | {"Authorization", "Content-Type"}


@pytest.mark.parametrize(
    ("path", "method"), [("/payments", "POST"), ("/customers/CUST-1", "PUT"), ("/keys/a", "DELETE")]
)
def test_a_preflight_needs_no_key_and_writes_nothing(shared: Client, path: str, method: str) -> None:
    before = sorted(shared.db.list_collection_names())

    answer = shared.app.test_client().open(f"/api/v1{path}", **a_preflight(method))

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert answer.headers["Vary"] == "Origin"
    assert sorted(shared.db.list_collection_names()) == before
    assert [name for name in before if shared.db[name].find_one() is not None] == []


@pytest.mark.parametrize("origin", OFF_LIMITS)
def test_pages_of_other_origins_are_told_nothing(shared: Client, origin: str) -> None:
    http = shared.app.test_client()

    preflight = http.open("/api/v1/payments", **a_preflight(origin=origin))
    answer = shared.get("/payments", headers={"Origin": origin})

    assert cors_headers(preflight) == cors_headers(answer) == {}
    assert preflight.headers["Vary"] == answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/payments", {"headers": {"Authorization": "Bearer nobody"}}, 401),
        ("GET", "/keys", {}, 403),
        ("GET", "/payments/PAY20269999", {}, 404),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/payments", {}, 405),
        ("POST", "/payments", {"data": "amount=1"}, 415),
        ("POST", "/payments", {"json": {}}, 422),
    ],
)
def test_failures_can_be_read_too(shared: Client, method: str, path: str, options: dict[str, Any], status: int) -> None:
    headers = {"Origin": OURS, **options.pop("headers", {})}

    answer = shared.call(method, path, headers=headers, **options)

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == OURS


def test_a_failure_of_ours_can_be_read_too(shared: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.payments.service.get_payment", lambda *_args, **_options: 1 / 0)

    answer = shared.get("/payments/PAY20260001", headers={"Origin": OURS})

    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == OURS


def test_what_runs_the_service_is_shared_with_nobody(shared: Client) -> None:
    answer = shared.app.test_client().get("/healthz", headers={"Origin": OURS})

    assert cors_headers(answer) == {}


def test_without_origins_nothing_is_said() -> None:
    http = create_app(replace(CONFIG, cors_origins=())).test_client()

    for answer in (http.open("/api/v1/payments", **a_preflight()), http.get("/api/v1/docs", headers={"Origin": OURS})):
        assert answer.status_code == 200
        assert cors_headers(answer) == {}
        assert "Vary" not in answer.headers
