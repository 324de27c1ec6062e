"""Role × page × tenant: who may open and send what, for every page, on objects that exist.

A new page needs a line in `PAGES`; a new name in an address needs one in `_made`.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from finance.auth.guard import role_of
from finance.auth.model import ROLES
from finance.database import Db
from finance.web import static_files
from tests.clients import Client
from tests.journeys.test_roles import MAKE, MARK
from tests.web.browser import ORIGIN, Browser

OPEN = "open"  # for everybody, signed in or not
OBJECTS = (
    "payment_number",
    "invoice_number",
    "credit_note_number",
    "customer_code",
    "key_id",
    "export_id",
    "import_id",
)

# The least role of each page; for those whose address is no plain one also what stands behind it.
PAGES: dict[str, str] = {
    "/": OPEN,
    "/sign-in": OPEN,
    "/language": OPEN,
    "/help": OPEN,
    "/static/<digest>/<name>": OPEN,
    "/overview": "accountant",
    "/find": "accountant",
    "/sign-out": "accountant",
    "/payments": "accountant",
    "/payments/new": "accountant",
    "/payments/totals": "accountant",
    "/payments/export.csv": "accountant",
    "/payments/export.xlsx": "accountant",
    "/payments/allocations/export.csv": "accountant",
    "/payments/allocations/export.xlsx": "accountant",
    "/payments/<payment_number>": "accountant",
    "/payments/<payment_number>/allocate": "accountant",
    "/payments/<payment_number>/edit": "accountant",
    "/payments/<payment_number>/release": "accountant",
    "/payments/<payment_number>/void": "accountant",
    "/invoices": "accountant",
    "/invoices/new": "accountant",
    "/invoices/totals": "accountant",
    "/invoices/export.csv": "accountant",
    "/invoices/export.xlsx": "accountant",
    "/invoices/<invoice_number>": "accountant",
    "/invoices/<invoice_number>/cancel": "accountant",
    "/invoices/<invoice_number>/credit": "accountant",
    "/credit-notes": "accountant",
    "/credit-notes/export.csv": "accountant",
    "/credit-notes/export.xlsx": "accountant",
    "/credit-notes/allocations/export.csv": "accountant",
    "/credit-notes/allocations/export.xlsx": "accountant",
    "/credit-notes/<credit_note_number>": "accountant",
    "/credit-notes/<credit_note_number>/allocate": "accountant",
    "/credit-notes/<credit_note_number>/refund": "accountant",
    "/credit-notes/<credit_note_number>/release": "accountant",
    "/customers": "accountant",
    "/customers/new": "accountant",
    "/customers/export.csv": "accountant",
    "/customers/export.xlsx": "accountant",
    "/customers/<customer_code>": "accountant",
    "/customers/<customer_code>/activate": "accountant",
    "/customers/<customer_code>/deactivate": "accountant",
    "/customers/<customer_code>/edit": "accountant",
    "/customers/<customer_code>/in-full": "accountant",
    "/customers/<customer_code>/erase": "admin",
    "/customers/<customer_code>/statement": "accountant",
    "/customers/<customer_code>/statement.csv": "accountant",
    "/customers/<customer_code>/statement.xlsx": "accountant",
    "/receivables": "accountant",
    "/receivables/export.csv": "accountant",
    "/receivables/export.xlsx": "accountant",
    "/numbers": "accountant",
    "/numbers/check": "accountant",
    "/numbers/customer": "accountant",
    "/numbers/payment/<period>": "accountant",
    "/numbers/<kind>/<shop>/<period>": "accountant",
    "/imports": "accountant",
    "/imports/new": "accountant",
    "/imports/example-<kind>.csv": "accountant",
    "/imports/<import_id>": "accountant",
    "/imports/<import_id>/not-stored.csv": "accountant",
    "/files/<export_id>": "accountant",
    "/files/<export_id>/download": "accountant",
    "/keys": "admin",
    "/keys/new": "admin",
    "/keys/<key_id>": "admin",
    "/keys/<key_id>/revoke": "admin",
    "/keys/<key_id>/sessions/end": "admin",
    "/shops": "admin",
    "/shops/new": "admin",
    "/shops/<shop>": "admin",
    "/shops/<shop>/edit": "admin",
    "/activity": "admin",
    "/activity/export.csv": "admin",
    "/activity/export.xlsx": "admin",
}


@pytest.fixture(scope="module")
def tenant(shared_client: Client) -> str:
    """The tenant whose objects they are."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def made(shared_client: Client, tenant: str) -> dict[str, str]:
    return _made(shared_client, tenant)


def _made(client: Client, tenant: str) -> dict[str, str]:
    """Return an object of the tenant for each name in an address."""
    names = {name: make(client, tenant) for name, make in MAKE.items()}
    period = (client.db.invoices.find_one({"tenant": tenant}) or {})["period"]
    browser = Browser(client).sign_in("accountant", tenant)
    browser.get("/imports/new")
    file = ("november.csv", f"amount,currency,payer,method\n1.00,EUR,{MARK},card\n".encode())
    page = browser.submit(action="/imports/new", kind="payments", file=file)
    import_id = page.address.partition("?")[0].rpartition("/")[2]
    return names | {
        "import_id": import_id, "kind": "invoice", "period": period, "digest": static_files.DIGEST, "name": "app.css",
    }  # fmt: skip


def test_every_page_has_a_row_with_the_role_that_it_asks_for(shared_client: Client) -> None:
    declared = {
        _plain(rule): role_of(shared_client.app, endpoint) or OPEN for rule, endpoint, _ in _pages(shared_client.app)
    }

    assert declared == PAGES


def test_nobody_opens_or_sends_anything_without_signing_in(
    shared_client: Client, tenant: str, made: dict[str, str]
) -> None:
    before = _stored(shared_client.db, tenant)
    for path, rule, methods in _addresses(shared_client.app, made):
        if PAGES[rule] == OPEN:
            continue
        http = shared_client.app.test_client()
        if "GET" in methods:
            answer = http.get(path, base_url=ORIGIN)
            assert (answer.status_code, answer.headers["Location"][0]) == (303, "/"), path
            assert MARK not in answer.text
        if "POST" in methods:
            sent = http.post(path, base_url=ORIGIN, headers={"Origin": ORIGIN}, data={"reason": "x"})
            assert sent.status_code in (303, 401), path
            assert MARK not in sent.text
    assert _stored(shared_client.db, tenant) == before


@pytest.mark.parametrize("role", ["accountant", "admin"])
def test_each_page_opens_for_its_role_and_for_no_lesser_one(
    shared_client: Client, tenant: str, made: dict[str, str], role: str
) -> None:
    browser = Browser(shared_client).sign_in(role, tenant)  # type: ignore[arg-type]
    token = _token(browser)
    for path, rule, methods in _addresses(shared_client.app, made):
        may = PAGES[rule] == OPEN or ROLES.index(role) >= ROLES.index(PAGES[rule])  # type: ignore[arg-type]
        if "GET" in methods:
            answer = browser.http.get(path, base_url=ORIGIN, buffered=True)
            expected = (200, 303, 409, 422) if may else (403,)
            assert answer.status_code in expected, (path, answer.status_code)
        if "POST" in methods and not may:
            sent = browser.http.post(
                path, base_url=ORIGIN, headers={"Origin": ORIGIN}, data={"csrf_token": token, "reason": "x"}
            )
            assert sent.status_code == 403, path


@pytest.mark.parametrize("role", ["accountant", "admin"])
def test_what_belongs_to_another_tenant_is_not_there(
    shared_client: Client, tenant: str, made: dict[str, str], role: str
) -> None:
    browser = Browser(shared_client).sign_in(role, f"u{uuid4().hex[:12]}")  # type: ignore[arg-type]
    token = _token(browser)
    before = _stored(shared_client.db, tenant)
    for path, rule, methods in _addresses(shared_client.app, made):
        if PAGES[rule] == OPEN or ROLES.index(role) < ROLES.index(PAGES[rule]):  # type: ignore[arg-type]
            continue
        names_object = any(f"<{name}>" in rule for name in OBJECTS) or rule.startswith("/shops/<")
        answers = []
        if "GET" in methods:
            answers.append(browser.http.get(path, base_url=ORIGIN, buffered=True))
        if "POST" in methods and names_object:
            fields = {"csrf_token": token, "reason": "x", "invoice_number": made["invoice_number"]}
            answers.append(browser.http.post(path, base_url=ORIGIN, headers={"Origin": ORIGIN}, data=fields))
        for answer in answers:
            if names_object and answer.status_code == 303:  # back to the page of what isn't there
                answer = browser.http.get(answer.headers["Location"], base_url=ORIGIN)
            assert not names_object or answer.status_code == 404, (path, answer.status_code)
            assert MARK.encode() not in answer.data, path
    assert _stored(shared_client.db, tenant) == before


def _pages(app: Flask) -> Iterator[tuple[str, str, set[str]]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("web."):
            yield rule.rule, rule.endpoint, set(rule.methods or ()) - {"HEAD", "OPTIONS"}


def _addresses(app: Flask, made: dict[str, str]) -> Iterator[tuple[str, str, set[str]]]:
    """Yield each page's address of these objects, its row, and its methods; but the one that signs out."""
    for rule, _endpoint, methods in _pages(app):
        row = _plain(rule)
        example = {**made, "kind": "payments" if row.startswith("/imports/") else made["kind"]}
        if row.startswith("/numbers/payment"):
            example["period"] = "2026"
        yield re.sub("<(.+?)>", lambda name: example[name[1]], row), row, methods  # noqa: B023  called at once


def _plain(rule: str) -> str:
    return re.sub(r"<[^<>]*:(\w+)>", r"<\1>", rule)


def _token(browser: Browser) -> str:
    return browser.get("/sign-out").field("csrf_token")


def _stored(db: Db, tenant: str) -> dict[str, list[Any]]:
    """Return all that is stored for a tenant, but who was seen when."""
    names = sorted(set(db.list_collection_names()) - {"sessions", "api_keys"})
    return {name: list(db[name].find({"tenant": tenant}).sort("_id")) for name in names}
