"""Payments over HTTP: what a client sends, and what it gets back."""

from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from finance.config import Config
from tests.clients import Client

PAYMENT = {"amount": "1250.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "bank_transfer"}


def test_a_payment_is_answered_whole_and_with_its_address(client: Client) -> None:
    answer = client.post("/payments", json=PAYMENT | {"paid_on": "2026-02-03", "reference": "INV 7"}, role="client")

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v1/payments/PAY20260001"
    body = answer.json
    assert {name: body[name] for name in PAYMENT} == PAYMENT
    assert body["payment_number"] == "PAY20260001"
    assert (body["status"], body["direction"], body["paid_on"]) == ("recorded", "incoming", "2026-02-03")
    assert (body["customer_code"], body["note"], body["void_reason"], body["voided_at"]) == (None, None, None, None)
    assert (body["metadata"], body["previous_numbers"], body["history"]) == ({}, [], [])
    assert client.get("/payments/PAY20260001", role="client").json == body


def test_what_is_stored_can_be_relied_on_by_scripts(client: Client) -> None:
    client.post("/payments", json=PAYMENT | {"paid_on": "2026-02-03"}, headers={"Idempotency-Key": "k"})

    stored = client.db.payments.find_one()
    assert stored is not None
    assert (stored["tenant"], stored["payment_number"], stored["number_year"], stored["number_seq"]) == (
        "acme",
        "PAY20260001",
        2026,
        1,
    )
    assert (stored["amount_minor"], stored["currency"], stored["paid_on"]) == (125050, "EUR", "2026-02-03")
    assert (stored["status"], stored["idempotency_key"], stored["previous_numbers"]) == ("recorded", "k", [])
    assert client.db.counters.find_one({"_id": "payment:acme:2026"})["seq"] == 1


@pytest.mark.parametrize(
    ("amount", "currency", "answered"),
    [
        ("10", "EUR", "10.00"),
        ("0.01", "EUR", "0.01"),
        ("1250.5", "EUR", "1250.50"),
        ("007.50", "EUR", "7.50"),
        ("9999999999999.99", "EUR", "9999999999999.99"),
        ("1250", "JPY", "1250"),
        ("1.234", "KWD", "1.234"),
        (12.5, "EUR", "12.50"),
        (7, "EUR", "7.00"),
    ],
)
def test_amounts_are_exact_and_answered_with_the_currencys_decimals(
    shared_client: Client, amount: object, currency: str, answered: str
) -> None:
    body = shared_client.post("/payments", json=PAYMENT | {"amount": amount, "currency": currency}).json

    assert body["amount"] == answered


def test_a_json_number_is_taken_as_the_digits_written(client: Client) -> None:
    text = '{"amount": 9007199254740.99, "currency": "EUR", "payer": "P", "method": "card"}'

    body = client.post("/payments", data=text, content_type="application/json").json

    assert body["amount"] == "9007199254740.99"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": "10.105"}, "/amount"),
        ({"amount": "10.5", "currency": "JPY"}, "/amount"),
        ({"amount": "0"}, "/amount"),
        ({"amount": "0.00"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": "+1"}, "/amount"),
        ({"amount": "1_000"}, "/amount"),
        ({"amount": "1,000"}, "/amount"),
        ({"amount": "１２３"}, "/amount"),
        ({"amount": "1E+400"}, "/amount"),
        ({"amount": "1e2"}, "/amount"),
        ({"amount": "10\n"}, "/amount"),
        ({"amount": " 10"}, "/amount"),
        ({"amount": "10."}, "/amount"),
        ({"amount": ".5"}, "/amount"),
        ({"amount": ""}, "/amount"),
        ({"amount": "12345678901234"}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"amount": ["1"]}, "/amount"),
        ({"currency": "eur"}, "/currency"),
        ({"currency": "EURO"}, "/currency"),
        ({"currency": "XXX"}, "/currency"),
        ({"currency": 5}, "/currency"),
        ({"payer": ""}, "/payer"),
        ({"payer": "   "}, "/payer"),
        ({"payer": "x" * 201}, "/payer"),
        ({"payer": "line\nline"}, "/payer"),
        ({"payer": 5}, "/payer"),
        ({"payer": "Ada\u202eecalevoL"}, "/payer"),
        ({"payer": "\u3164"}, "/payer"),
        ({"reference": "123\u200f-456"}, "/reference"),
        ({"note": "one\n\u202etwo"}, "/note"),
        ({"metadata": {"a\u202e": "b"}}, "/metadata/a\u202e"),
        ({"metadata": {"a": "\u202eb"}}, "/metadata/a"),
        ({"method": "barter"}, "/method"),
        ({"direction": "sideways"}, "/direction"),
        ({"paid_on": "1999-12-31"}, "/paid_on"),
        ({"paid_on": "2999-01-01"}, "/paid_on"),
        ({"paid_on": "2026-02-30"}, "/paid_on"),
        ({"paid_on": "20260203"}, "/paid_on"),
        ({"paid_on": "2026-W06-2"}, "/paid_on"),
        ({"paid_on": "2026-02-03T10:00:00Z"}, "/paid_on"),
        ({"paid_on": "２０２６-02-03"}, "/paid_on"),
        ({"customer_code": "CUST-404404"}, "/customer_code"),
        ({"reference": "x" * 101}, "/reference"),
        ({"note": "x" * 1001}, "/note"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"metadata": {"a/b": None}}, "/metadata/a~1b"),
        ({"metadata": {"$ref": "a", "$id": "b"}}, "/metadata/$ref"),
        ({"metadata": {"k" * 41: "v"}}, "/metadata/" + "k" * 41),
        ({"metadata": {"k": "v" * 501}}, "/metadata/k"),
        ({"metadata": {str(i): "v" for i in range(21)}}, "/metadata"),
        ({"payment_number": "PAY20260001"}, "/payment_number"),
        ({"tenant": "other"}, "/tenant"),
        ({"status": "voided"}, "/status"),
    ],
)
def test_a_bad_value_is_refused_at_its_field_and_nothing_is_stored(
    shared_client: Client, change: dict[str, object], pointer: str
) -> None:
    tenant = f"t-{uuid4().hex}"

    answer = shared_client.post("/payments", json=PAYMENT | change, tenant=tenant)

    assert answer.status_code == 422
    assert pointer in [error.get("pointer") for error in answer.json["errors"]]
    assert shared_client.db.payments.count_documents({"tenant": tenant}) == 0
    assert shared_client.db.counters.find_one({"_id": f"payment:{tenant}:2026"}) is None


def test_all_that_is_wrong_is_said_at_once(shared_client: Client) -> None:
    answer = shared_client.post("/payments", json={"amount": "10.105", "currency": "EUR", "nonsense": 1})

    assert {error["pointer"] for error in answer.json["errors"]} == {"/amount", "/payer", "/method", "/nonsense"}


def test_the_day_and_the_year_are_those_of_the_time_zone(db) -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    client = Client(db, Config(timezone=ZoneInfo("Europe/Paris")), now=new_year)

    body = client.post("/payments", json=PAYMENT).json

    assert (body["paid_on"], body["payment_number"]) == ("2027-01-01", "PAY20270001")


def test_a_repeat_is_answered_with_the_first_result(client: Client) -> None:
    first = client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k-1"})
    repeat = client.post("/payments", json=PAYMENT | {"amount": 1250.5}, headers={"Idempotency-Key": '"k-1"'})

    assert (repeat.status_code, repeat.json) == (201, first.json)
    assert "Idempotent-Replayed" not in first.headers
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert repeat.headers["Location"] == first.headers["Location"]
    assert client.db.payments.count_documents({}) == 1
    assert client.db.counters.find_one({"_id": "payment:acme:2026"})["seq"] == 1


def test_a_repeat_after_changes_still_gets_the_first_result(client: Client) -> None:
    sent = {"json": PAYMENT | {"note": "as posted"}, "headers": {"Idempotency-Key": "k-1"}}
    first = client.post("/payments", **sent).json
    client.patch(f"/payments/{first['payment_number']}", json={"note": "corrected", "metadata": {"a": "b"}})
    client.post(f"/payments/{first['payment_number']}/void", json={"reason": "wrong payer"})

    repeat = client.post("/payments", **sent)

    assert (repeat.status_code, repeat.json) == (201, first)


def test_a_key_with_another_body_is_refused(client: Client) -> None:
    client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k-1"})

    answer = client.post("/payments", json=PAYMENT | {"amount": "7"}, headers={"Idempotency-Key": "k-1"})

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert client.db.payments.count_documents({}) == 1


def test_only_success_is_remembered_under_a_key(client: Client) -> None:
    refused = client.post("/payments", json=PAYMENT | {"amount": "x"}, headers={"Idempotency-Key": "k-1"})
    accepted = client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "k-1"})

    assert (refused.status_code, accepted.status_code) == (422, 201)


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "with space", "tab\there", "naïve"])
def test_a_bad_idempotency_key_is_refused(client: Client, key: str) -> None:
    answer = client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": key.encode().decode("latin-1")})

    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (422, "Idempotency-Key")
    assert client.db.payments.count_documents({}) == 0


def test_note_reference_and_metadata_can_be_corrected_and_leave_a_history(client: Client) -> None:
    number = client.post("/payments", json=PAYMENT | {"note": "old"}).json["payment_number"]

    edited = client.patch(f"/payments/{number}", json={"note": "new", "metadata": {"a": "b"}})
    again = client.patch(f"/payments/{number}", json={"note": "new"})
    removed = client.patch(f"/payments/{number}", json={"note": None})

    assert edited.status_code == 200
    assert edited.json["history"][0]["changes"] == {
        "note": {"from": "old", "to": "new"},
        "metadata": {"from": None, "to": {"a": "b"}},
    }
    assert again.json == edited.json
    assert (removed.json["note"], len(removed.json["history"])) == (None, 2)


@pytest.mark.parametrize("change", [{"amount": "1"}, {"payer": "x"}, {"status": "voided"}, {"note": 5}])
def test_nothing_else_can_be_changed(client: Client, change: dict[str, object]) -> None:
    before = client.post("/payments", json=PAYMENT).json

    answer = client.patch(f"/payments/{before['payment_number']}", json=change)

    assert answer.status_code == 422
    assert client.get(f"/payments/{before['payment_number']}").json == before


def test_voiding_keeps_the_number_and_says_who_when_and_why(client: Client) -> None:
    number = client.post("/payments", json=PAYMENT).json["payment_number"]

    voided = client.post(f"/payments/{number}/void", json={"reason": "sent twice"})
    following = client.post("/payments", json=PAYMENT)

    assert voided.status_code == 200
    assert (voided.json["status"], voided.json["void_reason"]) == ("voided", "sent twice")
    assert voided.json["voided_at"] == voided.json["history"][0]["at"]
    assert following.json["payment_number"] != number


def test_voiding_a_voided_payment_is_a_conflict(client: Client) -> None:
    number = client.post("/payments", json=PAYMENT).json["payment_number"]
    client.post(f"/payments/{number}/void", json={"reason": "sent twice"})

    answer = client.post(f"/payments/{number}/void", json={"reason": "sent twice"})

    assert (answer.status_code, answer.json["code"]) == (409, "payment_already_voided")


def test_a_repeated_void_with_its_key_gets_the_first_result(client: Client) -> None:
    numbers = [client.post("/payments", json=PAYMENT).json["payment_number"] for _ in range(2)]
    sent = {"json": {"reason": "sent twice"}, "headers": {"Idempotency-Key": "v-1"}}
    first = client.post(f"/payments/{numbers[0]}/void", **sent)
    client.patch(f"/payments/{numbers[0]}", json={"note": "later"})

    repeat = client.post(f"/payments/{numbers[0]}/void", **sent)
    elsewhere = client.post(f"/payments/{numbers[1]}/void", **sent)

    assert (repeat.status_code, repeat.json) == (200, first.json)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert (elsewhere.status_code, elsewhere.json["code"]) == (422, "idempotency_key_reused")
    assert client.get(f"/payments/{numbers[1]}").json["status"] == "recorded"


def test_a_key_belongs_to_one_operation(client: Client) -> None:
    number = client.post("/payments", json=PAYMENT, headers={"Idempotency-Key": "same"}).json["payment_number"]

    answer = client.post(f"/payments/{number}/void", json={"reason": "r"}, headers={"Idempotency-Key": "same"})

    assert answer.status_code == 200


def test_a_number_that_a_repair_took_away_still_finds_its_payment(client: Client) -> None:
    number = client.post("/payments", json=PAYMENT).json["payment_number"]
    client.db.payments.update_one(
        {}, {"$set": {"payment_number": "PAY20260900", "number_seq": 900}, "$push": {"previous_numbers": number}}
    )

    assert client.get(f"/payments/{number}").json["payment_number"] == "PAY20260900"
    assert len(client.get(f"/payments?previous_number={number}").json["data"]) == 1


@pytest.mark.parametrize("path", ["PAY20269999", "nonsense", "PAY20260001%00", "%F0%9F%92%B6", "." * 300])
def test_a_number_that_nobody_has_is_not_found(shared_client: Client, path: str) -> None:
    for answer in (
        shared_client.get(f"/payments/{path}"),
        shared_client.patch(f"/payments/{path}", json={"note": "n"}),
        shared_client.post(f"/payments/{path}/void", json={"reason": "r"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "payment_not_found")


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/payments", "client"),
        ("PATCH", "/payments/PAY20260001", "client"),
        ("POST", "/payments/PAY20260001/void", "client"),
        ("GET", "/keys", "accountant"),
        ("POST", "/keys", "accountant"),
        ("DELETE", "/keys/0", "accountant"),
    ],
)
def test_a_lesser_role_is_refused(shared_client: Client, method: str, path: str, role: str) -> None:
    answer = shared_client.call(method, path, role=role, json={})

    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
