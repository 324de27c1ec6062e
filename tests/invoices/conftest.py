"""Tenants with a shop to issue invoices in."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import HttpClient


@pytest.fixture
def tenant_of() -> Callable[[Any], HttpClient]:
    return lambda api: HttpClient(api, f"t-{uuid4().hex[:12]}")


@pytest.fixture
def acme(shared_api: Any) -> HttpClient:
    """A fresh tenant with the shop `par` (Europe/Paris, EUR)."""
    client = HttpClient(shared_api, f"t-{uuid4().hex[:12]}")
    assert client.put_shop().status_code == 201
    return client
