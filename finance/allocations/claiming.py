"""Claiming a part of what is free on each sink: it keeps others from the same part, and counts for nobody yet."""

from collections.abc import Mapping, Sequence
from time import monotonic, sleep
from typing import Any, cast

from finance.allocations import store
from finance.allocations.entries import crossing, day_of, entries_of, live_minor, other_field
from finance.allocations.legacy import filled_in
from finance.allocations.model import (
    ENTRIES_MAX,
    HISTORY_MAX_BY_KIND,
    INVOICE,
    PAUSE_S,
    WAIT_S,
    AllocationsFull,
    Entry,
    Follow,
    InvoiceBusy,
    InvoiceIsCancelled,
    MoneyKind,
    MoreThanOutstanding,
    MoreThanUnallocated,
    OtherCustomersInvoice,
    Part,
    Place,
    Stored,
)
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import FieldError, Invalid
from finance.money import shown_amount, whole_of
from finance.said import said


def look_at_sinks(db: Db, *, tenant: str, currency: str, parts: Sequence[Part]) -> list[Stored]:
    """Return the documents that these parts are for; raises Invalid where there is none, or of another currency."""
    sinks: dict[tuple[MoneyKind, str], Stored] = {}
    for kind in {part.sink.kind for part in parts}:
        numbers = [part.sink.number for part in parts if part.sink.kind is kind]
        found = store.find_all(db, tenant=tenant, kind=kind, numbers=numbers)
        sinks |= {(kind, number): document for number, document in found.items()}
    return [_checked(sinks.get((part.sink.kind, part.sink.number)), part, currency) for part in parts]


def require_own_customers(document: Mapping[str, Any], *, sinks: Sequence[Mapping[str, Any]]) -> None:
    """Raise OtherCustomersInvoice where a source that names its customer gives to another customer's document."""
    own = document.get("customer_code")
    if own is not None and any(sink.get("customer_code") not in (None, own) for sink in sinks):
        raise OtherCustomersInvoice


def claim_parts(
    db: Db,
    source: Mapping[str, Any],
    kind: MoneyKind,
    *,
    claim: str,
    parts: Sequence[Part],
    sinks: Sequence[Stored],
    follow: Follow,
) -> None:
    """Claim the part of every sink; where that depends on the claims of others, wait for what becomes of them.

    Raises InvoiceIsCancelled, MoreThanOutstanding, MoreThanUnallocated, AllocationsFull; or InvoiceBusy. What was
    claimed until then stands, and is to be dropped.
    """
    waits_until = monotonic() + WAIT_S
    # In the order of their numbers, so that no two sources wait for each other.
    for part, sink in sorted(zip(parts, sinks, strict=True), key=lambda pair: pair[0].sink.number):
        filled_in(db, sink, part.sink.kind)
        entry = _entry(source, kind, claim, part, sink)
        while not store.claim(db, part.sink, currency=source["currency"], entry=entry):
            _require_possible(db, part)
            if monotonic() > waits_until:
                raise InvoiceBusy
            for other in undecided_claims(store.find(db, part.sink) or {}):
                if other != claim:
                    follow(part.sink, other)
            sleep(PAUSE_S)


def drop_claims(db: Db, *, claim: str, parts: Sequence[Part]) -> None:
    """Free what was claimed for what won't be. What is settled stays. Doing it again changes nothing."""
    for part in parts:
        for entry in entries_of(store.find(db, part.sink) or {}):
            if entry.get("claim") == claim and entry.get("state") == "claimed":
                store.change_entry(db, part.sink, entry, to=None, told=None)


def undecided_claims(document: Mapping[str, Any]) -> list[str]:
    """Return the claims on a sink of which it isn't settled whether they count."""
    return [
        entry["claim"]
        for entry in entries_of(document)
        if entry.get("state") in ("claimed", "returning")
        and other_field(entry) != INVOICE.number_field
        and isinstance(entry.get("claim"), str)
    ]


def _entry(source: Mapping[str, Any], kind: MoneyKind, claim: str, part: Part, sink: Stored) -> Entry:
    number = source.get(kind.number_field)
    return cast(
        Entry,
        {
            "claim": claim,
            "state": "claimed",
            "amount_minor": part.amount_minor,
            **({kind.number_field: number} if number is not None else {}),
            "on": day_of(source, kind, sink, part.sink.kind),
            **crossing(sink, source),
        },
    )


def _checked(sink: Stored | None, part: Part, currency: str) -> Stored:
    field, is_note = part.sink.kind.number_field, part.sink.kind is not INVOICE
    if sink is None:
        raise _refused_field(
            f"{part.pointer}/{field}",
            said("there is no credit note with this number.")
            if is_note
            else said("there is no invoice with this number."),
        )
    own = sink.get("currency")
    if own != currency or not isinstance(own, str):
        raise _refused_field(
            f"{part.pointer}/{field}",
            (
                said("is an credit note in {own}, not in {currency}.", own=own, currency=currency)
                if is_note
                else said("is an invoice in {own}, not in {currency}.", own=own, currency=currency)
            ),
        )
    return sink


def _require_possible(db: Db, part: Part) -> None:
    """Raise why a part can't be claimed, unless that may change by what becomes of the claims of others."""
    sink, number = store.find(db, part.sink), part.sink.number
    if sink is None:
        return
    if sink.get("status") == "cancelled":
        raise InvoiceIsCancelled(said("{number} is cancelled, so nothing can be allocated to it.", number=number))
    entries = entries_of(sink)
    if not isinstance(sink.get("allocations"), list):
        raise _too_much(part.sink, sink, 0)
    total_minor = whole_of(sink.get(part.sink.kind.amount_field))
    left_minor = total_minor - live_minor(e for e in entries if _is_decided(e, sink))
    if left_minor < part.amount_minor:
        raise _too_much(part.sink, sink, left_minor)
    changes = len(documents_in(sink.get("history")))
    if len(entries) >= ENTRIES_MAX or changes >= HISTORY_MAX_BY_KIND[part.sink.kind.name]:
        raise AllocationsFull(said("{number} can't have any more allocations.", number=number))


def _is_decided(entry: Entry, sink: Stored) -> bool:
    """Return whether an entry counts, or will: what the sink decided itself to credit, though its note isn't stored."""
    claim = entry.get("claim")
    if entry.get("state") != "claimed" or not isinstance(claim, str):
        return True  # of an entry that is damaged nobody will learn more
    return any(credit.get("claim") == claim for credit in documents_in(sink.get("credits")))


def _too_much(place: Place, sink: Stored, left_minor: int) -> MoreThanOutstanding | MoreThanUnallocated:
    currency = sink["currency"]
    left = shown_amount(left_minor, currency)
    if place.kind is INVOICE:
        return MoreThanOutstanding(
            said(
                "{number} has {left} {currency} outstanding, less than was to be allocated to it.",
                number=place.number,
                left=left,
                currency=currency,
            ),
            extra={"invoice_number": place.number, "outstanding": left},
        )
    return MoreThanUnallocated(
        said(
            "{number} has {left} {currency} unallocated, less than was to be paid back of it.",
            number=place.number,
            left=left,
            currency=currency,
        ),
        extra={"unallocated": left},
    )


def _refused_field(pointer: str, detail: str) -> Invalid:
    named = said("{name}: {detail}", name=pointer.removeprefix("/"), detail=detail)
    return Invalid(named, errors=[FieldError(detail, pointer=pointer)])
