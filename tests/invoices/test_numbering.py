"""The no-gap policy where a document has to follow the one before it, on a real MongoDB."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from finance.errors import Invalid
from finance.invoices.store import numbered
from finance.numbering.drafts import Draft, NumberTakenElsewhere, SeriesFull, Stored, Taken
from finance.numbering.issue import issue_no_gap
from finance.numbering.series import Series

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def series(shop: str = "par", prefix: str = "F-", length_max: int | None = None) -> Series:
    return Series(
        tenant="acme",
        kind="invoice",
        prefix=prefix,
        digits_min=1,
        scope=shop.upper(),
        period="2026-11",
        document_filter={"shop": shop, "period": "2026-11"},
        length_max=length_max,
    )


def draft(day: str, of: Series | None = None, **fields: Any) -> Draft:
    of = of or series()
    document = {"tenant": "acme", **of.document_filter, "issued_on": day, **fields}

    def follow(newest: dict[str, Any] | None) -> Any:
        if newest is not None and newest["issued_on"] > day:
            return Invalid(newest["issued_on"])
        return of

    return Draft(of, document, follow)


def stored(db: Any) -> list[tuple[int, str]]:
    return [(d["number_seq"], d["issued_on"]) for d in db.invoices.find().sort("number_seq")]


def issue(db: Any, *drafts: Draft) -> list[Any]:
    return issue_no_gap(numbered(db), drafts, now=NOW)


def test_a_refused_one_gives_its_number_to_the_next(db: Any) -> None:
    outcomes = issue(db, draft("05"), draft("03"), draft("05"), draft("04"), draft("06"))
    assert [type(outcome) for outcome in outcomes] == [Stored, Invalid, Stored, Invalid, Stored]
    assert stored(db) == [(1, "05"), (2, "05"), (3, "06")]


def test_what_is_refused_only_because_of_one_that_is_refused_itself_is_stored(db: Any) -> None:
    """05 is a repeat, which the batch finds out only when it is stored; 03 must not fail because of it."""
    issue(db, draft("01", cancel_idempotency_key="taken"))
    outcomes = issue(db, draft("05", cancel_idempotency_key="taken"), draft("03"))
    assert [type(outcome) for outcome in outcomes] == [Taken, Stored]
    assert stored(db) == [(1, "01"), (2, "03")]


def test_a_repeat_in_the_same_batch_costs_no_number(db: Any) -> None:
    outcomes = issue(db, draft("05", idempotency_key="k"), draft("05", idempotency_key="k"), draft("05"))
    assert [type(outcome) for outcome in outcomes] == [Stored, Taken, Stored]
    assert stored(db) == [(1, "05"), (2, "05")]


def test_batches_of_many_threads_leave_a_series_chronological_and_whole(db: Any) -> None:
    days = [f"{day:02d}" for day in range(1, 29)]
    outcomes: list[Any] = []

    def run(offset: int) -> None:
        for start in range(offset, 28):
            outcomes.extend(issue(db, *(draft(day) for day in days[start : start + 4])))

    threads = [threading.Thread(target=run, args=(offset,)) for offset in (0, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stored(db)
    assert [number for number, _day in found] == list(range(1, len(found) + 1))
    assert [day for _number, day in found] == sorted(day for _number, day in found)
    assert len(found) == sum(isinstance(outcome, Stored) for outcome in outcomes)
    assert sum(isinstance(outcome, Invalid) for outcome in outcomes) > 0


def test_a_series_ends_before_its_numbers_are_too_long(db: Any) -> None:
    of = series(length_max=3)
    outcomes = issue(db, *(draft("05", of) for _ in range(12)))
    assert [type(outcome) for outcome in outcomes] == [Stored] * 9 + [SeriesFull] * 3
    assert "F-10" in outcomes[9].detail


def test_a_number_that_another_series_has_is_a_conflict_and_not_an_endless_search(db: Any) -> None:
    issue(db, draft("05", series("par", "F-1")))  # F-11
    other = series("lyo", "F-")
    assert [type(o) for o in issue(db, *(draft("05", other) for _ in range(11)))] == [Stored] * 10 + [
        NumberTakenElsewhere
    ]


def test_a_counter_ahead_of_the_data_is_followed(db: Any) -> None:
    """What was taken over from an older system, whose documents are elsewhere."""
    db.counters.insert_one({"_id": series().counter_id, "seq": 57})
    issue(db, draft("05"))
    assert stored(db) == [(58, "05")]


@pytest.mark.parametrize("suffix", ["", "-X"])
def test_the_series_that_a_draft_follows_in_writes_its_number(db: Any, suffix: str) -> None:
    standing = Series(**{**vars(series()), "suffix": suffix})
    draft_of_it = Draft(series(), {"tenant": "acme", **series().document_filter}, lambda newest: standing)
    assert issue(db, draft_of_it)[0].document["invoice_number"] == f"F-1{suffix}"
