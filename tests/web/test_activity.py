"""`/activity`: who did what, in words."""

import pytest

from finance.events import ACTIONS
from finance.web.activity import action_word
from tests.clients import Client, a_payment
from tests.spreadsheets import csv_rows
from tests.web.browser import ORIGIN, Browser


@pytest.fixture
def admin(client: Client) -> Browser:
    return Browser(client).sign_in("admin")


def test_each_event_is_told_in_words_and_leads_to_what_it_is_about(client: Client, admin: Browser) -> None:
    key_id = client.post("/keys", role="admin", json={"role": "client", "name": "Web shop"}).json["key_id"]
    client.get("/payments/export.csv?currency=EUR&payer=Ada")

    rows = admin.get("/activity").rows()

    assert [row["Action"] for row in rows] == ["Took a list away as a file", "Made a key", "Signed in"]
    assert rows[0]["Object"] == "Payments"
    assert "Currency: EUR" in rows[0]["Details"]
    assert "Ada" not in rows[0]["Details"]
    assert rows[1]["Details"] == "Role: client, Name: Web shop"
    assert admin.follow(key_id).address == f"/keys/{key_id}"


def test_every_action_has_words_of_its_own(client: Client) -> None:
    with client.app.test_request_context("/activity", headers={"Accept-Language": "fr"}):
        french = {action: action_word(action) for action in ACTIONS}
    with client.app.test_request_context("/activity"):
        english = {action: action_word(action) for action in ACTIONS}

    assert len(set(english.values())) == len(ACTIONS)
    assert all(
        english[action] != action.replace("_", " ").capitalize() or action.startswith("signed") for action in ACTIONS
    )
    assert not set(english.values()) & set(french.values())


def test_the_filters_are_those_of_the_api(client: Client, admin: Browser) -> None:
    client.get("/payments/export.csv")
    Browser(client).sign_in("accountant")

    assert admin.get("/activity?action=exported").column("Action") == ["Took a list away as a file"]
    assert admin.page.chips == ["Action: Took a list away as a file"]
    by = client.key("accountant").split("_")[1]
    assert admin.get(f"/activity?by={by}").column("Action") == ["Signed in", "Took a list away as a file"]
    assert admin.get("/activity?at_to=2001-01-01").text.endswith("No event matches these filters.")
    page = admin.get("/activity?object_kind=key")
    assert (page.status, page.rows()) == (422, [])
    assert "needs the parameter object_id beside it." in (page.alert or "")


def test_the_activity_is_taken_away_as_it_is_filtered_and_that_is_told(client: Client, admin: Browser) -> None:
    client.post("/payments", json=a_payment())
    admin.get("/activity?action=signed_in")

    answer = admin.http.get(admin.page.link("CSV"), base_url=ORIGIN)

    assert answer.status_code == 200
    assert [row["Action"] for row in csv_rows(answer, delimiter=",")] == ["signed_in"]
    assert admin.get("/activity").column("Action")[0] == "Took a list away as a file"


def test_what_is_damaged_or_hostile_is_shown_all_the_same(client: Client, admin: Browser) -> None:
    hostile = "<img src=x onerror=alert(1)> עברית"
    client.db.audit_events.insert_many(
        [
            {"tenant": "acme", "at": None, "by": "x", "action": "of_the_future", "object_kind": None},
            {"tenant": "acme", "at": "then", "by": hostile, "action": "exported", "object_kind": "key",
             "object_id": f"../{hostile}", "details": {"filters": {hostile: [hostile, 7, None]}, "n": 7}},
        ]
    )  # fmt: skip

    page = admin.get("/activity")

    assert page.status == 200
    assert "<img" not in page.html
    assert "of the future" in page.text.lower()
    assert "//" not in page.link(f"../{hostile}")


def test_an_accountant_may_not_see_it(client: Client) -> None:
    page = Browser(client).sign_in("accountant").get("/activity")

    assert (page.status, page.has_link("Payments")) == (403, True)
    assert "This needs an admin’s key; yours is an accountant’s." in page.text
