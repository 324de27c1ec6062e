"""Customers from a table: the columns of the form, one customer a row, and a verdict for each.

A row is known again by its customer code, and without one by its PAN; so importing a file twice changes nothing.
Columns that the file doesn't have leave what is stored; an empty cell in one that it has removes it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from marshmallow import ValidationError, fields

from finance.asked import Asked
from finance.customers import saving, service, store
from finance.customers.model import Book, Customer, Form, PostedForm, etag_of, form_of, identities_of, status_of
from finance.customers.schemas import CustomerFormSchema
from finance.edge.hints import nearest, schema_of
from finance.errors import Conflict, Invalid, PreconditionFailed
from finance.paging import PageWanted
from finance.tables.cells import UnreadableTable, problem_of
from finance.tables.reading import Row as TableRow
from finance.tables.reading import read_table as read_any_table

Verdict = Literal["created", "updated", "unchanged", "refused"]
IMPORTED_BY = "import"
_TRUE, _FALSE = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
_SCHEMA = CustomerFormSchema()


@dataclass(frozen=True)
class Row:
    """A line of the table: its number in the file, and its cells by column."""

    line: int
    cells: Mapping[str, str]
    problem: str | None = None


@dataclass(frozen=True)
class RowVerdict:
    line: int
    verdict: Verdict
    customer_code: str | None = None
    problems: tuple[str, ...] = ()


def read_table(path: Path) -> list[Row]:
    """Return the rows of a CSV or XLSX file; raises UnreadableTable where they aren't those of a form."""
    table = read_any_table(path)
    _require_columns(list(table.columns))
    return [_row(row) for row in table.rows()]


def _row(row: TableRow) -> Row:
    problems = [
        f"{column} {problem_of(cell, 'number', 'flag')}"
        for column, cell in row.cells.items()
        if problem_of(cell, "number", "flag")
    ]
    return Row(
        row.line, {name: cell.text for name, cell in row.cells.items()}, row.problem or next(iter(problems), None)
    )


def import_rows(book: Book, asked: Asked, *, rows: Iterable[Row], apply: bool, confirmed: bool) -> Iterator[RowVerdict]:
    """Yield the verdict on each row, and store it where `apply`. A row is stored whole or not at all."""
    run = _Run(book, asked, apply, confirmed)
    for row in rows:
        try:
            yield _import_row(run, row)
        except ValidationError as error:
            yield RowVerdict(row.line, "refused", problems=tuple(_problems(error.messages_dict)))
        except (Invalid, Conflict, PreconditionFailed) as error:
            details = [f"{e.pointer or ''} {e.detail}".strip("/ ") for e in error.errors] or [error.detail]
            yield RowVerdict(row.line, "refused", problems=tuple(details))


@dataclass(frozen=True)
class _Run:
    """One import; `line_by_identity` holds the codes, PANs and GSTINs of the lines before."""

    book: Book
    asked: Asked
    apply: bool
    confirmed: bool
    line_by_identity: dict[str, int] = field(default_factory=dict)


def _import_row(run: _Run, row: Row) -> RowVerdict:
    if row.problem:
        raise Invalid(row.problem)
    posted: PostedForm = _SCHEMA.load(_form_of_cells(row.cells))
    identity = posted.get("customer_code") or posted.get("pan_number")
    if identity is None:
        raise Invalid("Needs a customer_code or a pan_number, by which it is known when the file is imported again.")
    stored = _find_stored(run.book, run.asked.tenant, posted)
    form = _completed(posted, form_of(stored), row.cells)
    _require_once(row.line, [identity, *([] if run.confirmed else identities_of(form))], run.line_by_identity)
    code = stored["customer_code"] if stored else posted.get("customer_code")
    if form == form_of(stored):
        return RowVerdict(row.line, "unchanged", code)
    return RowVerdict(row.line, "updated" if stored else "created", _store(run, code, form, stored))


def _store(run: _Run, code: str | None, form: Form, stored: Customer | None) -> str | None:
    """Store the form where the import applies, else raise what would refuse it; return the customer's code."""
    posted, confirmed = cast(PostedForm, form), run.confirmed
    if not run.apply:
        saving.require_savable(run.book, tenant=run.asked.tenant, form=form, stored=stored, confirmed=confirmed)
    elif code is None:
        answer = service.onboard_customer(run.book, run.asked, posted=posted, confirmed=confirmed)
        return answer.document["customer_code"]
    else:
        read = frozenset({etag_of(stored)}) if stored else None  # what was saved since then must not be lost
        saving.save_customer(run.book, run.asked, customer_code=code, posted=posted, confirmed=confirmed, if_match=read)
    return code


def _find_stored(book: Book, tenant: str, posted: PostedForm) -> Customer | None:
    """Return the customer that a row is about: by its code, and without one by its PAN; raises Invalid."""
    if "customer_code" in posted:
        return store.find_customer(book, tenant=tenant, customer_code=posted["customer_code"])
    pan = {"pan_number": posted["pan_number"]}
    found = store.list_customers(book, tenant=tenant, filters=pan, wanted=PageWanted("created_at", None, 10)).rows
    candidates = [customer for customer in found if status_of(customer) == "active"] or found
    if len(candidates) > 1:
        raise Invalid("More than one customer has this pan_number: name the customer_code.")
    return candidates[0] if candidates else None


def _require_once(line: int, identities: list[str], seen: dict[str, int]) -> None:
    """Raise Invalid where an earlier line has the same code, PAN or GSTIN."""
    for identity in identities:
        if seen.setdefault(identity, line) != line:
            raise Invalid(f"Has the same customer_code, pan_number or gstin as line {seen[identity]}.")


def _completed(posted: PostedForm, before: Form, cells: Mapping[str, str]) -> Form:
    """Return the form with what is stored for the parts of which the file has no column."""
    parts = {column.split(".")[0] for column in cells}
    kept = {name: value for name, value in before.items() if name not in parts}
    return cast(Form, {**kept, **form_of(posted)})


# --- Cells -------------------------------------------------------------------------------------------------------


def _form_of_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells as a posted form: `tds.rate` is in the part tds, `banking.2.iban` in the second account."""
    form: dict[str, Any] = {}
    lists: dict[str, dict[int, dict[str, Any]]] = {}
    for column, text in cells.items():
        value = text.strip()
        if not value:
            continue
        name, place, field = _parse_column(column)
        if field is None:
            form[name] = value
        elif place is None:
            form.setdefault(name, {})[field] = _typed(name, field, value)
        else:
            lists.setdefault(name, {}).setdefault(place, {})[field] = _typed(name, field, value)
    return form | {name: [items[place] for place in sorted(items)] for name, items in lists.items()}


def _parse_column(column: str) -> tuple[str, int | None, str | None]:
    """Return the part, the place in a list and the field that a column is for; raises UnreadableTable."""
    match = re.fullmatch(r"([a-z_]+)(?:\.(\d{1,3}))?(?:\.([a-z_]+))?", column, re.ASCII)
    declared = _SCHEMA.fields.get(match[1]) if match else None
    if match is None or declared is None:
        raise _no_such(column)
    name, place, field = match.groups()
    part, is_list = schema_of(declared), isinstance(declared, fields.List)
    if part is None:
        known = place is None and field is None
    else:
        known = field in part.fields and (is_list or place is None)
    if not known:
        raise _no_such(column)
    return name, (int(place or 1) if is_list else None), field


def _no_such(column: str) -> UnreadableTable:
    meant = nearest(re.sub(r"\.\d+", "", column), _column_names())
    said = f"did you mean {meant}?" if meant else "is it the first line that names them?"
    return UnreadableTable(f"There is no column {column[:60]!r}; {said} docs/customers.md has their names.")


def _column_names() -> Iterator[str]:
    for name, declared in _SCHEMA.fields.items():
        part = schema_of(declared)
        yield from (name,) if part is None else (f"{name}.{member}" for member in part.fields)


def _require_columns(columns: list[str]) -> None:
    if "" in columns:
        raise UnreadableTable(f"Column {columns.index('') + 1} has no name: the first line must name every column.")
    for column in columns:
        _parse_column(column)
    meanings = Counter(_parse_column(column) for column in columns)  # banking.iban is banking.1.iban
    repeated = next((column for column in columns if meanings[_parse_column(column)] > 1), None)
    if repeated is not None:
        raise UnreadableTable(f"The column {repeated!r} stands twice.")
    if "customer_name" not in columns:
        raise UnreadableTable("The column customer_name is missing: the first line must name the columns.")


def _typed(name: str, field: str, value: str) -> Any:
    """Return a cell's text as the form has it: true and false, whole numbers, everything else as it is."""
    if field in ("applicable", "primary"):
        return value.lower() in _TRUE if value.lower() in (*_TRUE, *_FALSE) else value
    if field == "payment_terms_days" and re.fullmatch(r"\d{1,5}", value, re.ASCII):
        return int(value)
    return value


def _problems(messages: Any, path: str = "") -> Iterator[str]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(inner, f"{path}.{name + 1 if isinstance(name, int) else name}".strip("."))
    elif isinstance(messages, list):
        for message in messages:
            yield from _problems(message, path)
    else:
        yield f"{path} {messages}"
