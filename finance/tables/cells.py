"""What a table is made of: lines of cells, each with its text and with what kind of cell holds it."""

from typing import Literal, NamedTuple

from finance.errors import Invalid
from finance.said import said

COLUMNS_MAX = 1_000
SAVE_AS = said("open it in your spreadsheet and save it as 'CSV UTF-8' or as .xlsx")

# A CSV file has texts only, and among them formulas and errors; the others are of workbooks.
Kind = Literal["text", "number", "percent", "date", "flag", "error", "formula", "rounded"]


class Cell(NamedTuple):
    """A number, also a percentage (0.18 for 18 %), is written without an exponent; a date as ISO 8601 has it."""

    text: str
    kind: Kind = "text"


class Line(NamedTuple):
    """A line up to its last cell that isn't empty (a CSV file's: all its cells), and its number in the spreadsheet."""

    number: int
    cells: list[Cell]
    is_hidden: bool = False


class UnreadableTable(Invalid):
    pass


class TooLargeTable(UnreadableTable):
    """It may be right, and is more than is read here."""


class Limits(NamedTuple):
    """How much of a file is read.

    An XLSX is a ZIP: `unpacked` is all of it, `held` what is in memory meanwhile, `tags` how many tags the texts of its
    cells have; the other parts that are held, a tenth of that.
    """

    rows: int = 1_000_000
    unpacked_bytes: int = 768 * 1024 * 1024
    held_bytes: int = 96 * 1024 * 1024
    tags: int = 100_000_000


ORDINARY = Limits()


EMPTY = Cell("")
ERRORS = frozenset(
    ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA")
)
_NULLS = ("NULL", r"\N")  # as MySQL writes them
# These two are also of JSON, where there is no column to format.
_AS_TEXT = said("write it as a text (in a workbook: format the column as text and write it again).")
_PROBLEM_BY_KIND: dict[Kind, str] = {
    "formula": said(
        "is a formula without its value: open the file in your spreadsheet and save it, or paste the value."
    ),
    "error": said("is an error of the spreadsheet, such as #N/A: mend its formula, or write the value itself."),
    "rounded": said("is a long number that the spreadsheet has rounded: format the column as text and write it again."),
    "date": said("was made a date by the spreadsheet: format the column as text and write it again."),
    "percent": said("is formatted as a percentage, so that 18 % is held as 0.18: format it as a number and write 18."),
    "flag": said("is TRUE or FALSE, and no text: {remedy}", remedy=_AS_TEXT),
    "number": said("is a number, which has lost the zeros it may begin with: {remedy}", remedy=_AS_TEXT),
}


def problem_of(cell: Cell, *taken: Kind) -> str | None:
    """Return why a cell can't be used where texts and the kinds `taken` can, and what to do; None where it can."""
    text = cell.text.strip()
    if cell.kind == "text" and text in _NULLS:
        return said("is {text}, with which databases write that there is nothing: leave the cell empty.", text=text)
    return None if cell.kind == "text" or cell.kind in taken else _PROBLEM_BY_KIND[cell.kind]


def cell_of_text(text: str) -> Cell:
    """Return a text cell; one that a spreadsheet would show as an error or calculate is no text."""
    if text[:1] == "#" and text.strip() in ERRORS:
        return Cell(text, "error")
    return Cell(text, "formula") if text[:1] == "=" else Cell(text)
