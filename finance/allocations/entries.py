"""What the entries of a document say, read in memory: also of documents that earlier versions stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from finance.allocations.model import CREDIT_NOTE, INVOICE, PAYMENT, Entry, MoneyKind, Part, Place
from finance.damaged import documents_in, mapping_of
from finance.history import as_of
from finance.money import is_whole, whole_of

T = TypeVar("T", bound=Mapping[str, Any])

NUMBER_FIELDS = (INVOICE.number_field, CREDIT_NOTE.number_field, PAYMENT.number_field)


def entries_of(document: Mapping[str, Any]) -> list[Entry]:
    """Return the entries in the order in which they were made."""
    found = cast(list[Entry], documents_in(document.get("allocations")))
    return sorted(found, key=lambda entry: (whole_of(entry.get("since")), whole_of(entry.get("place"))))


def is_settled(entry: Mapping[str, Any]) -> bool:
    return entry.get("state", "settled") == "settled"


def counts(entry: Mapping[str, Any]) -> bool:
    """Return whether money went this way: also while somebody is about to take it back."""
    return entry.get("state", "settled") not in ("claimed", "released")


def claim_of(document: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
    """Return the claim of a source's entry; earlier versions had it beside the entries alone."""
    claim = entry.get("claim") or document.get("claim")
    return claim if isinstance(claim, str) else None


def counted_minor(entries: Iterable[Mapping[str, Any]]) -> int:
    return _sum_minor(entry for entry in entries if counts(entry))


def live_minor(entries: Iterable[Mapping[str, Any]]) -> int:
    return _sum_minor(entry for entry in entries if entry.get("state") != "released")


def allocated_minor(document: Mapping[str, Any]) -> int | None:
    """Return what is allocated of a payment or a credit note; None where its amount isn't known."""
    kind = _kind_of(document)
    amount_minor = document.get(kind.amount_field)
    if not is_whole(amount_minor):
        return None
    if kind is CREDIT_NOTE and not isinstance(document.get("allocations"), list):
        return amount_minor  # an earlier version's took its invoice back whole
    return 0 if document.get("status") == "voided" else counted_minor(entries_of(document))


def unallocated_minor(document: Mapping[str, Any]) -> int | None:
    """Return what is left of a payment or a credit note; nothing of a voided one."""
    allocated = allocated_minor(document)
    if allocated is None:
        return None
    if document.get("status") == "voided":
        return 0
    return int(document[_kind_of(document).amount_field]) - allocated


def shown_allocations(document: Mapping[str, Any]) -> list[tuple[str, str, int | None]]:
    """Return (number field, number, amount) of each document on the other side, several entries of one added up.

    What a credit note gave comes before what pays it back.
    """
    if document.get("status") == "voided":
        return []
    found: dict[tuple[str, str], int | None] = {}
    for entry in sorted(entries_of(document), key=lambda entry: PAYMENT.number_field in entry):
        field = other_field(entry)
        if field is None or not counts(entry):
            continue
        before, amount_minor = found.get((field, entry[field]), 0), entry.get("amount_minor")  # type: ignore[literal-required]
        whole = is_whole(before) and is_whole(amount_minor)
        found[field, entry[field]] = before + amount_minor if whole else None  # type: ignore[literal-required,operator]
    return [(field, number, amount_minor) for (field, number), amount_minor in found.items()]


def other_field(entry: Mapping[str, Any]) -> str | None:
    """Return which field names the document on the other side; None where that has no number yet."""
    return next((field for field in NUMBER_FIELDS if isinstance(entry.get(field), str)), None)


def settled_for(source: Mapping[str, Any], sink: Place, claim: str) -> int:
    """Return what a source holds settled for a sink under a claim; nothing once it is voided."""
    if source.get("status") == "voided":
        return 0
    return _sum_minor(
        entry
        for entry in entries_of(source)
        if claim_of(source, entry) == claim and entry.get(sink.kind.number_field) == sink.number and is_settled(entry)
    )


def given(
    source: Mapping[str, Any], kind: MoneyKind, parts: Sequence[Part], sinks: Sequence[Mapping[str, Any]]
) -> list[Entry]:
    """Return a source's entries for these parts, all but claim and state; `sinks` are their documents."""
    found: list[dict[str, Any]] = [
        {
            "amount_minor": part.amount_minor,
            part.sink.kind.number_field: part.sink.number,
            "on": day_of(source, kind, sink, part.sink.kind),
            "place": place,
            **crossing(source, sink),
        }
        for place, (part, sink) in enumerate(zip(parts, sinks, strict=True))
    ]
    return cast(list[Entry], found)


def day_of(source: Mapping[str, Any], kind: MoneyKind, sink: Mapping[str, Any], sink_kind: MoneyKind) -> str:
    """Return from which day an allocation counts: the later of the days of its documents."""
    days = (source.get(kind.day_field), sink.get(sink_kind.day_field))
    return max(day for day in (*days, "") if isinstance(day, str))


def crossing(document: Mapping[str, Any], other: Mapping[str, Any]) -> Entry:
    """Return `customer_code` for the entry on a document, where the other document's customer isn't its own."""
    code = _customer_of(other)
    return {} if code == _customer_of(document) else {"customer_code": code}


def taken_over(source: Mapping[str, Any], sinks: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the customer that a payment without one gets: that of all that it pays, where it has paid nothing yet."""
    if source.get("customer_code") is not None or counted_minor(entries_of(source)):
        return None
    codes = {_customer_of(sink) for sink in sinks}
    return codes.pop() if len(codes) == 1 else None


def told_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a history tells of an entry."""
    return {other_field(entry) or "": entry.get(other_field(entry) or ""), "amount_minor": entry.get("amount_minor")}


def released(entries: Sequence[Entry], *, amount_minor: int, values: Entry) -> list[Entry]:
    """Return these settled entries after releasing so much of them, the latest first; a part splits its entry."""
    remaining, changed = amount_minor, list[Entry]()
    for entry in reversed(entries):
        part = min(remaining, entry["amount_minor"])
        remaining -= part
        if part:
            changed.append(cast(Entry, {**entry, **values, "state": "released", "amount_minor": part}))
        if part < entry["amount_minor"]:
            changed.append(cast(Entry, {**entry, "amount_minor": entry["amount_minor"] - part}))
    return changed


def source_as_of(document: T, *, history_length: int) -> T:
    """Return a source as it was when its history was so long: what a repeat is answered with."""
    earlier = dict(as_of(document, history_length=history_length))
    gave = [
        {**entry, "state": "settled"}
        for entry in entries_of(document)
        if entry.get("state") != "claimed"
        and (_kind_of(document) is PAYMENT or INVOICE.number_field in entry)
        and whole_of(entry.get("since")) <= history_length < whole_of(entry.get("until"), history_length + 1)
    ]
    if isinstance(document.get("allocations"), list):
        earlier["allocations"] = [*gave, *_paid_back(earlier["history"])]
    return cast(T, earlier)


def _paid_back(history: object) -> list[dict[str, Any]]:
    """Return the entries of what had paid a credit note back when its history was this: they don't tell it themselves,
    because a payment decides about them.
    """
    found: dict[str, int] = {}
    for told in documents_in(history):
        number = told.get(PAYMENT.number_field)
        if told.get("action") in ("paid", "given_back") and isinstance(number, str):
            change = mapping_of(mapping_of(told.get("changes")).get("allocated_minor"))
            found[number] = found.get(number, 0) + whole_of(change.get("to")) - whole_of(change.get("from"))
            if found[number] == 0:
                del found[number]
    return [
        {PAYMENT.number_field: number, "state": "settled", "amount_minor": amount_minor}
        for number, amount_minor in found.items()
    ]


def _customer_of(document: Mapping[str, Any]) -> str | None:
    code = document.get("customer_code")
    return code if isinstance(code, str) else None


def _kind_of(source: Mapping[str, Any]) -> MoneyKind:
    return CREDIT_NOTE if CREDIT_NOTE.number_field in source else PAYMENT


def _sum_minor(entries: Iterable[Mapping[str, Any]]) -> int:
    return sum(amount for entry in entries if is_whole(amount := entry.get("amount_minor")))
