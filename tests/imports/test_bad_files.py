"""Files made to hurt: told in one sentence, in little memory, and others are answered meanwhile."""

import io
import zipfile

import pytest

from finance.imports import reading
from finance.tables.cells import Limits
from tests.imports.conftest import HEAD, Uploads, xlsx_of

_BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">{}]><sst xmlns="{}"><si><t>&a20;</t></si></sst>'
_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _with(book: bytes, name: str, data: bytes) -> bytes:
    """Return a workbook with another file in the place of one of its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after:
        for member in before.namelist():
            after.writestr(member, data if member == name else before.read(member))
        if name not in before.namelist():
            after.writestr(name, data)
    return made.getvalue()


def _entities() -> bytes:
    entities = '<!ENTITY a0 "&a;">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 21))
    return _BOMB.format(entities, _SPREADSHEET).encode()


def _sheet(inside: bytes) -> bytes:
    return b'<worksheet xmlns="' + _SPREADSHEET.encode() + b'">' + inside + b"</worksheet>"


BOOK = xlsx_of(["amount", "currency", "payer", "method"], [1, "EUR", "A", "card"])
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (_with(BOOK, SHEET, b"<worksheet>" + b" " * 3_000_000), "b.xlsx", "unpacks to more than"),
        (_with(BOOK, "xl/sharedStrings.xml", b"<sst>" + b" " * 1_500_000), "b.xlsx", "unpacks to more than"),
        (_with(BOOK, "xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 60_000), "b.xlsx", "has too many texts or styles"),
        (_with(BOOK, "xl/styles.xml", b"<a>" + b"<x/>" * 6_000), "b.xlsx", "has too many texts or styles"),
        (_with(BOOK, SHEET, _sheet(b"<cols>" + b"<col/>" * 20_000 + b"</cols>")), "b.xlsx", "too many texts or styles"),
        (_with(BOOK, SHEET, _sheet(b"<sheetData>" + b" " * 2_200_000 + b"</sheetData>")), "b.xlsx", "a cell with more"),
        (_with(BOOK, SHEET, _entities()), "b.xlsx", "can't be read as a workbook"),
        (b"," * 1_000_000, "b.csv", "more than 1000 columns"),
        (HEAD.encode() + b'"' + b"x" * 200_000, "b.csv", "a cell has more than 131072 characters"),
        (HEAD.encode() + b"1\0,EUR", "b.csv", "holds NUL characters"),
        (HEAD.encode("utf-16-le"), "b.csv", "holds NUL characters"),
        (HEAD.encode() + "é".encode("latin-1"), "b.csv", "is not in UTF-8 (line 2)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "b.xls", "is an old Excel workbook"),
        (b"x", "b.xlsx", "is not the workbook that its name says"),
    ],
)
def test_it_is_told_what_is_wrong(
    uploads: Uploads, data: bytes, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIMITS", Limits(unpacked_bytes=2_500_000, held_bytes=1_000_000, tags=50_000))

    upload = uploads.check(data, name=name)

    assert upload["status"] == "refused"
    assert said in upload["failure"]


def test_utf_16_with_its_mark_is_read_and_formulas_are_refused_by_row(uploads: Uploads) -> None:
    rows = "1,EUR,A,card,,\n2,EUR,=1+1,card,,\n3,EUR,#N/A,card,,\n"
    upload = uploads.check((HEAD + rows).encode("utf-16"))

    assert [row[1] for row in uploads.rows(upload)] == ["new", "refused", "refused"]
    assert uploads.rows(upload)[1][2].startswith("payer is a formula without its value")


def test_merged_cells_are_refused(uploads: Uploads) -> None:
    with zipfile.ZipFile(io.BytesIO(BOOK)) as book:
        sheet = book.read(SHEET)
    merged = sheet.replace(b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="A1:B2"/></mergeCells>')

    assert "the cells A1:B2 are merged" in uploads.check(_with(BOOK, SHEET, merged), name="m.xlsx")["failure"]


def test_names_of_files_are_names(uploads: Uploads) -> None:
    names = {
        "../../etc/passwd": "passwd",
        "C:\\a\\b.csv": "b.csv",
        "": "file",
        "..": "file",
        "a\0<b>\n.csv": "a__b__.csv",
    }
    for place, (given, kept) in enumerate(names.items()):
        assert uploads.receive(b"x" * (place + 1), name=given).upload["name"] == kept
        uploads.client.db.imports.delete_many({})


def test_a_long_name_in_another_script_is_no_hindrance(uploads: Uploads) -> None:
    assert uploads.check(HEAD.encode() + b"1,EUR,A,card,,\n", name="\u754c" * 200 + ".csv")["status"] == "checked"


def test_many_files_wait_and_then_no_more_are_taken(uploads: Uploads) -> None:
    for place in range(5):
        uploads.receive(b"x" * (place + 1))
    with pytest.raises(Exception, match="Too many files"):
        uploads.receive(b"more")


def test_empty_files_are_not_kept(uploads: Uploads) -> None:
    with pytest.raises(Exception, match="The file is empty"):
        uploads.receive(b"")
    assert uploads.client.db.imports.count_documents({}) == 0
