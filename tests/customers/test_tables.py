"""Files as people save them: read as they are meant, or refused in one sentence that says what to do."""

import base64
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from finance.customers import tables
from finance.customers.imports import read_table
from finance.customers.tables import ROWS_MAX, UnreadableTable, read_lines
from tests.clients import ENCRYPTION_KEY
from tests.conftest import ROOT

TABLE = "customer_name,customer_code\nSociété,A\n"
READ = [["customer_name", "customer_code"], ["Société", "A"]]
SAVE_AS = "save it as 'CSV UTF-8' or as .xlsx"
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000)
HEAD = b"customer_name\n"


def _xlsx(*rows: list[object]) -> bytes:
    workbook = Workbook()
    for row in rows:
        workbook.active.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def _zip(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return file.getvalue()


def _with_sheet(xml: str) -> bytes:
    """Return a workbook whose sheet is this XML."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_xlsx(["customer_name"]))) as whole, zipfile.ZipFile(file, "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, xml if name == "xl/worksheets/sheet1.xml" else whole.read(name))
    return file.getvalue()


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha">{}]>'.format(
    "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(12))
)


@pytest.mark.parametrize(
    "raw",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        TABLE.encode("utf-16-be").join((b"\xfe\xff", b"")),
        TABLE.replace(",", "\t").encode("utf-16"),  # Excel's "Unicode Text"
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode(),
        ("sep=;\r\n" + TABLE.replace(",", ";")).encode("utf-8-sig"),
        ("SEP=\t\n" + TABLE.replace(",", "\t")).encode(),
        ("sep=|\n" + TABLE.replace(",", "|")).encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.replace("\n", "\r\n").encode(),
        _xlsx(*READ),
    ],
)
@pytest.mark.parametrize("name", ["c.csv", "customers"])
def test_what_can_be_read_is_read_whatever_its_name(tmp_path: Path, raw: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(raw)

    assert [line for line in read_lines(tmp_path / name) if line] == READ


REFUSED: list[tuple[str, bytes, str]] = [
    ("c.csv", TABLE.encode("cp1252"), f"is not in UTF-8 (line 2): open it in your spreadsheet and {SAVE_AS}."),
    ("c.csv", TABLE.encode("utf-16-le"), "holds NUL characters, so it is no text in UTF-8"),
    ("c.csv", TABLE.encode("utf-16")[:-1], f"is not in UTF-8 (line 2): open it in your spreadsheet and {SAVE_AS}."),
    ("c.csv", TABLE.encode("utf-32"), "holds NUL characters"),
    ("c.csv", HEAD + b"A\0B\n", "holds NUL characters"),
    ("c.csv", b"", "is empty: its first line must name the columns."),
    ("c.csv", b"\n\n", "is empty: its first line must name the columns."),
    ("c.xlsx", b"", "is empty: its first line must name the columns."),
    ("c.xlsx", _xlsx(), "is empty: its first line must name the columns."),
    ("c.xlsx", TABLE.encode(), f"is not the workbook that its name says: open it in your spreadsheet and {SAVE_AS}."),
    ("c.xls", OLE, f"is an old Excel workbook (.xls), whatever its name: open it in your spreadsheet and {SAVE_AS}."),
    ("c.csv", OLE, "is an old Excel workbook (.xls), whatever its name"),
    ("c.xlsx", OLE, "is an old Excel workbook (.xls), whatever its name"),
    ("c.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "is protected by a password: save it again without one."),
    ("c.ods", _zip(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "is an OpenDocument file (.ods)"),
    ("c.xlsx", _zip(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "is an OpenDocument file (.ods)"),
    ("c.xlsx", _zip(word__document_xml="<a/>"), "is not an Excel workbook (.xlsx), whatever its name"),
    ("c.xlsx", _zip(xl__workbook_xml="<a/>"), "can't be read as a workbook"),
    ("c.xlsx", _xlsx(*READ)[:-40], "is damaged"),
    ("c.xlsx", _with_sheet(LAUGHS + SHEET.format("<row><c><v>&a11;</v></c></row>")), "can't be read as a workbook"),
    ("c.xlsx", _with_sheet(SHEET.format('<row r="x"/>')), "can't be read as a workbook"),
    ("c.xls", b"\n<html><table><tr><td>customer_name", "is a web page or XML, whatever its name"),
    ("c.csv", HEAD + b'"Ada\n', "line 2 can't be read as CSV: a double quote is opened and never closed."),
    (
        "c.csv",
        HEAD + b'"Ada" Lovelace\n',
        "line 2 can't be read as CSV: a double quote within a cell has to be doubled",
    ),
    ("c.csv", HEAD + b"x" * 131_073, "a cell has more than 131072 characters; is a double quote before it not closed?"),
    ("c.csv", b"customer_name" + b"," * 1_000, "line 1 has more than 1000 columns."),
]


@pytest.mark.parametrize(("name", "raw", "sentence"), REFUSED)
def test_what_can_t_be_read_is_refused_with_what_to_do(tmp_path: Path, name: str, raw: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(raw)

    with pytest.raises(UnreadableTable) as refused:
        read_lines(tmp_path / name)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_workbook_that_unpacks_to_very_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "c.xlsx").write_bytes(_zip(xl__workbook_xml="<a/>", x="0" * (tables.UNPACKED_BYTES_MAX + 1)))

    with pytest.raises(UnreadableTable, match="unpacks to more than"):
        read_lines(tmp_path / "c.xlsx")


@pytest.mark.parametrize("row", [1_048_576, 99_999_999_999])
def test_a_sheet_may_claim_any_number_of_rows(tmp_path: Path, row: int) -> None:
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>customer_name</t></is></c></row><row r="{}"/>'
    (tmp_path / "c.xlsx").write_bytes(_with_sheet(SHEET.format(cells.format(row))))

    assert [line for line in read_lines(tmp_path / "c.xlsx") if line] == [["customer_name"]]


def test_rows_and_bytes_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(HEAD + b"Ada\n" * (ROWS_MAX + 1))

    with pytest.raises(UnreadableTable, match=f"has more than {ROWS_MAX} rows: split it"):
        read_lines(path)
    monkeypatch.setattr(tables, "FILE_BYTES_MAX", 1_000)
    with pytest.raises(UnreadableTable, match="has more than 1000 bytes: split it"):
        read_lines(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Customers 2026,\ncustomer_name,customer_code\nAda,A\n", "is it the first line that names them?"),
        (",\ncustomer_name,customer_code\n", "customer_name is missing: the first line must name the columns."),
        ("customer_name,customer_code\ncustomer_name,customer_code\nAda,A\n", "Line 2 names the columns again"),
        ("customer_name,,customer_code\nAda,,A\n", "Column 2 has no name: the first line must name every column."),
        ("customer_name,customer_code\nLovelace, Ada,A\n", "Line 2 has 3 cells and the first line names 2 columns"),
        ("customer_name,pan\nAda,A\n", "There is no column 'pan'; did you mean pan_number?"),
        ("customer_name,banking.1.ifcs\nAda,A\n", "no column 'banking.1.ifcs'; did you mean banking.ifsc?"),
        ("customer_name,banking.iban,banking.1.iban\nAda,A,B\n", "The column 'banking.iban' stands twice."),
        ("customer_name,\u202exx\nAda,A\n", "There is no column '\\u202exx'; is it the first line"),
    ],
)
def test_names_of_columns_that_can_t_be_are_refused_with_what_would_be_right(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableTable) as refused:
        read_table(tmp_path / "c.csv")

    assert sentence in str(refused.value)


def test_columns_without_a_name_at_the_end_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("customer_name,customer_code,,\nAda,A,,\n")

    assert [row.cells for row in read_table(tmp_path / "c.csv")] == [{"customer_name": "Ada", "customer_code": "A"}]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Path.mkdir, "is not a file"),
        (lambda path: None, "can't be read: No such file or directory."),
        (lambda path: path.write_bytes(OLE), "is an old Excel workbook"),
        (lambda path: path.write_bytes(TABLE.encode("cp1252")), "is not in UTF-8 (line 2)"),
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
