"""The pages of the numbers: what they say of whole and of damaged series, checking again, and what they cost."""

from datetime import timedelta
from typing import Any

import pytest

from finance.asked import Asked
from finance.database import Db
from finance.maintenance.audit.series import audit
from finance.maintenance.audit.stored import check_of, store_checks
from finance.numbering import counters
from finance.payments.model import payment_series
from finance.web import numbers
from tests.clients import Client
from tests.commands import Commands
from tests.maintenance.conftest import NOW, a_payment
from tests.web.browser import Browser

ACME = payment_series("acme", 2026)
RAN = Asked("acme", "scripts/audit_numbers.py", NOW, by_name="ops@host")


@pytest.fixture
def browser(client: Client) -> Browser:
    """An accountant of acme at the pages, on an empty database."""
    return Browser(client).sign_in("accountant")


def store(db: Db, *number_seqs: int, counter: int, **fields: Any) -> None:
    db.payments.insert_many([a_payment(number_seq, **fields) for number_seq in number_seqs])
    counter_id = payment_series(fields.get("tenant", "acme"), fields.get("year", 2026)).counter_id
    db.counters.insert_one({"_id": counter_id, "seq": counter, "reserved_at": NOW - timedelta(days=1)})


def invoices(db: Db, *number_seqs: int, period: str = "2026-05", counter: int) -> None:
    of = {"tenant": "acme", "shop": "dkr1", "period": period, "created_at": NOW - timedelta(days=1)}
    prefix = f"FAC-DKR1-{period.replace('-', '')}"
    db.invoices.insert_many([{**of, "number_seq": n, "invoice_number": f"{prefix}-{n:04}"} for n in number_seqs])
    db.counters.insert_one({"_id": f"invoice:acme:DKR1:{period}", "seq": counter, "reserved_at": NOW})


def nightly(db: Db) -> None:
    store_checks(db, [check_of(found, RAN, grace_s=60) for found in audit(db, now=NOW)])


def test_before_any_number_is_given_the_page_says_so(browser: Browser) -> None:
    page = browser.get("/numbers")
    assert page.text == "Numbers No number has been given yet."


def test_series_that_were_never_checked_are_listed_and_say_so(client: Client, browser: Browser) -> None:
    client.post("/payments", json={"amount": "1", "currency": "EUR", "payer": "Ada", "method": "cash"})
    page = browser.get("/numbers")
    assert "1 of 1 series was not checked yet." in page.text
    (row,) = page.rows()
    assert (row["First – newest"], row["Stored"], row["Verdict"]) == ("up to 1", "–", "Not checked yet")


def test_whole_series_are_said_to_be_with_the_time_of_their_check(client: Client, browser: Browser) -> None:
    store(client.db, 1, 2, 4, counter=4)
    counters.record_gaps(client.db, [(ACME, 3)], reason="idempotent_replay", recorded_at=NOW)
    invoices(client.db, 1, 2, counter=2)
    nightly(client.db)

    page = browser.get("/numbers")

    assert "Every number of 2 series is accounted for." in page.text
    assert "Checked 1 Jun 2026 12:00" in page.text
    assert page.rows() == [
        {
            "Series": "Payments 2026",
            "First – newest": "PAY20260001 – PAY20260004",
            "Stored": "3",
            "Voided": "0",
            "Explained": "1",
            "Missing": "0",
            "Counter": "agrees",
            "Verdict": "Whole 1 Jun 2026 12:00",
        },
        {
            "Series": "Invoices dkr1, May 2026",
            "First – newest": "FAC-DKR1-202605-0001 – 0002",
            "Stored": "2",
            "Voided": "–",
            "Explained": "0",
            "Missing": "0",
            "Counter": "agrees",
            "Verdict": "Whole 1 Jun 2026 12:00",
        },
    ]


def test_a_missing_number_is_named_with_the_command_that_mends_it(client: Client, browser: Browser) -> None:
    store(client.db, 1, counter=1)
    invoices(client.db, 1, 3, counter=3)
    nightly(client.db)

    page = browser.get("/numbers")

    assert "1 of 2 series has a number that nothing explains." in page.text
    assert "Missing: FAC-DKR1-202605-0002" in page.text
    command = "scripts/audit_numbers.py --series invoice:acme:DKR1:2026-05 --record-gaps"
    assert [code.text for code in page.main.all("code")] == [command]
    assert page.column("Verdict")[1].startswith("1 missing")
    one = (
        browser.follow("Invoices dkr1, May 2026")
        if page.has_link("x")
        else browser.get("/numbers/invoice/dkr1/2026-05")
    )
    assert one.h1 == "Invoices dkr1, May 2026"
    assert command in one.text


def test_duplicates_counters_and_late_documents_are_told_apart(client: Client, browser: Browser) -> None:
    client.db.payments.drop_index("payment_number_unique")
    store(client.db, 1, 2, 2, 3, counter=2)
    counters.record_gaps(client.db, [(ACME, 3)], reason="lost", recorded_at=NOW)
    nightly(client.db)

    page = browser.get("/numbers")
    assert "1 of 1 series is not in order." in page.text
    for said in (
        "More than one document has: PAY20260002",
        "Recorded as a gap, and a document has come: PAY20260003",
        "The counter stands 1 number behind the newest: it would give numbers that are in use again.",
        "scripts/repair_duplicates.py --apply",
        "scripts/audit_numbers.py --series payment:acme:2026 --record-gaps --sync-counters",
    ):
        assert said in page.text
        assert said in browser.get("/numbers/payment/2026").text


def test_a_leap_and_duplicate_invoices_have_no_command(client: Client, browser: Browser) -> None:
    store(client.db, 1, counter=20261234567)
    nightly(client.db)
    assert "No command mends this" in browser.get("/numbers").text


def test_what_the_counter_did_since_the_check_is_said(client: Client, browser: Browser) -> None:
    store(client.db, 1, 2, 3, counter=3)
    nightly(client.db)
    client.db.counters.update_one({"_id": ACME.counter_id}, {"$set": {"seq": 1_250}})
    assert browser.get("/numbers").column("Counter") == ["agrees 1,247 more since"]
    client.db.counters.update_one({"_id": ACME.counter_id}, {"$set": {"seq": 1}})
    assert browser.get("/numbers").column("Verdict")[0].startswith("Counter set back")
    assert "1 counter was set back since the last check. Check again." in browser.page.text


def test_a_check_of_long_ago_is_said_to_be(db: Db) -> None:
    store(db, 1, counter=1)
    nightly(db)
    client = Client(db, now=NOW + timedelta(hours=35))
    said = "the nightly audit doesn’t seem to run"
    assert said not in Browser(client).sign_in().get("/numbers").text
    client.later(hours=2)
    assert said in Browser(client).sign_in().get("/numbers").text


def test_one_series_shows_its_gaps_with_their_reasons_in_words(client: Client, browser: Browser) -> None:
    store(client.db, 1, 7, counter=7, status="voided")
    counters.record_gaps(client.db, [(ACME, n) for n in (2, 3, 4)], reason="issued_by_older_system", recorded_at=NOW)
    counters.record_gaps(client.db, [(ACME, 5)], reason="<b>odd</b>", recorded_at=NOW)
    counters.record_gaps(client.db, [(ACME, 6)], reason="lost", recorded_at=NOW)
    nightly(client.db)

    page = browser.get("/numbers/payment/2026")

    assert "Every number is accounted for." in page.text
    assert "Stored 2 (of these voided or cancelled: 2)" in page.text
    assert "by ops@host" in page.text
    assert [(row["Numbers"], row["How many"], row["Why"]) for row in page.rows()] == [
        ("PAY20260002 – PAY20260004", "3", "Given by the older system, before its numbers went on here"),
        ("PAY20260005", "1", "<b>odd</b>"),
        ("PAY20260006", "1", "Lost: it was given, and no document has it"),
    ]
    assert page.link("Show these payments").startswith("/payments?paid_from=2026-01-01&paid_to=2026-12-31")


def test_gaps_go_on_page_by_page(client: Client, browser: Browser) -> None:
    store(client.db, *range(1, 131, 2), counter=130)
    gaps = [(ACME, n) for n in range(2, 131, 2)]
    counters.record_gaps(client.db, gaps, reason="lost", recorded_at=NOW)
    first = browser.get("/numbers/payment/2026").column("Numbers")
    second = browser.follow("Next →").column("Numbers")
    assert first + second == [ACME.format(n) for _series, n in gaps]
    assert not browser.page.has_link("Next →")
    assert browser.follow("← From the first").column("Numbers") == first


def test_checking_again_stores_a_check_by_this_key(client: Client, browser: Browser) -> None:
    store(client.db, 1, 3, counter=3)
    browser.get("/numbers/payment/2026")
    assert "Not checked yet" in browser.page.text

    page = browser.submit("Check again")

    assert page.address == "/numbers/payment/2026"
    assert page.done == "Checked: this series has numbers that nothing explains, or that are wrong."
    assert "Missing: PAY20260002" in page.text
    (stored,) = client.db.number_checks.find()
    (key,) = client.db.api_keys.find({"tenant": "acme", "role": "accountant"})
    assert (stored["_id"], stored["by"]) == ("payment:acme:2026", key["_id"])
    client.db.payments.insert_one(a_payment(2))
    assert browser.submit("Check again").done == "Checked: every number is accounted for."


def test_all_series_are_checked_again_at_once(client: Client, browser: Browser) -> None:
    store(client.db, 1, counter=1)
    store(client.db, 1, counter=1, tenant="zeta")
    invoices(client.db, 1, counter=1)
    browser.get("/numbers")
    page = browser.submit("Check again")
    assert page.done == "2 series were checked."
    assert "Every number of 2 series is accounted for." in page.text
    assert client.db.number_checks.distinct("tenant") == ["acme"]


def test_what_takes_too_long_names_the_command_and_keeps_the_last_check(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(client.db, 1, counter=1)
    nightly(client.db)
    monkeypatch.setattr(numbers, "CHECK_S", 0.0001)
    browser.get("/numbers/payment/2026")

    page = browser.submit("Check again")

    assert page.status == 503
    assert page.title.startswith("Problem: Payments 2026")
    assert "scripts/audit_numbers.py --series payment:acme:2026" in (page.alert or "")
    assert "Checked 1 Jun 2026 12:00, by ops@host" in page.text


def test_where_there_is_no_time_for_all_it_is_said_how_many_are_left(
    client: Client, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(client.db, 1, counter=1)
    invoices(client.db, 1, counter=1)
    monkeypatch.setattr(numbers, "CHECK_S", 0.0)
    browser.get("/numbers")
    said = browser.submit("Check again").done
    assert said == (
        "0 series were checked. There was no time for 2 more: check again, or have scripts/audit_numbers.py do it."
    )


def test_a_series_that_is_none_is_not_found(client: Client, browser: Browser) -> None:
    store(client.db, 1, counter=1)
    store(client.db, 1, counter=1, tenant="zeta", year=2019)
    for path in (
        "/numbers/payment/2019",
        "/numbers/payment/x",
        "/numbers/payment/" + "9" * 400,
        "/numbers/invoice/dkr1/2026-13",
        "/numbers/invoice/zeta:x/all",
        "/numbers/customer",
        "/numbers/receipt/2026",
        "/numbers/credit_note/dkr1/2026-05",
    ):
        assert browser.get(path).status == 404, path


def test_credit_notes_and_customers_have_their_pages(client: Client, browser: Browser) -> None:
    of = {"tenant": "acme", "shop": "dkr1", "period": "all", "created_at": NOW, "number_format": "AV/{number:03}"}
    client.db.credit_notes.insert_one({**of, "number_seq": 1, "credit_note_number": "AV/001"})
    client.db.customer_codes.insert_one({"tenant": "acme", "number_seq": 1, "handed_out_at": NOW})
    client.db.counters.insert_one({"_id": "customer:acme", "seq": 1, "reserved_at": NOW})
    browser.get("/numbers/credit-note/dkr1/all")
    assert browser.submit("Check again").h1 == "Credit notes dkr1, without end"
    browser.get("/numbers/customer")
    assert "Explained 1 (of these handed out for a form and not used: 1)" in browser.submit("Check again").text


def test_the_page_asks_as_much_however_many_numbers_and_series_there_are(
    db: Db, watched: Db, commands: Commands
) -> None:
    client = Client(watched)
    browser = Browser(client).sign_in()
    store(db, 1, 3, counter=3, year=2025)
    nightly(db)
    browser.get("/numbers")

    def asked(path: str) -> list[tuple[str, Any]]:
        commands.collections.clear()
        browser.get(path)
        return list(commands.collections)

    of_one = asked("/numbers")
    for year in range(2000, 2024):
        store(db, *range(1, 20, 2), counter=19, year=year)
    nightly(db)
    assert asked("/numbers") == of_one
    assert {collection for _name, collection in of_one} <= {"sessions", "api_keys", "counters", "number_checks"}


def test_french_readers_read_all_of_it_in_french(client: Client) -> None:
    store(client.db, 1, 3, counter=4)
    nightly(client.db)
    page = Browser(client, lang="fr-FR").sign_in().get("/numbers")
    assert "1 série sur 1 a un numéro que rien n’explique." in page.text
    assert "Manquants\u00a0: PAY20260002, PAY20260004" in page.text


def test_a_check_that_is_posted_from_elsewhere_is_refused(client: Client, browser: Browser) -> None:
    store(client.db, 1, counter=1)
    browser.get("/numbers/payment/2026")
    answer = browser.post("/numbers/payment/2026", [], Origin="https://other.test")
    assert answer.status == 403
    assert browser.post("/numbers/check", []).status == 403  # no token
    assert client.db.number_checks.count_documents({}) == 0
