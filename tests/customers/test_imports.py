"""Customers from files: a verdict per row, nothing written in a dry run, nothing changed by a second run."""

import base64
import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environment
import import_customers
import pytest
from openpyxl import Workbook

from finance.asked import Asked
from finance.customers.columns import parse_columns
from finance.customers.imports import IMPORTED_BY, RowVerdict, import_rows
from finance.customers.model import Book
from finance.database import Db
from finance.encryption import FieldCipher
from finance.tables.cells import UnreadableTable
from finance.tables.reading import read_table
from tests.clients import ENCRYPTION_KEY, Client, make_key
from tests.customers.forms import gstin, pan

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ONE, TWO = pan(), pan()
TABLE = [
    {
        "customer_name": "Société Générale",
        "customer_code": "OLD-1",
        "pan_number": ONE,
        "gst_details.1.gstin": gstin(ONE),
        "gst_details.1.state": "Maharashtra",
        "gst_details.2.gstin": gstin(ONE, "29"),
        "tds.applicable": "yes",
        "tds.rate": "2",
        "banking.1.account_number": "000123456789012345",
        "banking.1.ifsc": "SBIN0000691",
        "banking.1.primary": "TRUE",
        "terms_conditions.payment_terms_days": "30",
        "terms_conditions.credit_limit": "1000",
        "terms_conditions.currency": "INR",
        "products_services.name": "Steel",
        "products_services.tax_rate": "18.0",
    },
    {"customer_name": "Ada", "pan_number": TWO},
    {"customer_category": "nobody"},
    {"customer_name": "Carl", "customer_code": "OLD-1"},
    {"customer_name": "Dora", "customer_code": "D", "banking.1.account_number": "12", "banking.1.ifsc": "X"},
    {"customer_name": "Emil", "customer_code": "E", "pan_number": TWO},
]


def _write_csv(path: Path, rows: list[dict[str, Any]] = TABLE, delimiter: str = ",") -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _import(db: Db, path: Path, *, apply: bool, confirmed: bool = False) -> list[RowVerdict]:
    cipher = FieldCipher(db, master_keys=(ENCRYPTION_KEY,))
    table, asked = read_table(path), Asked("acme", IMPORTED_BY, NOW)
    columns = parse_columns(table.columns)
    book = Book(db, cipher)
    return [*import_rows(book, asked, rows=table.rows(), columns=columns, apply=apply, confirmed=confirmed)]


def test_a_dry_run_gives_the_verdicts_and_writes_nothing(db: Db, tmp_path: Path) -> None:
    path = _write_csv(tmp_path / "c.csv")

    dry = _import(db, path, apply=False)
    documents = db.customers.count_documents({}) + db.counters.count_documents({})
    applied = _import(db, path, apply=True)

    assert documents == 0
    assert [v.verdict for v in dry] == ["created", "created", "refused", "refused", "refused", "refused"]
    assert [(v.line, v.verdict, v.problems) for v in dry] == [(v.line, v.verdict, v.problems) for v in applied]
    assert [v.customer_code for v in applied[:2]] == ["OLD-1", "CUST-000001"]
    assert dry[3].problems == ("Has the same customer_code, pan_number or gstin as line 2.",)
    assert [problem.split()[0] for problem in dry[4].problems] == ["banking.1.account_number", "banking.1.ifsc"]
    assert dry[5].problems == ("Has the same customer_code, pan_number or gstin as line 3.",)


def test_a_row_is_stored_with_all_its_parts(client: Client, tmp_path: Path) -> None:
    _import(client.db, _write_csv(tmp_path / "c.csv"), apply=True)

    found = client.get("/customers/OLD-1").json

    assert [row["gstin"] for row in found["gst_details"]] == [gstin(ONE), gstin(ONE, "29")]
    assert found["tds"] == {"applicable": True, "rate": "2"}
    assert found["banking"] == [{"account_number": "000123456789012345", "ifsc": "SBIN0000691", "primary": True}]
    assert found["terms_conditions"] == {"payment_terms_days": 30, "credit_limit": "1000.00", "currency": "INR"}
    assert found["products_services"] == [{"name": "Steel", "tax_rate": "18"}]
    assert found["created_by"] == "import"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_second_run_changes_nothing(db: Db, tmp_path: Path, delimiter: str) -> None:
    path = _write_csv(tmp_path / "c.csv", delimiter=delimiter)
    _import(db, path, apply=True)
    stored = list(db.customers.find())

    again = _import(db, path, apply=True)

    assert Counter(v.verdict for v in again) == {"unchanged": 2, "refused": 4}
    assert list(db.customers.find()) == stored


def test_columns_that_are_not_in_the_file_leave_what_is_stored(client: Client, tmp_path: Path) -> None:
    _import(client.db, _write_csv(tmp_path / "c.csv"), apply=True)
    before = client.get("/customers/OLD-1").json
    rows = [{"customer_code": "old-1", "customer_name": "New name", "tds.applicable": "no", "customer_category": ""}]

    verdicts = _import(client.db, _write_csv(tmp_path / "d.csv", rows), apply=True)

    after = client.get("/customers/OLD-1").json
    assert [(v.verdict, v.customer_code) for v in verdicts] == [("updated", "OLD-1")]
    assert (after["customer_name"], after["tds"]) == ("New name", {"applicable": False, "rate": "2"})
    for name in ("pan_number", "banking", "gst_details", "terms_conditions"):
        assert after[name] == before[name]


def test_another_customers_pan_is_refused_unless_confirmed(client: Client, tmp_path: Path) -> None:
    client.post("/customers", json={"customer_name": "Ada", "pan_number": TWO})
    path = _write_csv(tmp_path / "c.csv", [{"customer_name": "Ada", "customer_code": "A", "pan_number": TWO}])

    verdicts = [_import(client.db, path, apply=apply)[0] for apply in (False, True)]
    confirmed = _import(client.db, path, apply=True, confirmed=True)

    assert {(v.verdict, v.problems) for v in verdicts} == {
        ("refused", ("pan_number is that of customer CUST-000001.",))
    }
    assert confirmed[0].verdict == "created"


def test_a_workbook_is_read_as_its_cells_show_and_rounded_numbers_are_refused(client: Client, tmp_path: Path) -> None:
    workbook = Workbook()
    sheet = workbook.active
    sheet.append(["customer_code", "customer_name", "banking.1.account_number", "terms_conditions.payment_terms_days"])
    sheet.append(["A", "Ada", "000123456789012345", 30])
    sheet.append(["7001", "Bob", "123456789012", 45.0])
    sheet.append(["C", "Carl", 1234567890123456789, None])
    sheet.append([None, None, None, None])
    workbook.save(tmp_path / "c.xlsx")

    verdicts = _import(client.db, tmp_path / "c.xlsx", apply=True)

    assert [(v.verdict, v.customer_code) for v in verdicts] == [
        ("created", "A"),
        ("created", "7001"),
        ("refused", None),
    ]
    assert "format the column as text" in verdicts[2].problems[0]
    assert client.get("/customers/A").json["banking"][0]["account_number"] == "000123456789012345"
    assert client.get("/customers/7001").json["terms_conditions"] == {"payment_terms_days": 45}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("email_address\nada@example.com\n", "customer_name is missing"),
        ("customer_name,nickname\nAda,A\n", "no column 'nickname'"),
        ("Customers 2026,\ncustomer_name,customer_code\nAda,A\n", "is it the first line that names them?"),
        ("customer_name,pan\nAda,A\n", "There is no column 'pan'; did you mean pan_number?"),
        ("customer_name,banking.1.ifcs\nAda,A\n", "no column 'banking.1.ifcs'; did you mean banking.ifsc?"),
        ("customer_name,banking.iban,banking.1.iban\nAda,A,B\n", "'banking.iban' and 'banking.1.iban' are the same"),
        ("customer_name,banking.0.iban\nAda,A\n", "no column 'banking.0.iban'"),
        ("customer_name,tds.count\nAda,1\n", "no column 'tds.count'"),
        ("customer_name,\u202exx\nAda,A\n", "There is no column '\\u202exx'; is it the first line"),
        ("customer_name,tds.1.rate\nAda,2\n", "no column 'tds.1.rate'"),
        ("customer_name,banking.1.bank\nAda,SBI\n", "no column 'banking.1.bank'"),
        ("customer_name,customer_name\nAda,Bob\n", "stands twice"),
        ('customer_name\n"Ada\n', "can't be read"),
    ],
)
def test_a_table_that_is_none_of_ours_is_refused_as_a_whole(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableTable) as refused:
        parse_columns(read_table(path).columns)

    assert why in str(refused.value)


def test_the_script_says_what_it_would_do_and_does_it(
    mongodb_uri: str, db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FINANCE_DATABASE", db.name)
    monkeypatch.setenv("FINANCE_ENCRYPTION_KEY", base64.b64encode(ENCRYPTION_KEY).decode())
    command = ["import_customers.py", "--tenant", "acme", str(_write_csv(tmp_path / "c.csv"))]

    monkeypatch.setattr("sys.argv", command)
    dry = (import_customers.main(), db.customers.count_documents({}), capsys.readouterr().out)
    monkeypatch.setattr("sys.argv", [*command, "--apply"])
    applied = (import_customers.main(), db.customers.count_documents({}), capsys.readouterr().out)

    assert (dry[:2], applied[:2]) == ((1, 0), (1, 2))
    assert "line 2: would be created OLD-1" in dry[2]
    assert "line 3: created CUST-000001" in applied[2]
    assert applied[2].splitlines()[-1] == "2 created, 4 refused"
    begun, finished = db.audit_events.find().sort("at", 1)  # of the look there is none
    assert (begun["tenant"], begun["by"], begun["action"]) == ("acme", "import", "imported")
    assert begun["by_name"] == db.customers.find_one()["created_by_name"]
    assert "@" in begun["by_name"]
    assert begun["details"] == {"file": "c.csv", "rows": 6}
    assert (finished["action"], finished["object_id"]) == ("import_finished", begun["object_id"])
    assert finished["details"] == {"file": "c.csv", "rows": 6, "created": 2, "refused": 4}


@pytest.fixture
def run(
    db: Db, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`run("--tenant", "acme", "c.csv")` gives the exit code of the script and what it said on stderr."""
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FINANCE_DATABASE", db.name)
    monkeypatch.setenv("FINANCE_ENCRYPTION_KEY", base64.b64encode(ENCRYPTION_KEY).decode())

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["import_customers.py", *arguments])
        try:
            code = import_customers.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return run


def test_a_tenant_that_nobody_knows_is_warned_of_and_its_customers_imported_all_the_same(
    run: Callable[..., tuple[int, str]], db: Db, tmp_path: Path
) -> None:
    make_key(db, tenant="demo")
    path = str(_write_csv(tmp_path / "c.csv", TABLE[:1]))
    warning = "No key of tenant 'dmeo' exists yet; existing tenants: demo (nearest: demo).\n"

    looked, applied = run("--tenant", "dmeo", path), run("--tenant", "dmeo", path, "--apply")

    assert looked[0] == applied[0] == 0
    assert looked[1].endswith(f"{warning}Nothing was written. Add --apply to store this.\n")
    assert applied[1].endswith(warning)
    assert db.customers.distinct("tenant") == ["dmeo"]
    assert "No key" not in run("--tenant", "demo", path, "--apply")[1]


def test_a_file_whose_name_is_not_text_is_refused(run: Callable[..., tuple[int, str]], db: Db, tmp_path: Path) -> None:
    _write_csv(tmp_path / "c.csv").rename(tmp_path / "bad\udcff.csv")

    code, told = run("--tenant", "acme", str(tmp_path / "bad\udcff.csv"), "--apply")

    assert (code, told.splitlines()[-1]) == (
        2,
        "scripts/import_customers.py: error: argument FILE: must be text in UTF-8",
    )
    assert db.customers.count_documents({}) + db.audit_events.count_documents({}) == 0


def test_an_import_that_cannot_be_told_of_stores_nothing(
    mongodb_uri: str, db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FINANCE_DATABASE", db.name)
    monkeypatch.setenv("FINANCE_ENCRYPTION_KEY", base64.b64encode(ENCRYPTION_KEY).decode())
    monkeypatch.setattr(
        "sys.argv", ["import_customers.py", "--tenant", "acme", str(_write_csv(tmp_path / "c.csv")), "--apply"]
    )
    db.command({"collMod": "audit_events", "validator": {"never": True}})

    assert import_customers.main() == 2

    assert db.customers.count_documents({}) == 0
