"""Rows without a payment number: each as a payment that is posted would be, and which of them may be there already."""

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Any

from marshmallow import ValidationError

from finance.customers import service as customers
from finance.database import Db
from finance.errors import Invalid
from finance.imports.reading import line_of
from finance.payments.bulk_schemas import BulkRowSchema
from finance.payments.likeness import Likeness, each_alike
from finance.payments.mapping import METADATA, FieldMap
from finance.payments.service import require_possible_day
from finance.payments.sources import SourceRow
from finance.said import said
from finance.tables.cells import Cell

AT_ONCE = 32  # rows between two turns of the others
SHOWN = ("amount", "currency", "direction", "payer", "method", "paid_on", "customer_code")
_REPEATED = ("amount", "currency", "direction", "method", "paid_on", "customer_code")  # in what is said of them
_REPEATED_MAX = 40
_SCHEMA = BulkRowSchema()
# Of a row that was copied from a file of ours: what the server gives, and says nothing of a new payment.
_GIVEN_BY_SERVER = ("payment_number", "created_at")


@dataclass(frozen=True)
class Judged:
    """A row: what it was validated to, or what is wrong with it."""

    line: int
    shown: Mapping[str, str]
    posted: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def fields_of(columns: Iterable[str], timezone: tzinfo) -> FieldMap:
    """Return how rows are read whose columns are called as ours are."""
    return FieldMap(timezone=timezone, fields={name: name for name in columns if name.startswith(METADATA)})


def shown_of(fields: FieldMap, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what people know a row by, as far as it can be read."""
    shown = {}
    for name in SHOWN:
        try:
            text = fields.posted_part(values, name)
        except Invalid:
            cell = values.get(name)
            text = cell.text if isinstance(cell, Cell) else None
        if text:
            shown[name] = text[:200]
    return shown


def judge(db: Db, rows: Sequence[SourceRow], *, tenant: str, fields: FieldMap, today: date) -> list[Judged]:
    """Return what each row would be posted as, or why it can't be; the customers are looked up at once."""
    judged = []
    for place, row in enumerate(rows):
        if place % AT_ONCE == 0:
            time.sleep(0)
        judged.append(_judged(row, fields, today))
    refused = refused_customers(db, tenant, [one.posted for one in judged if one.posted is not None])
    return [_with_customer(one, refused) for one in judged]


def refused_customers(db: Db, tenant: str, posted: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which customers of these can't be paid for, and why."""
    codes = {one["customer_code"] for one in posted if "customer_code" in one}
    return customers.refused_codes(db, tenant=tenant, customer_codes=codes)


def problem_of_customer(code: str, why: str) -> str:
    return said('{name} "{value}": {problem}', name="customer_code", value=code, problem=why)


def dump_posted(posted: Mapping[str, Any]) -> str:
    return json.dumps(posted, default=str, ensure_ascii=False)


def load_posted(text: str) -> dict[str, Any]:
    posted: dict[str, Any] = json.loads(text)
    if "paid_on" in posted:
        posted["paid_on"] = date.fromisoformat(posted["paid_on"])
    return posted


def likeness_of(posted: Mapping[str, Any], today: date) -> Likeness:
    """Return what a row has in common with payments that may be the same."""
    return Likeness.of({**posted, "paid_on": posted.get("paid_on") or today})


def find_stored(
    db: Db, *, tenant: str, likenesses: Iterable[Likeness], without_key: str
) -> Iterator[tuple[Likeness, str]]:
    """Yield each likeness that a recorded payment has, with its number; those of `without_key` aren't asked about."""
    by_day: dict[str, set[Likeness]] = defaultdict(set)
    for likeness in likenesses:
        by_day[likeness.paid_on].add(likeness)
    for day, sought in sorted(by_day.items()):
        amounts = sorted({one.amount_minor for one in sought})
        for payment in each_alike(db, tenant=tenant, paid_on=day, amounts_minor=amounts):
            found = Likeness.of(payment)
            if found in sought and not str(payment.get("idempotency_key", "")).startswith(without_key):
                yield found, payment["payment_number"]


class Twins:
    """The rows of a file by what they may have in common, in a temporary file: memory stays the same."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE rows (paid_on, currency, amount_minor, payer, line)")
        self._file.execute("BEGIN")

    def add(self, likeness: Likeness, line: int) -> None:
        values = (likeness.paid_on, likeness.currency, str(likeness.amount_minor), likeness.payer, line)
        self._file.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", values)

    def of_each_day(self) -> Iterator[dict[Likeness, list[int]]]:
        """Yield the lines of each day by what they have in common."""
        self._file.execute("CREATE INDEX by_day ON rows (paid_on, line)")
        days = [day for (day,) in self._file.execute("SELECT DISTINCT paid_on FROM rows ORDER BY paid_on")]
        for day in days:
            of_day: dict[Likeness, list[int]] = defaultdict(list)
            wanted = "SELECT currency, amount_minor, payer, line FROM rows WHERE paid_on = ? ORDER BY line"
            for currency, amount_minor, payer, line in self._file.execute(wanted, (day,)):
                of_day[Likeness(day, currency, int(amount_minor), payer)].append(line)
            yield of_day


def told_alike(number: str) -> str:
    return said("{number} has the same payer, amount, currency and day.", number=number)


def told_twin(line: int) -> str:
    return said("Line {line} has the same payer, amount, currency and day.", line=line)


# --- One row -----------------------------------------------------------------------------------------------------


def _judged(row: SourceRow, fields: FieldMap, today: date) -> Judged:
    line, shown = line_of(row.place), shown_of(fields, row.values)
    if row.problem is not None:
        return Judged(line, shown, problems=(row.problem,))
    try:
        posted = _SCHEMA.load(_posted(fields, row))
        require_possible_day(posted.get("paid_on") or today, today=today)
    except ValidationError as error:
        return Judged(line, shown, problems=tuple(_problems(error.normalized_messages(), shown)))
    except Invalid as error:
        problems = [_told((e.pointer or "").strip("/"), e.detail, shown) for e in error.errors] or [error.detail]
        return Judged(line, shown, problems=tuple(problems))
    return Judged(line, shown, posted)


def _posted(fields: FieldMap, row: SourceRow) -> dict[str, Any]:
    posted = {name: value for name, value in fields.posted_of(row.values).items() if name not in _GIVEN_BY_SERVER}
    if posted.get("status") == "recorded":
        del posted["status"]
    return posted


def _with_customer(judged: Judged, refused: Mapping[str, str]) -> Judged:
    code = judged.posted.get("customer_code") if judged.posted is not None else None
    if code not in refused:
        return judged
    return Judged(judged.line, judged.shown, problems=(problem_of_customer(str(code), refused[str(code)]),))


def _problems(messages: Any, shown: Mapping[str, str], path: str = "") -> Iterator[str]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(inner, shown, f"{path}.{name}".strip("."))
        return
    for problem in messages if isinstance(messages, list) else [messages]:
        yield _told(path, problem if isinstance(problem, str) else str(problem), shown)


def _told(field: str, problem: str, shown: Mapping[str, str]) -> str:
    """Return what is wrong with a field; only what can be no secret is repeated."""
    value = shown.get(field, "") if field in _REPEATED else ""
    if value and len(value) <= _REPEATED_MAX:
        return said('{name} "{value}": {problem}', name=field, value=value, problem=problem)
    return said("{name} {problem}", name=field, problem=problem) if field else problem
