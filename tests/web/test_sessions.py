"""Who is signed in, for how long, and in which workers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from finance.auth import guard
from finance.auth.service import KeyRing
from finance.config import Config
from finance.database import Db
from finance.web import sessions
from tests.clients import NOVEMBER, Client, make_key
from tests.web.browser import ORIGIN, Browser


class Worker(Client):
    """One of several processes on the same database, whose key ring is `later` by hand."""

    def __init__(self, db: Db) -> None:
        super().__init__(db, now=NOVEMBER)
        self.seconds = 0.0
        guarding: guard.Guard = self.app.extensions[guard.EXTENSION]
        ring = KeyRing(db, cache_s=3.0, clock=lambda: self.now or NOVEMBER, clock_s=lambda: self.seconds)
        self.app.extensions[guard.EXTENSION] = replace(guarding, key_ring=ring)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.later(seconds=seconds)


@pytest.fixture
def workers(db: Db) -> tuple[Worker, Worker]:
    return Worker(db), Worker(db)


def token_of(browser: Browser) -> str:
    cookie = browser.http.get_cookie(sessions.COOKIE, domain="finance.test")
    assert cookie is not None
    return str(cookie.value)


def in_another_worker(browser: Browser, other: Client) -> Browser:
    same = Browser(other)
    same.http.set_cookie(sessions.COOKIE, token_of(browser), domain="finance.test", secure=True)
    return same


def is_in(browser: Browser) -> bool:
    return browser.get("/payments", follow=False).status == 200


def test_a_session_is_one_in_every_worker_and_stores_neither_key_nor_cookie(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    browser = Browser(one).sign_in("accountant")

    assert is_in(in_another_worker(browser, other))
    (stored,) = one.db.sessions.find()
    assert token_of(browser) not in str(stored)
    assert one.key("accountant") not in str(stored)
    assert stored["tenant"] == "acme"


def test_a_revoked_key_ends_its_sessions_in_every_worker_once_its_memory_ends(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    browser = Browser(one).sign_in("accountant")
    elsewhere = in_another_worker(browser, other)
    assert is_in(elsewhere)

    key_id = one.key("accountant").split("_")[1]
    assert one.delete(f"/keys/{key_id}", role="admin").status_code == 204
    for worker in workers:
        worker.wait(Config.key_cache_s)

    assert not is_in(browser)
    assert not is_in(elsewhere)
    assert one.db.sessions.count_documents({}) == 0


def test_a_key_that_ends_ends_its_sessions_at_that_instant(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    key = make_key(one.db, "accountant", expires_at=NOVEMBER + timedelta(seconds=2)).key
    browser = Browser(one).sign_in(key=key)
    elsewhere = in_another_worker(browser, other)
    assert is_in(elsewhere)

    for worker in workers:
        worker.wait(2)

    assert not is_in(browser)
    assert not is_in(elsewhere)


def test_a_session_ends_after_half_an_hour_without_a_page(client: Client) -> None:
    client.now = NOVEMBER
    browser = Browser(client).sign_in("accountant")
    for _page in range(3):
        client.later(minutes=28)
        assert is_in(browser)
    client.later(minutes=30)

    assert not is_in(browser)


def test_a_session_ends_after_twelve_hours_however_much_is_done(client: Client) -> None:
    client.now = NOVEMBER
    browser = Browser(client).sign_in("accountant")
    for _page in range(35):
        client.later(minutes=20)
        assert is_in(browser)
    client.later(minutes=20)

    assert not is_in(browser)


def test_when_somebody_was_seen_is_stored_once_a_minute(client: Client) -> None:
    client.now = NOVEMBER
    browser = Browser(client).sign_in("accountant")
    seen = []
    for seconds in (0, 30, 29, 1, 30):
        client.later(seconds=seconds)
        assert is_in(browser)
        seen.append((client.db.sessions.find_one() or {})["seen_at"] - NOVEMBER)

    assert seen == [timedelta(seconds=seconds) for seconds in (0, 0, 0, 60, 60)]


def test_a_cookie_that_somebody_else_has_set_never_becomes_a_session(client: Client) -> None:
    browser = Browser(client)
    planted = "a" * 64
    browser.http.set_cookie(sessions.COOKIE, planted, domain="finance.test", secure=True)

    browser.sign_in("accountant")

    assert token_of(browser) != planted
    thief = Browser(client)
    thief.http.set_cookie(sessions.COOKIE, planted, domain="finance.test", secure=True)
    assert not is_in(thief)


def test_each_sign_in_has_an_id_of_its_own_and_ends_the_session_before(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    before = token_of(browser)
    old = in_another_worker(browser, client)
    browser.http.get("/", base_url=ORIGIN)
    answer = sign_in_by_hand(browser, client.key("admin"))

    assert answer.status_code == 303
    assert token_of(browser) != before
    assert not is_in(old)
    assert client.db.sessions.count_documents({}) == 1


def test_signing_out_ends_the_session_and_not_the_cookie_alone(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    copy = in_another_worker(browser, client)
    browser.get("/sign-out")
    assert is_in(copy)  # asking changes nothing
    browser.get("/sign-out")
    answer = browser.submit("Sign out", follow=False)

    assert answer.status == 303
    assert (
        answer.headers["Clear-Site-Data"] == '"cache"'
    )  # Back shows nothing, in browsers that keep pages none the less
    assert browser.http.get_cookie(sessions.COOKIE, domain="finance.test") is None
    assert client.db.sessions.count_documents({}) == 0
    assert not is_in(copy)


def test_signing_in_and_out_stands_in_the_activity(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    browser.get("/sign-out")
    browser.submit("Sign out")

    told = [(event["action"], event["object_id"]) for event in client.db.audit_events.find().sort("_id")]
    key_id = client.key("accountant").split("_")[1]
    assert told == [("signed_in", key_id), ("signed_out", key_id)]


def test_what_is_no_id_is_nobody_s(client: Client) -> None:
    for cookie in ("", "x", "A" * 64, "g" * 64, "0" * 63, "0" * 65, "é" * 64, "0" * 100_000):
        headers = {"Cookie": f"{sessions.COOKIE}={cookie}"}

        answer = client.app.test_client(use_cookies=False).get("/payments", base_url=ORIGIN, headers=headers)

        assert (answer.status_code, answer.headers["Location"]) == (303, "/?next=/payments")


def test_a_session_of_another_tenant_than_its_key_is_nobody_s(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    client.db.sessions.update_one({}, {"$set": {"tenant": "umbra"}})

    assert not is_in(browser)


def test_a_session_lives_on_when_what_it_keeps_can_not_be_read(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    client.db.sessions.update_one({}, {"$set": {"data.form": b"x" * 40}})

    assert browser.get("/payments/new").status == 200


def sign_in_by_hand(browser: Browser, key: str) -> Any:
    return browser.http.post("/sign-in", base_url=ORIGIN, headers={"Origin": ORIGIN}, data={"key": key})
