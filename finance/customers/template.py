"""A table of customers without a row: the columns that an import takes, to be filled in."""

import csv
from collections.abc import Iterator
from pathlib import Path

import xlsxwriter

from finance.customers.columns import REMOVE, column_names, field_of, parse_columns
from finance.edge.fields import AmountText, Flag, WholeNumber
from finance.errors import Invalid

SUFFIXES = (".csv", ".xlsx")
_WIDTH = 24
_INTRODUCTION = (
    "Only customer_name is required. customer_code, else pan_number, else customer_name tells who a row is about.",
    f"An empty cell leaves what is stored; {REMOVE} removes it.",
    "For a second account (GSTIN, product) add columns with .2. in their names, such as banking.2.iban.",
    "The columns are formatted as text, so that account numbers keep their zeros. A rate of 18 % is written 18.",
)

_REQUIRED_BY_COLUMN = {
    "customer_name": "required for a new customer",
    "gst_details.1.gstin": "required beside its state or address",
    "products_services.1.name": "required beside its price or code",
    "tds.applicable": "required beside its rate or section",
    "banking.1.account_number": "this or the iban, beside a bank",
    "terms_conditions.currency": "required beside the credit_limit",
}


class TemplateNotWritten(Invalid):
    pass


def write_template(path: Path) -> None:
    """Write a file with all columns and no row; raises TemplateNotWritten where there is a file already."""
    if path.suffix.lower() not in SUFFIXES:
        raise TemplateNotWritten(f"--template {path} must end in .csv or .xlsx.")
    try:
        with path.open("xb"):
            pass
        (_write_csv if path.suffix.lower() == ".csv" else _write_workbook)(path)
    except FileExistsError:
        raise TemplateNotWritten(f"{path} exists already, and nothing was written: name another file.") from None
    except OSError as error:
        raise TemplateNotWritten(f"{path} can't be written: {error.strerror or type(error).__name__}.") from error


def _write_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerow(column_names())


def _write_workbook(path: Path) -> None:
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False}) as workbook:
        text, bold = workbook.add_format({"num_format": "@"}), workbook.add_format({"bold": True})
        customers, help_sheet = workbook.add_worksheet("Customers"), workbook.add_worksheet("Columns")
        customers.freeze_panes(1, 0)
        for place, name in enumerate(column_names()):
            customers.set_column(place, place, max(len(name) + 2, 12), text)
            customers.write_string(0, place, name, bold)
        for line, sentence in enumerate(_INTRODUCTION):
            help_sheet.write_string(line, 0, sentence)
        for line, (name, said) in enumerate(_meanings(), start=len(_INTRODUCTION) + 1):
            help_sheet.write_string(line, 0, name)
            help_sheet.write_string(line, 1, said)
        help_sheet.set_column(0, 1, _WIDTH * 2)


def _meanings() -> Iterator[tuple[str, str]]:
    columns = parse_columns([*column_names()])
    for name, column in columns.items():
        declared = field_of(column)
        if isinstance(declared, Flag):
            said = "yes or no"
        elif isinstance(declared, WholeNumber | AmountText) or getattr(declared, "_numeric", False):
            said = "a number"
        else:
            said = "text"
        yield name, f"{said}, {_REQUIRED_BY_COLUMN[name]}" if name in _REQUIRED_BY_COLUMN else said
