"""Invoices, credit notes and sequences as they are answered."""

from typing import Any

from marshmallow import fields

from finance.database import Document
from finance.edge.fields import AnswerSchema, PageSchema
from finance.history import HistoryEntry
from finance.invoices.model import STATUSES, CreditNote, Invoice, Line
from finance.money import DECIMALS_BY_CURRENCY, format_amount


class AnsweredLineSchema(AnswerSchema):
    description = fields.String()
    quantity = fields.String()
    unit_price = fields.String()
    tax_rate = fields.String()
    discount = fields.String(allow_none=True)
    net = fields.String(metadata={"description": "Exact, not rounded."})


class TaxSchema(AnswerSchema):
    rate = fields.String(metadata={"description": "In percent."})
    net = fields.String()
    tax = fields.String()


class InvoiceSchema(AnswerSchema):
    """An invoice as answered."""

    id = fields.String()
    invoice_number = fields.String(metadata={"example": "FAC-DKR1-202611-0001"})
    shop = fields.String()
    period = fields.String()
    customer_code = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True)
    issued_on = fields.Date()
    due_on = fields.Date(allow_none=True)
    currency = fields.String()
    lines = fields.List(fields.Nested(AnsweredLineSchema))
    taxes = fields.List(fields.Nested(TaxSchema))
    total_net = fields.String()
    total_tax = fields.String()
    total = fields.String()
    amount_paid = fields.String()
    outstanding = fields.String()
    notes = fields.String(allow_none=True)
    status = fields.String(metadata={"enum": STATUSES})
    cancel_reason = fields.String(allow_none=True)
    cancelled_at = fields.DateTime(allow_none=True)
    credit_note_number = fields.String(allow_none=True)
    history = fields.List(fields.Dict())
    created_at = fields.DateTime()
    created_by = fields.String()


class InvoicePageSchema(PageSchema):
    data = fields.List(fields.Nested(InvoiceSchema))


class CreditNoteSchema(AnswerSchema):
    """A credit note as answered. Its amounts are what it takes back, so they aren't negative."""

    id = fields.String()
    credit_note_number = fields.String(metadata={"example": "AV-DKR1-202611-0001"})
    invoice_number = fields.String()
    shop = fields.String()
    period = fields.String()
    customer_code = fields.String(allow_none=True)
    customer_name = fields.String(allow_none=True)
    issued_on = fields.Date()
    reason = fields.String()
    currency = fields.String()
    lines = fields.List(fields.Nested(AnsweredLineSchema))
    taxes = fields.List(fields.Nested(TaxSchema))
    total_net = fields.String()
    total_tax = fields.String()
    total = fields.String()
    created_at = fields.DateTime()
    created_by = fields.String()


class CreditNotePageSchema(PageSchema):
    data = fields.List(fields.Nested(CreditNoteSchema))


class SequenceSchema(AnswerSchema):
    kind = fields.String(metadata={"enum": ["invoice", "credit_note"]})
    period = fields.String()
    newest_number = fields.String()
    newest_issued_on = fields.Date()
    newest_seq = fields.Integer()
    count = fields.Integer()
    taken_over = fields.Integer(metadata={"description": "The last number given by the system before; 0 for none."})
    whole = fields.Boolean(metadata={"description": "No number is missing."})


class SequenceListSchema(AnswerSchema):
    data = fields.List(fields.Nested(SequenceSchema))


def dump_invoice(invoice: Invoice) -> dict[str, Any]:
    """Return a stored invoice as it is answered."""
    get, currency = invoice.get, invoice["currency"]
    is_cancelled = invoice["status"] == "cancelled"
    outstanding = 0 if is_cancelled else invoice["total_minor"] - invoice["paid_minor"]
    return {
        "id": str(invoice["_id"]),
        "invoice_number": invoice["invoice_number"],
        **_dump_document(invoice),
        "due_on": get("due_on"),
        "amount_paid": format_amount(invoice["paid_minor"], currency),
        "outstanding": format_amount(outstanding, currency),
        "notes": get("notes"),
        "status": invoice["status"],
        "cancel_reason": get("cancel_reason"),
        "cancelled_at": get("cancelled_at"),
        "credit_note_number": get("credit_note_number"),
        "history": [_dump_entry(entry, currency) for entry in invoice["history"]],
        "created_at": invoice["created_at"],
        "created_by": invoice["created_by"],
    }


def dump_credit_note(note: CreditNote) -> dict[str, Any]:
    """Return a stored credit note as it is answered."""
    return {
        "id": str(note["_id"]),
        "credit_note_number": note["credit_note_number"],
        "invoice_number": note["invoice_number"],
        "reason": note["reason"],
        **_dump_document(note),
        "created_at": note["created_at"],
        "created_by": note["created_by"],
    }


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


def _dump_document(document: Invoice | CreditNote) -> dict[str, Any]:
    """Return what invoices and credit notes have in common."""
    currency = document["currency"]
    return {
        "shop": document["shop"],
        "period": document["period"],
        "customer_code": document.get("customer_code"),
        "customer_name": document.get("customer_name"),
        "issued_on": document["issued_on"],
        "currency": currency,
        "lines": [_dump_line(line, currency) for line in document["lines"]],
        "taxes": [
            {
                "rate": tax["rate"],
                "net": format_amount(tax["net_minor"], currency),
                "tax": format_amount(tax["tax_minor"], currency),
            }
            for tax in document["taxes"]
        ],
        "total_net": format_amount(document["net_minor"], currency),
        "total_tax": format_amount(document["tax_minor"], currency),
        "total": format_amount(document["total_minor"], currency),
    }


def _dump_line(line: Line, currency: str) -> dict[str, Any]:
    return {
        "description": line["description"],
        "quantity": line["quantity"],
        "unit_price": _with_decimals(line["unit_price"], currency),
        "tax_rate": line["tax_rate"],
        "discount": line.get("discount"),
        "net": line["net"],
    }


def _with_decimals(number: str, currency: str) -> str:
    """Return a price with at least the decimals of its currency; "12.5" EUR is "12.50"."""
    major, _, minor = number.partition(".")
    minor = minor.ljust(DECIMALS_BY_CURRENCY[currency], "0")
    return f"{major}.{minor}" if minor else major


def _dump_entry(entry: HistoryEntry, currency: str) -> dict[str, Any]:
    """Return a history entry with amounts as they are answered."""
    changes = dict(entry["changes"])
    if "paid_minor" in changes:
        paid = changes.pop("paid_minor")
        changes["amount_paid"] = {end: format_amount(minor, currency) for end, minor in paid.items()}
    return {**entry, "changes": changes}
