"""Payments of another system in files: CSV, XLSX and JSON lines."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from finance.database import Db
from tests.clients import Client
from tests.payments.conftest import MAPPED, Run, an_old_payment, content_of

ROW = {
    "payment_number": "PAY20260001",
    "amount": "12.50",
    "currency": "EUR",
    "payer": "Zoë",
    "method": "cash",
    "paid_on": "2026-05-01",
}
STORED = ROW | {"number_seq": 1, "amount_minor": 1250}
DAMAGED = '{"payment_number": "PAY20260002"'


def write(path: Path, *rows: Mapping[str, Any]) -> Path:
    """Write rows into a file of the kind that its name says."""
    columns = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
        path.write_text("".join(";".join(line) + "\n" for line in lines), encoding="utf-8-sig")
    else:
        workbook = Workbook()
        for line in (columns, *([row.get(name) for name in columns] for row in rows)):
            workbook.active.append(line)
        workbook.save(path)
    return path


def stored(db: Db, names: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: payment.get(name) for name in names} for payment in db.payments.find().sort("number_seq", 1)]


@pytest.mark.parametrize("name", ["p.csv", "p.xlsx", "p.jsonl"])
def test_each_kind_of_file_is_taken_and_known_again(db: Db, run: Run, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ROW, ROW | {"payment_number": "PAY20260002"}, ROW | {"payment_number": "PAY20260003"})

    first, second = run("--tenant", "acme", str(path), "--apply"), run("--tenant", "acme", str(path), "--apply")

    assert (first[0], second[0]) == (0, 0), first[1]
    assert second[1].splitlines()[-1] == "3 unchanged"
    assert [payment["number_seq"] for payment in db.payments.find().sort("number_seq", 1)] == [1, 2, 3]
    names = [name for name in STORED if name != "amount"]
    assert stored(db, names)[0] == {name: STORED[name] for name in names}


def test_numbers_and_days_of_a_workbook_are_what_they_show(db: Db, run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "p.xlsx", ROW | {"amount": 1250.1, "paid_on": date(2026, 5, 1)})

    assert run("--tenant", "acme", str(path), "--apply")[0] == 0
    assert stored(db, ["amount_minor", "paid_on"]) == [{"amount_minor": 125010, "paid_on": "2026-05-01"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "=A1"}, "amount is a formula without its value"),
        ({"amount": 12.345}, "amount must have at most 2 decimals"),
        ({"reference": 1234}, "reference is a number, which has lost the zeros it may begin with"),
        ({"payment_number": 20260001}, "payment_number is a number, which has lost the zeros"),
        ({"payer": "#N/A"}, "payer is an error of the spreadsheet"),
        ({"paid_on": "01.05.2026"}, "paid_on must be a day that exists, written YYYY-MM-DD."),
    ],
)
def test_a_cell_that_may_not_mean_what_it_says_is_a_verdict(
    db: Db, run: Run, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "p.xlsx", ROW | {"reference": "7"} | changes, ROW | {"payment_number": "PAY20260002"})

    code, printed = run("--tenant", "acme", str(path), "--apply")

    assert code == 1
    assert any(line.strip().startswith(said) for line in printed.splitlines()), printed
    assert [payment["payment_number"] for payment in db.payments.find()] == ["PAY20260002"]


@pytest.mark.parametrize("name", ["p.csv", "p.xlsx"])
def test_the_null_of_a_database_is_no_text_unless_it_is_said_what_it_means(
    db: Db, run: Run, tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, ROW | {"note": r"\N"}, ROW | {"payment_number": "PAY20260002", "payer": "NULL"})

    refused = run("--tenant", "acme", str(path), "--apply")
    assert refused[0] == 1
    for said in (r"note is \N", "payer is NULL"):
        assert f"    {said}, with which databases write that there is nothing: leave the cell empty" in refused[1]
    assert stored(db, ["note"]) == []

    taken = run("--tenant", "acme", str(path), "--apply", "--value", r"note:\N=", "--value", "payer:NULL=Unknown")
    assert taken[0] == 0, taken[1]
    assert stored(db, ["payer", "note"]) == [{"payer": "Zoë", "note": None}, {"payer": "Unknown", "note": None}]


def test_of_a_number_that_is_twice_in_a_file_it_is_said_what_to_do_there(db: Db, run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", ROW, ROW)

    code, printed = run("--tenant", "acme", str(path), "--apply")

    assert code == 1
    said = "PAY20260001 is the number of line {} too: give one of them another number in the file, or take it out."
    assert all(f"twice\n    {said.format(other)}" in printed for other in (2, 3)), printed
    assert "repair_duplicates" not in printed


def test_the_tenant_and_the_key_that_can_t_be_read_are_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("1=acme\n")
    path = write(tmp_path / "p.xlsx", ROW | {"shop": "=A1", "id": "=A1"})

    of_map = run("--tenants-from", "shop", "--tenant-map", str(tmp_path / "map.txt"), str(path))
    of_key = run("--tenant", "acme", "--row-key", "id", str(path))

    assert "    shop is a formula without its value" in of_map[1]
    assert "    id is a formula without its value" in of_key[1]


def test_a_row_with_a_cell_too_many_is_a_verdict(db: Db, run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "payment_number,amount,currency,payer,method,paid_on\n"
        "PAY20260001,1,250.00,EUR,Zoë,cash,2026-05-01\nPAY20260002,1.00,EUR,Zoë,cash,2026-05-01\n"
    )

    code, printed = run("--tenant", "acme", str(tmp_path / "p.csv"), "--apply")

    assert code == 1
    assert "line 2: refused\n    has 7 cells and the first line names 6 columns" in printed
    assert [payment["payment_number"] for payment in db.payments.find()] == ["PAY20260002"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (DAMAGED, "is no JSON object in UTF-8, with each name once."),
        ('{"amount": 1, "amount": 2}', "is no JSON object in UTF-8, with each name once."),
        ('{"amount": NaN}', "is no JSON object in UTF-8, with each name once."),
        ('{"paid_on": {"$date": "2026-05-01T12:00"}}', "is no JSON object in UTF-8, with each name once."),
        ("[" * 2_000, "is a list: one object a line is read (mongoexport without --jsonArray)."),
        ("17", "is no JSON object."),
        (json.dumps(ROW | {"payer": "x\ud800"}), "payer holds what is no character of any language"),
    ],
)
def test_a_line_that_is_no_object_is_a_verdict_and_the_others_are_taken(
    db: Db, run: Run, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "p.jsonl").write_text(f"{line}\n{json.dumps(ROW | {'payment_number': 'PAY20260002'})}\n")

    code, printed = run("--tenant", "acme", str(tmp_path / "p.jsonl"), "--apply")

    assert code == 1
    assert any(each.strip().startswith(said) for each in printed.splitlines()), printed
    assert [payment["payment_number"] for payment in db.payments.find()] == ["PAY20260002"]


def test_what_mongoexport_writes_is_the_same_rows_as_the_collection(
    db: Db, old: Db, run: Run, take_over: Run, tmp_path: Path
) -> None:
    row = an_old_payment(1)
    old.payments.insert_one(row)
    take_over("--apply")
    before = content_of(db)["payments"]
    exported = {
        **row,
        "_id": {"$oid": str(row["_id"])},
        "user": {"$oid": str(row["user"])},
        "amount": {"$numberDouble": "12.5"},
        "__v": {"$numberInt": "0"},
        **{
            name: {"$date": {"$numberLong": str(int(row[name].timestamp() * 1000))}}
            for name in ("paymentDate", "createdAt", "updatedAt")
        },
    }
    (tmp_path / "payments.jsonl").write_text(json.dumps(exported) + "\n")

    code, printed = run("--tenant", "acme", str(tmp_path / "payments.jsonl"), *MAPPED, "--apply")

    assert (code, printed.splitlines()[-1]) == (0, "1 unchanged")
    assert content_of(db)["payments"] == before


def test_what_our_own_export_holds_is_taken_by_another_database(
    db: Db, run: Run, client: Client, old: Db, tmp_path: Path, mongodb_uri: str
) -> None:
    client.pay("12.50", paid_on="2026-06-01", reference="R-1")
    voided = client.pay("3", paid_on="2026-06-01").json["payment_number"]
    client.post(f"/payments/{voided}/void", json={"reason": "bounced"})
    (tmp_path / "p.csv").write_text(client.get("/payments/export.csv").text)

    copy = db.client[f"{old.name}_copy"]
    copy.create_collection("counters")  # a database that isn't there may be a mistyped one

    code, printed = run("--database", copy.name, "--tenant", "acme", str(tmp_path / "p.csv"), "--apply")

    names = ["payment_number", "amount_minor", "status", "void_reason", "voided_at", "created_at", "reference"]
    try:
        assert code == 0, printed
        assert stored(copy, names) == stored(db, names)
    finally:
        db.client.drop_database(copy.name)
