"""Files for spreadsheets: whatever the separator they are opened with, no cell of them begins like a formula."""

import csv
import io
import itertools
import unicodedata
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finance.context import utc_now
from finance.edge.exports import Table
from finance.edge.files.csv_files import CsvFile
from finance.edge.files.options import FileOptions
from finance.edge.files.workbooks import Evidence, write_workbook

TABLE = Table("t", ("number", "text", "amount", "after"), frozenset(("amount",)))
STARTS = "=+-@＝＋－＠﹦﹢﹣﹫−"
PIECES = [*STARTS, *";,\t\n\r\"' \u00a0\u3000\u200b\ufeff\u202e\u2028\x85\x0bx", "HYPERLINK(1)", "1", "\r\n"]
HOSTILE = [
    *("=1+1", "＝1+1", " =1+1", "\n=2+2", "x;=HYPERLINK(1)", "\t=1", "\r=1", "x\t=1", "x\n=1", "one\ntwo; @SUM(1)"),
    *('x;"=1', 'x\n"=1', '"=1', "'=1", "x;\n\t =1", "\u200b=1", "x;\ufeff+1", ";-1", "x\u2028=1", "\x0b=1", "x,=1"),
]


def _cells(text: str, delimiter: str) -> list[str]:
    return list(itertools.chain.from_iterable(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))


def _seen(cell: str) -> str:
    """Return a cell without what a reader may strip: space, control and format characters, quotes."""
    unseen = [c for c in set(cell) if c.isspace() or unicodedata.category(c) in ("Cc", "Cf") or c == '"']
    return cell.lstrip("".join(unseen))


def _csv_of(*texts: str, delimiter: str = ",") -> str:
    rows = [{"number": "PAY20260001", "text": text, "amount": "12.50", "after": text} for text in texts]
    return _csv_file(rows, delimiter=delimiter)


def _csv_file(rows: list[dict[str, Any]], **options: Any) -> str:
    return b"".join(CsvFile(TABLE, dict, FileOptions(**options)).chunks([rows])).decode("utf-8-sig")


def _workbook(rows: list[dict[str, Any]]) -> Any:
    file = io.BytesIO()
    evidence = Evidence(tenant="acme", by="key", filters={}, clock=utc_now)
    write_workbook(file, TABLE, dict, [rows], options=FileOptions(), evidence=evidence)
    return openpyxl.load_workbook(file)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("written", [",", ";", "\t"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_begins_like_a_formula_whatever_the_file_is_split_by(text: str, delimiter: str, written: str) -> None:
    cells = _cells(_csv_of(text, delimiter=written), delimiter)

    assert [cell for cell in cells if _seen(cell).startswith(tuple(STARTS))] == []


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.sampled_from(",;\t"), st.sampled_from(",;\t"))
def test_nor_does_any_text_made_of_such_pieces(text: str, delimiter: str, written: str) -> None:
    cells = _cells(_csv_of(text, delimiter=written), delimiter)

    assert [cell for cell in cells if _seen(cell).startswith(tuple(STARTS))] == []


@pytest.mark.parametrize(
    "text",
    ["Ada Lovelace", "a - b", "1+1=2", "me@example.com", "rent, - July", 'the "best"; really', "x;\ny", "'s", ""],
)
def test_text_that_is_harmless_stays_as_it_is(text: str) -> None:
    _header, row = csv.reader(io.StringIO(_csv_of(text), newline=""))

    assert row == ["PAY20260001", text, "12.50", text]


def test_amounts_are_numbers_and_texts_are_in_quotes() -> None:
    assert _csv_of("Ada").splitlines() == [
        '"number","text","amount","after"',
        '"PAY20260001","Ada",12.50,"Ada"',
    ]


@pytest.mark.parametrize(
    ("amount", "in_csv", "in_sheet"), [("=1+1", "'=1+1", "=1+1"), ("-12.50", "-12.50", -12.5), (None, "", None)]
)
def test_what_an_older_system_left_in_the_place_of_an_amount_is_text(
    amount: str | None, in_csv: str, in_sheet: object
) -> None:
    rows = [{"number": "N", "text": "t", "amount": amount, "after": "a"}]

    assert list(csv.reader(io.StringIO(_csv_file(rows))))[1][2] == in_csv
    assert _workbook(rows).active["C2"].value == in_sheet


@pytest.mark.parametrize("text", [*HOSTILE, "x\ufffey", "_x0041_"])
def test_in_a_sheet_every_text_is_a_text(text: str) -> None:
    rows = [{"number": "N", "text": text, "amount": "12.50", "after": "a"}]

    _header, row = _workbook(rows).active.iter_rows()

    assert [cell.data_type for cell in row] == ["s", "s", "n", "s"]
