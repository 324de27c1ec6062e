"""The columns of a table of customers: the fields of the form, and what a cell in each of them says.

An empty cell says nothing. `(remove)` says that nothing is to be there, also of a whole part (`tds`) or of one of its
places (`banking.2`). `banking.count` says how many there are, so that none is left behind unseen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from finance.customers.schemas import CustomerFormSchema
from finance.edge.fields import AmountText, Checked, Choice, Flag, WholeNumber
from finance.edge.hints import nearest, schema_of
from finance.errors import FieldError, Invalid
from finance.said import said
from finance.tables.cells import Cell, Kind, UnreadableTable, problem_of

SCHEMA = CustomerFormSchema()
REMOVE = "(remove)"
LISTS = tuple(name for name, declared in SCHEMA.fields.items() if isinstance(declared, fields.List))
IDENTITIES = ("customer_code", "pan_number", "customer_name")
# Of these a customer has fewer places than an older system may have: what is left behind is told, and not refused.
OTHERS_COUNTED = ("contacts", "addresses")
_TRUE, _FALSE = ("true", "yes", "y", "1"), ("false", "no", "n", "0")


@dataclass(frozen=True)
class Column:
    """What a column is about: a field of the form, of a part, or of a part's place; or a part or place as a whole."""

    name: str
    part: str
    place: int | None = None
    field: str | None = None


@dataclass(frozen=True)
class Told:
    """What a row says: a value (or REMOVE) by column, and of what it says there are how many."""

    values: Mapping[Column, Any]
    counts: Mapping[str, int]


def parse_columns(names: Sequence[str]) -> dict[str, Column]:
    """Return what the columns are about, by their names; raises UnreadableTable where they aren't of a form."""
    columns: dict[str, Column] = {}
    for name in names:
        column = _parse_column(name)
        twin = next((other for other in columns.values() if _about(other) == _about(column)), None)
        if twin is not None:  # banking.iban is banking.1.iban
            raise UnreadableTable(
                said(
                    "The columns {first!r} and {second!r} are the same: keep one of them.", first=twin.name, second=name
                )
            )
        columns[name] = column
    if not any(name in columns for name in IDENTITIES):
        raise UnreadableTable(
            said(
                "The column customer_name is missing (or customer_code, or pan_number, by which a "
                "customer is known): the first line must name the columns."
            )
        )
    return columns


def column_names() -> Iterator[str]:
    """Yield the fields of the form as a table has them: `tds.rate`; `banking.1.iban` for those that may be several."""
    for name, declared in SCHEMA.fields.items():
        part = schema_of(declared)
        place = ".1" if name in LISTS else ""
        yield from (name,) if part is None else (f"{name}{place}.{member}" for member in part.fields)


def parse_cells(cells: Mapping[str, Cell], columns: Mapping[str, Column]) -> Told:
    """Return what a row says; raises Invalid with each cell that can't be what was meant."""
    values: dict[Column, Any] = {}
    counts: dict[str, int] = {}
    refused: list[FieldError] = []
    for name, cell in cells.items():
        column = columns[name]
        if cell.kind == "text" and not cell.text.strip():
            continue
        try:
            if column.field == "count":
                counts[column.part] = _count(cell)
            else:
                values[column] = _value(column, cell)
        except ValueError as error:
            refused.append(FieldError(said("{name} {problem}", name=name, problem=error.args[0])))
    if refused:
        raise Invalid(errors=refused)
    return Told(values, counts)


def _value(column: Column, cell: Cell) -> Any:
    """Return a cell as the form has it: true and false, whole numbers, everything else as a text."""
    declared = field_of(column)
    problem = problem_of(cell, *_kinds(declared))
    if problem:
        raise ValueError(problem)
    text = cell.text.strip()
    if text.lower() == REMOVE:
        return REMOVE
    if declared is None:
        raise ValueError(
            said("takes only {mark}, which removes all of it; its fields have columns of their own.", mark=REMOVE)
        )
    if isinstance(declared, Flag):
        return text.lower() in _TRUE if text.lower() in (*_TRUE, *_FALSE) else text
    if isinstance(declared, WholeNumber) and re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return int(text)
    return text


def field_of(column: Column) -> Any:
    """Return the field of the schema that a column is about, None where it is about all of a part or a place."""
    declared = SCHEMA.fields[column.part]
    part = schema_of(declared)
    if part is None:
        return declared
    return part.fields[column.field] if column.field else None


def _kinds(declared: Any) -> tuple[Kind, ...]:
    """Return which kinds of cells are taken beside texts. A number isn't where it would have lost its zeros."""
    if isinstance(declared, Flag):
        return ("flag", "number")
    is_number = isinstance(declared, WholeNumber | AmountText) or getattr(declared, "_numeric", False)
    is_code = isinstance(declared, Checked | Choice) and not is_number
    return () if declared is None or is_code else ("number",)


def _count(cell: Cell) -> int:
    text = cell.text.strip()
    if problem_of(cell, "number") or not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise ValueError(said("must be how many there are, a whole number."))
    return int(text)


def _parse_column(name: str) -> Column:
    match = re.fullmatch(r"([a-z_]+)(?:\.(\d{1,3}))?(?:\.([a-z_]+))?", name, re.ASCII)
    if match is None:
        raise _no_such(name)
    part, digits, field = match.groups()
    place = int(digits) if digits else None
    if field == "count" and place is None and part in (*LISTS, *OTHERS_COUNTED):
        return Column(name, part, None, field)
    declared = SCHEMA.fields.get(part)
    members = schema_of(declared) if declared else None
    if members is None:
        known = declared is not None and place is None and field is None
    else:
        known = (field is None or field in members.fields) and (part in LISTS or place is None) and place != 0
    if not known:
        raise _no_such(name)
    return Column(name, part, 1 if place is None and field and part in LISTS else place, field)


def _about(column: Column) -> tuple[str, int | None, str | None]:
    return column.part, column.place, column.field


def _no_such(name: str) -> UnreadableTable:
    meant = nearest(re.sub(r"\.\d+", "", name), [re.sub(r"\.\d+", "", known) for known in column_names()])
    if meant:
        return UnreadableTable(
            said(
                "There is no column {name!r}; did you mean {meant}? docs/customers.md has their names.",
                name=name[:60],
                meant=meant,
            )
        )
    return UnreadableTable(
        said(
            "There is no column {name!r}; is it the first line that names them? docs/customers.md has their names.",
            name=name[:60],
        )
    )
