"""The cells of a workbook: what they hold, and what of it can't be taken for what was meant."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from finance.tables.cells import Cell, UnreadableTable, problem_of
from finance.tables.reading import Row, read_table


def _rows(path: Path, *rows: list[Any], **formats: str) -> list[Row]:
    """Return the rows that are read of a sheet with the columns a, b, …; `A2="0%"` formats a cell."""
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(["a", "b", "c"])
    for row in rows:
        sheet.append(row)
    for cell, shown in formats.items():
        sheet[cell].number_format = shown
    workbook.save(path / "t.xlsx")
    return [*read_table(path / "t.xlsx").rows()]


@pytest.mark.parametrize(
    ("value", "shown", "cell"),
    [
        ("00123", "General", Cell("00123")),
        (123, "General", Cell("123", "number")),
        (18.5, "0.00", Cell("18.5", "number")),
        (1e12, "General", Cell("1000000000000", "number")),
        (1e-7, "General", Cell("0.0000001", "number")),
        (1e15, "General", Cell("1000000000000000", "rounded")),
        (12345678901234567, "0", Cell("12345678901234570", "rounded")),
        (-3, "General", Cell("-3", "number")),
        (0.18, "0%", Cell("0.18", "percent")),
        (0.18, '#,##0.00 %;[Red]"minus" 0 %', Cell("0.18", "percent")),
        (18, '0" %"', Cell("18", "number")),
        (18, r"0\%", Cell("18", "number")),
        (True, "General", Cell("true", "flag")),
        (date(2026, 2, 1), "yyyy-mm-dd", Cell("2026-02-01", "date")),
        (datetime(2026, 2, 1, 12, 30), "yyyy-mm-dd hh:mm", Cell("2026-02-01T12:30:00", "date")),  # noqa: DTZ001
        ("#N/A", "General", Cell("#N/A", "error")),
        ("=1+1", "General", Cell("", "formula")),
    ],
)
def test_a_cell_tells_what_it_holds(tmp_path: Path, value: object, shown: str, cell: Cell) -> None:
    (row,) = _rows(tmp_path, ["x", value], B2=shown)

    assert row.cells["b"] == cell


def test_what_is_no_text_is_refused_with_what_to_do_unless_it_is_wanted() -> None:
    assert problem_of(Cell("Ada")) is None
    assert problem_of(Cell("1", "number"), "number") is None
    for kind in ("formula", "error", "rounded", "date", "percent", "flag", "number"):
        said = str(problem_of(Cell("", kind)))
        assert ":" in said  # what is wrong: what to do
        assert said.endswith(".")


def test_a_csv_file_shows_errors_and_formulas_as_text_and_so_they_are_known_by_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b,c\n#N/A,=1+1,"#1, Main Road"\n')

    (row,) = read_table(tmp_path / "t.csv").rows()

    assert [cell.kind for cell in row.cells.values()] == ["error", "formula", "text"]


def test_a_formula_is_what_it_was_last_calculated_to(tmp_path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(tmp_path / "t.xlsx"))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["a", "b", "c"])
    sheet.write_formula(1, 0, '="A"&1', None, "A1")
    sheet.write_formula(1, 1, "=6*7", None, 42)
    workbook.close()

    (row,) = read_table(tmp_path / "t.xlsx").rows()

    assert list(row.cells.values()) == [Cell("A1"), Cell("42", "number")]


def _saved(path: Path, change: Any) -> Path:
    workbook = Workbook()
    for row in (["a", "b"], ["1", "2"], ["3", "4"]):
        workbook.worksheets[0].append(row)
    change(workbook, workbook.worksheets[0])
    workbook.save(path / "t.xlsx")
    return path / "t.xlsx"


def test_merged_cells_are_refused_with_their_name(tmp_path: Path) -> None:
    def merge(_workbook: Workbook, sheet: Worksheet) -> None:
        sheet.merge_cells("A2:A3")

    with pytest.raises(UnreadableTable, match="the cells A2:A3 are merged; unmerge them and fill in each of them"):
        read_table(_saved(tmp_path, merge))


def test_hidden_rows_are_read_and_counted(tmp_path: Path) -> None:
    def hide(_workbook: Workbook, sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True

    table = read_table(_saved(tmp_path, hide))

    assert (table.rows_count, table.rows_hidden) == (2, 1)
    assert [row.cells["a"].text for row in table.rows()] == ["1", "3"]


def test_the_first_sheet_that_is_shown_is_read(tmp_path: Path) -> None:
    def add_hidden(workbook: Workbook, _sheet: Worksheet) -> None:
        workbook.create_sheet("before", 0).sheet_state = "hidden"
        workbook.active = 1

    assert read_table(_saved(tmp_path, add_hidden)).columns == ("a", "b")
