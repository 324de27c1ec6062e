"""A revoked key is refused by every worker within five seconds."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from finance.asked import Asked
from finance.auth import service as keys
from finance.auth.model import NewKey
from tests.clients import HttpClient, at_once, make_key, poll, workers_seen

pytestmark = pytest.mark.journey

CONNECTIONS_MAX = 300
REVOKED_WITHIN_S = 5.0
PROBE = "/api/v1/payments/PAY20210001"  # 404 for whom a worker lets in


def test_every_worker_refuses_a_revoked_key_within_5_seconds(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3, FINANCE_FAILED_KEYS_PER_ADDRESS="off")  # each refusal is to be a 401
    over_http, behind_the_api, untouched = (make_key(api.db) for _key in range(3))
    connections = _connections_to_every_worker(api)
    for key in (over_http, behind_the_api, untouched):
        assert _statuses(connections, key) == {404}  # every worker knows it now

    assert HttpClient(api, role="admin").delete(f"/api/v1/keys/{over_http.key_id}").status_code == 204
    keys.revoke_key(api.db, Asked("acme", "tests", datetime.now(UTC)), key_id=behind_the_api.key_id)

    poll(
        lambda: _statuses(connections, over_http) | _statuses(connections, behind_the_api) == {401},
        within_s=REVOKED_WITHIN_S,
    )
    assert _statuses(connections, untouched) == {404}


def _connections_to_every_worker(api: Any) -> list[HttpClient]:
    """Open connections until each worker has one; a kept-alive connection stays with its worker."""
    headers = api.headers()
    connections: list[HttpClient] = []
    while workers_seen(api.log) != set(api.worker_pids()):
        assert len(connections) < CONNECTIONS_MAX
        new = [HttpClient(api, role=None) for _connection in range(8)]
        at_once(len(new), lambda position, new=new: new[position].get(PROBE, headers=headers))
        connections += new
    return connections


def _statuses(connections: list[HttpClient], key: NewKey) -> set[int]:
    return {
        connection.get(PROBE, headers={"Authorization": f"Bearer {key.key}"}).status_code for connection in connections
    }
