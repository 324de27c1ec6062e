"""Invoices, credit notes and sequences as they are answered."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marshmallow import fields

from finance.allocations.entries import allocated_minor, shown_allocations, unallocated_minor
from finance.damaged import documents_in, mapping_of
from finance.database import Document
from finance.edge.answers import HistoryEntrySchema, KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, PageSchema
from finance.history import shown as shown_history
from finance.invoices import tax_numbers
from finance.invoices.model import STATUSES, CreditNote, Invoice, Totals
from finance.invoices.tax_numbers import TAX_NUMBERS
from finance.money import DECIMALS_BY_CURRENCY, is_whole, shown_amount


class AnsweredLineSchema(AnswerSchema):
    description = fields.String()
    quantity = fields.String()
    unit_price = fields.String()
    tax_rate = fields.String()
    discount = fields.String(allow_none=True)
    net = fields.String(metadata={"description": "Rounded to the currency's decimals."})


class TaxSchema(AnswerSchema):
    rate = fields.String(metadata={"description": "In percent."})
    net = fields.String()
    tax = fields.String()


class _IssuedSchema(AnswerSchema):
    """What invoices and credit notes have in common."""

    id = fields.String()
    shop = fields.String()
    period = fields.String()
    customer_code = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True, metadata={"description": "As on the day of issue; so the others."})
    customer_address = fields.String(allow_none=True)
    customer_gstin = fields.String(
        allow_none=True,
        metadata={"description": "Masked, but for whoever issues it, and accountants on a single invoice."},
    )
    customer_pan_number = fields.String(
        allow_none=True,
        metadata={"description": "Where there is no GSTIN; masked, but for accountants on a single invoice."},
    )
    issued_on = fields.Date()
    currency = fields.String()
    lines = fields.List(fields.Nested(AnsweredLineSchema))
    taxes = fields.List(fields.Nested(TaxSchema))
    total_net = fields.String()
    total_tax = fields.String()
    total = fields.String()
    created_at = fields.DateTime()
    created_by = KeyId()
    created_by_name = KeyName()


class InvoiceHistoryEntrySchema(HistoryEntrySchema):
    """One change of an invoice, with the number of the payment or credit note that did it."""

    payment_number = fields.String(allow_none=True)
    credit_note_number = fields.String(allow_none=True)


class InvoiceAllocationSchema(AnswerSchema):
    """What a payment pays of an invoice, or a credit note takes off it; those of earlier versions aren't named."""

    payment_number = fields.String(allow_none=True)
    credit_note_number = fields.String(allow_none=True)
    amount = fields.String()


class InvoiceSchema(_IssuedSchema):
    """An invoice as answered."""

    invoice_number = fields.String(metadata={"example": "FAC-DKR1-202611-0001"})
    due_on = fields.Date(allow_none=True)
    amount_paid = fields.String()
    amount_credited = fields.String()
    outstanding = fields.String()
    notes = fields.String(allow_none=True)
    status = Choice(STATUSES, name="InvoiceStatus")
    cancel_reason = fields.String(allow_none=True)
    cancelled_at = fields.DateTime(allow_none=True)
    credit_note_number = fields.String(allow_none=True, metadata={"description": "The one that cancelled it."})
    credit_note_numbers = fields.List(fields.String(), metadata={"description": "All, the oldest first."})
    allocations = fields.List(fields.Nested(InvoiceAllocationSchema))
    history = fields.List(fields.Nested(InvoiceHistoryEntrySchema))


class InvoicePageSchema(PageSchema):
    data = fields.List(fields.Nested(InvoiceSchema))


class NoteAllocationSchema(AnswerSchema):
    """To which invoice a part of a credit note was given, or which outgoing payment paid it back."""

    invoice_number = fields.String(allow_none=True)
    payment_number = fields.String(allow_none=True)
    amount = fields.String()


class CreditNoteHistoryEntrySchema(HistoryEntrySchema):
    """One change of a credit note; `allocations` where it gave something to invoices, or took it back."""

    payment_number = fields.String(allow_none=True)
    allocations = fields.List(fields.Nested(NoteAllocationSchema))


class CreditNoteSchema(_IssuedSchema):
    """A credit note as answered. Its amounts are what it takes back, so they aren't negative."""

    credit_note_number = fields.String(metadata={"example": "AV-DKR1-202611-0001"})
    invoice_number = fields.String()
    reason = fields.String()
    allocations = fields.List(fields.Nested(NoteAllocationSchema), metadata={"description": "What took it up."})
    allocated = fields.String()
    unallocated = fields.String(metadata={"description": "What can be given to other invoices, or paid back."})
    history = fields.List(fields.Nested(CreditNoteHistoryEntrySchema))


class CreditNotePageSchema(PageSchema):
    data = fields.List(fields.Nested(CreditNoteSchema))


class SequenceSchema(AnswerSchema):
    kind = Choice(("invoice", "credit_note"), name="SequenceKind")
    period = fields.String()
    newest_number = fields.String()
    newest_issued_on = fields.Date()
    newest_seq = fields.Integer()
    count = fields.Integer()
    taken_over = fields.Integer(metadata={"description": "The last number given by the system before; 0 for none."})
    whole = fields.Boolean(metadata={"description": "No number is missing."})
    capacity_left = fields.Integer(
        allow_none=True,
        metadata={"description": "How many numbers max_length has room for beyond the newest; null for no end."},
    )
    nearly_full = fields.Boolean(metadata={"description": "Nine of ten numbers that there is room for are given."})


class SequenceListSchema(AnswerSchema):
    data = fields.List(fields.Nested(SequenceSchema))


_INVOICE = tuple(InvoiceSchema().fields)
_CREDIT_NOTE = tuple(CreditNoteSchema().fields)
# What a history tells of sums, and what they are called where they are answered.
_SUMS = {"paid_minor": "amount_paid", "credited_minor": "amount_credited", "allocated_minor": "allocated"}


def dump_invoice(invoice: Invoice, *, in_full: Collection[str] = ()) -> dict[str, Any]:
    """Return a stored invoice as it is answered, its tax numbers masked but for those named in `in_full`."""
    get, currency = invoice.get, invoice.get("currency")
    shown = _dump_issued(invoice, _INVOICE)
    shown |= {name: tax_numbers.shown(get(name), in_full=True) for name in in_full}
    shown["amount_paid"] = shown_amount(get("paid_minor"), currency)
    shown["amount_credited"] = shown_amount(get("credited_minor", 0), currency)
    shown["allocations"] = [
        {"payment_number": None, "credit_note_number": None, field: number, "amount": shown_amount(minor, currency)}
        for field, number, minor in shown_allocations(invoice)
    ]
    shown["outstanding"] = shown_amount(_outstanding_minor(invoice), currency)
    shown["credit_note_numbers"] = _credit_note_numbers(invoice)
    shown["history"] = [_dump_entry(entry, currency) for entry in shown_history(get("history"))]
    return shown


def dump_credit_note(note: CreditNote, *, in_full: Collection[str] = ()) -> dict[str, Any]:
    """Return a stored credit note as it is answered, its tax numbers masked but for those named in `in_full`."""
    get, currency = note.get, note.get("currency")
    shown = _dump_issued(note, _CREDIT_NOTE)
    shown |= {name: tax_numbers.shown(get(name), in_full=True) for name in in_full}
    shown["allocations"] = [
        _dump_given({field: number, "amount_minor": amount_minor}, currency)
        for field, number, amount_minor in shown_allocations(note) or _taken_back_whole(note)
    ]
    shown["allocated"] = shown_amount(allocated_minor(note), currency)
    shown["unallocated"] = shown_amount(unallocated_minor(note), currency)
    shown["history"] = [_dump_note_entry(entry, currency) for entry in shown_history(get("history"))]
    return shown


def dump_totals(totals: Totals) -> dict[str, Any]:
    """Return what lines come to as it is answered of an invoice that has them."""
    return {"currency": totals["currency"], **_dump_sums(totals)}


def dump_sequence(sequence: Document) -> dict[str, Any]:
    """Return a sequence as it is answered."""
    newest = sequence["newest_document"]
    return {
        "kind": sequence["kind"],
        "period": sequence["period"],
        "newest_number": newest.get(f"{sequence['kind']}_number"),
        "newest_issued_on": newest.get("issued_on"),
        "newest_seq": sequence["newest"],
        "count": sequence["count"],
        "taken_over": sequence["taken_over"],
        "whole": sequence["is_whole"],
        "capacity_left": sequence["capacity_left"],
        "nearly_full": sequence["is_nearly_full"],
    }


def _credit_note_numbers(invoice: Invoice) -> list[Any]:
    numbers = [credit.get("credit_note_number") for credit in documents_in(invoice.get("credits"))]
    return [number for number in (*numbers, invoice.get("credit_note_number")) if number is not None]


def _taken_back_whole(note: CreditNote) -> list[tuple[str, Any, Any]]:
    """Return what a credit note of an earlier version is allocated to: all of it to the invoice that it took back."""
    is_legacy = not isinstance(note.get("allocations"), list)
    return [("invoice_number", note.get("invoice_number"), note.get("total_minor"))] if is_legacy else []


def _outstanding_minor(invoice: Invoice) -> int | None:
    if invoice.get("status") == "cancelled":
        return 0
    total_minor, paid_minor = invoice.get("total_minor"), invoice.get("paid_minor")
    credited_minor = invoice.get("credited_minor", 0)
    if is_whole(total_minor) and is_whole(paid_minor) and is_whole(credited_minor):
        return total_minor - paid_minor - credited_minor
    return None


def _dump_issued(document: Invoice | CreditNote, names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of these names, with what invoices and credit notes have in common as it is answered."""
    get = document.get
    shown = {name: get(name) for name in names}
    shown["id"] = str(document["_id"])
    shown |= {name: tax_numbers.shown(get(name), in_full=False) for name in TAX_NUMBERS}
    return shown | _dump_sums(document)


def _dump_sums(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lines of a document, and what they come to."""
    get, currency = document.get, document.get("currency")
    return {
        "lines": [_dump_line(line, currency) for line in documents_in(get("lines"))],
        "taxes": [
            {
                "rate": tax.get("rate"),
                "net": shown_amount(tax.get("net_minor"), currency),
                "tax": shown_amount(tax.get("tax_minor"), currency),
            }
            for tax in documents_in(get("taxes"))
        ],
        "total_net": shown_amount(get("net_minor"), currency),
        "total_tax": shown_amount(get("tax_minor"), currency),
        "total": shown_amount(get("total_minor"), currency),
    }


def _dump_line(line: Mapping[str, Any], currency: object) -> dict[str, Any]:
    return {
        "description": line.get("description"),
        "quantity": line.get("quantity"),
        "unit_price": _with_decimals(line.get("unit_price"), currency),
        "tax_rate": line.get("tax_rate"),
        "discount": line.get("discount"),
        "net": line.get("net"),
    }


def _with_decimals(number: object, currency: object) -> object:
    """Return a price with at least the decimals of its currency; "12.5" EUR is "12.50". What is damaged stays so."""
    if not isinstance(number, str) or not isinstance(currency, str) or currency not in DECIMALS_BY_CURRENCY:
        return number
    major, _, minor = number.partition(".")
    minor = minor.ljust(DECIMALS_BY_CURRENCY[currency], "0")
    return f"{major}.{minor}" if minor else major


def _dump_entry(entry: Mapping[str, Any], currency: object) -> dict[str, Any]:
    """Return an entry of an invoice's history with amounts as they are answered."""
    numbers = {name: entry.get(name) for name in ("payment_number", "credit_note_number")}
    return {**entry, **numbers, "changes": _dump_changes(entry, currency)}


def _dump_note_entry(entry: Mapping[str, Any], currency: object) -> dict[str, Any]:
    """Return an entry of a credit note's history with amounts as they are answered."""
    shown = {name: value for name, value in entry.items() if name != "claim"}
    shown |= {"payment_number": entry.get("payment_number"), "changes": _dump_changes(entry, currency)}
    if "allocations" in entry:
        shown["allocations"] = [_dump_given(part, currency) for part in documents_in(entry["allocations"])]
    return shown


def _dump_given(part: Mapping[str, Any], currency: object) -> dict[str, Any]:
    numbers = {name: part.get(name) for name in ("invoice_number", "payment_number")}
    return {**numbers, "amount": shown_amount(part.get("amount_minor"), currency)}


def _dump_changes(entry: Mapping[str, Any], currency: object) -> dict[str, Any]:
    changes = dict(mapping_of(entry.get("changes")))
    for stored, name in _SUMS.items():
        if stored in changes:
            ends = mapping_of(changes.pop(stored))
            changes[name] = {end: shown_amount(minor, currency) for end, minor in ends.items()}
    return changes
