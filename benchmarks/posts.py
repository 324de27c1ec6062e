"""Requests that post payments and invoices, each with a fresh Idempotency-Key, for a load."""

import itertools
import json
import time
from collections.abc import Callable

from benchmarks import load

Posts = Callable[[int], bytes]

PAYMENT: dict[str, object] = {"amount": "12.50", "currency": "EUR", "payer": "Ada Lovelace", "method": "card"}


def payments(*keys: str) -> Posts:
    """Return what makes requests that post a payment, with each of the API keys in turn."""
    return in_turn("/api/v1/payments", [(key, PAYMENT) for key in keys])


def in_turn(path: str, bodies: list[tuple[str, dict[str, object]]]) -> Posts:
    """Return what makes the requests: each API key with its body in turn."""
    numbers = itertools.count()
    run_id = time.time_ns()

    def make_request(_number: int) -> bytes:
        number = next(numbers)
        key, body = bodies[number % len(bodies)]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = f"{run_id}-{number}"
        return load.request("POST", path, headers=headers, body=json.dumps(body).encode())

    return make_request
