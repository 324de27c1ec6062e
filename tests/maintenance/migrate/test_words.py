"""Names that an older version stored without their words are found by them once the migration has run."""

from typing import Any

import pytest

from finance.database import Db
from finance.maintenance.migrate import words
from finance.text import fold, words_of
from tests.clients import Client, a_payment
from tests.maintenance.conftest import Run


@pytest.fixture
def old(client: Client) -> Client:
    """A client on a database whose payments and customers are as an older version stored them."""
    for payer in ("Ada Lovelace", "Zoë", "Lovelace & Söhne"):
        assert client.post("/payments", json=a_payment(payer=payer)).status_code == 201
        assert client.post("/customers", json={"customer_name": payer}).status_code == 201
    for payment in client.db.payments.find():
        client.db.payments.update_one({"_id": payment["_id"]}, {"$set": {"payer_folded": fold(payment["payer"])}})
    client.db.customers.update_many({}, {"$unset": {"name_words": ""}})
    return client


def _found(client: Client, sought: str) -> tuple[list[str], list[str]]:
    payments = client.get("/payments", query_string={"payer": sought, "sort": "payment_number"}).json["data"]
    customers = client.get("/customers", query_string={"customer_name": sought}).json["data"]
    return [p["payer"] for p in payments], [c["customer_name"] for c in customers]


def test_a_look_counts_them_and_apply_makes_them_found_by_their_words(old: Client, run: Run) -> None:
    before = [*old.db.payments.find(), *old.db.customers.find()]
    assert _found(old, "lovelace") == (["Lovelace & Söhne"],) * 2

    code, output = run("migrate_indexes.py")

    assert (code, [*old.db.payments.find(), *old.db.customers.find()]) == (1, before)
    assert "payments: 3 names without their words" in output
    code, output = run("migrate_indexes.py", "--apply")
    assert (code, "customers: stored the words of 3 names" in output) == (0, True)
    assert _found(old, "lovelace") == (["Ada Lovelace", "Lovelace & Söhne"],) * 2
    assert run("migrate_indexes.py")[0] == 0
    assert "stored the words" not in run("migrate_indexes.py", "--apply")[1]


def test_what_is_stored_is_what_a_request_stores_now(old: Client) -> None:
    for name in words.NAMES:
        words.store_words(old.db, name)

    for payment in old.db.payments.find():
        assert payment["payer_folded"] == words_of(fold(payment["payer"]))
    for customer in old.db.customers.find():
        assert (customer["name_folded"], customer["name_words"]) == (
            fold(customer["customer_name"]),
            words_of(fold(customer["customer_name"])),
        )
        assert customer["version"] == 1


def test_a_run_that_was_killed_goes_on_with_what_is_left(old: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "BATCH", 2)
    payments = words.NAMES[0]
    changes = words._changes(old.db, payments)
    old.db.payments.bulk_write([next(changes)])

    assert words.count_without_words(old.db, payments) == 2
    assert words.store_words(old.db, payments) == 2


def test_a_name_that_is_changed_meanwhile_is_left_alone(old: Client) -> None:
    [change, *_others] = words._changes(old.db, words.NAMES[1])
    assert old.put("/customers/CUST-000001", json={"customer_name": "Grace Hopper"}).status_code == 200

    old.db.customers.bulk_write([change])

    assert _found(old, "hopper")[1] == ["Grace Hopper"]
    assert _found(old, "ada")[1] == []


@pytest.mark.parametrize("damaged", [{}, {"payer_folded": None}, {"payer_folded": 7}, {"payer_folded": []}])
def test_a_damaged_payment_is_no_obstacle(db: Db, damaged: dict[str, Any]) -> None:
    db.payments.insert_one({"tenant": "acme", "payment_number": "PAY20260001", **damaged})

    assert words.store_words(db, words.NAMES[0]) == 0
    assert words.count_without_words(db, words.NAMES[0]) == 0
