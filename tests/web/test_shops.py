"""`/shops`: set up, changed, and refused where their numbers could not be unique."""

import pytest

from tests.clients import Client
from tests.web.browser import Browser, Page


@pytest.fixture
def admin(client: Client) -> Browser:
    return Browser(client).sign_in("admin")


def set_up(browser: Browser, shop: str = "par", **typed: str) -> Page:
    browser.get("/shops/new")
    return browser.submit("Set up the shop", **{"shop": shop, "name": "Paris", "currency": "EUR", **typed})


def test_a_shop_is_set_up_listed_and_shown(admin: Browser) -> None:
    assert "No shop yet." in admin.get("/shops").text

    page = set_up(admin, name="<b>עברית</b> " + "x" * 150)

    assert (page.status, page.address, page.done) == (200, "/shops/par", "The shop par is set up.")
    assert "AV-{shop}-{year}{month}-{number:04}" in page.text
    row = admin.get("/shops").rows()[0]
    assert (row["Shop"], row["Currency"], row["Numbers begin again"]) == ("par", "EUR", "each month")


REFUSED = (
    ("shop", "PA R", "must be 1 to 40 of a-z"),
    ("timezone", "Paris", "must be an IANA time zone"),
    ("currency", "euro", "must be an ISO 4217 code"),
    ("invoice_format", "FAC-{number}", "can't be unique: the numbers begin again each month"),
    ("max_length", "x", "must be a whole number from 5 to 60."),
    ("issue_ahead_days", "63", "must be a whole number from 0 to 62."),
    ("fiscal_year_start_month", "0", "must be a whole number from 1 to 12."),
)


def test_what_is_refused_stands_at_its_field_with_what_was_typed(admin: Browser) -> None:
    for field, typed, begins in REFUSED:
        page = set_up(admin, **{field: typed})

        assert page.status == 422
        assert (page.field_error(field) or "").startswith(begins)
        assert page.field(field) == typed
    assert "No shop yet." in admin.get("/shops").text


def test_a_name_that_is_taken_changes_nothing(admin: Browser) -> None:
    set_up(admin)

    page = set_up(admin, name="Another")

    assert page.field_error("shop") == "is the name of a shop already."
    assert admin.get("/shops").column("Name") == ["Paris"]


def test_a_format_that_writes_another_shop_s_numbers_is_refused_at_its_field(admin: Browser) -> None:
    set_up(admin, "a", invoice_format="{shop}-B-{year}{month}-{number:04}")

    page = set_up(admin, "a-b", invoice_format="{shop}-{year}{month}-{number:04}")

    assert page.status == 422
    assert "the shop 'a'" in (page.field_error("invoice_format") or "")


def test_a_change_is_stored_with_its_history_and_never_over_another_s(client: Client, admin: Browser) -> None:
    set_up(admin)
    admin.get("/shops/par/edit")
    client.put_shop("par", name="Changed by another")
    page = admin.submit("Store the changes", name="Mine")

    assert (page.status, page.field("name")) == (409, "Changed by another")
    assert "This changed while you were looking." in (page.alert or "")

    page = admin.submit("Store the changes", name="Mine")
    assert (page.status, page.done) == (200, "The changes are stored.")
    assert "Name: Changed by another → Mine" in page.text


def test_a_sequence_that_is_nearly_full_is_told(client: Client, admin: Browser) -> None:
    client.put_shop("par", invoice_format="F{year}{month}-{number}", max_length=20)
    client.db.shops.update_one({"shop": "par"}, {"$set": {"max_length": 9}})  # nine numbers a month
    for _number in range(9):
        assert client.issue("par").status_code == 201

    assert "nearly full" not in admin.get("/shops/par").text  # nothing is counted unless it is asked for
    page = admin.follow("Show each sequence and what is left of it")

    assert (page.rows()[0]["Numbers left"], page.rows()[0]["Count"]) == ("0", "9")
    assert "Whole Nearly full" in page.rows()[0]["Status"]


def test_what_an_older_system_stored_of_a_shop_is_shown_as_far_as_it_goes(client: Client, admin: Browser) -> None:
    client.db.shops.insert_one({"tenant": "acme", "shop": "old", "rules": [{"begins_on": None}], "history": []})

    assert admin.get("/shops").status == 200
    assert "–" in admin.get("/shops/old").text


def test_another_tenant_s_shop_is_not_there(client: Client, admin: Browser) -> None:
    client.put("/shops/own", role="admin", tenant="umbra", json={"name": "x", "timezone": "UTC", "currency": "EUR"})

    assert {admin.get(f"/shops/own{below}").status for below in ("", "/edit", "?sequences=yes")} == {404}
