"""Who is let in, where that leads, and what becomes of a form that waited for it."""

from typing import Any
from urllib.parse import quote

import limits
import pytest

from finance.config import Config
from finance.database import Db
from finance.web import sessions, sign_in
from finance.web.forms import KEPT
from tests.clients import NOVEMBER, Client, make_key
from tests.web.browser import ORIGIN, Browser

PAYMENT = {"amount": "1,250.50", "currency": "EUR", "payer": "<b>Zoë</b>", "method": "card", "note": "two\nlines"}


def post(client: Client, path: str, data: Any, base_url: str = ORIGIN, **headers: str) -> Any:
    sent = {"Origin": base_url, **headers}
    return client.app.test_client().post(path, base_url=base_url, headers=sent, data=data)


def test_what_is_no_key_of_ours_lets_nobody_in(client: Client) -> None:
    for key in ("", " ", "fin_", "fin_é", "x" * 100_000, "\0", "Bearer x", "fin_" + "0" * 81):
        answer = post(client, "/sign-in", {"key": key})

        assert answer.status_code == 422, key
        assert "This key is not known" in answer.text
        assert "Set-Cookie" not in answer.headers
    assert client.db.sessions.count_documents({}) == 0


def test_a_key_may_be_pasted_with_spaces_around_it(client: Client) -> None:
    assert post(client, "/sign-in", {"key": f" {client.key('accountant')}\r\n"}).status_code == 303


def test_a_program_s_a_revoked_and_an_ended_key_let_nobody_in(client: Client) -> None:
    ended = make_key(client.db, "accountant", expires_at=NOVEMBER).key
    revoked = make_key(client.db, "accountant")
    client.db.api_keys.update_one({"_id": revoked.key_id}, {"$set": {"revoked_at": NOVEMBER}})

    answers = [post(client, "/sign-in", {"key": key}) for key in (ended, revoked.key, client.key("client"))]

    assert [answer.status_code for answer in answers] == [422, 422, 403]
    assert client.db.sessions.count_documents({}) == 0
    assert client.db.audit_events.count_documents({"action": "signed_in"}) == 0


def test_the_cookie_is_of_this_host_alone_and_out_of_reach_of_scripts(client: Client) -> None:
    cookie = post(client, "/sign-in", {"key": client.key("accountant")}).headers["Set-Cookie"]

    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-finance=")
    assert set(attributes) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}  # no Domain, no Max-Age


def test_wrong_keys_are_limited_as_those_of_the_api_are(db: Db) -> None:
    client = Client(db, Config(failed_keys_per_address=limits.parse("10/minute")))
    keys = [f"fin_{place:016x}_{'0' * 64}" for place in range(12)]

    answers = [post(client, "/sign-in", {"key": key}) for key in keys]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    assert "Too many wrong keys. Try again in " in answers[-1].text
    good = client.app.test_client().get("/api/v1/payments", headers={"Authorization": f"Bearer {keys[0]}"})
    assert good.status_code == 429  # one limit for both


def test_over_plain_http_everybody_is_told_that_https_is_needed(client: Client) -> None:
    for host in ("http://finance.test", "http://10.0.0.7:8000", "http://127.0.0.1.evil.test"):
        browser = client.app.test_client()
        answers = [browser.get(path, base_url=host) for path in ("/", "/payments", "/?next=/payments")]
        answers.append(post(client, "/sign-in", {"key": client.key("accountant")}, base_url=host))

        assert {answer.status_code for answer in answers} == {403}
        assert all("These pages need HTTPS" in answer.text for answer in answers)
    assert client.db.sessions.count_documents({}) == 0


def test_on_the_machine_itself_plain_http_is_enough(client: Client) -> None:
    for host in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:9240"):
        assert post(client, "/sign-in", {"key": client.key("accountant")}, base_url=host).status_code == 303


OUTSIDE = (
    *("//evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test", "https:evil.test", "javascript:alert(1)"),
    *("/\t/evil.test", "/\n/evil.test", "\n//evil.test", "/ /evil.test", "/payments\r\nX-Evil: 1", "evil.test", " "),
    *("///evil.test", "/\u2028/evil.test", "/％2f", "/" + "a" * 5000, "@evil.test", "/payments\0"),
)


def test_the_page_after_signing_in_is_never_another_s(client: Client) -> None:
    for wanted in OUTSIDE:
        answer = post(client, "/sign-in", {"key": client.key("accountant"), "next": wanted})
        assert answer.headers["Location"] == sign_in.OVERVIEW, wanted
        page = Browser(client).get(f"/?next={quote(wanted)}")
        assert dict(page.form("Sign in").fields())["next"] == "", wanted
        assert post(client, "/language", {"language": "fr", "next": wanted}).headers["Location"] == "/", wanted


def test_what_is_escaped_stays_a_path_of_ours(client: Client) -> None:
    for wanted in ("/%2f%2fevil.test", "/payments?payer=%2F%2Fevil.test&sort=paid_on", "/%5cevil.test"):
        answer = post(client, "/sign-in", {"key": client.key("accountant"), "next": wanted})

        assert answer.headers["Location"] == wanted  # as it is: browsers read no // in it


def test_a_form_that_was_sent_after_the_end_of_its_session_comes_back_as_it_was_left_and_is_stored_once(
    client: Client,
) -> None:
    client.now = NOVEMBER
    browser = Browser(client).sign_in("accountant")
    page = browser.get("/payments/new")
    key = page.field("idempotency_key")
    client.later(hours=1)

    page = browser.submit("Record the payment", **PAYMENT)
    assert (page.status, page.h1) == (401, "Sign in")
    assert "your form is shown again as you left it" in (page.alert or "")
    for wrong in ("fin_nonsense", client.key("client")):
        page = browser.submit("Sign in", key=wrong)
        assert page.status in (403, 422)
    page = browser.submit("Sign in", key=client.key("accountant"))

    assert page.address == "/payments/new"
    assert {name: page.field(name) for name in PAYMENT} == PAYMENT
    assert page.field("idempotency_key") == key
    assert client.db.payments.count_documents({}) == 0
    assert browser.submit("Record the payment").done == "PAY20260001 is recorded."
    assert browser.get("/payments/new").field("payer") == ""  # it is shown once


def test_a_form_that_waits_is_stored_so_that_only_the_cookie_opens_it(client: Client) -> None:
    browser = Browser(client)
    browser.get("/payments/new")
    fields = [("carried-payer", "Zoë of DE89370400440532013000"), ("carried-a.b$\0c", "x")]
    key = client.key("accountant")
    browser.post("/sign-in", [("key", key), ("next", "/payments/new"), *fields], follow=False)

    (stored,) = client.db.sessions.find()
    assert KEPT in stored["data"]
    assert b"DE8937" not in stored["data"][KEPT]
    assert browser.get("/payments/new").field("payer") == "Zoë of DE89370400440532013000"


def test_a_form_opened_before_signing_in_anew_is_not_stored_and_can_be_shown_again(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")
    form = browser.get("/payments/new").form()
    sent = form.filled_in(PAYMENT, None)
    browser.get("/sign-out")
    browser.submit("Sign out")
    browser.sign_in("accountant")

    page = browser.post("/payments/new", sent)
    assert (page.status, page.h1) == (403, "This form was not stored")
    assert client.db.payments.count_documents({}) == 0
    page = browser.follow("Show it again")
    assert page.field("payer") == PAYMENT["payer"]
    assert "is recorded" in (browser.submit("Record the payment").done or "")


def test_what_has_no_page_of_its_own_leads_back_to_the_page_it_was_sent_from(client: Client) -> None:
    browser = Browser(client).sign_in("admin")
    key_id = client.key("admin").split("_")[1]
    browser.get(f"/keys/{key_id}")
    client.db.sessions.delete_many({})

    browser.submit("End its sessions")
    page = browser.submit("Sign in", key=client.key("admin"))

    assert page.address == f"/keys/{key_id}"


def test_a_form_that_is_too_large_to_be_carried_is_said_not_to_be_stored(client: Client) -> None:
    browser = Browser(client)
    page = browser.post("/payments/new", [("note", "x" * 200_001)])

    assert page.status == 401
    assert "You were signed out, and nothing was stored." in (page.alert or "")
    assert "xxx" not in page.html


def test_what_is_carried_is_bounded_however_it_comes(client: Client) -> None:
    key = client.key("accountant")
    data = {"key": key, "next": "/payments/new", "carried-note": "x" * 200_001}
    assert post(client, "/sign-in", data).status_code == 303

    assert KEPT not in (client.db.sessions.find_one() or {})["data"]


def test_whoever_is_signed_in_is_not_asked_again(client: Client) -> None:
    browser = Browser(client).sign_in("accountant")

    assert browser.get("/", follow=False).headers["Location"] == "/payments"
    assert browser.get("/sign-in", follow=False).headers["Location"] == "/"


def test_the_key_is_in_no_page_address_or_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    key = client.key("client")

    answer = post(client, "/sign-in", {"key": key, "next": "/payments"})

    assert key not in answer.text + str(answer.headers) + caplog.text
    assert sessions.COOKIE not in str(answer.headers)
