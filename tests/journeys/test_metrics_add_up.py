"""/metrics counts what all workers did, whichever of them answers, and also what those did that have ended."""

import os
import signal
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.clients import HttpClient, a_payment, poll, share, workers_seen

pytestmark = pytest.mark.journey

PAYMENTS = "/api/v1/payments"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_metrics_add_up_over_workers_and_stay_when_one_ends(serve_api: Callable[..., Any], end: signal.Signals) -> None:
    api = serve_api(workers=3)
    recorded = 0
    while workers_seen(api.log) != set(api.worker_pids()):  # readiness was answered by one of them
        assert recorded < 3_000
        recorded += _post(api, 100)
    shown = _shown_by_many_connections(api)
    assert {samples["finance_payments_recorded_total"] for samples in shown} == {recorded}
    assert {samples["finance_commit_wait_seconds_count"] for samples in shown} == {recorded}
    assert {samples["finance_commit_batch_size_sum"] for samples in shown} == {recorded}

    ended = api.worker_pids()[0]
    os.kill(ended, end)
    poll(lambda: len(api.worker_pids()) == 3 and ended not in api.worker_pids(), within_s=30)
    recorded += _post(api, 60)

    shown = _shown_by_many_connections(api)
    assert {samples["finance_payments_recorded_total"] for samples in shown} == {recorded}


def test_retries_and_gaps_are_counted_once_over_all_workers(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3)
    _post(api, 30)
    api.db.counters.update_one({"_id": "payment:acme:2021"}, {"$set": {"seq": 0}})

    _post(api, 30)

    [shown, *_] = _shown_by_many_connections(api)
    assert shown["finance_payments_recorded_total"] == 60
    assert shown["finance_duplicate_number_retries_total"] >= 1
    assert shown.get("finance_number_gaps_recorded_total", 0) == api.db.number_gaps.count_documents({})


def _post(api: Any, count: int) -> int:
    """Post from many clients, each payment once whatever happens to a worker, and return `count`."""
    replies = share(
        range(count),
        lambda client, _position: client.post_until_answered(PAYMENTS, json=a_payment(), key=uuid4().hex),
        HttpClient(api, role="client"),
    )
    assert {reply.status_code for reply in replies} == {201}
    return count


def _shown_by_many_connections(api: Any) -> list[dict[str, float]]:
    """Return what /metrics shows on several connections, each sample summed over its labels."""
    return [_samples(requests.get(f"{api.url}/metrics", timeout=30).text) for _connection in range(12)]


def _samples(exposition: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums
