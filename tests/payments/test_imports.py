"""Payments of another system become ours: with their numbers, once, and with a verdict for every row."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import DatetimeMS, Decimal128

from finance.database import Db
from finance.maintenance.audit import command as audit
from finance.payments.model import payment_series
from tests.clients import Client
from tests.payments.conftest import Run, an_old_payment, content_of

SERIES = payment_series("acme", 2026)


def lines_of(printed: str) -> list[str]:
    return [line.strip() for line in printed.splitlines()]


def audited(db: Db, mongodb_uri: str) -> int:
    return audit.main(["--uri", mongodb_uri, "--database", db.name, "--grace-seconds", "0"])


def test_a_dry_run_gives_the_verdicts_of_the_real_one_and_writes_nothing(db: Db, old: Db, take_over: Run) -> None:
    old.payments.insert_many([an_old_payment(1), an_old_payment(2, amount=12.345), an_old_payment(3)])
    before = content_of(db), content_of(old)

    dry = take_over("--all")
    after = content_of(db), content_of(old)
    applied = take_over("--all", "--apply")

    assert after == before
    assert (dry[0], applied[0]) == (1, 1)
    assert dry[1].count(": PAY2026000") == applied[1].count(": PAY2026000") == 3
    assert lines_of(dry[1])[-1] == "2 would be imported, 1 refused"
    assert lines_of(applied[1])[-1] == "2 imported, 1 refused"
    assert "Nothing was written. Add --apply to store this." in dry[1]
    assert content_of(old) == before[1]


def test_the_api_lists_them_and_the_next_number_follows(
    db: Db, old: Db, take_over: Run, client: Client, mongodb_uri: str
) -> None:
    rows = [an_old_payment(number) for number in (1, 2, 5)]
    old.payments.insert_many(rows)

    code, printed = take_over("--apply")

    assert code == 0, printed
    listed = client.get("/payments?sort=payment_number").json["data"]
    assert [payment["payment_number"] for payment in listed] == ["PAY20260001", "PAY20260002", "PAY20260005"]
    assert {(p["amount"], p["currency"], p["method"], p["paid_on"]) for p in listed} == {
        ("12.50", "EUR", "cash", "2026-05-01")
    }
    assert [payment["payer"] for payment in listed] == [str(row["user"]) for row in rows]
    assert {payment["created_by"] for payment in listed} == {"scripts/import_payments.py"}
    assert [entry["action"] for payment in listed for entry in payment["history"]] == ["imported"] * 3
    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY20260006"
    assert audited(db, mongodb_uri) == 0
    assert {gap["number_seq"]: gap["reason"] for gap in db.number_gaps.find()} == dict.fromkeys(
        (3, 4), "issued_by_older_system"
    )


def test_numbers_that_were_given_here_and_lost_are_not_explained_by_it(
    db: Db, old: Db, take_over: Run, client: Client, mongodb_uri: str
) -> None:
    for _ in range(6):
        client.pay("1", paid_on="2026-06-01")
    db.payments.delete_many({"payment_number": {"$in": ["PAY20260002", "PAY20260003", "PAY20260004"]}})
    old.payments.insert_one(an_old_payment(20))

    _code, printed = take_over("--apply")
    client.pay("1", paid_on="2026-06-01")
    old.payments.insert_one(an_old_payment(30))
    take_over("--apply")  # in which 20 is the last that was taken over, as where the first run was killed

    assert "acme 2026: 13 numbers without a payment are explained." in printed
    assert sorted(gap["number_seq"] for gap in db.number_gaps.find()) == [*range(7, 20), *range(22, 30)]
    assert audited(db, mongodb_uri) == 1


def test_they_are_searched_exported_corrected_and_voided_as_any_other(old: Db, take_over: Run, client: Client) -> None:
    old.payments.insert_one(an_old_payment(1, paidBy="Zoë King"))
    take_over("--apply", "--field", "payer=paidBy")

    assert len(client.get("/payments?payer=king").json["data"]) == 1
    assert "PAY20260001" in client.get("/payments/export.csv").text
    assert client.patch("/payments/PAY20260001", json={"note": "checked"}).json["note"] == "checked"
    assert client.post("/payments/PAY20260001/void", json={"reason": "bounced"}).json["status"] == "voided"
    assert [entry["action"] for entry in client.get("/payments/PAY20260001").json["history"]] == [
        *("imported", "edited", "voided")
    ]


def test_a_second_run_stores_nothing_twice_and_leaves_what_was_changed_here(
    db: Db, old: Db, take_over: Run, client: Client
) -> None:
    old.payments.insert_many([an_old_payment(1), an_old_payment(2)])
    take_over("--apply")
    client.patch("/payments/PAY20260001", json={"note": "checked"})
    before = {name: digest for name, digest in content_of(db).items() if name != "audit_events"}

    code, printed = take_over("--apply")

    assert (code, lines_of(printed)[-1]) == (0, "2 unchanged")
    assert {name: digest for name, digest in content_of(db).items() if name != "audit_events"} == before


def test_what_comes_later_there_is_taken_by_the_next_run(db: Db, old: Db, take_over: Run, client: Client) -> None:
    old.payments.insert_one(an_old_payment(1))
    take_over("--apply")
    old.payments.insert_one(an_old_payment(2))

    code, printed = take_over("--apply")

    assert (code, lines_of(printed)[-1]) == (0, "1 imported, 1 unchanged")
    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY20260003"


def test_a_row_that_was_mended_is_taken_later_and_its_gap_is_taken_back(
    db: Db, old: Db, take_over: Run, mongodb_uri: str
) -> None:
    old.payments.insert_many([an_old_payment(1, amount=0), an_old_payment(2)])
    assert take_over("--apply")[0] == 1
    assert [gap["number"] for gap in db.number_gaps.find()] == ["PAY20260001"]
    old.payments.update_one({"amount": 0}, {"$set": {"amount": 3}})

    assert take_over("--apply")[0] == 0
    assert list(db.number_gaps.find()) == []
    assert audited(db, mongodb_uri) == 0


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"amount": 12.345},
        "amount must have at most 2 decimals: EUR has no smaller unit; a point stands before decimals alone. "
        "12.345 was read.",
    ),
    ({"amount": 0.1 + 0.2}, "amount must have at most 2 decimals"),
    ({"_id": {"shop": 1}}, "_id holds several values; name the one that is meant with a point, as in user.name."),
    ({"amount": float("nan")}, "amount is no number that an amount can be."),
    ({"amount": -3}, "amount must be greater than zero; money that goes out is direction: outgoing."),
    ({"amount": "12,50"}, "amount must be digits with a point before the decimals"),
    ({"amount": True}, "amount is true; --value amount:true=… says what that means."),
    ({"amount": {"value": 3}}, "amount holds several values; name the one that is meant with a point"),
    ({"amount": [1, 2]}, "amount can't be read: it is a list."),
    ({"amount": None}, "amount is required."),
    ({"paymentMethod": "BARTER"}, "method must be one of: bank_transfer, card"),
    ({"paymentDate": datetime(1999, 12, 31, tzinfo=UTC)}, "paid_on must be from 2000-01-01"),
    ({"paymentDate": "yesterday"}, "paid_on must be a day that exists, written YYYY-MM-DD."),
    ({"paymentDate": DatetimeMS(2**55)}, "paid_on can't be read: it is a DatetimeMS."),
    ({"paymentDate": None}, "paid_on is required."),
    ({"paymentNumber": "PAY 1"}, "payment_number must be 1 to 40 of A-Z, a-z, 0-9"),
    ({"paymentNumber": None}, "payment_number is missing: a payment is taken over with its number."),
    ({"user": "x" * 201}, "payer must be 1 to 200 characters long."),
    ({"customer_code": "CUST-000009"}, "customer_code no customer has this code."),
    ({"status": "voided"}, "status voided needs a void_reason and a voided_at."),
    ({"status": "PAID"}, "status must be one of: recorded, voided."),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_doesn_t_fit_is_listed_and_the_rest_is_taken(
    db: Db, old: Db, take_over: Run, changes: dict[str, Any], said: str
) -> None:
    old.payments.insert_many([an_old_payment(1) | changes, an_old_payment(2)])

    code, printed = take_over("--apply")

    assert code == 1
    assert any(line.startswith(said) for line in lines_of(printed)), printed
    assert [payment["payment_number"] for payment in db.payments.find()] == ["PAY20260002"]


AMOUNTS: list[tuple[object, str, str]] = [
    (12.5, "EUR", "12.50"),
    (0.1, "EUR", "0.10"),
    (1250.0, "JPY", "1250"),
    (1e3, "EUR", "1000.00"),
    (9007199254740.99, "EUR", "9007199254740.99"),
    (Decimal128("12.5000"), "EUR", "12.50"),
    ("12.50", "EUR", "12.50"),
    (7, "KWD", "7.000"),
]


@pytest.mark.parametrize(("stored", "currency", "shown"), AMOUNTS)
def test_an_amount_is_the_shortest_decimal_that_means_it(
    old: Db, take_over: Run, client: Client, stored: object, currency: str, shown: str
) -> None:
    old.payments.insert_one(an_old_payment(1, amount=stored))

    assert take_over("--apply", "--set", f"currency={currency}")[0] == 0
    assert client.get("/payments/PAY20260001").json["amount"] == shown


def test_a_date_is_the_civil_day_of_our_time_zone(
    old: Db, take_over: Run, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINANCE_TIMEZONE", "Asia/Kolkata")
    old.payments.insert_one(an_old_payment(1, paymentDate=datetime(2026, 1, 31, 20, tzinfo=UTC)))
    take_over("--apply")

    assert client.get("/payments/PAY20260001").json["paid_on"] == "2026-02-01"


def test_a_number_keeps_its_year_whatever_day_it_was_paid(old: Db, take_over: Run, client: Client) -> None:
    old.payments.insert_one(an_old_payment(7, paymentDate=datetime(2025, 12, 31, tzinfo=UTC)))
    take_over("--apply")

    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY20260008"
    assert client.pay("1", paid_on="2025-06-01").json["payment_number"] == "PAY20250001"


def test_the_same_number_twice_is_taken_from_neither(db: Db, old: Db, take_over: Run) -> None:
    old.payments.drop_indexes()
    rows = [an_old_payment(1), an_old_payment(1), an_old_payment(2)]
    old.payments.insert_many(rows)

    code, printed = take_over("--apply")

    assert code == 1
    said = "PAY20260001 is the number of _id {} too: scripts/repair_duplicates.py gives one of them another first."
    assert {said.format(row["_id"]) for row in rows[:2]} <= set(lines_of(printed))
    assert [payment["payment_number"] for payment in db.payments.find()] == ["PAY20260002"]


def test_a_row_that_changed_there_is_listed_and_not_stored_again(db: Db, old: Db, take_over: Run) -> None:
    row = an_old_payment(1)
    old.payments.insert_one(row)
    take_over("--apply")
    old.payments.update_one({"_id": row["_id"]}, {"$set": {"amount": 20, "paymentNumber": "PAY20260002"}})

    code, printed = take_over("--apply")

    assert code == 1
    said = "was imported before and is another there now (payment_number, amount_minor); here it stays as it is."
    assert said in lines_of(printed)
    assert db.payments.count_documents({}) == 1


def test_a_number_that_was_given_here_is_listed(old: Db, take_over: Run, client: Client) -> None:
    number = client.pay("1", paid_on="2026-06-01").json["payment_number"]
    old.payments.insert_one(an_old_payment(number))

    code, printed = take_over("--apply")

    assert code == 1
    assert any(line.startswith("the number is that of another payment here, made by") for line in lines_of(printed))


def test_a_key_that_looks_like_a_number_is_no_number(db: Db, old: Db, take_over: Run, client: Client) -> None:
    client.pay("1", paid_on="2026-06-01", key="PAY20260005")
    old.payments.insert_many([an_old_payment(1), an_old_payment(5)])

    assert take_over("--apply")[0] == 1
    assert db.payments.count_documents({"payment_number": "PAY20260005"}) == 1


def test_rows_go_to_the_tenants_that_the_map_names(db: Db, old: Db, run: Run, tmp_path: Any) -> None:
    old.payments.insert_many([an_old_payment(1, shop=6), an_old_payment(2, shop=7), an_old_payment(3, shop=8)])
    (tmp_path / "map").write_text("# shops\n6=dakar\n7 = abidjan\n")

    code, printed = run(
        *("--tenants-from", "shop", "--tenant-map", str(tmp_path / "map"), "--from-collection", "payments"),
        *("--from-database", old.name, "--apply", "--field", "payment_number=paymentNumber", "--field", "payer=user"),
        *("--field", "paid_on=paymentDate", "--set", "method=cash", "--set", "currency=XOF", "--set", "amount=5"),
    )

    assert code == 1
    assert "The value of shop is not in the map of tenants." in lines_of(printed)
    assert {(p["tenant"], p["payment_number"]) for p in db.payments.find()} == {
        ("dakar", "PAY20260001"),
        ("abidjan", "PAY20260002"),
    }
