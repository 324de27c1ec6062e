"""`/keys`: made and shown once, their sessions ended, revoked."""

from datetime import timedelta

import pytest

from finance.config import Config
from finance.database import Db
from tests.clients import NOVEMBER, Client
from tests.web.browser import Browser, Page


@pytest.fixture
def admin(client: Client) -> Browser:
    return Browser(client).sign_in("admin")


def make(browser: Browser, **typed: str) -> Page:
    browser.get("/keys/new")
    return browser.submit("Make the key", **typed)


def key_on(page: Page) -> str:
    return page.main.one("pre").text


def test_a_key_is_shown_once_and_opens_what_its_role_may(client: Client, admin: Browser) -> None:
    page = make(admin, role="accountant", name="Accounts Lyon")

    assert (page.status, page.address) == (200, "/keys/new")  # no address holds the key
    key = key_on(page)
    assert Browser(client).sign_in(key=key).page.status in (200, 404)  # the overview
    assert key not in admin.get("/keys").html
    row = next(row for row in admin.page.rows() if row["Name"] == "Accounts Lyon")
    assert (row["Role"], row["Status"]) == ("accountant", "Active")
    assert all(key not in str(session) for session in client.db.sessions.find())


def test_a_form_that_is_sent_again_makes_no_second_key_and_says_so(client: Client, admin: Browser) -> None:
    admin.get("/keys/new")
    fields = admin.page.form("Make the key").filled_in({"name": "Web shop"}, None)
    key = key_on(admin.post("/keys/new", fields))
    before = client.db.api_keys.count_documents({})

    page = admin.post("/keys/new", fields)

    assert (page.status, page.h1) == (409, "This key was shown already")
    assert key not in page.html
    assert client.db.api_keys.count_documents({}) == before
    assert admin.follow("Open that key").h1.startswith("Web shop")


def test_the_last_day_of_a_key_is_that_of_the_service_and_inclusive(client: Client) -> None:
    client.now = NOVEMBER
    admin = Browser(client).sign_in("admin")
    make(admin, name="Temporary", expires_at="2026-11-30")

    stored = client.db.api_keys.find_one({"name": "Temporary"})
    assert stored is not None
    assert f"{stored['expires_at']:%Y-%m-%dT%H:%M}" == "2026-12-01T00:00"

    page = make(admin, name="Too late", expires_at="2026-11-01")
    assert (page.status, page.field_error("expires_at")) == (422, "must be in the future.")


def test_a_name_that_would_stay_for_ever_holds_no_key(client: Client, admin: Browser) -> None:
    page = make(admin, name=client.key("accountant"))

    assert page.status == 422
    assert page.field_error("name") == "must not hold an API key: it is shown to everyone."


def test_revoking_asks_first_ends_the_sessions_and_stands_in_the_activity(client: Client, admin: Browser) -> None:
    other = Browser(client).sign_in("accountant")
    key_id = client.key("accountant").split("_")[1]

    page = admin.get(f"/keys/{key_id}/revoke")
    assert "1 session on these pages ends with it." in page.text
    assert client.db.api_keys.find_one({"_id": key_id})["revoked_at"] is None  # type: ignore[index]
    page = admin.submit("Revoke the key")

    assert page.done == f"{key_id} is revoked."
    assert other.get("/payments").h1 == "Sign in"
    assert client.db.sessions.count_documents({"key_id": key_id}) == 0
    assert admin.get(f"/activity?object_kind=key&object_id={key_id}").column("Action") == [
        "Ended the sessions of a key",
        "Revoked a key",
        "Signed in",
    ]


def test_revoking_one_s_own_key_signs_out(db: Db) -> None:
    client = Client(db, Config(key_cache_s=0))
    admin = Browser(client).sign_in("admin")
    key_id = client.key("admin").split("_")[1]

    assert "This signs you out." in admin.get(f"/keys/{key_id}/revoke").text
    assert admin.submit("Revoke the key").h1 == "Sign in"
    admin.get("/")
    assert "This key is not known" in (admin.submit("Sign in", key=client.key("admin")).alert or "")


def test_the_sessions_of_a_key_are_seen_and_ended_and_the_key_stays(client: Client, admin: Browser) -> None:
    one, other = (Browser(client).sign_in("accountant") for _browser in range(2))
    key_id = client.key("accountant").split("_")[1]

    page = admin.get(f"/keys/{key_id}")
    assert len(page.rows()) == 2
    page = admin.submit("End its sessions")

    assert page.done == "Sessions ended: 2."
    assert {browser.get("/payments").h1 for browser in (one, other)} == {"Sign in"}
    assert one.sign_in("accountant").get("/payments").status == 200


def test_another_tenant_s_key_is_not_there(client: Client, admin: Browser) -> None:
    key_id = client.key("accountant", "umbra").split("_")[1]

    for path in (f"/keys/{key_id}", f"/keys/{key_id}/revoke"):
        assert admin.get(path).status == 404
    own = client.key("admin").split("_")[1]
    fields = admin.get(f"/keys/{own}").form("End its sessions").fields()
    assert admin.post(f"/keys/{key_id}/sessions/end", fields).status == 404
    assert admin.post(f"/keys/{key_id}/revoke", fields).status == 404
    assert client.db.api_keys.find_one({"_id": key_id})["revoked_at"] is None  # type: ignore[index]


def test_keys_of_earlier_versions_are_listed_with_what_is_known_of_them(client: Client, admin: Browser) -> None:
    old = {"_id": "0123456789abcdef", "tenant": "acme", "role": "client", "key_hash": "0" * 64, "created_at": NOVEMBER}
    client.db.api_keys.insert_one({**old, "revoked_at": None})
    client.db.api_keys.insert_one({"_id": "f" * 16, "tenant": "acme", "role": 7, "name": "<b>é</b>", "expires_at": "x"})

    rows = {row["Name"]: row for row in admin.get("/keys").rows()}

    assert (rows["0123456789abcdef"]["Made by"], rows["0123456789abcdef"]["Last use"]) == ("–", "–")
    assert rows["<b>é</b>"]["Role"] == "7"
    assert {admin.get(f"/keys/{key_id}").status for key_id in ("0123456789abcdef", "f" * 16)} == {200}


def test_an_expired_key_is_told_as_such(client: Client) -> None:
    client.now = NOVEMBER
    admin = Browser(client).sign_in("admin")
    make(admin, name="Short", expires_at="2026-11-20")
    client.now = NOVEMBER + timedelta(days=1)

    assert next(r["Status"] for r in admin.sign_in("admin").get("/keys").rows() if r["Name"] == "Short") == "Expired"
