"""What keeps the pages theirs: where a form is from, what it may hold, and what every page is sent with."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from finance.config import Config
from finance.database import Db, connect
from finance.edge import waiting
from finance.web import static_files
from finance.web.security import FIELDS_MAX, HEADERS
from tests.clients import Client, a_payment
from tests.web.browser import ORIGIN, Browser

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def token(browser: Browser) -> str:
    return browser.get("/payments/new").field("csrf_token")


def send(browser: Browser, path: str, body: bytes, **headers: str) -> Any:
    sent = {"Origin": ORIGIN, "Content-Type": FORM, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return browser.http.post(path, base_url=ORIGIN, headers=sent, data=body)


def payments(client: Client) -> int:
    return int(client.db.payments.count_documents({}))


# --- Where a form is from ------------------------------------------------------------------------------------------

ELSEWHERE: tuple[dict[str, str | None], ...] = (
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "cross-site", "Origin": ORIGIN},
    {"Sec_Fetch_Site": ""},
    *(
        {"Sec_Fetch_Site": None, "Origin": origin}
        for origin in (None, "", "null", "https://evil.test", f"{ORIGIN}.evil.test", "https://finance.test:444", "x[")
    ),
)


def test_what_another_site_sends_is_refused_at_every_address_that_takes_forms(client: Client, browser: Browser) -> None:
    fields = [*browser.get("/payments/new").form().fields(), *a_payment().items()]
    for headers in ELSEWHERE:
        for path in ("/payments/new", "/sign-in", "/sign-out", "/language"):
            page = browser.post(path, fields, follow=False, **headers)  # type: ignore[arg-type]
            assert page.status == 403, (path, headers)
            assert "Set-Cookie" not in page.headers
    assert payments(client) == 0
    assert browser.get("/payments").status == 200


def test_a_browser_that_tells_neither_site_nor_referrer_is_known_by_its_origin(
    client: Client, browser: Browser
) -> None:
    fields = [*browser.get("/payments/new").form().fields(), ("amount", "1.00"), ("payer", "Ada"), ("method", "card")]
    fields = [(name, "EUR" if name == "currency" else value) for name, value in fields if value or name == "currency"]

    page = browser.post("/payments/new", fields, Sec_Fetch_Site=None, Referer=None)  # type: ignore[arg-type]

    assert "is recorded" in (page.done or "")


def test_a_form_without_the_token_of_its_session_is_refused(client: Client, browser: Browser) -> None:
    other = token(Browser(client).sign_in("accountant"))
    form = browser.get("/payments/new").form()
    fields = form.filled_in({"amount": "1.00", "currency": "EUR", "payer": "Ada", "method": "card"}, None)
    for sent in (None, "", "x", other, form.fields()[0][1][:-1]):
        bare = [(name, value) for name, value in fields if name != "csrf_token"]
        page = browser.post("/payments/new", bare if sent is None else [*bare, ("csrf_token", sent)])
        assert page.status == 403, sent
    assert payments(client) == 0


# --- GET changes nothing -------------------------------------------------------------------------------------------

FILLED_IN = {
    "payment_number": "PAY20210001",
    "invoice_number": "FAC-PAR-202611-0001",
    "credit_note_number": "AV-PAR-202611-0001",
    "customer_code": "CUST-000001",
    "kind": "invoice",
    "period": "2026-11",
    "year": "2021",
    "shop": "par",
    "digest": static_files.DIGEST,
    "name": "app.css",
}


def test_looking_at_any_page_changes_nothing(client: Client) -> None:
    client.post("/payments", json=a_payment())
    client.put_shop("par")
    invoice = client.issue("par").json["invoice_number"]
    browser = Browser(client).sign_in("admin")
    key_id = client.key("admin").split("_")[1]
    known = FILLED_IN | {"key_id": key_id, "invoice_number": invoice}
    paths = [path for path in addresses(client, known) if "export" not in path]  # those are recorded, as they should be
    browser.get("/payments/new")  # the secret of the tokens is made once
    before = state(client.db)

    answered = {path: browser.http.get(path, base_url=ORIGIN).status_code for path in paths}

    assert state(client.db) == before
    assert {path: status for path, status in answered.items() if status >= 500} == {}
    assert answered["/payments"] == 200


def addresses(client: Client, known: dict[str, str]) -> Iterator[str]:
    for rule in client.app.url_map.iter_rules():
        if rule.endpoint.startswith("web.") and "GET" in (rule.methods or ()):
            yield rule.build({name: known.get(name, "1") for name in rule.arguments})[1]  # type: ignore[index]


def state(db: Db) -> dict[str, str]:
    """Return what is stored, without who was seen when."""
    left_out = {"sessions": {"seen_at": 0, "expires_at": 0}, "api_keys": {"last_used_at": 0}}
    names = sorted(set(db.list_collection_names()) - {"rate_limits"})
    return {
        name: hashlib.sha256(repr(list(db[name].find({}, left_out.get(name)).sort("_id"))).encode()).hexdigest()
        for name in names
    }


# --- What a form may hold ------------------------------------------------------------------------------------------


def test_whatever_is_sent_is_answered_with_a_page_and_never_with_a_failure(client: Client, browser: Browser) -> None:
    held = token(browser).encode()
    bodies: dict[str, tuple[bytes, int]] = {
        "a field of a megabyte": (b"payer=" + b"x" * 1_048_576, 413),
        "a field of half of one": (b"payer=" + b"x" * 600_000, 422),
        "more fields than any form has": (b"&".join(b"f%d=1" % place for place in range(10_000)), 413),
        "as many as there may be": (b"&".join(b"f%d=1" % place for place in range(FIELDS_MAX - 1)), 422),
        "bytes that are no UTF-8": (b"payer=\xff&amount=\xe9", 400),
        "escaped bytes that are no UTF-8": (b"payer=%ff%fe&amount=%e9", 422),
        "NUL in names and values": (b"pay%00er=x&payer=a%00b&%00=1", 422),
        "half of a surrogate pair": (b"payer=%ED%A0%80&%ED%A0%80=1", 422),
        "a field twice": (b"payer=a&payer=b&amount=1&amount=2", 422),
        "names that go deep": (b"a" + b"-a" * 50_000 + b"=1&" + b"-" * 5_000 + b"=1", 422),
        "lists that are huge": (b"&".join(b"lines-%d-9999-9999-9999-a=1" % place for place in range(4_000)), 422),
        "a field and fields below it": (b"payer=a&payer-0=b&payer-0-c=d&amount-x=1", 422),
        "an idempotency key that is none": (b"idempotency_key=" + b"%00" * 300, 422),
        "nothing": (b"", 422),
    }
    for words, (body, status) in bodies.items():
        answer = send(browser, "/payments/new", b"csrf_token=" + held + b"&" + body)
        assert answer.status_code == status, words
        assert_is_page(answer)
    assert payments(client) == 0


def test_a_form_of_another_kind_is_refused(client: Client, browser: Browser) -> None:
    for content_type in ("application/json", "text/plain", "application/octet-stream", "x", ""):
        for path in ("/payments/new", "/sign-in", "/language"):
            answer = send(browser, path, b'{"amount": "1"}', Content_Type=content_type)
            assert answer.status_code == 415, (path, content_type)
            if content_type != "application/json":  # whoever sends that is a program, and told so
                assert_is_page(answer)


def test_broken_parts_of_a_form_are_refused(client: Client, browser: Browser) -> None:
    bodies = (
        b"", b"--x", b"--x\r\n\r\n--x--", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="\xed\xa0\x80"\r\n\r\n\xff\r\n--x--\r\n',
        b"".join(b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n' for _part in range(1_100)) + b"--x--",
    )  # fmt: skip
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        for body in bodies:
            answer = send(browser, "/payments/new", body, Content_Type=kind)
            assert 400 <= answer.status_code < 500, (kind, body[:40])
            assert_is_page(answer)


def test_what_is_carried_through_a_sign_in_may_be_anything(client: Client) -> None:
    for body in (b"carried-%00.$=%ED%A0%80", b"carried-=x&carried-a-b.c=%ff", b"carried-key=x&carried-csrf_token=y"):
        browser = Browser(client)
        key = client.key("accountant").encode()
        assert send(browser, "/sign-in", b"key=" + key + b"&next=/payments/new&" + body).status_code == 303
        assert browser.get("/payments/new").status == 200


def test_a_form_in_chunks_or_cut_off_is_refused(client: Client, browser: Browser) -> None:
    held = token(browser)
    for environ, status in (
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"CONTENT_LENGTH": "900"}, 400),
    ):
        answer = browser.http.post(
            "/payments/new", base_url=ORIGIN, headers={"Origin": ORIGIN, "Content-Type": FORM},
            data=f"csrf_token={held}&payer=Ada", environ_overrides=environ,
        )  # fmt: skip
        assert answer.status_code == status, environ
        assert_is_page(answer)


# --- What pages are sent with --------------------------------------------------------------------------------------


def assert_is_page(answer: Any) -> None:
    """Assert that an answer is HTML in the frame, with what every page is sent with."""
    assert answer.content_type == "text/html; charset=utf-8"
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<main" in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text or answer.status_code in (200, 401, 422)


def test_each_failure_of_a_page_is_a_page_and_each_of_the_api_json(client: Client, browser: Browser) -> None:
    def fail() -> None:
        raise RuntimeError("secret inside")

    client.app.view_functions["web.show_payment"] = fail  # type: ignore[assignment]
    client.app.testing = False
    for method, path, status in (
        ("GET", "/nowhere", 404), ("GET", "/payments/PAY20260001/nowhere", 404), ("GET", "/favicon.ico", 404),
        ("POST", "/find", 405), ("GET", "/keys/1/sessions/end", 405), ("GET", "/payments/PAY20260001", 500),
    ):  # fmt: skip
        answer = browser.http.open(path, method=method, base_url=ORIGIN)
        assert answer.status_code == status, (method, path)
        assert_is_page(answer)
        assert "secret" not in answer.text
        assert "Sign out" in answer.text or status == 500  # the frame of who is signed in
    assert "Allow" in browser.http.post("/find", base_url=ORIGIN, headers={"Origin": ORIGIN}).headers
    for path in ("/api/v1/nowhere", "/api", "/api/v2/payments", "/healthz/x"):
        assert browser.http.get(path, base_url=ORIGIN).content_type == "application/problem+json", path


def test_every_page_is_sent_with_what_keeps_it_ours(browser: Browser) -> None:
    for path in ("/", "/?next=/payments", "/help", "/payments", "/payments/new", "/sign-out", "/find?q=x", "/keys"):
        answer = browser.http.get(path, base_url=ORIGIN)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert answer.headers["Cache-Control"] == "no-store", path
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


def test_static_files_are_kept_for_a_year_by_their_content_and_no_other_is_there(client: Client) -> None:
    http = client.app.test_client()
    kept = http.get(static_files.static_url("app.css"), base_url=ORIGIN)
    assert (kept.status_code, kept.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert http.get("/static/0123456789ab/app.css", base_url=ORIGIN).headers["Cache-Control"] == "no-store"
    for name in ("../pages.py", "..%2fpages.py", "%2e%2e/%2e%2e/app.py", "app.css/", "nothing.css", "%00"):
        answer = http.get(f"/static/{static_files.DIGEST}/{name}", base_url=ORIGIN)
        assert answer.status_code == 404, name


# --- MongoDB away, and too many at once ----------------------------------------------------------------------------


def test_with_mongodb_away_a_page_says_so_and_so_does_the_sign_in() -> None:
    away = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50&connectTimeoutMS=50"
    config = Config(mongodb_uri=away, database_deadline_s=0.2)
    client = Client(connect(config), config)
    http = client.app.test_client()
    http.set_cookie("__Host-finance", "0" * 64, domain="finance.test", secure=True)
    sent = {"Origin": ORIGIN}

    assert http.get("/help", base_url="http://finance.test").status_code == 200  # asks for nothing
    key = f"fin_{'0' * 16}_{'0' * 64}"
    for answer in (
        http.get("/payments", base_url=ORIGIN),
        http.get("/", base_url=ORIGIN),
        http.post("/payments/new", base_url=ORIGIN, headers=sent, data={"payer": "Ada"}),
        http.post("/sign-in", base_url=ORIGIN, headers=sent, data={"key": key}),
    ):
        assert answer.status_code == 503
        assert_is_page(answer)
        assert "nothing was stored" in answer.text.lower()
        assert answer.headers["Retry-After"]


def test_a_flood_of_one_leaves_room_for_others_signed_in_or_not(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = waiting.Waiting()

    def taken(key: str, wanted: int) -> int:
        places = [waiting.Place(now, key) for _request in range(wanted)]
        return len([place for place in places if place.is_free() and place.take() is None])

    assert taken(f"{waiting.ANONYMOUS}192.0.2.1", 1_000) < waiting.WAITING_MAX / 2
    assert taken(f"{waiting.ANONYMOUS}192.0.2.2", 10) == 10  # another who signs in
    assert taken("a session", 10) == 10
    assert taken("an API key", 10) == 10
    for address in range(1_000):  # a crowd from everywhere
        taken(f"{waiting.ANONYMOUS}{address}", 1_000)
    assert taken("another session", 5) == 5


def test_made_up_cookies_wait_with_the_others_of_their_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    class Noted(waiting.Place):
        def __init__(self, waiting_now: waiting.Waiting, key: str) -> None:
            counted.append(key)
            super().__init__(waiting_now, key)

    monkeypatch.setattr("finance.edge.frames.Place", Noted)
    browser = Browser(client).sign_in("accountant")
    browser.get("/payments")
    browser.get("/payments")
    own = counted[-1]
    http = client.app.test_client()
    for place in range(3):
        http.set_cookie("__Host-finance", f"{place:064x}", domain="finance.test", secure=True)
        http.get("/payments", base_url=ORIGIN)

    assert not own.startswith(waiting.ANONYMOUS)
    assert set(counted[-3:]) == {f"{waiting.ANONYMOUS}127.0.0.1"}


def test_the_secret_of_the_tokens_is_made_once_for_all_workers_unless_it_is_set(db: Db) -> None:
    one, other = Client(db), Client(db)
    browser = Browser(one).sign_in("accountant")
    held = token(browser)
    elsewhere = Browser(other)
    elsewhere.http = browser.http
    fields = browser.page.form().fields()
    answer = other.app.test_client()
    answer.set_cookie(
        "__Host-finance",
        browser.http.get_cookie("__Host-finance", domain="finance.test").value,
        domain="finance.test",
        secure=True,
    )  # type: ignore[union-attr]

    assert (
        answer.post("/payments/new", base_url=ORIGIN, headers={"Origin": ORIGIN}, data=dict(fields)).status_code == 422
    )
    assert json.dumps(held) not in str(list(db.secrets.find()))
    own = Client(db, Config(web_secret="w" * 32))
    Browser(own).sign_in("accountant").get("/payments/new")
    assert own.app.config["WTF_CSRF_SECRET_KEY"] == "w" * 32
