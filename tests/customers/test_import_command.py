"""scripts/import_customers.py, as it is started from a command line."""

import base64
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import environment
import import_customers
import openpyxl
import pytest

from finance.customers.columns import column_names
from finance.database import Db
from finance.tables.reading import read_table
from tests.clients import ENCRYPTION_KEY
from tests.conftest import ROOT
from tests.customers.tables import import_file, write_csv
from tests.older_systems import everything_in, mongoose_application


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Path.mkdir, "is not a file"),
        (lambda path: None, "can't be read: No such file or directory."),
        (lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1")), "is an old Excel workbook"),
        (lambda path: path.write_bytes("customer_name\nSociété\n".encode("cp1252")), "is not in UTF-8 (line 2)"),
        (lambda path: path.write_bytes(b"customer_name\x00"), "holds NUL"),
    ],
)
def test_the_script_ends_with_one_line_and_exit_code_2(
    tmp_path: Path, make: Callable[[Path], object], sentence: str
) -> None:
    make(tmp_path / "c.csv")
    script = [
        sys.executable,
        str(ROOT / "scripts" / "import_customers.py"),
        "--tenant",
        "acme",
        str(tmp_path / "c.csv"),
    ]
    env = {
        "PATH": "/usr/bin:/bin",
        "FINANCE_VENV": sys.prefix,
        "FINANCE_VAR": str(tmp_path / "var"),
        "MONGODB_URI": "mongodb://127.0.0.1:1",
        "FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
    }

    ended = subprocess.run(script, env=env, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if not line.startswith("Installing ")]) == 1


@pytest.fixture
def run(
    db: Db, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`run("--tenant", "acme", "c.csv")` gives the exit code of the script and what it said on stdout and stderr."""
    monkeypatch.setattr(environment, "enter", lambda *names: None)  # we are in it
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("FINANCE_DATABASE", db.name)
    monkeypatch.setenv("FINANCE_ENCRYPTION_KEY", base64.b64encode(ENCRYPTION_KEY).decode())

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["import_customers.py", *map(str, arguments)])
        try:
            code = import_customers.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


Run = Callable[..., tuple[int, str, str]]


def test_a_look_names_the_fields_that_would_change_and_what_is_left_behind(run: Run, db: Db, tmp_path: Path) -> None:
    import_file(
        db, write_csv(tmp_path / "c.csv", {"customer_code": "A", "customer_name": "Ada", "tds.applicable": "no"})
    )
    row = {"customer_code": "A", "tds": "(remove)", "banking.1.account_number": "000987654321", "contacts.count": "2"}

    code, out, _err = run("--tenant", "acme", write_csv(tmp_path / "d.csv", row))

    assert code == 0
    assert out == (
        "line 2: would be updated A: banking.1.account_number, tds.applicable (removed)\n"
        "    0 of its 2 contacts are taken: there is no place for more.\n"
        "1 would be updated\n"
    )


@pytest.mark.parametrize("name", ["new.csv", "new.XLSX"])
def test_a_template_that_is_filled_in_with_a_name_is_imported(run: Run, db: Db, tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    assert run("--template", path) == (0, "", "")

    columns = read_table(path).columns
    assert columns[:2] == ("customer_code", "customer_name")
    assert {"gst_details.1.gstin", "tds.rate", "banking.1.account_number", "terms_conditions.notes"} <= {*columns}
    row = {"customer_name": "Ada", "banking.1.account_number": "000123456"}
    if name.endswith("csv"):
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([row.get(column, "") for column in columns])
    else:
        workbook = openpyxl.load_workbook(path)
        workbook.worksheets[0].append([row.get(column) for column in columns])
        workbook.save(path)
    assert run("--tenant", "acme", path, "--apply")[:2] == (0, "line 2: created CUST-000001\n1 created\n")
    assert db.customers.count_documents({"customer_name": "Ada"}) == 1


def test_the_columns_of_a_template_are_formatted_as_text(run: Run, tmp_path: Path) -> None:
    run("--template", tmp_path / "new.xlsx")

    workbook = openpyxl.load_workbook(tmp_path / "new.xlsx")

    sheet = workbook.worksheets[0]
    groups = sheet.column_dimensions.values()  # neighbours of one width are one group
    assert {group.number_format for group in groups} == {"@"}
    assert max(group.max for group in groups) == sheet.max_column == len([*column_names()])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--template", "there.csv"), "there.csv exists already, and nothing was written: name another file."),
        (("--template", "new.txt"), "must end in .csv or .xlsx."),
        (("--template", "none/new.csv"), "can't be written: No such file or directory."),
        (("--template", "new.csv", "--tenant", "acme"), "goes with nothing else"),
        (("--tenant", "acme"), "--tenant and FILE are required (or --template FILE)"),
    ],
)
def test_a_template_never_replaces_a_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("mine")

    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert sentence in err
    assert Path("there.csv").read_text() == "mine"


def test_a_dump_of_the_older_application_is_known_by_what_is_in_it(run: Run, db: Db, tmp_path: Path) -> None:
    fields = {"code": "CUST-301819", "name": "Ada", "is_active": True}
    (tmp_path / "master.txt").write_text(json.dumps([{"model": "master.customer", "pk": 1, "fields": fields}]))

    code, out, err = run("--tenant", "acme", tmp_path / "master.txt", "--apply")

    assert (code, out) == (0, "object 1: created CUST-301819\n1 created\n")
    assert "Left out, as there is no place for it: customer.is_active (1)." in err
    assert db.audit_events.find_one({"action": "imported"})["details"] == {"file": "master.txt", "rows": 1}


def test_hidden_rows_are_told_of(run: Run, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in (["customer_name"], ["Ada"], ["Bob"]):
        workbook.worksheets[0].append(row)
    workbook.worksheets[0].row_dimensions[3].hidden = True
    workbook.save(tmp_path / "c.xlsx")

    assert (
        "1 of the rows are hidden in the sheet; they are read like the others."
        in run("--tenant", "acme", tmp_path / "c.xlsx")[2]
    )


def test_whose_database_it_is_comes_first_and_anothers_is_left_as_it_is(run: Run, db: Db, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "c.csv", {"customer_name": "Ada"})
    assert "Whose documents: ours" in run("--tenant", "acme", file)[2]
    db.payments.drop()
    mongoose_application(db)
    before = everything_in(db)

    code, out, err = run("--tenant", "acme", file, "--apply")

    assert (code, out) == (2, "")
    assert err.startswith(f"Database: {db.name}, MongoDB ")
    assert "Whose documents: another software's" in err
    assert everything_in(db) == before
