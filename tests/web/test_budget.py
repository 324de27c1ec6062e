"""What a page costs: the bytes that are sent, and what is asked of the database, however many rows there are."""

import re
from pathlib import Path

import pytest

import finance.web
from finance.database import Db
from tests.clients import Client, a_payment
from tests.commands import Commands
from tests.web import every_page
from tests.web.browser import Browser

STATIC = Path(finance.web.__file__).parent / "static"
KB = 1_000
BYTES_MAX = {"app.css": 14 * KB, "app.js": 3 * KB, "icon.svg": 1 * KB}
LIST_BYTES_MAX = 42 * KB
LINES_OF_CSS_MAX = 400
ASKS = ("find", "aggregate", "count", "distinct", "getMore", "listCollections", "listIndexes")
CHANGES = ("insert", "update", "delete", "findAndModify")

# What a page may ask at most: its session, its key (where it isn't known yet), and its own.
QUERIES_MAX = {
    "/payments": 6,
    "/payments?currency=EUR&sort=paid_on": 6,
    "/payments/new": 2,
    "/invoices": 6,
    "/credit-notes": 5,
    "/customers": 5,
    "/numbers": 8,
    "/imports": 5,
    "/keys": 4,
    "/shops": 4,
    "/activity": 5,
}


def test_what_is_sent_with_a_page_is_small_and_kept(client: Client) -> None:
    browser = Browser(client)
    files = {
        element.get("href") or element.get("src") for element in browser.get("/").root.all("link", "script", "img")
    }

    assert {Path(address).name for address in files} == set(BYTES_MAX)
    for address in files:
        sent = browser.get(address)
        assert len(sent.html.encode()) <= BYTES_MAX[Path(address).name]
        assert "immutable" in sent.headers["Cache-Control"]


def test_a_style_sheet_is_sent_whole_but_for_comments_and_spaces(client: Client) -> None:
    browser = Browser(client)
    sent = browser.get(browser.get("/").root.one("link", rel="stylesheet").get("href")).html
    written = (STATIC / "app.css").read_text(encoding="utf-8")

    def bare(text: str) -> str:
        return "".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split()).replace(";}", "}")

    assert bare(sent) == bare(written)
    assert "/*" not in sent
    assert ".bar nav a[aria-current]" in sent  # the spaces that mean something
    assert len((STATIC / "app.css").read_text(encoding="utf-8").splitlines()) <= LINES_OF_CSS_MAX


def test_a_list_of_fifty_is_small_in_both_languages(client: Client) -> None:
    _record(client, 51, payer="Établissements Fournier & Cie", method="bank_transfer", amount="12345.67")
    browser = Browser(client).sign_in()

    for language in ("en-GB", "fr-FR"):
        page = browser.get("/payments", lang=language)
        assert len(page.rows()) == 50
        assert len(page.html.encode()) <= LIST_BYTES_MAX


@pytest.fixture
def counted(watched: Db) -> Browser:
    """An admin at the pages of an app whose commands are noted."""
    return Browser(Client(watched)).sign_in("admin")


@pytest.mark.parametrize("path", QUERIES_MAX)
def test_what_a_page_asks_is_bounded_and_does_not_grow_with_the_rows(
    counted: Browser, commands: Commands, path: str
) -> None:
    _fill(counted.client, 2)
    few = _asked(counted, commands, path)
    _fill(counted.client, 25)
    many = _asked(counted, commands, path)

    assert many == few
    assert len(many) <= QUERIES_MAX[path]


def test_what_one_payment_asks_does_not_grow_with_what_it_pays(counted: Browser, commands: Commands) -> None:
    client = counted.client
    client.put_shop()
    alone, shared = (
        client.pay_invoices([client.issue().json["invoice_number"] for _each in range(count)], "10.00").json
        for count in (1, 9)
    )

    few = _asked(counted, commands, f"/payments/{alone['payment_number']}")
    many = _asked(counted, commands, f"/payments/{shared['payment_number']}")

    assert many == few
    assert len(many) <= 7


def test_a_page_that_is_only_looked_at_changes_nothing(counted: Browser, commands: Commands) -> None:
    paths = every_page.seeded(counted.client)
    for path in paths:
        counted.get(path)  # the first look may keep what is made once, such as the secret of forms
    commands.names.clear()
    for path in paths:
        counted.get(path)

    assert not [name for name in commands.names if name in CHANGES]


def _asked(browser: Browser, commands: Commands, path: str) -> list[tuple[str, object]]:
    """Return what a page asks of which collection, once what is kept in this process is known."""
    browser.get(path)
    commands.collections.clear()
    commands.names.clear()
    page = browser.get(path)
    assert (page.status, page.came_by) == (200, [])
    return sorted((name, str(of)) for name, of in commands.collections if name in (*ASKS, *CHANGES))


def _fill(client: Client, count: int) -> None:
    """Record payments, issue invoices, store customers and keys."""
    client.put_shop()
    _record(client, count)
    for place in range(count):
        client.issue()
        client.post("/customers", json={"customer_name": f"Ada {place}"})
        client.post("/keys", role="admin", json={"role": "client", "name": f"Shop {place}"})


def _record(client: Client, count: int, **changes: str) -> None:
    for place in range(count):
        assert client.post("/payments", json=a_payment(reference=f"VIR {place}", **changes)).status_code == 201
