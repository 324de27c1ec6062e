"""Entries that earlier versions stored, given what entries have today before anything of their document changes."""

from collections.abc import Mapping
from typing import Any, cast

from finance.allocations import store
from finance.allocations.entries import claim_of, crossing, day_of, entries_of, other_field
from finance.allocations.model import CREDIT_NOTE, INVOICE, PAYMENT, Entry, MoneyKind, Stored
from finance.database import Db

_KIND_BY_FIELD = {kind.number_field: kind for kind in (PAYMENT, INVOICE, CREDIT_NOTE)}


def filled_in(db: Db, document: Stored, kind: MoneyKind) -> Stored:
    """Return the document with all its entries as they are stored today.

    On a payment an earlier version left out all but number and amount; on an invoice the number and the day.
    """
    if not any(_is_of_earlier_version(entry) for entry in entries_of(document)):
        return document
    fill = _of_payment if kind is PAYMENT else _of_sink
    entries = [
        fill(db, document, entry, place) if _is_of_earlier_version(entry) else entry
        for place, entry in enumerate(entries_of(document))
    ]
    return store.fill_in(db, document, kind, entries=entries) or store.find_again(db, document, kind)


def _is_of_earlier_version(entry: Mapping[str, Any]) -> bool:
    return "on" not in entry and entry.get("state", "settled") not in ("claimed", "released")


def _of_payment(db: Db, payment: Stored, entry: Entry, place: int) -> Entry:
    field = other_field(entry)
    if field is None:
        return entry
    kind = _KIND_BY_FIELD[field]
    numbers = [entry[kind.number_field]]  # type: ignore[literal-required]
    sink = store.find_all(db, tenant=payment["tenant"], kind=kind, numbers=numbers).get(numbers[0], {})
    known: Stored = {
        "claim": claim_of(payment, entry),
        "state": "settled",
        "on": day_of(payment, PAYMENT, sink, kind),
        "since": 0,
        "place": place,
        **crossing(payment, sink),
    }
    return cast(Entry, known | entry)


def _of_sink(db: Db, sink: Stored, entry: Entry, _place: int) -> Entry:
    claim = entry.get("claim")
    if not isinstance(claim, str):
        return entry
    payment = store.find_by_claim(db, tenant=sink["tenant"], kind=PAYMENT, claim=claim)
    return entry if payment is None else sink_entry(entry, payment, PAYMENT, sink, INVOICE)


def sink_entry(entry: Entry, source: Stored, kind: MoneyKind, sink: Stored, sink_kind: MoneyKind) -> Entry:
    """Return a sink's entry with what it tells of its source, as both documents are now."""
    known = {name: value for name, value in entry.items() if name not in ("customer_code", *_KIND_BY_FIELD)}
    number = source.get(kind.number_field)
    return cast(
        Entry,
        {
            **known,
            **({kind.number_field: number} if number is not None else {}),
            "on": day_of(source, kind, sink, sink_kind),
            **crossing(sink, source),
        },
    )
