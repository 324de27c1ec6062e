"""Invoices, credit notes and sequences as they are answered."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marshmallow import fields

from finance.damaged import documents_in, mapping_of
from finance.database import Document
from finance.edge.answers import HistoryEntrySchema, KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, PageSchema
from finance.history import shown as shown_history
from finance.invoices import tax_numbers
from finance.invoices.model import STATUSES, CreditNote, Invoice
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
    """One change of an invoice; `payment_number` where a payment did it."""

    payment_number = fields.String(allow_none=True)


class InvoiceSchema(_IssuedSchema):
    """An invoice as answered."""

    invoice_number = fields.String(metadata={"example": "FAC-DKR1-202611-0001"})
    due_on = fields.Date(allow_none=True)
    amount_paid = fields.String()
    outstanding = fields.String()
    notes = fields.String(allow_none=True)
    status = Choice(STATUSES, name="InvoiceStatus")
    cancel_reason = fields.String(allow_none=True)
    cancelled_at = fields.DateTime(allow_none=True)
    credit_note_number = fields.String(allow_none=True)
    history = fields.List(fields.Nested(InvoiceHistoryEntrySchema))


class InvoicePageSchema(PageSchema):
    data = fields.List(fields.Nested(InvoiceSchema))


class CreditNoteSchema(_IssuedSchema):
    """A credit note as answered. Its amounts are what it takes back, so they aren't negative."""

    credit_note_number = fields.String(metadata={"example": "AV-DKR1-202611-0001"})
    invoice_number = fields.String()
    reason = fields.String()


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


class SequenceListSchema(AnswerSchema):
    data = fields.List(fields.Nested(SequenceSchema))


_INVOICE = tuple(InvoiceSchema().fields)
_CREDIT_NOTE = tuple(CreditNoteSchema().fields)


def dump_invoice(invoice: Invoice, *, in_full: Collection[str] = ()) -> dict[str, Any]:
    """Return a stored invoice as it is answered, its tax numbers masked but for those named in `in_full`."""
    get, currency = invoice.get, invoice.get("currency")
    shown = _dump_issued(invoice, _INVOICE)
    shown |= {name: tax_numbers.shown(get(name), in_full=True) for name in in_full}
    shown["amount_paid"] = shown_amount(get("paid_minor"), currency)
    shown["outstanding"] = shown_amount(_outstanding_minor(invoice), currency)
    shown["history"] = [_dump_entry(entry, currency) for entry in shown_history(get("history"))]
    return shown


def dump_credit_note(note: CreditNote) -> dict[str, Any]:
    """Return a stored credit note as it is answered."""
    return _dump_issued(note, _CREDIT_NOTE)


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
    }


def _outstanding_minor(invoice: Invoice) -> int | None:
    if invoice.get("status") == "cancelled":
        return 0
    total_minor, paid_minor = invoice.get("total_minor"), invoice.get("paid_minor")
    return total_minor - paid_minor if is_whole(total_minor) and is_whole(paid_minor) else None


def _dump_issued(document: Invoice | CreditNote, names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of these names, with what invoices and credit notes have in common as it is answered."""
    get, currency = document.get, document.get("currency")
    shown = {name: get(name) for name in names}
    shown["id"] = str(document["_id"])
    shown |= {name: tax_numbers.shown(get(name), in_full=False) for name in TAX_NUMBERS}
    shown["lines"] = [_dump_line(line, currency) for line in documents_in(get("lines"))]
    shown["taxes"] = [
        {
            "rate": tax.get("rate"),
            "net": shown_amount(tax.get("net_minor"), currency),
            "tax": shown_amount(tax.get("tax_minor"), currency),
        }
        for tax in documents_in(get("taxes"))
    ]
    shown["total_net"] = shown_amount(get("net_minor"), currency)
    shown["total_tax"] = shown_amount(get("tax_minor"), currency)
    shown["total"] = shown_amount(get("total_minor"), currency)
    return shown


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
    """Return a history entry with amounts as they are answered."""
    changes = dict(mapping_of(entry.get("changes")))
    if "paid_minor" in changes:
        paid = mapping_of(changes.pop("paid_minor"))
        changes["amount_paid"] = {end: shown_amount(minor, currency) for end, minor in paid.items()}
    return {**entry, "payment_number": entry.get("payment_number"), "changes": changes}
