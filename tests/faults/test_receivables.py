"""The ledger of tests/journeys/test_receivables.py, while workers are killed: every figure agrees all the same.

The short form is part of the normal tests. The whole one: `scripts/test -m long tests/faults/test_receivables.py`.
"""

import random
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import HttpClient
from tests.faults.test_invoices import kill_a_worker
from tests.journeys.test_receivables import run_model

pytestmark = pytest.mark.faults

KILL_SHARE = 0.3
KILLED_WITHIN_S = 0.03  # a request takes a few milliseconds


@pytest.mark.parametrize(("examples", "steps"), [(3, 20), pytest.param(60, 40, marks=pytest.mark.long)])
@pytest.mark.timeout(0)
def test_every_figure_agrees_while_workers_are_killed(serve_api: Callable[..., Any], examples: int, steps: int) -> None:
    api = serve_api(workers=3)
    choose = random.Random(12)
    kills = []

    def connect() -> HttpClient:
        return HttpClient(api, f"t{uuid4().hex[:12]}", role="admin")

    def disturb() -> None:
        if choose.random() < KILL_SHARE:
            threading.Timer(choose.random() * KILLED_WITHIN_S, lambda: kills.append(kill_a_worker(api, choose))).start()

    run_model(connect, examples=examples, steps=steps, disturb=disturb)

    assert any(kills)
