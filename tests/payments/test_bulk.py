"""Many payments in one request: in their order, all or none by what is checked, and each once, whatever happens."""

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from finance.config import Config
from finance.database import Db
from finance.edge import rows as edge_rows
from finance.payments import bulk, routes
from finance.payments.bulk import KEY, PART_SIZE, ROWS_MAX
from tests.clients import Client, HttpClient, at_once, is_replayed, poll
from tests.conftest import Api
from tests.edge.wire import connect

ROW = {"amount": "12.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "card"}
DAY = {"paid_on": "2026-02-03"}
DECEMBER_31 = datetime(2026, 12, 31, 23, 50, tzinfo=UTC)


def some(count: int, **changes: Any) -> dict[str, Any]:
    """Return a bulk whose rows can be told apart by their references."""
    return {"payments": [ROW | DAY | {"reference": f"row {place}"} | changes for place in range(count)]}


def post(client: Any, body: dict[str, Any], *, key: str = "k", **options: Any) -> Any:
    return client.post("/payments/bulk", role="client", key=key, json=body, **options)


def post_until_answered(client: HttpClient, body: dict[str, Any], key: str) -> Any:
    """Send it again, as a client does, where a busy machine took longer than a request may."""
    return client.post_until_answered("/payments/bulk", role="client", key=key, json=body)


def references(db: Db) -> list[str]:
    return sorted(payment["reference"] for payment in db.payments.find({"tenant": "acme"}))


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_rows_become_payments_in_their_order(db: Db, numbering: Any) -> None:
    client = Client(db, Config(payment_numbering=numbering))

    answer = post(client, some(2 * PART_SIZE + 3))

    assert answer.status_code == 201
    assert not is_replayed(answer)
    data = answer.json["data"]
    assert [payment["reference"] for payment in data] == [f"row {place}" for place in range(2 * PART_SIZE + 3)]
    assert [payment["payment_number"] for payment in data] == [f"PAY2026{1 + n:04}" for n in range(len(data))]
    number = data[PART_SIZE]["payment_number"]
    assert client.get(f"/payments/{number}", role="client").json == data[PART_SIZE]


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_a_repeat_is_answered_with_the_first_result(db: Db, numbering: Any) -> None:
    client = Client(db, Config(payment_numbering=numbering))
    first = post(client, some(5))
    client.post(f"/payments/{first.json['data'][3]['payment_number']}/void", json={"reason": "twice"})

    again = post(client, some(5, amount="12.5"))

    assert (again.status_code, again.json) == (201, first.json)
    assert is_replayed(again)
    assert db.payments.count_documents({}) == 5
    assert db.number_gaps.count_documents({}) == 0


def test_a_key_is_required(client: Client) -> None:
    answer = client.post("/payments/bulk", role="client", json=some(1))

    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == "Idempotency-Key"
    assert client.db.payments.count_documents({}) == 0


def test_each_bad_row_has_its_pointer_and_nothing_is_stored(client: Client) -> None:
    body = some(60)
    body["payments"][17] |= {"amount": "-1"}
    body["payments"][18] |= {"currency": "EURO", "allocations": [{"invoice_number": "F", "amount": "1.00"}]}
    body["payments"][59] = 7

    answer = post(client, body)

    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json["errors"]]
    assert pointers == [
        "/payments/17/amount",
        "/payments/18/currency",
        "/payments/18/allocations",
        "/payments/59",
    ]
    assert client.db.payments.count_documents({}) == 0


def test_days_and_customers_are_judged_before_the_first_row_is_stored(client: Client) -> None:
    code = client.post("/customers", json={"customer_name": "Ada"}).json["customer_code"]
    away = client.post("/customers", json={"customer_name": "Bob"}).json["customer_code"]
    client.post(f"/customers/{away}/deactivate", json={"reason": "left"})
    body = some(PART_SIZE + 1, customer_code=code)
    body["payments"][2] |= {"customer_code": "CUST-999999"}
    body["payments"][3] |= {"customer_code": away}
    body["payments"][PART_SIZE] |= {"paid_on": "1999-12-31"}

    answer = post(client, body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [
        "/payments/2/customer_code",
        "/payments/3/customer_code",
        f"/payments/{PART_SIZE}/paid_on",
    ]
    assert client.db.payments.count_documents({}) == 0


def test_the_customers_of_all_rows_are_looked_up_in_one_go(watched: Db, commands: Any, client: Client) -> None:
    codes = [client.post("/customers", json={"customer_name": f"C{n}"}).json["customer_code"] for n in range(3)]
    body = some(30)
    for place, row in enumerate(body["payments"]):
        row["customer_code"] = codes[place % 3]
    other = Client(watched)
    post(other, some(1), key="warm")
    commands.collections.clear()

    assert post(other, body).status_code == 201

    assert commands.collections.count(("find", "customers")) == 1


def test_no_more_errors_are_shown_than_a_request_may_have(client: Client) -> None:
    answer = post(client, some(ROWS_MAX, amount="-1"))

    assert answer.status_code == 422
    assert len(answer.json["errors"]) == 100
    assert answer.json["errors"][99]["pointer"] == "/payments/99/amount"


@pytest.mark.parametrize("count", [0, ROWS_MAX + 1])
def test_a_bulk_has_1_to_5000_rows(client: Client, count: int) -> None:
    answer = post(client, some(count))

    assert answer.status_code == 422
    assert answer.json["errors"] == [{"pointer": "/payments", "detail": "must hold 1 to 5000 items."}]


def test_5000_rows_with_much_in_them_fit(client: Client) -> None:
    body = some(ROWS_MAX, note="n" * 500, metadata={"batch": "b" * 40})

    answer = post(client, body)

    assert answer.status_code == 201
    assert [payment["reference"] for payment in answer.json["data"]] == [f"row {place}" for place in range(ROWS_MAX)]
    assert len({payment["payment_number"] for payment in answer.json["data"]}) == ROWS_MAX


def test_a_body_may_have_4_mib(client: Client) -> None:
    answer = post(client, {"payments": ["x" * (4 * 1024 * 1024)]})

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


# --- The same key -------------------------------------------------------------------------------------------------


def test_the_key_with_other_rows_is_refused(client: Client) -> None:
    post(client, some(3))

    for other in (some(4), some(2), some(3, amount="12.51"), {"payments": some(3)["payments"][::-1]}):
        answer = post(client, other)
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert client.db.payments.count_documents({}) == 3


def test_a_half_that_is_stored_knows_its_rows(client: Client) -> None:
    post(client, some(4))
    client.db.payments.delete_many({"idempotency_key": {"$in": [KEY.format(key="k", position=n) for n in (1, 3)]}})

    answer = post(client, some(4, amount="12.51"))

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert client.db.payments.count_documents({}) == 2


def test_a_repeat_stores_what_is_missing_and_nothing_twice(client: Client) -> None:
    post(client, some(PART_SIZE * 2))
    keys = [KEY.format(key="k", position=n) for n in range(3, PART_SIZE + 9)]
    client.db.payments.delete_many({"idempotency_key": {"$in": keys}})

    answer = post(client, some(PART_SIZE * 2))

    assert answer.status_code == 201
    assert not is_replayed(answer)
    assert [payment["reference"] for payment in answer.json["data"]] == [f"row {n}" for n in range(PART_SIZE * 2)]
    assert references(client.db) == sorted(f"row {n}" for n in range(PART_SIZE * 2))
    assert is_replayed(post(client, some(PART_SIZE * 2)))


def test_a_repeat_stores_the_first_row_too_where_that_is_what_is_missing(client: Client) -> None:
    post(client, some(3))
    client.db.payments.delete_one({"idempotency_key": KEY.format(key="k", position=0)})

    answer = post(client, some(3))

    assert answer.status_code == 201
    assert [payment["reference"] for payment in answer.json["data"]] == ["row 0", "row 1", "row 2"]
    assert references(client.db) == ["row 0", "row 1", "row 2"]


def test_what_is_missing_is_stored_though_things_have_changed_since(db: Db) -> None:
    client = Client(db, now=DECEMBER_31)
    code = client.post("/customers", json={"customer_name": "Ada"}).json["customer_code"]
    body = some(3, customer_code=code, paid_on=None)
    post(client, body)
    db.payments.delete_one({"idempotency_key": KEY.format(key="k", position=2)})
    client.post(f"/customers/{code}/deactivate", json={"reason": "left"})
    client.later(minutes=20)

    answer = post(client, body)

    assert answer.status_code == 201
    assert {payment["paid_on"] for payment in answer.json["data"]} == {"2026-12-31"}
    assert references(db) == ["row 0", "row 1", "row 2"]


def test_the_keys_of_rows_never_meet_a_clients_own(client: Client) -> None:
    post(client, some(2), key="k")
    post(client, some(2), key="k0")

    assert client.pay("1.00", key="k").status_code == 201
    assert post(client, some(2), key="k").status_code == 201
    assert client.db.payments.count_documents({}) == 5
    assert all(" " in key for key in client.db.payments.distinct("idempotency_key") if key != "k")  # clients' have none
    longest = "k" * 255
    assert post(client, some(1), key=longest).status_code == 201
    assert is_replayed(post(client, some(1), key=longest))


def test_a_bulk_belongs_to_its_tenant(client: Client) -> None:
    mine = post(client, some(2))
    theirs = client.post("/payments/bulk", role="client", tenant="other", key="k", json=some(2, amount="1.00"))

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert not is_replayed(theirs)


# --- At the same time, and broken off -----------------------------------------------------------------------------


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_of_bulks_with_one_key_at_the_same_time_one_is_stored_and_each_row_once(
    serve_api: Callable[..., Api], numbering: str
) -> None:
    api = serve_api(workers=2, PAYMENT_NUMBERING=numbering)
    clients = [HttpClient(api) for _ in range(4)]

    for attempt in range(2):
        answers = at_once(
            4, lambda n, key=f"k{attempt}": post_until_answered(clients[n], some(130, amount=f"{1 + n % 2}.00"), key)
        )

        assert sorted(answer.status_code for answer in answers) == [201, 201, 422, 422]
        one, other = (answer.json() for answer in answers if answer.status_code == 201)
        assert one == other
        stored = list(api.db.payments.find({"idempotency_key": {"$regex": f"^bulk k{attempt} "}}))
        assert sorted(payment["reference"] for payment in stored) == sorted(f"row {n}" for n in range(130))
        assert len({payment["amount_minor"] for payment in stored}) == 1


def test_a_bulk_that_comes_slowly_keeps_no_other_of_its_tenant_waiting(serve_api: Callable[..., Api]) -> None:
    api = serve_api(workers=1)
    client = HttpClient(api)
    head = {"Content-Type": "application/json", "Content-Length": "3000000", "Idempotency-Key": "slow"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (head | client.headers("client")).items())
    with contextlib.ExitStack() as connections:
        slow = [connections.enter_context(connect(api)) for _ in range(routes.RECEIVED_AT_ONCE - 1)]
        for connection in slow:
            connection.sendall(f"POST /api/v1/payments/bulk HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode() + b'{"pay')
        poll(lambda: client.get("/payments/summary").status_code == 200, within_s=20)  # it has read the others' heads

        assert post(client, some(3)).status_code == 201

        for connection in slow:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is still being received
                connection.recv(1)


def test_a_bulk_whose_process_is_killed_halfway_is_completed_by_a_repeat_without_a_gap(
    serve_api: Callable[..., Api],
) -> None:
    rows = 2_000
    api = serve_api(workers=1, PAYMENT_NUMBERING="no_gap")
    client = HttpClient(api)
    sending = threading.Thread(target=lambda: _ignoring_the_end(lambda: post(client, some(rows))))
    sending.start()
    poll(lambda: api.db.payments.count_documents({}) > 2 * PART_SIZE, within_s=20, every_s=0.005)
    api.kill()
    sending.join()
    stored = api.db.payments.count_documents({})
    assert 2 * PART_SIZE < stored < rows, "it was not killed halfway"

    again = serve_api(workers=1, PAYMENT_NUMBERING="no_gap", FINANCE_DATABASE=api.db.name)
    answer = post_until_answered(HttpClient(again), some(rows), key="k")

    assert answer.status_code == 201
    assert not is_replayed(answer)
    assert [payment["reference"] for payment in answer.json()["data"]] == [f"row {n}" for n in range(rows)]
    assert references(api.db) == sorted(f"row {n}" for n in range(rows))
    assert {payment["number_seq"] for payment in api.db.payments.find()} == set(range(1, rows + 1))


def _ignoring_the_end(send: Callable[[], Any]) -> None:
    with contextlib.suppress(OSError):  # of the process that is asked
        send()


def test_a_bulk_that_time_ends_says_how_far_it_came_and_a_repeat_goes_on(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_S", 3_600)  # no request has that much left: each ends after its first part
    client, rows = Client(db), 2 * PART_SIZE + 3

    for stored in (1 + PART_SIZE, 1 + 2 * PART_SIZE):
        answer = post(client, some(rows))

        assert (answer.status_code, answer.json["code"]) == (503, "bulk_incomplete")
        assert (answer.json["stored"], answer.json["missing"]) == (str(stored), str(rows - stored))
        assert db.payments.count_documents({}) == stored
        assert "same Idempotency-Key" in answer.json["detail"]
        assert answer.headers["Retry-After"] == "1"
    assert post(client, some(rows)).status_code == 201
    assert references(db) == sorted(f"row {n}" for n in range(rows))


# --- Reading it row by row ----------------------------------------------------------------------------------------


LARGE = " " * edge_rows.SMALL_BYTES


BAD_BODIES = [
    "",
    " ",
    "{}",
    "[]",
    "7",
    '{"payments"}',
    '{"payments": }',
    '{"payments": 7}',
    '{"payments": []}',
    '{"payments": [ ]}',
    '{"payments": [,]}',
    '{"payments": [ROW,]}',
    '{"payments": [ROW ROW]}',
    '{"payments": [ROW}',
    '{"payments": [ROW]',
    '{"payments": [ROW]} x',
    '{"payments": [ROW], }',
    '{"payments": [ROW], "other": 1}',
    '{"other": 1, "payments": [ROW]}',
    '{"payments": [ROW], "payments": [ROW]}',
    '{"payments": [ROW, null, 7, [], {}]}',
    '{"payments": [ROW, {"metadata": {"a": "1", "a": "2"}}]}',
    '{"payments": [ROW, {"amount": NaN}]}',
    '{"payments": [ROW, {"payer": "\\ud800"}]}',
    '{"payments": [ROW, {"payer": "half]}',
    '{"payments": [ROW, ' + "[" * 40 + "]" * 40 + "]}",
    '{"payments": [ROW, {"metadata": {' + ",".join(f'"{n}": "1"' for n in range(101)) + "}}]}",
    '{"payments": [ROW, {"note": "' + "x" * 300_000 + '"}]}',
    "{1: 2}",
]


def test_a_large_body_is_refused_as_a_small_one_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row or at once: the same status, and the same pointers; and nothing is stored."""
    for body in BAD_BODIES:
        answers = []
        for small_bytes in (edge_rows.SMALL_BYTES * 100, -1):
            monkeypatch.setattr(edge_rows, "SMALL_BYTES", small_bytes)
            headers = {"Content-Type": "application/json"}
            sent = body.replace("ROW", json.dumps(ROW))
            answers.append(client.post("/payments/bulk", role="client", key="k", data=sent, headers=headers))

        at_once_, row_by_row = answers
        assert 400 <= row_by_row.status_code < 500, body[:99]
        if body.strip()[:1] in ("{", "") and len(body) < max(edge_rows.ROW_CHARACTERS):
            assert row_by_row.status_code == at_once_.status_code, body[:99]
            assert _pointers(row_by_row) == _pointers(at_once_), body[:99]
    assert client.db.payments.count_documents({}) == 0


def _pointers(answer: Any) -> list[str]:
    return [error["pointer"] for error in answer.json["errors"]]


def test_a_large_body_is_read_as_a_small_one_is(client: Client) -> None:
    rows = [ROW | DAY | {"reference": f"row {n}", "note": 'é"\\{[,]}😀' * (1 + n % 100)} for n in range(120)]
    body = json.dumps({"payments": rows}, ensure_ascii=False, indent=1).encode() + LARGE.encode()

    answer = client.post(
        "/payments/bulk", role="client", key="k", data=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 201, answer.text
    for row, payment in zip(rows, answer.json["data"], strict=True):
        assert {name: payment[name] for name in row} == row


def test_a_row_that_an_index_of_another_software_refuses_is_told_and_the_repeat_completes_it(db: Db) -> None:
    client = Client(db)
    db.payments.create_index([("tenant", 1), ("reference", 1)], unique=True, name="theirs")
    body = some(3)
    body["payments"][2]["reference"] = "row 1"

    answer = post(client, body)

    assert (answer.status_code, answer.json["code"], answer.json["stored"]) == (503, "bulk_incomplete", "2")
    assert "/payments/2" in answer.json["detail"]

    db.payments.drop_index("theirs")
    assert [payment["reference"] for payment in post(client, body).json["data"]] == ["row 0", "row 1", "row 1"]
