"""What may follow what in a no-gap series: each draft is asked, given the document that holds the number before it."""

from collections.abc import Sequence

from finance.database import Document
from finance.errors import FinanceError
from finance.numbering import counters
from finance.numbering.batches import give_number
from finance.numbering.documents import find_newest
from finance.numbering.drafts import Draft, Numbered, NumberTakenElsewhere, Outcome, SeriesFull
from finance.numbering.series import Series
from finance.said import said


def give_numbers_in_order(
    numbered: Numbered, group: Sequence[Draft], newest: Document | None, newest_seq: int, outcomes: dict[Draft, Outcome]
) -> tuple[list[Draft], list[Draft]]:
    """Give the numbers after `newest_seq` to those that can follow; return them, and those to try again afterwards.

    A refusal is final where it follows from what is stored. Where it follows only from a draft before it, which may
    yet be refused itself, that one is stored first.
    """
    run: list[Draft] = []
    before = newest
    for position, draft in enumerate(group):
        number_seq = newest_seq + len(run) + 1
        followed = _follow(draft, before, number_seq)
        if isinstance(followed, FinanceError):
            if run and isinstance(_follow(draft, newest, newest_seq + 1), Series):
                return run, list(group[position:])
            outcomes[draft] = followed
            continue
        give_number(numbered, draft, followed, number_seq)
        run.append(draft)
        before = draft.document
    return run, []


def find_refusal(numbered: Numbered, draft: Draft) -> FinanceError | None:
    """Return why this draft of a no-gap series couldn't be numbered as things stand, None where it could.

    Nothing is stored and no number is taken: this is asked before something is decided that a document follows from.
    """
    counted = counters.read(numbered.db, draft.series)
    newest = find_newest(numbered, draft.series)
    number_seq = max(int(newest["number_seq"]) if newest else 0, counted) + 1
    series = _follow(draft, newest, number_seq)
    if isinstance(series, FinanceError):
        return series
    give_number(numbered, draft, series, number_seq)
    return find_taken_elsewhere(numbered, series, draft)


def _follow(draft: Draft, before: Document | None, number_seq: int) -> Series | FinanceError:
    """Return the series in which the draft takes `number_seq` after the document `before`, or why it can't."""
    series = draft.series if draft.follow is None else draft.follow(before)
    if isinstance(series, FinanceError):
        return series
    number = series.format(number_seq)
    if series.length_max is not None and len(number) > series.length_max:
        return SeriesFull(
            said(
                "This series is full: its next number, {number}, would be longer than {most} characters.",
                number=number,
                most=series.length_max,
            )
        )
    refused = draft.check(number) if draft.check is not None else None
    return refused or series


_KINDS = {
    "payment": said("payments"),
    "invoice": said("invoices"),
    "credit_note": said("credit notes"),
    "customer": said("customers"),
}


def find_taken_elsewhere(numbered: Numbered, series: Series, draft: Draft) -> NumberTakenElsewhere | None:
    """Return the refusal where the number just tried for `draft` belongs to a document outside of its series."""
    number = draft.document[numbered.kind.number_field]
    holder = numbered.collection.find_one(
        {"tenant": series.tenant, numbered.kind.number_field: number}, dict.fromkeys(series.document_filter, True)
    )
    if holder is None or not any(holder.get(name, value) != value for name, value in series.document_filter.items()):
        return None
    return NumberTakenElsewhere(
        said(
            "The next number of this series, {number}, belongs to another series of {kinds}. A number is never given "
            "twice: change how one of the two is written.",
            number=number,
            kinds=_KINDS.get(numbered.kind.name, numbered.kind.name),
        )
    )
