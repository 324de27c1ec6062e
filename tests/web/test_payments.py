"""Payments as pages: found, added up, looked at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finance.database import Db
from finance.web import payments as pages
from tests.clients import NOVEMBER, Client, a_payment
from tests.commands import Commands
from tests.spreadsheets import csv_rows
from tests.web.browser import ORIGIN, Browser

# MongoDB removes a session when its own clock says so: no test's clock may be behind that.
NOW = datetime(2096, 11, 20, 12, tzinfo=UTC)
HOSTILE = '<script>alert("1")</script>'
WITHOUT_FRAME_MAX = 42_000  # bytes of a list of fifty, see the budget of the pages


@pytest.fixture
def client(db: Db) -> Client:
    return Client(db, now=NOW)


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


def record(client: Client, **changes: Any) -> str:
    answer = client.post("/payments", json=a_payment(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json["payment_number"])


def issue(client: Client, *prices: str, **invoice: Any) -> list[str]:
    """Issue an invoice over each of these prices, the first due first."""
    client.put_shop()
    numbers = []
    for place, price in enumerate(prices):
        line = {"description": "Work", "quantity": "1", "unit_price": price, "tax_rate": "0"}
        due_on = (NOVEMBER + timedelta(days=place)).date().isoformat()
        answer = client.issue(**{"lines": [line], "due_on": due_on, "issued_on": "2026-11-19", **invoice})
        assert answer.status_code == 201, answer.text
        numbers.append(str(answer.json["invoice_number"]))
    return numbers


def test_totals_are_those_of_the_summary_with_voided_ones_on_lines_of_their_own(
    client: Client, browser: Browser
) -> None:
    for amount in ("1000.00", "250.50"):
        record(client, amount=amount, paid_on="2026-11-03")
    voided = record(client, amount="9.00", paid_on="2026-10-03")
    client.post(f"/payments/{voided}/void", json={"reason": "Twice"})
    record(client, amount="5", currency="JPY", direction="outgoing", paid_on="2026-11-03")

    page = browser.get("/payments")
    totals = [tuple(" ".join(row.values()).split()) for row in page.rows("Totals, as of 20 Nov 2096 12:00")]
    assert totals == [
        ("EUR", "in", "Recorded", "2", "1,250.50", "EUR"),
        ("EUR", "in", "Voided", "1", "9.00", "EUR"),
        ("JPY", "out", "Recorded", "1", "5", "JPY"),
    ]
    filtered = browser.get("/payments?currency=EUR&paid_from=2026-11-01")
    assert [row["Payments"] for row in filtered.rows("Totals")] == ["2"]


def test_a_list_never_waits_for_its_sum(client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    record(client)
    monkeypatch.setattr(pages, "TOTALS_WITHIN_S", 1e-6)

    page = browser.get("/payments?currency=EUR")
    assert "Adding up this filter takes a few seconds." in page.text
    assert len(page.rows("Payments")) == 1
    whole = browser.follow("Show totals")
    assert whole.address == "/payments/totals?currency=EUR"
    assert [row["Payments"] for row in whole.rows("Totals")] == ["1"]


def test_months_lead_to_their_payments_within_the_days_filtered_by(client: Client, browser: Browser) -> None:
    for day in ("2026-10-05", "2026-10-20", "2026-11-03"):
        record(client, amount="100.00", paid_on=day)
    page = browser.get("/payments/totals?paid_from=2026-10-10")
    assert [row["Month"] for row in page.rows("EUR in")] == ["November 2026", "October 2026"]
    page = browser.follow("October 2026")
    assert page.address == (
        "/payments?paid_from=2026-10-10&paid_to=2026-10-31&currency=EUR&direction=incoming&status=recorded"
    )
    assert page.column("Paid on", "Payments") == ["20 Oct 2026"]


def test_presets_are_the_days_asked_for_most(browser: Browser) -> None:
    page = browser.get("/payments?currency=EUR")
    assert page.link("This month") == "/payments?currency=EUR&paid_from=2096-11-01&paid_to=2096-11-30"
    assert page.link("Last month").endswith("paid_from=2096-10-01&paid_to=2096-10-31")
    assert page.link("This quarter").endswith("paid_from=2096-10-01&paid_to=2096-12-31")
    assert page.link("This year").endswith("paid_from=2096-01-01&paid_to=2096-12-31")


def test_a_payment_is_said_in_words_with_what_it_pays_and_who_changed_it(client: Client, browser: Browser) -> None:
    code = client.post("/customers", json={"customer_name": "Atelier Nord SARL"}).json["customer_code"]
    invoice, *_others = issue(client, "1000.00", customer_code=code, customer_name=None)
    number = record(
        client,
        amount="1250.50",
        payer="Atelier Nord SARL",
        method="bank_transfer",
        paid_on="2026-11-20",
        customer_code=code,
        reference="VIR 88",
        allocations=[{"invoice_number": invoice, "amount": "1000.00"}],
    )
    client.patch(f"/payments/{number}", json={"reference": "VIR 2026-881"})

    page = browser.get(f"/payments/{number}")
    assert f"1,250.50\u00a0EUR in, by bank transfer, paid on 20 Nov 2026 by Atelier Nord SARL ({code})" in page.text
    assert page.rows("What this payment is for")[0] | {"": ""} == {
        "Number": invoice,
        "Due": "20 Nov 2026",
        "Amount": "1,000.00\u00a0EUR",
        "": "",
    }
    assert page.rows("What this payment is for")[1]["Amount"] == "250.50\u00a0EUR"
    assert page.column("What", "What happened") == ["Reference “VIR 88” → “VIR 2026-881”", "Recorded"]
    assert page.link(invoice) == f"/invoices/{invoice}"


def test_only_the_newest_fifty_changes_are_shown(client: Client, browser: Browser) -> None:
    number = record(client)
    for place in range(53):
        assert client.patch(f"/payments/{number}", json={"note": f"n{place}"}).status_code == 200
    what = browser.get(f"/payments/{number}").column("What", "What happened")
    assert len(what) == 52
    assert what[0] == "Note “n51” → “n52”"
    assert what[-2:] == ["3 earlier changes are not shown.", "Recorded"]


def test_a_number_that_a_repair_took_leads_to_the_new_one(client: Client, browser: Browser) -> None:
    number = record(client)
    client.db.payments.update_one({"payment_number": number}, {"$set": {"previous_numbers": ["PAY20260777"]}})
    for below in ("", "/edit", "/void"):
        assert browser.get(f"/payments/PAY20260777{below}").address == f"/payments/{number}{below}"
    assert "PAY20260777" in browser.get(f"/payments/{number}").text


def test_a_number_that_is_not_there_is_answered_with_the_newest_of_its_year(client: Client, browser: Browser) -> None:
    record(client, paid_on="2025-12-31")
    newest = [record(client, paid_on="2026-03-01") for _place in range(2)][-1]
    record(client, paid_on="2027-01-01")

    page = browser.get("/payments/PAY20269999")
    assert page.status == 404
    assert f"There is no payment PAY20269999; the newest of 2026 is {newest}." in page.text
    assert "There is no payment with this number." in browser.get("/payments/PAY20249999").text
    page = browser.get("/payments/PAY20269999", lang="fr")
    assert f"Le paiement PAY20269999 n’existe pas\u00a0; le dernier de 2026 est {newest}." in page.text


def test_a_payment_of_another_tenant_is_not_there(client: Client) -> None:
    number = record(client)
    stranger = Browser(client).sign_in("accountant", "umbra")
    for below in ("", "/edit", "/void", "/allocate", "/release?invoice=FAC-1"):
        page = stranger.get(f"/payments/{number}{below}")
        assert (page.status, "Ada" in page.text) == (404, False)


DAMAGED: list[dict[str, Any]] = [
    {"$unset": dict.fromkeys(("amount_minor", "currency", "paid_on", "payer", "method", "direction"), True)},
    {"$set": dict.fromkeys(("amount_minor", "currency", "paid_on", "payer", "status", "history"))},
    {"$set": {"amount_minor": "12", "currency": 7, "paid_on": 20261120, "payer": ["a"], "method": {}, "status": []}},
    {"$set": {"allocations": [7, {"invoice_number": 3}, {"amount_minor": "x"}], "history": [1, {"changes": 4}]}},
    {"$set": {"currency": "XXX", "created_at": "yesterday", "created_by": None, "previous_numbers": None}},
    {"$set": {"amount_minor": 1.5, "customer_code": 4, "metadata": None, "history": [{"action": 3, "by": [1]}]}},
]


def test_damaged_payments_are_shown_all_the_same(client: Client, browser: Browser) -> None:
    numbers = [record(client) for _damage in DAMAGED]
    for number, damage in zip(numbers, DAMAGED, strict=True):
        client.db.payments.update_one({"payment_number": number}, damage)
    for path in ("/payments", "/payments?columns=" + ",".join(pages.COLUMNS), "/payments/totals"):
        page = browser.get(path)
        assert (page.status, "None" in page.text) == (200, False), page.text
    assert sorted(browser.get("/payments").column("Payment number", "Payments")) == numbers
    for number in numbers:
        for below in ("", "/edit", "/void", "/allocate", "/release?invoice=FAC-1"):
            page = browser.get(f"/payments/{number}{below}")
            assert (page.status, "None" in page.text) == (200, False), page.text


def test_what_people_typed_stays_text_everywhere(client: Client, browser: Browser) -> None:
    for payer in (HOSTILE, "x" * 200, "חברת התשלומים", "شركة المدفوعات", "🦊 & Söhne", "%(amount)s {0}"):
        number = record(client, payer=payer, reference=payer[:100], note=payer, metadata={"k": payer})
        client.patch(f"/payments/{number}", json={"note": "other"})
        for below in ("", "/edit", "/void"):
            page = browser.get(f"/payments/{number}{below}")
            assert (page.status, HOSTILE in page.html) == (200, False)
        client.post(f"/payments/{number}/void", json={"reason": payer})
        page = browser.get(f"/payments/{number}")
        assert page.column("What", "What happened")[:2] == [f"Voided: {payer}", f"Note “{payer}” → “other”"]
    assert HOSTILE not in browser.get("/payments").html
    assert browser.page.column("Payer", "Payments")[-1] == HOSTILE


def test_a_list_of_fifty_is_small_and_its_questions_do_not_grow_with_it(watched: Db, commands: Commands) -> None:
    client = Client(watched, now=NOW)
    browser = Browser(client).sign_in("accountant")
    counts = []
    for count in (1, 54):
        for place in range(count):
            record(client, payer=f"Atelier Nord {place} SARL", paid_on=f"2026-11-{place % 20 + 1:02d}")
        browser.get("/payments?paid_from=2026-11-01")
        commands.names.clear()
        page = browser.get("/payments?paid_from=2026-11-01")
        counts.append(len(commands.names))
    assert len(page.rows("Payments")) == 50
    assert len(page.html.encode()) < WITHOUT_FRAME_MAX
    assert counts[0] == counts[1] <= 6


def test_a_payment_asks_the_same_few_questions_whatever_it_pays(watched: Db, commands: Commands) -> None:
    client = Client(watched, now=NOW)
    browser = Browser(client).sign_in("accountant")
    counts = []
    for prices in (["10.00"], ["10.00"] * 12):
        numbers = issue(client, *prices)
        payment = client.pay_invoices(numbers, "10.00").json["payment_number"]
        browser.get(f"/payments/{payment}")
        commands.names.clear()
        assert len(browser.get(f"/payments/{payment}").rows("What this payment is for")) == len(prices) + 1
        counts.append(len(commands.names))
    assert counts[0] == counts[1] <= 4


def test_no_question_of_these_pages_reads_a_collection_through(client: Client, browser: Browser) -> None:
    code = client.post("/customers", json={"customer_name": "Zoë"}).json["customer_code"]
    invoices = issue(client, *["10.00"] * 3, customer_code=code, customer_name=None)
    number = client.pay_invoices(invoices[:2], "4.00", customer_code=code).json["payment_number"]
    other = record(client, customer_code=code, paid_on="2026-11-20")
    client.db.command("profile", 2)
    try:
        for path in (
            *("", "?payer=zo&currency=EUR&sort=paid_on", "/totals", "/totals?payer=zo", f"/{number}", "/PAY20269999"),
            *(f"/{other}/allocate", f"/{other}/allocate?q=zo", f"/{other}/allocate?q={code}", f"/{number}/void"),
            f"/new?invoice={invoices[2]}",
        ):
            assert browser.get(f"/payments{path}").status in (200, 404)
        browser.get(f"/payments/new?invoice={invoices[2]}")
        assert browser.submit("Record the payment", method="card").status == 200
    finally:
        client.db.command("profile", 0)
    ours = [f"{client.db.name}.{name}" for name in ("payments", "invoices", "customers", "sessions", "audit_events")]
    asked = list(client.db["system.profile"].find({"planSummary": {"$exists": True}, "ns": {"$in": ours}}))
    client.db.drop_collection("system.profile")
    assert len(asked) > 30
    assert not [question["command"] for question in asked if "COLLSCAN" in question["planSummary"]]


def test_a_payment_of_many_invoices_shows_a_hundred_and_where_the_others_are(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ALLOCATIONS_SHOWN", 2)
    invoices = issue(client, "10.00", "10.00", "10.00")
    number = client.pay_invoices(invoices, "10.00", paid_on="2026-11-20").json["payment_number"]
    page = browser.get(f"/payments/{number}")
    assert page.column("Number", "What this payment is for") == [*invoices[:2], "Not allocated"]
    assert "1 more are in the file of this day’s allocations: CSV" in page.text
    file = browser.http.get(page.link("CSV"), base_url=ORIGIN)
    assert [row["invoice_number"] for row in csv_rows(file)] == invoices
