"""The whole of numbering, over HTTP: three workers, many clients, one tenant."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.clients import CLIENTS, HttpClient, a_payment, at_once, is_replayed, share

pytestmark = pytest.mark.journey

PAYMENTS = "/api/v1/payments"
UNDER_BOTH_POLICIES = pytest.mark.parametrize("numbering", ["standard", "no_gap"])


@UNDER_BOTH_POLICIES
def test_three_workers_and_32_clients_give_3000_payments_the_numbers_1_to_3000(
    serve_api: Callable[..., Any], numbering: str
) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING=numbering)

    replies = _post_many(api, 3_000, paid_on="2022-06-30")

    assert {reply.status_code for reply in replies} == {201}
    numbers = [reply.json()["payment_number"] for reply in replies]
    assert sorted(numbers) == [f"PAY2022{number_seq:04}" for number_seq in range(1, 3_001)]
    listed = [payment["payment_number"] for payment in HttpClient(api).walk(PAYMENTS, limit=200, sort="payment_number")]
    assert listed == sorted(numbers)
    assert api.db.number_gaps.count_documents({}) == 0


@UNDER_BOTH_POLICIES
def test_numbers_widen_past_9999_and_lists_stay_in_their_order(serve_api: Callable[..., Any], numbering: str) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING=numbering)
    api.db.counters.insert_one({"_id": "payment:acme:2022", "seq": 9_990})
    _post_many(api, 60, paid_on="2022-06-30")
    in_order = [f"PAY2022{number_seq}" for number_seq in range(9_991, 10_051)]

    accountant = HttpClient(api)
    upwards = accountant.walk(PAYMENTS, limit=7, sort="payment_number")
    downwards = accountant.walk(PAYMENTS, limit=7)

    assert [payment["payment_number"] for payment in upwards] == in_order
    assert [payment["payment_number"] for payment in downwards] == in_order[::-1]


@UNDER_BOTH_POLICIES
def test_200_requests_at_once_with_one_key_record_one_payment(serve_api: Callable[..., Any], numbering: str) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING=numbering)
    clients = _clients(api, 200)

    replies = at_once(200, lambda position: clients[position].post(PAYMENTS, json=a_payment(), key="double-click"))

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert len({reply.headers["location"] for reply in replies}) == 1
    assert [is_replayed(reply) for reply in replies].count(False) == 1
    assert api.db.payments.count_documents({}) == 1
    assert _unaccounted(api, 2021) == []
    if numbering == "no_gap":
        assert clients[0].post(PAYMENTS, json=a_payment()).json()["payment_number"] == "PAY20210002"


@UNDER_BOTH_POLICIES
def test_the_first_payments_of_a_tenants_year_make_one_counter(serve_api: Callable[..., Any], numbering: str) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING=numbering)
    clients = _clients(api, CLIENTS)

    replies = at_once(CLIENTS, lambda position: clients[position].post(PAYMENTS, json=a_payment(paid_on="2023-01-01")))

    assert {reply.status_code for reply in replies} == {201}
    assert sorted(reply.json()["payment_number"] for reply in replies) == [
        f"PAY2023{n:04}" for n in range(1, CLIENTS + 1)
    ]
    assert [(counter["_id"], counter["seq"]) for counter in api.db.counters.find()] == [("payment:acme:2023", CLIENTS)]


def test_a_counter_behind_the_data_costs_a_log_line_and_no_error(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3)
    _store_500_and_lose_the_counter(api)

    reply = HttpClient(api, role="client").post(PAYMENTS, json=a_payment(paid_on="2026-01-15"))

    assert (reply.status_code, reply.json()["payment_number"]) == (201, "PAY20260501")
    assert _messages(api, r"Duplicate .*") == ["Duplicate payment number detected (attempt 1/5): PAY20260001"]


def test_a_counter_behind_the_data_is_met_by_all_workers_at_once(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3)
    _store_500_and_lose_the_counter(api)

    replies = _post_many(api, 200, paid_on="2026-01-15")

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["payment_number"] for reply in replies}) == 200
    assert _unaccounted(api, 2026) == []


def test_without_gaps_a_counter_behind_the_data_is_no_collision_at_all(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3, PAYMENT_NUMBERING="no_gap")
    _store_500_and_lose_the_counter(api)

    replies = _post_many(api, 200, paid_on="2026-01-15")

    assert sorted(reply.json()["payment_number"] for reply in replies) == [f"PAY2026{n:04}" for n in range(501, 701)]
    assert _messages(api, r"Duplicate .*") == []


def _post_many(api: Any, count: int, **changes: Any) -> list[requests.Response]:
    return share(
        range(count),
        lambda client, position: client.post(PAYMENTS, json=a_payment(reference=f"order {position}", **changes)),
        HttpClient(api, role="client"),
    )


def _clients(api: Any, count: int) -> list[HttpClient]:
    first = HttpClient(api, role="client")
    return [first.another() for _client in range(count)]


def _store_500_and_lose_the_counter(api: Any) -> None:
    """Leave the database as a restored backup of the payments without their counters does."""
    posted = HttpClient(api, role="client").post(PAYMENTS, json=a_payment(paid_on="2026-01-15"))
    assert posted.json()["payment_number"] == "PAY20260001"
    first = api.db.payments.find_one({}, {"_id": False})
    api.db.payments.insert_many([{**first, "number_seq": n, "payment_number": f"PAY2026{n:04}"} for n in range(2, 501)])
    api.db.counters.update_one({"_id": "payment:acme:2026"}, {"$set": {"seq": 0}})


def _unaccounted(api: Any, year: int) -> list[int]:
    """Return the numbers that the counter gave and that are neither stored nor recorded as gaps."""
    stored = {payment["number_seq"] for payment in api.db.payments.find({"number_year": year}, {"number_seq": True})}
    gaps = {gap["number_seq"] for gap in api.db.number_gaps.find({"period": str(year)})}
    newest = api.db.counters.find_one({"_id": f"payment:acme:{year}"})["seq"]
    return sorted(set(range(1, newest + 1)) - stored - gaps)


def _messages(api: Any, pattern: str) -> list[str]:
    lines = [json.loads(line) for line in api.log.splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if re.fullmatch(pattern, line["message"])]
