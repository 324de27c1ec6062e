"""Check: every row of a file gets its verdict, as if it were stored now. Nothing is stored but the verdicts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from finance import database
from finance.asked import Asked
from finance.customers.model import Book
from finance.errors import Invalid
from finance.imports import customer_rows, new_payments, store
from finance.imports.model import ImportRow, Verdict
from finance.imports.new_payments import Judged, Twins, told_alike, told_twin
from finance.imports.reading import File, opened
from finance.imports.taken_over import Found, dump_series, has_number, take_over
from finance.imports.working import STEP_S, Life
from finance.money import DECIMALS_BY_CURRENCY, format_amount, parse_amount
from finance.payments.mapping import FieldMap
from finance.payments.sources import SourceRow

BATCH = 250
Totals = dict[tuple[str, str, str], list[int]]


def check(life: Life) -> dict[str, Any]:
    """Give every row its verdict, and return what was found in all; raises UnreadableTable where there are no rows."""
    tools, upload = life.tools, life.upload
    with opened(tools.db, upload, cipher=tools.cipher, tell=life.tell) as file:
        life.note(rows=file.table.rows_count)
        checked = _Checked(life)
        if upload["kind"] == "customers":
            more = _check_customers(life, file, checked)
        else:
            more = _check_payments(life, file, checked)
        return checked.result() | more | {"not_read": _not_read(file)}


class _Checked:
    """The rows that were judged: stored in batches, counted, added up."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.counts: Counter[str] = Counter()
        self.totals: Totals = {}
        self._waiting: list[ImportRow] = []

    def add(
        self, *, line: int, verdict: Verdict, shown: Mapping[str, str], amount_minor: int | None = None, **more: Any
    ) -> None:
        upload = self._life.upload
        row: Any = {"tenant": upload["tenant"], "rows_of": upload["holder"], "line": line, "verdict": verdict}
        row |= {"expires_at": upload["expires_at"], "shown": dict(shown)}
        self._waiting.append(row | {name: value for name, value in more.items() if value})
        self.counts[verdict] += 1
        self.sum_up(verdict, shown, amount_minor, +1)
        if len(self._waiting) >= BATCH:
            self.flush()

    def sum_up(self, verdict: str, shown: Mapping[str, str], amount_minor: int | None, sign: int) -> None:
        if amount_minor is None:
            return
        total = self.totals.setdefault((verdict, shown["currency"], shown.get("direction", "incoming")), [0, 0])
        total[0] += sign
        total[1] += sign * amount_minor

    def flush(self) -> None:
        self._life.require()
        with database.deadline(STEP_S):
            store.insert_rows(self._life.tools.db, self._waiting)
        self._waiting = []

    def result(self) -> dict[str, Any]:
        self.flush()
        upload = self._life.upload
        return {
            "rows_of": upload["holder"],
            "counts": {verdict: count for verdict, count in self.counts.items() if count},
            "totals": [
                {"verdict": verdict, "currency": currency, "direction": direction, "count": count}
                | {"amount": format_amount(amount_minor, currency)}
                for (verdict, currency, direction), (count, amount_minor) in sorted(self.totals.items())
                if count
            ],
        }


# --- Customers ---------------------------------------------------------------------------------------------------


def _check_customers(life: Life, file: File, checked: _Checked) -> dict[str, Any]:
    customer_rows.require_columns(file)
    asked = life.asked()
    for row in customer_rows.judge(Book(life.tools.db, life.tools.cipher), asked, file):
        checked.add(**row)
    return {"checked_at": asked.now}


# --- Payments ----------------------------------------------------------------------------------------------------


def _check_payments(life: Life, file: File, checked: _Checked) -> dict[str, Any]:
    asked, tools = life.asked(), life.tools
    fields = new_payments.fields_of(file.columns.ours.values(), tools.timezone)
    series: list[dict[str, Any]] = []
    if file.columns.has("payment_number"):
        take = take_over(tools.db, asked, life.upload, file, fields=fields, timezone=tools.timezone)
        series = dump_series(take)
        for founds in take.judge():
            for found in founds:
                _add_found(checked, found)
    _check_new(life, asked, file, checked, fields)
    return {"checked_at": asked.now, "series": series}


def _add_found(checked: _Checked, found: Found) -> None:
    checked.add(
        line=found.line,
        verdict=found.verdict,
        shown=found.shown,
        amount_minor=_amount_minor(found.shown),
        number=found.number,
        problems=list(found.problems),
    )


def _amount_minor(shown: Mapping[str, str]) -> int | None:
    if shown.get("currency") not in DECIMALS_BY_CURRENCY:
        return None
    try:
        return parse_amount(shown.get("amount", ""), shown["currency"])
    except Invalid:
        return None


def _check_new(life: Life, asked: Asked, file: File, checked: _Checked, fields: FieldMap) -> None:
    today, twins = life.tools.day_of(asked.now), Twins()
    rows = (row for row in file.payments() if not has_number(row))
    for batch in _batches(rows):
        for judged in new_payments.judge(life.tools.db, batch, tenant=asked.tenant, fields=fields, today=today):
            if judged.posted is not None:
                twins.add(new_payments.likeness_of(judged.posted, today), judged.line)
            _add_judged(checked, judged)
    checked.flush()
    _tell_alike(life, checked, twins)


def _batches(rows: Iterable[SourceRow]) -> Iterator[list[SourceRow]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _add_judged(checked: _Checked, judged: Judged) -> None:
    posted = judged.posted
    checked.add(
        line=judged.line,
        verdict="refused" if posted is None else "new",
        shown=judged.shown,
        amount_minor=None if posted is None else posted["amount_minor"],
        problems=list(judged.problems),
        posted=None if posted is None else new_payments.dump_posted(posted),
    )


def _tell_alike(life: Life, checked: _Checked, twins: Twins) -> None:
    """Say of each new row whether a payment, or an earlier row, is like it."""
    db, upload = life.tools.db, life.upload
    for of_day in twins.of_each_day():
        life.require()
        stored = dict(new_payments.find_stored(db, tenant=upload["tenant"], likenesses=of_day, without_key="bulk  "))
        alike = []
        for likeness, lines in of_day.items():
            if likeness in stored:
                alike += [(line, told_alike(stored[likeness])) for line in lines]
            else:
                alike += [(line, told_twin(lines[0])) for line in lines[1:]]
        _note_alike(life, checked, dict(alike))


def _note_alike(life: Life, checked: _Checked, said: Mapping[int, str]) -> None:
    db, upload, lines = life.tools.db, life.upload, iter(sorted(said))
    while part := list(islice(lines, BATCH)):
        rows = [{"line": line, "verdict": "alike", "problems": [said[line]]} for line in part]
        with database.deadline(STEP_S):
            found = store.find_rows(db, tenant=upload["tenant"], rows_of=upload["holder"], lines=part)
            store.set_verdicts(db, tenant=upload["tenant"], rows_of=upload["holder"], rows=rows)
        checked.counts["new"] -= len(part)
        checked.counts["alike"] += len(part)
        for row in found:
            amount_minor = new_payments.load_posted(row["posted"])["amount_minor"]
            checked.sum_up("new", row["shown"], amount_minor, -1)
            checked.sum_up("alike", row["shown"], amount_minor, +1)


def _not_read(file: File) -> list[dict[str, str]]:
    return [{"name": name} | ({"meant": meant} if meant else {}) for name, meant in file.columns.not_read]
