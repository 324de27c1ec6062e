"""Role × route × tenant: who may do what, for every route of the API, on objects that exist.

A new route needs a line in `EXAMPLES`; a new name in a path needs one in `MAKE`.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from finance.auth.guard import API, WITHOUT_A_KEY
from finance.auth.model import ROLES, Role
from finance.database import Db
from tests.clients import LINES, Client, poll
from tests.customers.forms import pan

pytestmark = pytest.mark.journey

MARK = "Sought Elsewhere"  # in all that belongs to the tenant whose objects they are
PAYMENT = {"amount": "12.50", "currency": "EUR", "payer": MARK, "method": "card", "note": MARK}
NOBODY, OWN, OTHER = "no key", "its own tenant", "another tenant"


@dataclass(frozen=True)
class Example:
    """The least role that may, the status that it gets, and what is sent.

    `elsewhere` is the status for a caller of that role in another tenant, where it isn't 404 for a path that names an
    object and the same for any other: a success makes something of the caller's own, and shows nothing of this one.
    """

    role: Role
    status: int = 200
    json: Callable[[], Any] | None = None
    elsewhere: int | None = None
    query: str = ""


EXAMPLES: dict[str, Example] = {
    "GET /audit-events": Example("admin"),
    "GET /audit-events/export.csv": Example("admin"),
    "GET /audit-events/export.xlsx": Example("admin"),
    "GET /credit-notes": Example("accountant"),
    "GET /credit-notes/allocations/export.csv": Example("accountant"),
    "GET /credit-notes/allocations/export.xlsx": Example("accountant"),
    "GET /credit-notes/export.csv": Example("accountant"),
    "GET /credit-notes/export.xlsx": Example("accountant"),
    "GET /credit-notes/<credit_note_number>": Example("client"),
    "POST /credit-notes/<credit_note_number>/allocations": Example(
        "accountant", 409, lambda: {"allocations": [{"invoice_number": "F-1", "amount": "1.00"}]}
    ),  # it took its invoice back whole
    "POST /credit-notes/<credit_note_number>/release": Example(
        "accountant", 409, lambda: {"invoice_number": "F-1", "reason": MARK}
    ),
    "POST /customers": Example("client", 201, lambda: {"customer_name": MARK, "pan_number": pan()}),
    "GET /customers": Example("accountant"),
    "GET /customers/export.csv": Example("accountant"),
    "GET /customers/export.xlsx": Example("accountant"),
    "GET /customers/<customer_code>": Example("client"),
    "PUT /customers/<customer_code>": Example("client", 200, lambda: {"customer_name": MARK, "pan_number": pan()}, 201),
    "POST /customers/<customer_code>/activate": Example("accountant", 409, lambda: {"reason": MARK}),  # it is active
    "POST /customers/<customer_code>/deactivate": Example("accountant", 200, lambda: {"reason": MARK}),
    "POST /customers/<customer_code>/erase": Example("admin", 200, lambda: {"reason": MARK}),
    "GET /customers/<customer_code>/payments": Example("accountant"),
    "GET /customers/lookup": Example("client", query="?name=sought"),
    "GET /customers/<customer_code>/statement": Example("accountant"),
    "GET /customers/<customer_code>/statement.csv": Example("accountant"),
    "GET /customers/<customer_code>/statement.xlsx": Example("accountant"),
    "GET /customers/<customer_code>/payments/export.csv": Example("accountant"),
    "GET /customers/<customer_code>/payments/export.xlsx": Example("accountant"),
    "POST /customers/search": Example("accountant", 200, dict),
    "POST /customers/codes": Example("client", 201, dict),
    "GET /exports/<export_id>": Example("accountant"),
    "POST /invoices": Example("client", 201, lambda: {"shop": "own", "customer_name": MARK, "lines": LINES}, 422),
    "GET /invoices": Example("accountant"),
    "GET /invoices/<invoice_number>": Example("client"),
    "POST /invoices/<invoice_number>/credit-notes": Example(
        "accountant", 201, lambda: {"reason": MARK, "lines": LINES}
    ),
    "POST /invoices/<invoice_number>/cancel": Example("accountant", 200, lambda: {"reason": MARK}),
    "GET /invoices/summary": Example("accountant"),
    "GET /invoices/export.csv": Example("accountant"),
    "GET /invoices/export.xlsx": Example("accountant"),
    "GET /keys": Example("admin"),
    "POST /keys": Example("admin", 201, lambda: {"role": "client"}),
    "DELETE /keys/<key_id>": Example("admin", 204),
    "POST /payments": Example("client", 201, lambda: PAYMENT),
    "POST /payments/bulk": Example("client", 422, lambda: {"payments": [PAYMENT]}),  # without an Idempotency-Key
    "GET /payments": Example("accountant"),
    "GET /payments/<payment_number>": Example("client"),
    "GET /payments/summary": Example("accountant"),
    "PATCH /payments/<payment_number>": Example("accountant", 200, lambda: {"note": "corrected"}),
    "POST /payments/<payment_number>/void": Example("accountant", 200, lambda: {"reason": MARK}),
    "POST /payments/<payment_number>/allocations": Example(
        "accountant", 422, lambda: {"allocations": [{"invoice_number": "none", "amount": "1.00"}]}
    ),
    "POST /payments/<payment_number>/release": Example(
        "accountant", 409, lambda: {"invoice_number": "none", "reason": MARK}
    ),
    "GET /payments/allocations/export.csv": Example("accountant"),
    "GET /payments/allocations/export.xlsx": Example("accountant"),
    "GET /payments/export.csv": Example("accountant"),
    "GET /payments/export.xlsx": Example("accountant"),
    "GET /receivables/ageing": Example("accountant", elsewhere=422),  # no shop, so no currency
    "GET /receivables/ageing.csv": Example("accountant", elsewhere=422),
    "GET /receivables/ageing.xlsx": Example("accountant", elsewhere=422),
    "GET /shops": Example("client"),
    "PUT /shops/<shop>": Example(
        "admin", 200, lambda: {"name": "New name", "timezone": "UTC", "currency": "EUR"}, elsewhere=201
    ),
    "GET /shops/<shop>": Example("client"),
    "GET /shops/<shop>/sequences": Example("accountant"),
}


def _make_shop(client: Client, tenant: str) -> str:
    shop = {"name": MARK, "timezone": "UTC", "currency": "EUR"}
    return str(_done(client.put("/shops/own", role="admin", tenant=tenant, json=shop)).json["shop"])


def _make_invoice(client: Client, tenant: str) -> str:
    invoice = {"shop": _make_shop(client, tenant), "customer_name": MARK, "lines": LINES}
    return str(_done(client.post("/invoices", tenant=tenant, json=invoice)).json["invoice_number"])


def _make_credit_note(client: Client, tenant: str) -> str:
    path = f"/invoices/{_make_invoice(client, tenant)}/cancel"
    return str(_done(client.post(path, tenant=tenant, json={"reason": MARK})).json["credit_note_number"])


def _make_customer(client: Client, tenant: str) -> str:
    form = {"customer_name": MARK, "pan_number": pan()}
    return str(_done(client.post("/customers", tenant=tenant, json=form)).json["customer_code"])


def _make_payment(client: Client, tenant: str) -> str:
    return str(_done(client.post("/payments", tenant=tenant, json=PAYMENT)).json["payment_number"])


def _make_key(client: Client, tenant: str) -> str:
    return str(_done(client.post("/keys", role="admin", tenant=tenant, json={"role": "client"})).json["key_id"])


def _make_export(client: Client, tenant: str) -> str:
    """Return a file that is ready: asked for in the background, and waited for."""
    _make_payment(client, tenant)
    asked = client.get("/payments/export.xlsx", tenant=tenant, headers={"Prefer": "respond-async"})
    assert asked.status_code == 202, asked.text
    poll(lambda: client.get(asked.headers["Location"], tenant=tenant).status_code == 200, within_s=30)
    return str(asked.json["export_id"])


MAKE: dict[str, Callable[[Client, str], str]] = {
    "credit_note_number": _make_credit_note,
    "customer_code": _make_customer,
    "export_id": _make_export,
    "invoice_number": _make_invoice,
    "key_id": _make_key,
    "payment_number": _make_payment,
    "shop": _make_shop,
}


def _done(answer: Any) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer


def _routes(app: Flask) -> Iterator[str]:
    """Yield every operation of the API, such as "GET /payments"."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"{API}/") and rule.rule not in WITHOUT_A_KEY:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield f"{method} {rule.rule.removeprefix(API)}"


CALLERS = [(NOBODY, "client"), *itertools.product((OWN, OTHER), ROLES)]


def test_every_route_has_an_example_and_every_example_a_route(shared_client: Client) -> None:
    assert set(EXAMPLES) == set(_routes(shared_client.app))
    assert {name for route in EXAMPLES for name in re.findall("<(.+?)>", route)} == set(MAKE)


@pytest.mark.parametrize(("whose", "role"), CALLERS)
@pytest.mark.parametrize("route", sorted(EXAMPLES))
def test_a_route_lets_in_who_may(shared_client: Client, route: str, whose: str, role: str) -> None:
    client, example = shared_client, EXAMPLES[route]
    tenant, caller = f"t{uuid4().hex[:12]}", f"u{uuid4().hex[:12]}"
    method, _, rule = route.partition(" ")
    path = re.sub("<(.+?)>", lambda name: MAKE[name[1]](client, tenant), rule)
    if "<" not in rule or "/statement" in rule:  # which takes the currency of the shop
        _make_payment(client, tenant)
        _make_customer(client, tenant)
        _make_shop(client, tenant)
    key = None if whose == NOBODY else client.key(role, tenant if whose == OWN else caller)
    before = _stored(client.db, tenant)

    body = None if example.json is None else example.json()
    answer = _send(client, method, f"{path}{example.query}", key, body)

    assert answer.status_code == _expected(route, whose, role), answer.text
    if answer.status_code in (401, 403) or whose == OTHER:
        assert _stored(client.db, tenant) == before
    if whose != OWN and MARK not in str(body):
        assert MARK.encode() not in answer.data


def _expected(route: str, whose: str, role: str) -> int:
    example = EXAMPLES[route]
    if whose == NOBODY:
        return 401
    if ROLES.index(role) < ROLES.index(example.role):
        return 403
    if whose == OTHER:
        return example.elsewhere or (404 if "<" in route else example.status)
    return example.status


def _send(client: Client, method: str, path: str, key: str | None, body: Any) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.app.test_client().open(f"{API}{path}", method=method, headers=headers, buffered=True, json=body)


def _stored(db: Db, tenant: str) -> dict[str, list[Any]]:
    """Return all that is stored for a tenant."""
    names = sorted(db.list_collection_names())
    return {name: list(db[name].find({"tenant": tenant}).sort("_id")) for name in names}
