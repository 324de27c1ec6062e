"""Tenants with a shop to issue invoices in."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.invoices.client import Client


@pytest.fixture
def tenant_of() -> Callable[[Any], Client]:
    return lambda api: Client(api, f"t-{uuid4().hex[:12]}")


@pytest.fixture
def acme(shared_api: Any) -> Client:
    """A fresh tenant with the shop `par` (Europe/Paris, EUR)."""
    client = Client(shared_api, f"t-{uuid4().hex[:12]}")
    assert client.put_shop().status_code == 201
    return client
