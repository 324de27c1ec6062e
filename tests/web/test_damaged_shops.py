"""One damaged document in `shops` hides no other shop, stops no page and no export, and gives no number."""

from typing import Any

import pytest

from tests.clients import Client
from tests.web.browser import Browser

ABSENT = object()
ODD = (ABSENT, None, 5, "x", ["x"], {})
DAMAGES = {
    "rules": (*ODD, [], [{}], [None]),
    **dict.fromkeys(("currency", "timezone", "history", "name", "max_length", "issue_ahead_days"), ODD),
}
PAGES = ("/shops", "/shops/bad", "/shops/bad?sequences=yes", "/shops/par", "/invoices/new", "/receivables", "/invoices")
ANSWERS = ("/shops", "/shops/bad", "/invoices/export.csv", "/credit-notes/export.csv", "/invoices/export.csv?shop=bad")


@pytest.fixture
def client(client: Client) -> Client:
    for shop in ("par", "bad"):
        assert client.put_shop(shop).status_code == 201
    return client


def damage(client: Client, field: str, value: Any) -> None:
    change = {"$unset": {field: True}} if value is ABSENT else {"$set": {field: value}}
    client.db.shops.update_one({"shop": {"$ne": "par"}}, change)


@pytest.mark.parametrize("field", DAMAGES)
def test_a_damaged_shop_stops_no_page_and_no_export(client: Client, field: str) -> None:
    invoice = client.issue("bad").json["invoice_number"]
    browser = Browser(client).sign_in("admin")
    before = client.db.shops.find_one({"shop": "bad"})
    for value in DAMAGES[field]:
        damage(client, field, value)

        pages = {page: browser.get(page).status for page in (*PAGES, f"/invoices/{invoice}")}
        answers = {path: client.get(path, role="admin").status_code for path in ANSWERS}

        assert {page: status for page, status in pages.items() if status != 200} == {}, value
        assert {path: status for path, status in answers.items() if status != 200} == {}, value
        assert browser.get("/shops").column("Shop") == ["bad", "par"]
        assert client.put_shop("par", name=str(value)).status_code == 200
        assert client.issue("par").status_code == 201
        client.db.shops.replace_one({"shop": "bad"}, before or {})


@pytest.mark.parametrize("value", [ABSENT, None, 5, ["x"]])
def test_a_shop_without_a_name_is_listed_and_not_offered(client: Client, value: Any) -> None:
    browser = Browser(client).sign_in("admin")
    damage(client, "shop", value)

    assert sorted(browser.get("/shops").column("Shop")) == ["par", "–"]
    assert browser.get("/invoices/new").status == 200
    assert client.get("/shops").status_code == 200
    assert client.put_shop("new").status_code == 201


@pytest.mark.parametrize(("field", "value"), [("rules", ABSENT), ("rules", [{}]), ("timezone", ["x"]), ("currency", 5)])
def test_a_damaged_shop_gives_no_number(client: Client, field: str, value: Any) -> None:
    invoice = client.issue("bad").json["invoice_number"]
    damage(client, field, value)

    refused = client.issue("bad")

    assert (refused.status_code, refused.json["code"]) == (409, "shop_damaged")
    assert field in refused.json["detail"]
    cancelled = client.post(f"/invoices/{invoice}/cancel", json={"reason": "no"})
    assert (cancelled.status_code, cancelled.json["code"]) == (409, "shop_damaged")
    assert client.db.invoices.count_documents({}) == 1


def test_what_an_admin_may_set_is_repaired_by_setting_it_and_rules_are_never_guessed(client: Client) -> None:
    for field in ("timezone", "currency", "history", "name"):
        damage(client, field, ABSENT)

    assert client.put_shop("bad", reset="year", invoice_format="F-{shop}-{year}-{number}").status_code == 200
    assert client.issue("bad").status_code == 201

    damage(client, "rules", ABSENT)
    refused = client.put_shop("bad", name="Mine")
    assert (refused.status_code, refused.json["code"]) == (409, "shop_damaged")


def test_the_page_of_a_shop_shows_what_is_damaged_as_none(client: Client) -> None:
    browser = Browser(client).sign_in("admin")
    for field in ("rules", "max_length", "currency"):
        damage(client, field, ABSENT)

    assert "None" not in browser.get("/shops/bad").text
    assert browser.get("/shops").rows()[0]["Numbers begin again"] == "–"
    assert browser.get("/shops/bad/edit").status == 200
    assert client.get("/shops/bad").json["currency"] is None
