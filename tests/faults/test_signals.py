"""Restarts under load: signals that a deployment sends, and not one request that fails.

Clients reconnect where a connection was closed after an answer. Where the only server there is ends, with none that has
taken over its socket, connections are refused until the next one listens, and those that nobody had accepted yet are
reset by the system: of these nothing was read, and a repeat with the same key is safe. Whatever was read is answered.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import processes
import pytest

from tests.clients import poll
from tests.faults.posting import Posting
from tests.faults.proof import posting_to, require_proven, under_load

pytestmark = pytest.mark.faults

REQUESTS = 160
BETWEEN = 40  # payments acknowledged between two signals
WITHIN_S = 60.0
STOP_S = 30.0


def test_a_reload_fails_no_request(serve_api: Callable[..., Any], tmp_path: Path) -> None:
    api = serve_api(workers=2)

    def reload(posting: Posting) -> None:
        posting.wait_for(BETWEEN)
        before = set(api.worker_pids())
        os.kill(api.pid, signal.SIGHUP)
        poll(lambda: not before & set(api.worker_pids()), within_s=WITHIN_S)

    under_load(api, tmp_path, reload, requests=REQUESTS, undisturbed=True)


def test_a_new_master_that_takes_over_fails_no_request(serve_api: Callable[..., Any], tmp_path: Path) -> None:
    api = serve_api(workers=2)

    with _new_master(api) as started:

        def take_over(posting: Posting) -> None:
            posting.wait_for(BETWEEN)
            os.kill(api.pid, signal.SIGUSR2)
            poll(lambda: len(processes.children(started())) == 2 if started() else False, within_s=WITHIN_S)
            posting.wait_for(BETWEEN)
            os.kill(api.pid, signal.SIGTERM)
            api.process.wait(STOP_S)

        under_load(api, tmp_path, take_over, requests=REQUESTS, undisturbed=True)


def test_a_restart_of_the_only_server_answers_all_that_it_has_read(
    serve_api: Callable[..., Any], tmp_path: Path
) -> None:
    api = serve_api(workers=2)
    posting = posting_to(api, requests=None)

    with posting.running():
        posting.wait_for(BETWEEN)
        assert api.stop() == 0
        again = serve_api(workers=2, PORT=api.url.rpartition(":")[2], FINANCE_DATABASE=api.db.name)
        posting.wait_for(BETWEEN)
        posting.stop()

    assert [attempt for attempt in posting.history if not attempt.was_sent]  # it was away
    answered = [attempt for attempt in posting.history if attempt.status is not None]
    assert len(answered) == _read(api) + _read(again)
    assert {attempt.status for attempt in answered} == {201, 422}
    require_proven(again, posting, tmp_path)


def _read(api: Any) -> int:
    """Return how many posts a server has logged, which it does with each that it has read."""
    lines = (json.loads(line) for line in api.log.splitlines() if line.startswith("{"))
    return sum(line["logger"] == "finance.access" and line["message"].startswith("POST") for line in lines)


@contextmanager
def _new_master(api: Any) -> Iterator[Callable[[], int | None]]:
    """Give what finds the master that the first one starts at SIGUSR2; it is stopped in the end."""
    found: list[int] = []

    def find() -> int | None:
        others = [pid for pid in processes.children(api.pid) if len(processes.children(pid)) > 0]
        found.extend(pid for pid in others if pid not in found)
        return found[0] if found else None

    try:
        yield find
    finally:
        for pid in found:
            os.kill(pid, signal.SIGTERM)
            poll(lambda gone=pid: gone not in {process.pid for process in processes.running()}, within_s=STOP_S)
