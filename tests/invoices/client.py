"""A client of the running API, for one tenant that issues and pays invoices."""

from typing import Any

import requests

LINES = [{"description": "Work", "quantity": "1", "unit_price": "1000.00", "tax_rate": "0"}]


class Client:
    """One tenant of a running API, in all three roles."""

    def __init__(self, api: Any, tenant: str) -> None:
        self.api = api
        self.tenant = tenant
        self.session = requests.Session()
        self._headers = {role: api.headers(role, tenant) for role in ("client", "accountant", "admin")}

    def headers(self, role: str) -> dict[str, str]:
        return self._headers[role]

    def call(self, method: str, path: str, role: str = "admin", key: str | None = None, **kwargs: Any) -> Any:
        headers = self._headers[role] | ({"Idempotency-Key": key} if key else {})
        return self.session.request(method, f"{self.api.url}/api/v1{path}", headers=headers, timeout=30, **kwargs)

    def put_shop(self, shop: str = "par", **settings: Any) -> Any:
        body = {"name": shop, "timezone": "Europe/Paris", "currency": "EUR", **settings}
        return self.call("PUT", f"/shops/{shop}", json=body)

    def issue(self, shop: str = "par", key: str | None = None, **invoice: Any) -> Any:
        body = {"shop": shop, "customer_name": "Zoë", "lines": LINES, **invoice}
        return self.call("POST", "/invoices", "client", key, json=body)

    def pay(self, amount: str, key: str | None = None, **payment: Any) -> Any:
        body = {"amount": amount, "currency": "EUR", "payer": "Zoë", "method": "card", **payment}
        return self.call("POST", "/payments", "client", key, json=body)

    def pay_invoice(self, invoice_number: str, amount: str, key: str | None = None, **payment: Any) -> Any:
        allocations = [{"invoice_number": invoice_number, "amount": amount}]
        return self.pay(amount, key, allocations=allocations, **payment)

    def invoice(self, invoice_number: str) -> Any:
        return self.call("GET", f"/invoices/{invoice_number}", "client").json()
