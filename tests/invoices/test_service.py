"""When a period begins, what a day may be, and how a shop's changes take effect; on a clock that the tests set."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.clients import NOVEMBER, Client


@pytest.fixture
def app(db: Any) -> Client:
    return Client(db, now=NOVEMBER)


def issued(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 201, answer.text
    return answer.json["invoice_number"], answer.json["issued_on"]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Paris", "America/Los_Angeles"])
def test_the_month_and_the_year_turn_at_the_shops_own_midnight(app: Client, zone: str) -> None:
    assert app.put_shop("s1", timezone=zone).status_code == 201
    for year, month in ((2026, 12), (2027, 1)):  # the month turns, then month and year
        midnight = datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        before = date(year, month, 1) - timedelta(days=1)
        app.now = midnight - timedelta(milliseconds=1)
        assert issued(app.issue("s1")) == (f"FAC-S1-{before:%Y%m}-0001", before.isoformat())
        assert issued(app.issue("s1")) == (f"FAC-S1-{before:%Y%m}-0002", before.isoformat())
        app.now = midnight
        assert issued(app.issue("s1")) == (f"FAC-S1-{year}{month:02d}-0001", f"{year}-{month:02d}-01")
        app.db.invoices.delete_many({})
        app.db.counters.delete_many({})


def test_the_fiscal_year_turns_in_april_at_the_shops_midnight(app: Client) -> None:
    settings = {"timezone": "Asia/Kolkata", "currency": "INR", "max_length": 16}
    settings |= {"reset": "year", "fiscal_year_start_month": 4, "invoice_format": "{shop}-{fiscal_year}-{number:04}"}
    settings["credit_note_format"] = "C{shop}-{fiscal_year}-{number:03}"
    assert app.put_shop("blr", **settings).status_code == 201
    app.now = datetime(2027, 3, 31, 18, 29, 59, tzinfo=UTC)
    assert issued(app.issue("blr")) == ("BLR-2026-27-0001", "2027-03-31")
    app.now = datetime(2027, 3, 31, 18, 30, tzinfo=UTC)
    assert issued(app.issue("blr")) == ("BLR-2027-28-0001", "2027-04-01")
    # The old year is still open, for what happened in it.
    assert issued(app.issue("blr", issued_on="2027-03-31")) == ("BLR-2026-27-0002", "2027-03-31")
    cancelled = app.call("POST", "/invoices/BLR-2026-27-0001/cancel", json={"reason": "wrong"})
    assert cancelled.json["credit_note_number"] == "CBLR-2027-28-001"
    counters = {counter["_id"]: counter["seq"] for counter in app.db.counters.find()}
    assert counters["invoice:acme:BLR:FY2026"] == 2
    assert counters["credit_note:acme:BLR:FY2027"] == 1


def test_after_9999_comes_10000_where_the_length_allows_it(app: Client) -> None:
    app.put_shop("s1", max_length=30)
    app.put_shop("dkr1", max_length=20)  # FAC-DKR1-202611-0001 has 20 characters, so 9999 is its last
    for shop in ("s1", "dkr1"):
        issued(app.issue(shop))
        app.db.invoices.update_one(
            {"shop": shop}, {"$set": {"number_seq": 9998, "invoice_number": f"FAC-{shop.upper()}-202611-9998"}}
        )
    assert [issued(app.issue("s1"))[0] for _ in range(3)] == [
        "FAC-S1-202611-9999",
        "FAC-S1-202611-10000",
        "FAC-S1-202611-10001",
    ]
    issued(app.issue("dkr1"))
    full = app.issue("dkr1")
    assert (full.status_code, full.json["code"]) == (409, "series_full")
    assert "FAC-DKR1-202611-10000" in full.json["detail"]
    app.put_shop("dkr1", max_length=21)
    assert issued(app.issue("dkr1"))[0] == "FAC-DKR1-202611-10000"
    page = app.call("GET", "/invoices?shop=s1&sort=-invoice_number").json["data"]
    assert [row["invoice_number"][-5:] for row in page] == ["10001", "10000", "-9999", "-9998"]


def test_a_day_before_the_newest_is_refused_and_uses_no_number(app: Client) -> None:
    app.put_shop()
    issued(app.issue(issued_on="2026-11-10"))
    refused = app.issue(issued_on="2026-11-09")
    assert (refused.status_code, refused.json["code"]) == (422, "issued_on_before_last")
    assert refused.json["earliest"] == "2026-11-10"
    assert refused.json["errors"][0]["pointer"] == "/issued_on"
    assert issued(app.issue(issued_on="2026-11-10"))[0] == "FAC-PAR-202611-0002"
    assert issued(app.issue(issued_on="2026-10-31"))[0] == "FAC-PAR-202610-0001"  # another series


def test_todays_invoice_is_not_refused_because_midnight_passed_while_it_waited(app: Client) -> None:
    app.put_shop()
    app.now = datetime(2026, 11, 19, 23, tzinfo=UTC)  # the 20th in Paris
    issued(app.issue())
    app.now -= timedelta(milliseconds=1)  # another process, whose clock is behind
    assert issued(app.issue()) == ("FAC-PAR-202611-0002", "2026-11-20")
    app.now -= timedelta(days=1)
    assert app.issue().json["earliest"] == "2026-11-20"  # but no further


def test_days_that_can_not_be(app: Client) -> None:
    app.put_shop()

    def pointer(**invoice: Any) -> str:
        answer = app.issue(**invoice)
        assert answer.status_code == 422, answer.text
        return answer.json["errors"][0]["pointer"]

    assert pointer(issued_on="1999-12-31") == "/issued_on"
    assert pointer(issued_on="2026-11-22") == "/issued_on"  # the day after tomorrow
    assert pointer(issued_on="2026-11-31") == "/issued_on"
    assert pointer(due_on="2026-11-19") == "/due_on"
    assert pointer(issued_on="2026-11-01", due_on="9999-12-31") == "/due_on"
    assert app.db.invoices.count_documents({}) == 0


def test_a_series_with_numbers_keeps_its_format_until_its_period_ends(app: Client) -> None:
    app.put_shop(issue_ahead_days=62)
    issued(app.issue())
    changed = app.put_shop(invoice_format="F-{shop}-{year}{month}-{number:03}", issue_ahead_days=62)
    assert changed.status_code == 200
    assert issued(app.issue())[0] == "FAC-PAR-202611-0002"
    assert issued(app.issue(issued_on="2026-12-01", role="accountant"))[0] == "F-PAR-202612-001"
    assert issued(app.issue(issued_on="2026-10-01"))[0] == "F-PAR-202610-001"  # had no numbers yet
    app.put_shop(issue_ahead_days=62)
    assert issued(app.issue(issued_on="2026-12-01", role="accountant"))[0] == "F-PAR-202612-002"
    assert issued(app.issue())[0] == "FAC-PAR-202611-0003"


def test_a_change_of_the_reset_waits_for_the_next_period(app: Client) -> None:
    app.put_shop()
    issued(app.issue())
    yearly = {"reset": "year", "invoice_format": "F-{shop}-{year}-{number:04}", "issue_ahead_days": 62}
    assert app.put_shop(**yearly).status_code == 200
    assert issued(app.issue())[0] == "FAC-PAR-202611-0002"
    assert issued(app.issue(issued_on="2026-12-01", role="accountant"))[0] == "F-PAR-2026-0001"
    app.later(days=11)
    assert issued(app.issue())[0] == "F-PAR-2026-0002"
    assert issued(app.issue(issued_on="2026-11-30"))[0] == "FAC-PAR-202611-0003"


def test_a_change_before_the_first_number_takes_effect_at_once(app: Client) -> None:
    app.put_shop()
    app.put_shop(reset="never", invoice_format="F-{shop}-{number:06}")
    assert issued(app.issue())[0] == "F-PAR-000001"


def test_an_invoice_is_answered_again_whatever_changed_since(app: Client) -> None:
    app.put_shop()
    first = app.issue(key="k")
    number = first.json["invoice_number"]
    assert app.pay_invoices([number], "10.00").status_code == 201
    app.put_shop(currency="JPY", reset="never", invoice_format="F-{number}")
    app.later(days=100)
    again = app.issue(key="k")
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_credit_note_is_never_dated_before_its_invoice_nor_before_the_one_before_it(app: Client) -> None:
    app.put_shop(issue_ahead_days=62)
    ahead = issued(app.issue(issued_on="2026-11-25", role="accountant"))[0]
    app.call("POST", f"/invoices/{ahead}/cancel", json={"reason": "wrong"})
    earlier = issued(app.issue(issued_on="2026-10-01"))[0]
    app.call("POST", f"/invoices/{earlier}/cancel", json={"reason": "wrong"})
    notes = app.call("GET", "/credit-notes").json["data"]
    assert [(note["credit_note_number"], note["issued_on"]) for note in notes] == [
        ("AV-PAR-202611-0002", "2026-11-25"),
        ("AV-PAR-202611-0001", "2026-11-25"),
    ]


def test_a_client_dates_tomorrow_at_most_and_accountants_as_far_as_the_shop_says(app: Client) -> None:
    assert app.put_shop(timezone="Asia/Tokyo").json["issue_ahead_days"] == 1
    app.now = datetime(2026, 11, 20, 16, tzinfo=UTC)  # the 21st in Tokyo
    assert app.issue(issued_on="2026-11-23").json["errors"] == [
        {"pointer": "/issued_on", "detail": "must be from 2000-01-01 to 2026-11-22."}
    ]
    assert app.issue(issued_on="2026-11-23", role="accountant").status_code == 422
    assert issued(app.issue(issued_on="2026-11-22"))[1] == "2026-11-22"
    assert app.put_shop(timezone="Asia/Tokyo", issue_ahead_days=30).json["issue_ahead_days"] == 30
    assert app.issue(issued_on="2026-11-23").status_code == 422
    assert app.issue(issued_on="2026-12-22", role="accountant").status_code == 422
    assert issued(app.issue(issued_on="2026-12-21", role="accountant"))[1] == "2026-12-21"
    app.put_shop(timezone="Asia/Tokyo", issue_ahead_days=0)
    assert app.issue(issued_on="2026-11-22").status_code == 422


def test_a_sequence_with_a_hole_is_shown_as_not_whole(app: Client) -> None:
    app.put_shop()
    for _ in range(3):
        issued(app.issue())
    assert [s["whole"] for s in app.call("GET", "/shops/par/sequences").json["data"]] == [True]
    app.db.invoices.delete_one({"number_seq": 2})
    (sequence,) = app.call("GET", "/shops/par/sequences").json["data"]
    assert (sequence["newest_seq"], sequence["count"], sequence["whole"]) == (3, 2, False)
    assert app.call("GET", "/shops/nowhere/sequences").status_code == 404
