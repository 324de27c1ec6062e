"""What surrounds every request, and the probes."""

import json
import logging
import urllib.request

import pytest
from embedded_mongodb import EmbeddedMongodb

from finance import database
from finance.app import create_app
from finance.config import Config
from tests.clients import Client
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


def test_a_new_database_is_made_ready_by_asking_whether_it_is(client: Client) -> None:
    client.db.payments.drop_index("payment_number_unique")

    ready = client.app.test_client().get("/readyz")

    assert ready.status_code == 200
    assert client.db.payments.index_information()["payment_number_unique"]["unique"]


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
