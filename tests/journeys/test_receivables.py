"""Whatever is done to invoices, payments and credit notes, in whatever order, the API's figures agree with a ledger."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.clients import HttpClient
from tests.journeys.receivables import Receivables

pytestmark = pytest.mark.journey


def run_model(connect: Callable[[], HttpClient], *, examples: int, steps: int, disturb: Callable[[], None]) -> None:
    machine: Any = type("Model", (Receivables,), {"connect": staticmethod(connect), "disturb": staticmethod(disturb)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # a step takes long: what failed is told as it was found, and not made smaller
        ),
    )


@pytest.mark.parametrize(("examples", "steps"), [(5, 20), pytest.param(300, 40, marks=pytest.mark.long)])
@pytest.mark.timeout(0)
def test_every_figure_agrees_with_a_plain_ledger(shared_api: Any, examples: int, steps: int) -> None:
    def connect() -> HttpClient:
        return HttpClient(shared_api, f"t{uuid4().hex[:12]}", role="admin")

    run_model(connect, examples=examples, steps=steps, disturb=lambda: None)
