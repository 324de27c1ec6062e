"""The app inside the test's own process, on a real MongoDB, with a clock to set and a kill between any two writes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from finance.app import create_app
from finance.auth import service as keys
from finance.config import Config
from finance.database import Db

WRITES = ("insert_one", "insert_many", "update_one", "find_one_and_update", "delete_one")
LINES = [{"description": "Work", "quantity": "1", "unit_price": "1000.00", "tax_rate": "0"}]


class Killed(BaseException):
    """What stands for SIGKILL: nobody catches it, so nothing is done after it."""


class App:
    """An app with one tenant, `acme`. `now` is what its clock shows."""

    def __init__(self, db: Db, now: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self.db = db
        self.now = now
        self._flask = create_app(Config(), db=db, clock=lambda: self.now)
        self._flask.testing = False
        self._headers = {
            role: {"Authorization": f"Bearer {keys.create_key(db, tenant='acme', role=role, now=now).key}"}
            for role in ("client", "accountant", "admin")
        }

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def call(self, method: str, path: str, key: str | None = None, role: str = "admin", **kwargs: Any) -> Any:
        headers = self._headers[role] | ({"Idempotency-Key": key} if key else {})
        return self._flask.test_client().open(f"/api/v1{path}", method=method, headers=headers, **kwargs)

    def put_shop(self, shop: str = "par", **settings: Any) -> Any:
        body = {"name": shop, "timezone": "Europe/Paris", "currency": "EUR", **settings}
        return self.call("PUT", f"/shops/{shop}", json=body)

    def issue(self, shop: str = "par", key: str | None = None, **invoice: Any) -> Any:
        body = {"shop": shop, "customer_name": "Zoë", "lines": LINES, **invoice}
        return self.call("POST", "/invoices", key, json=body)

    def pay(self, invoice_numbers: list[str], amount: str, key: str | None = None) -> Any:
        allocations = [{"invoice_number": number, "amount": amount} for number in invoice_numbers]
        total = f"{float(amount) * len(allocations):.2f}"
        body = {"amount": total, "currency": "EUR", "payer": "Zoë", "method": "card", "allocations": allocations}
        return self.call("POST", "/payments", key, json=body)

    def invoice(self, invoice_number: str) -> Any:
        answer = self.call("GET", f"/invoices/{invoice_number}")
        assert answer.status_code == 200, answer.text
        return answer.json


@contextmanager
def killed_at_write(patch: pytest.MonkeyPatch, number: int, *, after: bool) -> Iterator[list[str]]:
    """Kill the request before (or right after) its write of this number; give the list of the writes it began."""
    writes: list[str] = []

    def stop() -> None:
        if threading.current_thread().name == "finance-committer":
            raise RuntimeError("killed")  # a committer that is gone would leave its request waiting
        raise Killed

    def counting(name: str) -> Any:
        original = getattr(Collection, name)

        def write(self: Collection, *args: Any, **kwargs: Any) -> Any:
            writes.append(f"{self.name}.{name}")
            if len(writes) == number and not after:
                stop()
            result = original(self, *args, **kwargs)
            if len(writes) == number and after:
                stop()
            return result

        return write

    with patch.context() as patched:
        for name in WRITES:
            patched.setattr(Collection, name, counting(name))
        with suppress(Killed):
            yield writes
