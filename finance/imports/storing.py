"""Store: the rows that can be are stored in steps, each of which may be repeated without storing anything twice.

A step of new payments is a bulk under a key made of the upload and of the number of the step. Which rows are in it is
decided, and kept, before the first of them is stored; whatever ends it in between, a repeat has the same rows and so
stores what is missing. Rows that are taken over, and customers, are known again by their numbers and codes.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from finance import database
from finance.customers.model import Book
from finance.errors import Conflict, Invalid
from finance.events import record_event
from finance.imports import customer_rows, new_payments, store
from finance.imports.model import STEP_ROWS, ImportRow, Verdict
from finance.imports.new_payments import load_posted, told_alike
from finance.imports.reading import opened
from finance.imports.taken_over import Found, alone, take_over
from finance.imports.working import STEP_S, Life
from finance.payments.bulk import BulkIncomplete, record_payments
from finance.payments.model import Payment
from finance.said import said

VERDICTS_AT_ONCE = 500
REPEATS_MAX = 50  # of one step, each of which comes further
JUDGED_MAX = 3  # how often a step is judged again before it is stored
_NEW: tuple[Verdict, ...] = ("new", "stored")


class StepFailed(Conflict):
    detail_default = said("A step could not be stored.")


class Stopped(Exception):
    """Somebody asked for storing to end."""


def store_rows(life: Life) -> None:
    """Store what can be stored, from where it was left; raises Stopped, or what a step does."""
    life.tools.protect()
    if not life.upload.get("part"):  # whose rows count when it is done
        life.note(stored=_counts(life).get("stored", 0))
    if life.upload["kind"] == "customers":
        _store_customers(life)
    else:
        _take_over(life)
        _store_new(life)
    _tell_finished(life)


def _tell_finished(life: Life) -> None:
    upload = life.upload
    counts = _counts(life)
    about = {"file": upload["name"], "kind": upload["kind"], "rows": upload.get("rows", 0), **counts}
    of = ("import", upload["_id"])
    record_event(
        life.tools.db, life.asked(upload["stored_by"]), action="import_finished", of=of, details=about, once=""
    )
    life.note(counts=counts)


# --- Customers ---------------------------------------------------------------------------------------------------


def _store_customers(life: Life) -> None:
    tools, upload = life.tools, life.upload
    lines = _lines(life, ("new", "changed"))
    if not lines:
        return
    asked = life.asked(upload["stored_by"])
    with opened(tools.db, upload, cipher=tools.cipher, tell=lambda row: life.require()) as file:
        waiting: list[dict[str, Any]] = []
        for row in customer_rows.store(Book(tools.db, tools.cipher), asked, file, lines):
            waiting.append(row)
            if len(waiting) >= VERDICTS_AT_ONCE or life.is_asked_to_stop:
                _note_verdicts(life, waiting)
                waiting = []
                _require_going_on(life)
        _note_verdicts(life, waiting)


# --- Payments with their numbers ---------------------------------------------------------------------------------


def _take_over(life: Life) -> None:
    tools, upload = life.tools, life.upload
    lines = _lines(life, ("taken_over",))
    if not lines and not (upload.get("series") and upload["stored"]):
        return
    asked = life.asked(upload["stored_by"])
    with (
        alone(tools.db, upload) as lease,
        opened(tools.db, upload, cipher=tools.cipher, tell=lambda row: life.require()) as file,
    ):
        fields = new_payments.fields_of(file.columns.ours.values(), tools.timezone)
        take = take_over(tools.db, asked, upload, file, fields=fields, timezone=tools.timezone)
        if lines:
            take.go_on_after()
        for founds in take.store(lines):
            lease.require()
            _note_verdicts(life, [_as_stored(found) for found in founds])
            _require_going_on(life)
        if upload.get("stored"):
            take.explain_holes()


def _as_stored(found: Found) -> dict[str, Any]:
    if found.verdict in ("taken_over", "unchanged"):
        return {"line": found.line, "verdict": "stored", "number": found.number, "problems": []}
    return {"line": found.line, "verdict": found.verdict, "problems": list(found.problems)}


# --- New payments ------------------------------------------------------------------------------------------------


def _store_new(life: Life) -> None:
    while _part_of(life):
        _store_part(life)
        _require_going_on(life)


def _part_of(life: Life) -> bool:
    """Decide which rows are stored next, unless that was decided already; False where none is left."""
    upload = life.upload
    while not upload.get("part"):
        rows = _rows(life, _wanted(life), after=upload["stored_line"], at_most=STEP_ROWS)
        if not rows:
            return False
        left = _judged_again(life, rows)
        if left:
            life.note(part={"number": upload["parts"], "last": rows[-1]["line"]})
        else:
            life.note(stored_line=rows[-1]["line"])
    return True


def _wanted(life: Life) -> tuple[Verdict, ...]:
    return ("new", "alike") if life.upload.get("alike_too") else ("new",)


def _judged_again(life: Life, rows: Sequence[ImportRow]) -> int:
    """Take out what can't be stored any more, or is there by now, and return how many rows are left."""
    tools, tenant = life.tools, life.upload["tenant"]
    posted = {row["line"]: load_posted(row["posted"]) for row in rows}
    refused = new_payments.refused_customers(tools.db, tenant, list(posted.values()))
    out: dict[int, dict[str, Any]] = {}
    for line, one in posted.items():
        code = one.get("customer_code")
        if code in refused:
            out[line] = _refused(line, new_payments.problem_of_customer(str(code), refused[str(code)]))
    if not life.upload.get("alike_too"):
        today = tools.day_of(tools.clock())
        likenesses = {line: new_payments.likeness_of(one, today) for line, one in posted.items()}
        stored = dict(
            new_payments.find_stored(tools.db, tenant=tenant, likenesses=likenesses.values(), without_key=_keys(life))
        )
        for line, likeness in likenesses.items():
            if line not in out and likeness in stored:
                out[line] = {"line": line, "verdict": "alike", "problems": [told_alike(stored[likeness])]}
    _set_verdicts(life, list(out.values()))
    return len(rows) - len(out)


def _refused(line: int, why: str) -> dict[str, Any]:
    return {"line": line, "verdict": "refused", "problems": [why]}


def _keys(life: Life) -> str:
    """Return how the keys begin of what this upload stores."""
    return f"bulk {_key(life, '')}"


def _key(life: Life, part: object) -> str:
    return f"import-{life.upload['_id']}-{part}"


def _store_part(life: Life) -> None:
    upload, part = life.upload, life.upload["part"]
    assert part is not None
    for _attempt in range(JUDGED_MAX):
        # Those that an earlier attempt has noted as stored are of it too: the same rows, so the same digest.
        rows = [
            row
            for row in _rows(life, (*_wanted(life), "stored"), after=upload["stored_line"], up_to=part["last"])
            if "posted" in row
        ]
        if not rows:
            break
        try:
            payments = _record(life, part["number"], rows)
        except Invalid as refused:
            _take_out(life, rows, refused)
            continue
        _note_stored(life, rows, payments)
        break
    else:
        raise StepFailed
    done = upload["stored"] + len(rows)
    life.note(part=None, parts=upload["parts"] + 1, stored_line=part["last"], stored=done, done=done, attempts=0)


def _record(life: Life, number: int, rows: Sequence[ImportRow]) -> list[Payment]:
    """Store the rows as one bulk, however often that takes; raises what ends it, Invalid with nothing stored."""
    posted = [load_posted(row["posted"]) for row in rows]
    before = -1
    for _repeat in range(REPEATS_MAX):
        life.require()
        try:
            with database.deadline(STEP_S):
                return record_payments(
                    life.tools.db,
                    life.asked(life.upload["stored_by"]),
                    key=_key(life, number),
                    submit=life.tools.submit,
                    rows=posted,
                    day_of=life.tools.day_of,
                ).document
        except BulkIncomplete as incomplete:
            stored = int(incomplete.extra.get("stored", 0))
            if stored <= before:
                raise
            before = stored
            life.tell(life.upload["stored"] + stored)
    raise StepFailed


def _take_out(life: Life, rows: Sequence[ImportRow], refused: Invalid) -> None:
    """Note which rows were refused, of a step of which nothing is stored."""
    out = {}
    for error in refused.errors:
        with suppress(IndexError, ValueError):
            _none, _payments, position, field = (error.pointer or "").split("/", 3)
            line = rows[int(position)]["line"]
            out[line] = _refused(line, said("{name} {problem}", name=field, problem=error.detail))
    if not out:
        raise StepFailed(refused.detail)
    _set_verdicts(life, list(out.values()))


def _note_stored(life: Life, rows: Sequence[ImportRow], payments: Iterable[Payment]) -> None:
    stored = [
        {"line": row["line"], "verdict": "stored", "number": payment["payment_number"], "problems": []}
        for row, payment in zip(rows, payments, strict=True)
    ]
    _set_verdicts(life, stored)


# --- Rows --------------------------------------------------------------------------------------------------------


def _counts(life: Life) -> dict[str, int]:
    upload = life.upload
    with database.deadline(STEP_S):
        return store.count_verdicts(life.tools.db, tenant=upload["tenant"], rows_of=upload["rows_of"])


def _lines(life: Life, verdicts: Sequence[Verdict]) -> set[int]:
    upload = life.upload
    return set(store.each_line(life.tools.db, tenant=upload["tenant"], rows_of=upload["rows_of"], verdicts=verdicts))


def _rows(
    life: Life, verdicts: Sequence[Verdict], *, after: int, up_to: int | None = None, at_most: int = 0
) -> list[ImportRow]:
    upload = life.upload
    with database.deadline(STEP_S):
        return store.list_rows(
            life.tools.db,
            tenant=upload["tenant"],
            rows_of=upload["rows_of"],
            verdicts=verdicts,
            after=after,
            up_to=up_to,
            at_most=at_most,
        )


def _note_verdicts(life: Life, rows: Sequence[dict[str, Any]]) -> None:
    """Note what became of rows, and how many are stored."""
    _set_verdicts(life, rows)
    stored = life.upload["stored"] + sum(row["verdict"] == "stored" for row in rows)
    life.note(stored=stored, done=stored, attempts=0)


def _set_verdicts(life: Life, rows: Sequence[dict[str, Any]]) -> None:
    upload = life.upload
    for start in range(0, len(rows), VERDICTS_AT_ONCE):
        part = rows[start : start + VERDICTS_AT_ONCE]
        life.require()
        with database.deadline(STEP_S):
            store.set_verdicts(life.tools.db, tenant=upload["tenant"], rows_of=upload["rows_of"], rows=part)


def _require_going_on(life: Life) -> None:
    life.require()
    if life.is_asked_to_stop:
        raise Stopped
