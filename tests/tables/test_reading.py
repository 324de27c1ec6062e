"""Files as people save them: read as they are meant, or refused in one sentence that says what to do."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from finance.tables import reading
from finance.tables.cells import Cell, Limits, UnreadableTable
from finance.tables.reading import Table, read_table

TABLE = "customer_name,customer_code\nSociété,A\n"
READ = [["customer_name", "customer_code"], ["Société", "A"]]


def _texts(table: Table) -> list[list[str]]:
    return [list(table.columns), *([cell.text for cell in row.cells.values()] for row in table.rows())]


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

    assert _texts(read_table(tmp_path / name)) == READ


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
        read_table(tmp_path / name)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_workbook_that_unpacks_to_very_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "c.xlsx").write_bytes(_zip(xl__workbook_xml="<a/>", x="0" * 20_001))

    for limits in (Limits(held_bytes=20_000), Limits(unpacked_bytes=20_000)):
        with pytest.raises(UnreadableTable, match="unpacks to more than 20000 bytes"):
            read_table(tmp_path / "c.xlsx", limits)


def test_a_row_of_a_million_cells_is_refused_before_it_is_held(tmp_path: Path) -> None:
    (tmp_path / "c.xlsx").write_bytes(_with_sheet(SHEET.format(f'<row r="1">{"<c/>" * 250_000}</row>')))
    (tmp_path / "c.csv").write_bytes(b"a" + b"," * 500_000)

    for name in ("c.xlsx", "c.csv"):
        tracemalloc.start()
        with pytest.raises(UnreadableTable, match="more than 1000 columns"):
            read_table(tmp_path / name)
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 60 * 1024 * 1024


def test_a_workbook_of_our_own_is_read_from_its_second_sheet(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.active.title = "À propos du fichier"
    workbook.active.append(["Organisation", "acme"])
    workbook.create_sheet("Clients").append(["customer_name"])
    workbook.save(tmp_path / "c.xlsx")

    assert _texts(read_table(tmp_path / "c.xlsx")) == [["customer_name"]]


@pytest.mark.parametrize("row", [1_048_576, 99_999_999_999])
def test_a_sheet_may_claim_any_number_of_rows(tmp_path: Path, row: int) -> None:
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>customer_name</t></is></c></row><row r="{}"/>'
    (tmp_path / "c.xlsx").write_bytes(_with_sheet(SHEET.format(cells.format(row))))

    assert _texts(read_table(tmp_path / "c.xlsx")) == [["customer_name"]]


def test_rows_and_bytes_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(HEAD + b"Ada\n" * 301)

    with pytest.raises(UnreadableTable, match="has more than 300 rows: split it"):
        read_table(path, Limits(rows=300))
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 1_000)
    with pytest.raises(UnreadableTable, match="has more than 1000 bytes: split it"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("customer_name,customer_code\ncustomer_name,customer_code\nAda,A\n", "Line 2 names the columns again"),
        ("customer_name,,customer_code\nAda,,A\n", "Column 2 has no name: the first line must name every column."),
        ("customer_name,Customer_Name \nAda,A\n", "The column 'customer_name' stands twice."),
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
    (tmp_path / "c.csv").write_text("\n,\ncustomer_name,customer_code,,\nAda,A,,\n,,,\nBob\n")

    rows = [*read_table(tmp_path / "c.csv").rows()]

    assert [{name: cell.text for name, cell in row.cells.items()} for row in rows] == [
        {"customer_name": "Ada", "customer_code": "A"},
        {"customer_name": "Bob"},
    ]
    assert [(row.line, row.problem) for row in rows] == [(4, None), (6, None)]


@pytest.mark.parametrize("text", ["Lovelace, Ada,A", "Lovelace, Ada,,", "Ada,A,"])
def test_a_row_with_a_cell_too_many_is_told_apart_from_the_others(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.csv").write_text(f"name,code\nBob,B\n{text}\nCarl,C\n")

    rows = [*read_table(tmp_path / "c.csv").rows()]

    assert [row.line for row in rows if row.problem] == [3]
    assert "cells and the first line names 2 columns: a cell that holds the separator" in str(rows[1].problem)


def test_a_formula_that_gives_an_empty_text_is_an_empty_cell_and_one_never_calculated_is_not(tmp_path: Path) -> None:
    names = '<row><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row>'
    row = '<row><c t="str"><f>""</f><v></v></c><c><f>1+1</f></c></row>'
    (tmp_path / "c.xlsx").write_bytes(_with_sheet(SHEET.format(names + row)))

    (read,) = read_table(tmp_path / "c.xlsx").rows()

    assert read.cells == {"a": Cell(""), "b": Cell("", "formula")}


def test_however_many_rows_a_file_has_it_is_not_held_in_memory(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        (tmp_path / "c.csv").write_bytes(HEAD + b"Ada Lovelace\n" * rows)
        tracemalloc.start()
        try:
            assert sum(1 for _row in read_table(tmp_path / "c.csv").rows()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < peak(1_000) + 100_000  # the file itself is 260 kB, and as cells some 5 MB
