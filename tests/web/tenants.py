"""A tenant for each test, all in one database and one app: what a test of a page needs costs it milliseconds then."""

from typing import Any
from uuid import uuid4

from finance.auth.model import Role
from tests.clients import NOVEMBER, Client


class OfTenant(Client):
    """A client of a tenant of its own; "acme" and other names are its own too."""

    def __init__(self, shared: Client) -> None:
        self.db, self.app = shared.db, shared.app
        self.now = NOVEMBER  # what the clock of the shared app shows
        self._name = f"t{uuid4().hex[:12]}"
        self._keys = {}

    def tenant(self, name: str = "acme") -> str:
        """Return what a tenant is called in the database."""
        return f"{self._name}-{name}"

    def key(self, role: Role = "accountant", tenant: str = "acme") -> str:
        return super().key(role, self.tenant(tenant))

    def put_shop(self, shop: str = "par", **settings: Any) -> Any:
        answer = super().put_shop(shop, **settings)
        assert answer.status_code == 201, answer.text
        return answer


def november_client(shared: Client) -> Client:
    """Return a client of the same database, in whose app it is November 2026."""
    return Client(shared.db, now=NOVEMBER)
