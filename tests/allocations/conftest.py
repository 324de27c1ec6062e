"""A tenant with a shop."""

from typing import Any

import pytest

from tests.allocations.ledger import Ledger
from tests.clients import NOVEMBER, Client


@pytest.fixture
def app(db: Any) -> Client:
    app = Client(db, now=NOVEMBER)
    for role in ("client", "accountant"):
        app.key(role)
    assert app.put_shop().status_code == 201
    return app


@pytest.fixture
def ledger(app: Client) -> Ledger:
    return Ledger(app)
