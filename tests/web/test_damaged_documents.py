"""Documents as other systems left them, in the places where a page needs a number, a role or a list: never a 5xx."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64

from finance.database import Db
from finance.payments.model import payment_series
from tests.clients import LINES, NOVEMBER, Client, a_payment
from tests.web.browser import Browser

# MongoDB removes a session when its own clock says so: no test's clock may be behind that.
NOW = datetime(2096, 11, 20, 12, tzinfo=UTC)
UNREADABLE: list[Any] = [None, 7, 7.5, float("nan"), {"a": 1}, ["A", "B"], ["A"], [], Decimal128("1.5"), NOVEMBER]
UNSET = {"$unset": {"payment_number": ""}}


@pytest.fixture
def client(db: Db) -> Iterator[Client]:
    yield Client(db, now=NOW)
    for name in ("payments", "invoices", "credit_notes", "api_keys", "number_gaps"):
        db[name].drop()  # its indexes would remember the arrays, and read more for another test


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


@pytest.fixture
def admin(client: Client) -> Browser:
    return Browser(client).sign_in("admin")


def record(client: Client, **changes: Any) -> str:
    answer = client.post("/payments", json=a_payment(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json["payment_number"])


@pytest.mark.parametrize("damage", [UNSET, *({"$set": {"payment_number": value}} for value in UNREADABLE)], ids=repr)
def test_a_newest_payment_without_a_readable_number_leaves_unknown_numbers_unknown(
    client: Client, browser: Browser, damage: dict[str, Any]
) -> None:
    number = record(client)
    client.db.payments.update_one({"payment_number": number}, damage)
    for below in ("", "/void", "/edit", "/allocate"):
        page = browser.get(f"/payments/PAY{number[3:7]}9999{below}")
        assert (page.status, "newest" in page.text) == (404, False), page.text


@pytest.mark.parametrize("number", [..., *UNREADABLE], ids=repr)
def test_an_open_invoice_without_a_readable_number_is_shown_and_given_nothing(
    client: Client, browser: Browser, number: Any
) -> None:
    client.put_shop()
    damaged, whole = (client.issue(issued_on="2026-11-19").json["invoice_number"] for _ in range(2))
    change = {"$unset": {"invoice_number": ""}} if number is ... else {"$set": {"invoice_number": number}}
    client.db.invoices.update_one({"invoice_number": damaged}, change)
    payment = record(client, payer="Zoë", amount="1500.00")
    page = browser.get(f"/payments/{payment}/allocate")
    assert page.status == 200, page.text
    assert sorted(page.column("Number", "Open in")) == sorted(["–", whole])

    browser.submit("Give 1,000.00\u00a0EUR to 1 invoice")

    assert browser.page.address == f"/payments/{payment}", browser.page.text
    assert client.invoice(whole)["status"] == "paid"


@pytest.mark.parametrize("number", UNREADABLE, ids=repr)
def test_the_page_of_an_invoice_bears_payments_without_a_readable_number(
    client: Client, browser: Browser, number: Any
) -> None:
    client.put_shop()
    invoice = client.issue(issued_on="2026-11-19").json["invoice_number"]
    payment = client.pay_invoices([invoice], "10.00").json["payment_number"]
    client.db.payments.update_one({"payment_number": payment}, {"$set": {"payment_number": number}})
    assert browser.get(f"/invoices/{invoice}").status == 200


@pytest.mark.parametrize("number", UNREADABLE, ids=repr)
def test_a_statement_shows_lines_whose_number_cannot_be_read(client: Client, browser: Browser, number: Any) -> None:
    code = client.post("/customers", json={"customer_name": "Zoë"}).json["customer_code"]
    client.put_shop()
    invoice = client.issue(issued_on="2026-11-19", customer_code=code, customer_name=None).json["invoice_number"]
    record(client, customer_code=code, paid_on="2026-11-19")
    note = client.post(f"/invoices/{invoice}/credit-notes", json={"reason": "Late", "lines": LINES}, role="accountant")
    assert note.status_code == 201, note.text
    for name in ("invoice", "credit_note", "payment"):
        client.db[f"{name}s"].update_many({}, {"$set": {f"{name}_number": number}})
    page = browser.get(f"/customers/{code}/statement?from=2026-11-01")
    assert page.status == 200, page.text
    assert [one for one in page.column("Number", "Lines of the statement") if one] == ["–"] * 3


@pytest.mark.parametrize("field", ["previous_numbers", "metadata"])
@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_a_payment_with_other_things_where_a_list_or_fields_stand_is_shown(
    client: Client, browser: Browser, field: str, value: Any
) -> None:
    number = record(client)
    client.db.payments.update_one({"payment_number": number}, {"$set": {field: value}})
    for below in ("", "/edit", "/void", "/allocate"):
        page = browser.get(f"/payments/{number}{below}")
        assert (page.status, "None" in page.text) == (200, False), page.text
    answer = client.get(f"/payments/{number}")
    assert (answer.status_code, type(answer.json[field])) == (200, dict if field == "metadata" else list)


@pytest.mark.parametrize("role", UNREADABLE, ids=repr)
def test_a_key_whose_role_cannot_be_read_hides_no_other_and_can_be_revoked(
    client: Client, admin: Browser, role: Any
) -> None:
    client.db.api_keys.insert_one({"_id": "f" * 16, "tenant": "acme", "role": role, "name": "Old", "revoked_at": None})
    assert "Old" in [row["Name"] for row in admin.get("/keys").rows()]
    assert "None" not in admin.page.text
    assert admin.get(f"/keys/{'f' * 16}").status == 200
    assert admin.get(f"/keys/{'f' * 16}/revoke").status == 200

    assert admin.submit("Revoke the key").done == "Old is revoked."


@pytest.mark.parametrize("number_seq", [Decimal128("12.5"), 12.5, Decimal128("12"), Int64(12), [12, 14], [12.5, "x"]])
def test_gaps_whose_number_is_none_hide_no_other(client: Client, browser: Browser, number_seq: Any) -> None:
    record(client)
    series = payment_series("acme", 2096)
    gaps = [{**series.identity, "number_seq": seq, "reason": "lost"} for seq in (number_seq, 20)]
    client.db.number_gaps.insert_many(gaps)
    page = browser.get("/numbers/payment/2096")
    assert page.status == 200, page.text
    shown = page.column("Numbers", "Recorded gaps")
    is_whole = number_seq in (Int64(12), Decimal128("12"))
    assert shown == (["PAY20960012"] if is_whole else []) + ["PAY20960020"]
