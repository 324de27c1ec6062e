"""What surrounds every request, and the probes."""

import json
import logging
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from embedded_mongodb import EmbeddedMongodb

from finance import database
from finance.app import create_app
from finance.auth.guard import RouteWithoutRole
from finance.config import Config
from finance.edge.blueprints import Blueprint
from finance.edge.probes import Readiness
from finance.indexes import INDEXES
from finance.ownership import collections_of
from tests.clients import Client, at_once
from tests.commands import Commands
from tests.conftest import Api

PAYMENT = {"amount": "1250.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "bank_transfer"}
NOWHERE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"


def test_the_process_lives_and_is_ready(shared_client: Client) -> None:
    http = shared_client.app.test_client()

    assert (http.get("/healthz").status_code, http.get("/readyz").status_code) == (200, 200)


def test_without_mongodb_the_process_lives_but_is_not_ready() -> None:
    http = create_app(Config(mongodb_uri=NOWHERE)).test_client()

    ready = http.get("/readyz")

    assert http.get("/healthz").status_code == 200
    assert (ready.status_code, ready.json["code"], ready.headers["Retry-After"]) == (503, "not_ready", "1")


def test_without_an_index_it_is_not_ready_and_the_question_builds_none(client: Client) -> None:
    client.db.payments.drop_index("payment_number_unique")

    ready = client.app.test_client().get("/readyz")

    assert (ready.status_code, ready.json["code"]) == (503, "not_ready")
    assert "payments.payment_number_unique" in ready.json["detail"]
    assert "payment_number_unique" not in client.db.payments.index_information()


def test_a_flood_of_probes_asks_mongodb_once(watched: database.Db, commands: Commands) -> None:
    http = create_app(Config(), db=watched).test_client()
    assert http.get("/readyz").status_code == 200
    asked_for_one = len(commands.names)

    assert {http.get("/readyz").status_code for _probe in range(100)} == {200}

    assert len(commands.names) - asked_for_one <= 2


def test_probes_at_the_same_time_wait_for_one_answer(watched: database.Db, commands: Commands) -> None:
    app = create_app(Config(), db=watched)

    assert set(at_once(50, lambda _probe: app.test_client().get("/readyz").status_code)) == {200}

    assert commands.names.count("listIndexes") == len(collections_of(INDEXES))


def test_an_answer_holds_for_a_second(watched: database.Db, commands: Commands) -> None:
    seconds = [100.0]
    readiness = Readiness(watched, clock_s=lambda: seconds[0])
    assert readiness.find_obstacle() is None
    commands.names.clear()

    seconds[0] += 1.1
    assert readiness.find_obstacle() is None
    assert commands.names == ["ping"]

    watched.payments.drop_index("payment_number_unique")
    seconds[0] += 31
    obstacle = readiness.find_obstacle()
    assert obstacle is not None
    assert "payments.payment_number_unique" in obstacle.detail

    database.create_indexes(watched)
    seconds[0] += 1.1
    assert readiness.find_obstacle() is None


def test_what_stores_no_more_is_named(watched: database.Db) -> None:
    stuck = ["payment"]
    seconds = [100.0]
    readiness = Readiness(watched, stuck=lambda: stuck, clock_s=lambda: seconds[0])
    obstacle = readiness.find_obstacle()
    assert obstacle is not None
    assert "storing (payment) goes on longer than it may" in obstacle.detail

    stuck.clear()
    seconds[0] += 1.1
    assert readiness.find_obstacle() is None


def test_a_new_database_is_made_ready_by_the_workers_that_start_on_it(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3, has_indexes=False)

    assert database.find_unprotected(api.db) == []
    assert len(list(api.db.payments.list_indexes())) == len([i for i in INDEXES if i.collection == "payments"]) + 1


def test_workers_that_start_before_mongodb_become_ready(
    own_mongod: EmbeddedMongodb, serve_api: Callable[..., Any]
) -> None:
    own_mongod.stop()
    threading.Timer(4, own_mongod.start).start()

    api = serve_api(workers=2, has_indexes=False, MONGODB_URI=own_mongod.uri)

    assert database.find_unprotected(api.db) == []


def test_a_route_without_a_role_is_no_start(db: database.Db, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = Blueprint("forgotten", __name__, url_prefix="/api/v1/forgotten")
    forgotten.add_url_rule("/<name>", view_func=lambda name: name)
    monkeypatch.setattr("finance.app.auth_routes.blueprint", forgotten)

    with pytest.raises(RouteWithoutRole, match="/api/v1/forgotten/<name> has no role"):
        create_app(Config(), db=db)


def test_with_a_wrong_index_in_the_way_it_is_not_ready_and_says_what_to_do(client: Client) -> None:
    client.db.payments.drop_index("payment_number_unique")
    client.db.payments.create_index([("payment_number", 1)], name="payment_number_unique", unique=True)

    ready = client.app.test_client().get("/readyz")

    assert (ready.status_code, ready.json["code"]) == (503, "not_ready")
    assert "payments.payment_number_unique" in ready.json["detail"]
    assert "scripts/migrate_indexes.py" in ready.json["detail"]


def test_while_mongodb_is_away_every_request_is_a_503_that_says_whether_to_retry(own_mongod: EmbeddedMongodb) -> None:
    config = Config(mongodb_uri=own_mongod.uri, database_deadline_s=0.3, commit_deadline_s=1, key_cache_s=60)
    client = Client(database.connect(config), config)
    database.create_indexes(client.db)  # takes longer than this deadline
    assert client.post("/payments", json=PAYMENT).status_code == 201
    own_mongod.kill()

    read = client.get("/payments")
    written = client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k"})
    unknown_caller = client.get("/payments", headers={"Authorization": f"Bearer fin_{'0' * 16}_{'0' * 64}"})

    for answer in (read, written, unknown_caller):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.content_type == "application/problem+json"
        assert "27017" not in answer.text
    assert "A retry is safe" in read.json["detail"]
    assert "nothing was stored. A retry is safe" in written.json["detail"]

    own_mongod.start()
    statuses = {client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k"}).status_code for _ in range(60)}
    assert 201 in statuses
    assert client.db.payments.count_documents({"idempotency_key": "k"}) == 1


def test_logs_are_json_with_the_request_id_and_no_payload(shared_api: Api) -> None:
    request = urllib.request.Request(
        f"{shared_api.url}/api/v1/payments",
        data=json.dumps(PAYMENT | {"payer": "Sought Insecret"}).encode(),
        headers={
            **shared_api.headers("client", "logged"),
            "Content-Type": "application/json",
            "X-Request-Id": "sought-1",
        },
    )
    urllib.request.urlopen(request).close()

    lines = [json.loads(line) for line in shared_api.log.splitlines() if line.startswith("{")]
    line = next(line for line in lines if line.get("request_id") == "sought-1")
    assert (line["message"], line["status"], line["tenant"]) == ("POST /api/v1/payments 201", 201, "logged")
    assert "Insecret" not in shared_api.log
    assert "fin_" not in shared_api.log


def test_an_unexpected_failure_is_a_500_without_internals(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("finance.payments.service.get_payment", _break)

    with caplog.at_level(logging.ERROR):
        answer = client.get("/payments/PAY20260001")

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "inside" not in answer.text
    assert "inside" in caplog.text


def _break(*_args: object, **_kwargs: object) -> None:
    raise RuntimeError("something inside")
