"""Payments of another system become ours: with their numbers, each once, and with a verdict for every row.

A row is known again by its key (their _id, or its number), which becomes the idempotency key of the payment: whoever
stores it first has stored it, however often and at how many places at once the import runs. What is stored here is
never changed by an import.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from finance import metrics
from finance.database import Db
from finance.errors import Invalid
from finance.numbering import counters
from finance.numbering.documents import insert, read_back
from finance.numbering.drafts import Draft
from finance.numbering.series import NO_PLACE, Series
from finance.payments import store
from finance.payments.foreign_rows import Drafted, Import, RowRefused, drafted, identity_of
from finance.payments.model import Payment, draft_of, payment_series
from finance.payments.sources import SourceRow
from finance.payments.survey import SeriesFound, Survey
from finance.said import said
from finance.tables.cells import Cell

Verdict = Literal["imported", "unchanged", "differs", "twice", "later", "refused"]
BATCH_SIZE = 500
AT_ONCE = 32  # rows between two turns of the others
EMPTY = (None, "", Cell(""))
_OTHER_NUMBER_THERE = said("scripts/repair_duplicates.py gives one of them another first.")
_OTHER_NUMBER_IN_FILE = said("give one of them another number in the file, or take it out.")
_COMPARED = (
    *("payment_number", "paid_on", "amount_minor", "currency", "payer", "method", "direction", "customer_code"),
    *("reference", "note", "status", "void_reason"),
)


@dataclass(frozen=True)
class RowVerdict:
    """What becomes of the row at `place`, and why."""

    place: str
    verdict: Verdict
    payment_number: str | None = None
    problems: tuple[str, ...] = ()
    given_to: tuple[str, ...] | None = None  # where its number is another payment's: what of that is different


# --- Before anything is taken ------------------------------------------------------------------------------------


def survey_of(
    run: Import, *, limits: Mapping[int, int], progress: Callable[[int], None] = lambda done: None
) -> tuple[Survey, list[SeriesFound]]:
    """Read the whole source once, and return what it holds and how far each series of it counts."""
    found = Survey(today=run.today, limits=limits)
    for done, row in enumerate(run.source.read(), start=1):
        found.count_fields(name for name, value in row.values.items() if value not in EMPTY)
        try:
            if row.problem is None:
                tenant, number, row_key = identity_of(run, row)
                found.add(tenant=tenant, number=number, row_key=row_key, place=row.place)
        except Invalid:
            pass  # its verdict says so
        progress(done)
    taken_over = {
        (tenant, year): counters.read_taken_over(run.db, payment_series(tenant, year)) for tenant, year in found.years()
    }
    return found, found.close(taken_over)


def go_on_after(run: Import, series: Iterable[SeriesFound]) -> None:
    """Let each series go on after its last number that was counted there, before the first of them is stored."""
    for one in series:
        if one.last:
            counters.go_on_after(run.db, payment_series(one.tenant, one.year), one.last)


# --- A verdict for every row -------------------------------------------------------------------------------------


def import_rows(run: Import, survey: Survey, *, apply: bool) -> Iterator[list[RowVerdict]]:
    """Yield the verdicts on some hundred rows at a time, and store them where `apply`."""
    rows = run.source.read()
    while batch := list(islice(rows, BATCH_SIZE)):
        yield _import_batch(run, survey, batch, apply=apply)


def _import_batch(run: Import, survey: Survey, batch: Sequence[SourceRow], *, apply: bool) -> list[RowVerdict]:
    verdicts: dict[int, RowVerdict] = {}
    readable: dict[int, Drafted] = {}
    for position, source_row in enumerate(batch):
        if position % AT_ONCE == 0:
            time.sleep(0)
        try:
            readable[position] = drafted(run, survey, source_row)
        except RowRefused as refused:
            verdicts[position] = RowVerdict(source_row.place, "refused", refused.payment_number, refused.problems)
    stored = _find_stored(run.db, readable.values())
    for position, row in readable.items():
        verdicts[position] = _judged(
            survey,
            row,
            stored.get((row.tenant, "", row.key)) or stored.get((row.tenant, row.payment_number, "")),
            of_file=run.source.is_file,
        )
    if apply:
        new = {position: row for position, row in readable.items() if verdicts[position].verdict == "imported"}
        verdicts |= zip(new, _store(run.db, list(new.values())), strict=True)
    return [verdicts[position] for position in range(len(batch))]


def _find_stored(db: Db, rows: Iterable[Drafted]) -> dict[tuple[str, str, str], Payment]:
    """Return the payments that have the key or the number of one of the rows, by (tenant, number, "") and by key."""
    by_tenant: dict[str, list[Drafted]] = {}
    for row in rows:
        by_tenant.setdefault(row.tenant, []).append(row)
    found: dict[tuple[str, str, str], Payment] = {}
    for tenant, of_tenant in by_tenant.items():
        keys, numbers = [row.key for row in of_tenant], [row.payment_number for row in of_tenant]
        for payment in store.find_imported(db, tenant=tenant, keys=keys, numbers=numbers):
            found[tenant, payment["payment_number"], ""] = payment
            found[tenant, "", payment.get("idempotency_key", "")] = payment
    return found


def _judged(survey: Survey, row: Drafted, stored: Payment | None, *, of_file: bool) -> RowVerdict:
    tenant, number = row.tenant, row.payment_number
    if stored is not None and stored.get("idempotency_key") == row.key:
        return _compared(row, stored)
    if not survey.has(tenant=tenant, number=number, place=row.place):
        return RowVerdict(row.place, "later", number, (said("came, or got its number, while this ran: run it again."),))
    other = survey.other_with_number(tenant=tenant, number=number, place=row.place)
    if other is not None:
        remedy = _OTHER_NUMBER_IN_FILE if of_file else _OTHER_NUMBER_THERE
        told = said("{number} is the number of {other} too: {remedy}", number=number, other=other, remedy=remedy)
        return RowVerdict(row.place, "twice", number, (told,))
    if survey.other_with_key(tenant=tenant, row_key=row.row_key, place=row.place) is not None:
        told = said("another row is known by the same key: name a field with --row-key that tells them apart.")
        return RowVerdict(row.place, "twice", number, (told,))
    return RowVerdict(row.place, "imported", number) if stored is None else _number_given(row, stored)


def _compared(row: Drafted, stored: Payment) -> RowVerdict:
    """Return what is to be said of a row that was imported before."""
    number = stored["payment_number"]
    if stored.get("request_hash") == row.payment["request_hash"]:
        return RowVerdict(row.place, "unchanged", number)
    names = [name for name in _COMPARED if stored.get(name) != row.payment.get(name)]
    told = said(
        "was imported before and is another there now ({names}); here it stays as it is.",
        names=", ".join(names) or "metadata",
    )
    return RowVerdict(row.place, "differs", number, (told,))


def _number_given(row: Drafted, stored: Payment) -> RowVerdict:
    told = said(
        "the number is that of another payment here, made by {created_by}.", created_by=stored.get("created_by")
    )
    differs = tuple(name for name in _COMPARED if stored.get(name) != row.payment.get(name))
    return RowVerdict(row.place, "refused", row.payment_number, (told,), differs)


def _store(db: Db, rows: Sequence[Drafted]) -> list[RowVerdict]:
    """Store the rows, and return what became of each. Raises DriverError where that isn't known: run it again."""
    drafts = [draft_of(row.payment) for row in rows]
    _take_gaps_back(db, drafts)
    errors = insert(store.numbered(db), drafts, ordered=False) if drafts else {}
    if isinstance(errors, Exception):
        raise errors
    metrics.payments_recorded.inc(len(rows) - len(errors))
    return [
        _met(db, row, errors[position]) if position in errors else RowVerdict(row.place, "imported", row.payment_number)
        for position, row in enumerate(rows)
    ]


def _met(db: Db, row: Drafted, error: Mapping[str, Any]) -> RowVerdict:
    """Return the verdict on a row that MongoDB refused: most likely another run has stored it just now."""
    stored = read_back(store.numbered(db).collection, error["keyValue"]) if "keyValue" in error else None
    if stored is None:
        return RowVerdict(
            row.place,
            "refused",
            row.payment_number,
            (said("MongoDB refused it (code {code}): try again.", code=error["code"]),),
        )
    found = cast(Payment, stored)
    return _compared(row, found) if found.get("idempotency_key") == row.key else _number_given(row, found)


def _take_gaps_back(db: Db, drafts: Sequence[Draft]) -> None:
    """Take back the gaps of numbers that come now: an earlier run had explained that nothing has them."""
    by_series: dict[Series, list[int]] = {}
    for draft in drafts:
        if draft.document["number_seq"] != NO_PLACE:
            by_series.setdefault(draft.series, []).append(draft.document["number_seq"])
    for series, number_seqs in by_series.items():
        counters.forget_gaps(db, series, number_seqs)
