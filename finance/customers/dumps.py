"""A customer master of six Django tables, as `manage.py dumpdata` wrote it: read as a table with one customer a row.

What belongs to a customer may stand anywhere in such a file, so it is sorted in a temporary file first. Models and
fields that have no place here are left out, and told.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from finance.customers.columns import LISTS
from finance.said import said
from finance.tables.cells import EMPTY, Cell, UnreadableTable
from finance.tables.reading import Row

_CHUNK = 64 * 1024  # of which each object costs a copy
OBJECT_LENGTH_MAX = 1024 * 1024
CUSTOMER = "customer"
# The part of the form that a model is, and our field by each of theirs; a contact's fields are the customer's own.
_PARTS = {"contact": "", "address": "gst_details", "bankaccount": "banking", "tds": "tds", "terms": "terms_conditions"}
_SAME = {
    "address": ("gstin", "state", "registration_type", "address"),
    "bankaccount": ("bank_name", "account_number", "ifsc", "iban", "branch"),
    "tds": ("applicable", "section", "rate", "tan_number"),
    "terms": ("payment_terms_days", "credit_limit", "currency", "notes"),
}
FIELDS: Mapping[str, Mapping[str, str]] = {
    CUSTOMER: {
        "code": "customer_code",
        "name": "customer_name",
        "category": "customer_category",
        "pan_number": "pan_number",
    },
    "contact": {"name": "contact_person", "email": "email_address", "phone": "contact_number"},
    "bankaccount": {name: name for name in _SAME["bankaccount"]} | {"is_primary": "primary"},
    **{model: {name: name for name in names} for model, names in _SAME.items() if model != "bankaccount"},
}
_COUNTED = {"contact": "contacts.count", "address": "addresses.count"}


def is_dump(path: Path) -> bool:
    """Return whether a file is a JSON array."""
    try:
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError:
        return False  # said by who reads it


@dataclass(frozen=True)
class Dump:
    """The customers of a dump, as a Table has rows; `left_out` counts what has no place here."""

    path: Path
    columns: tuple[str, ...]
    rows_count: int
    left_out: Mapping[str, int]
    sorted: sqlite3.Connection = field(repr=False)

    def rows(self) -> Iterator[Row]:
        query = "SELECT line, pk, fields FROM entry WHERE model = ? ORDER BY line"
        for line, pk, fields in self.sorted.execute(query, (CUSTOMER,)):
            entries = self.sorted.execute(
                "SELECT model, fields FROM entry WHERE customer = ? AND model != ? ORDER BY model, line", (pk, CUSTOMER)
            )
            yield _row(line, json.loads(fields), [(model, json.loads(inner)) for model, inner in entries])


def read_dump(path: Path) -> Dump:
    """Return the customers of a file of `manage.py dumpdata`; raises UnreadableTable."""
    spool = sqlite3.connect("")  # a file of its own, deleted with the connection
    spool.execute("CREATE TABLE entry (model TEXT, customer TEXT, pk TEXT, line INTEGER, fields TEXT)")
    left_out: Counter[str] = Counter()
    for line, found in enumerate(_objects(path), start=1):
        model, entry = _entry(path, line, found, left_out)
        if entry is not None:
            spool.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (model, *entry))
    spool.execute("CREATE INDEX of_customer ON entry (customer, model, line)")
    (count,) = spool.execute("SELECT COUNT(*) FROM entry WHERE model = ?", (CUSTOMER,)).fetchone()
    if not count:
        raise UnreadableTable(f"{path} holds no objects of a model 'customer': docs/customers.md has what is expected.")
    left_out.update(_orphans(spool))
    return Dump(path, _columns(spool), count, left_out, spool)


def _entry(path: Path, line: int, found: object, left_out: Counter[str]) -> tuple[str, tuple[Any, ...] | None]:
    """Return the model of an object and how it is kept, None where it has no place here."""
    if not isinstance(found, dict) or not isinstance(found.get("fields"), dict) or "model" not in found:
        raise UnreadableTable(f"{path}: object {line} isn't one of manage.py dumpdata: it needs model, pk and fields.")
    model, fields = str(found["model"]).rpartition(".")[2].lower(), found["fields"]
    if model not in FIELDS:
        left_out[model] += 1
        return model, None
    pk, customer = found.get("pk"), fields.get("customer", found.get("pk"))
    owner = pk if model == CUSTOMER else customer
    if owner is None or isinstance(owner, list | dict):
        raise UnreadableTable(f"{path}: object {line} has no plain key: dump without --natural-primary and -foreign.")
    for name, value in fields.items():
        if name not in (*FIELDS[model], "customer") and value not in (None, ""):
            left_out[f"{model}.{name}"] += 1
    return model, (str(owner), str(pk), line, json.dumps(fields, default=str))


def _orphans(spool: sqlite3.Connection) -> dict[str, int]:
    query = (
        "SELECT model, COUNT(*) FROM entry WHERE model != ? AND customer NOT IN "
        "(SELECT customer FROM entry WHERE model = ?) GROUP BY model"
    )
    return {f"{model} without its customer": count for model, count in spool.execute(query, (CUSTOMER, CUSTOMER))}


def _columns(spool: sqlite3.Connection) -> tuple[str, ...]:
    """Return the columns of all rows: as many places as the customer with the most of them has."""
    query = "SELECT model, MAX(n) FROM (SELECT model, COUNT(*) AS n FROM entry GROUP BY customer, model) GROUP BY model"
    most: dict[str, int] = dict(spool.execute(query))
    columns = [*FIELDS[CUSTOMER].values(), *FIELDS["contact"].values(), *_COUNTED.values()]
    for model, part in _PARTS.items():
        places = range(1, most.get(model, 0) + 1) if part in LISTS else range(bool(part))
        columns += [_name(part, place, ours) for place in places for ours in FIELDS[model].values()]
    return tuple(columns)


def _row(line: int, fields: Mapping[str, Any], entries: list[tuple[str, Mapping[str, Any]]]) -> Row:
    by_model: dict[str, list[Mapping[str, Any]]] = {model: [] for model in _PARTS}
    for model, entry in entries:
        by_model[model].append(entry)
    twice = [model for model in ("tds", "terms") if len(by_model[model]) > 1]
    problem = said("has more than one record of {part}: keep the one that is right.", part=twice[0]) if twice else None
    cells = _cells(FIELDS[CUSTOMER], fields, "", 0)
    for model, part in _PARTS.items():
        if model in _COUNTED and by_model[model]:
            cells[_COUNTED[model]] = Cell(str(len(by_model[model])))
        taken = [entry for entry in by_model[model] if model != "address" or entry.get("gstin")]
        for place, entry in enumerate(taken if part in LISTS else taken[:1], start=1):
            cells |= _cells(FIELDS[model], entry, part, place)
    return Row(line, cells, problem)


def _cells(ours_by_theirs: Mapping[str, str], fields: Mapping[str, Any], part: str, place: int) -> dict[str, Cell]:
    return {_name(part, place, ours): _cell(fields.get(theirs)) for theirs, ours in ours_by_theirs.items()}


def _name(part: str, place: int, ours: str) -> str:
    if not part:
        return ours
    return f"{part}.{place}.{ours}" if part in LISTS else f"{part}.{ours}"


def _cell(value: object) -> Cell:
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return Cell("true" if value else "false", "flag")
    if isinstance(value, int | float):
        return Cell(str(value), "number")
    return Cell(str(value))


# --- JSON --------------------------------------------------------------------------------------------------------


def _objects(path: Path) -> Iterator[object]:
    """Yield the members of a JSON array, one after the other; no more than one of them is held."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _members(file, path)
    except UnicodeDecodeError as error:
        raise UnreadableTable(f"{path} is not in UTF-8: write it again with manage.py dumpdata.") from error
    except OSError as error:
        raise UnreadableTable(f"{path} can't be read: {error.strerror or type(error).__name__}.") from error


def _members(file: TextIO, path: Path) -> Iterator[object]:
    decode = json.JSONDecoder(parse_float=str, parse_constant=partial(_refuse, path)).raw_decode
    held, number = file.read(_CHUNK).lstrip()[1:], 1
    while True:
        held = held.lstrip(" \t\r\n,")
        if held.startswith("]"):
            return
        try:
            found, end = decode(held)
        except (json.JSONDecodeError, RecursionError) as error:
            more = file.read(_CHUNK)
            if not more or len(held) > OBJECT_LENGTH_MAX:
                why = "the file ends within it" if not more else "it can't be read as JSON"
                raise UnreadableTable(f"{path}: object {number}: {why}. Write it again with dumpdata.") from error
            held += more
            continue
        yield found
        held, number = held[end:], number + 1


def _refuse(path: Path, name: str) -> Decimal:
    raise UnreadableTable(f"{path} holds {name}, which is no number.")
