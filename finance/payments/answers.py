"""Payments as they are answered."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from finance import history
from finance.allocations import entries
from finance.damaged import documents_in, mapping_of
from finance.edge.answers import HistoryEntrySchema, KeyId, KeyName
from finance.edge.fields import AnswerSchema, Choice, PageSchema
from finance.money import is_whole, shown_amount
from finance.payments.model import DIRECTIONS, METHODS, STATUSES, Payment


class AnsweredAllocationSchema(AnswerSchema):
    invoice_number = fields.String(allow_none=True)
    credit_note_number = fields.String(allow_none=True)
    amount = fields.String()


class PaymentHistoryEntrySchema(HistoryEntrySchema):
    """One change of a payment; `allocations` where it gave something, or took it back."""

    allocations = fields.List(fields.Nested(AnsweredAllocationSchema))


class PaymentSchema(AnswerSchema):
    """A payment as answered."""

    id = fields.String()
    payment_number = fields.String(metadata={"example": "PAY20260001"})
    amount = fields.String(metadata={"example": "1250.50"})
    currency = fields.String(metadata={"example": "EUR"})
    payer = fields.String()
    method = Choice(METHODS, name="PaymentMethod")
    direction = Choice(DIRECTIONS, name="PaymentDirection")
    paid_on = fields.Date()
    customer_code = fields.String(allow_none=True)
    reference = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String())
    allocations = fields.List(fields.Nested(AnsweredAllocationSchema))
    allocated = fields.String()
    unallocated = fields.String(metadata={"description": "What is left of it; nothing of a voided payment."})
    status = Choice(STATUSES, name="PaymentStatus")
    void_reason = fields.String(allow_none=True)
    voided_at = fields.DateTime(allow_none=True)
    previous_numbers = fields.List(fields.String())
    history = fields.List(fields.Nested(PaymentHistoryEntrySchema))
    created_at = fields.DateTime()
    created_by = KeyId()
    created_by_name = KeyName()


class PaymentPageSchema(PageSchema):
    data = fields.List(fields.Nested(PaymentSchema))


_ANSWERED = tuple(PaymentSchema().fields)


def dump_payment(payment: Payment) -> dict[str, Any]:
    """Return a stored payment as it is answered; not by marshmallow, because a list of 200 goes through here.

    A field that an older system left out is null: a list must show that payment too.
    """
    get = payment.get
    currency = get("currency")
    shown = {name: get(name) for name in _ANSWERED}
    shown["id"] = str(payment["_id"])
    shown["amount"] = shown_amount(get("amount_minor"), currency) or get("amount")
    shown["metadata"] = mapping_of(get("metadata"))
    if "allocations" in payment:
        shown["allocations"] = [
            _shown_allocation({field: number, "amount_minor": amount_minor}, currency)
            for field, number, amount_minor in entries.shown_allocations(payment)
        ]
        shown["allocated"] = shown_amount(entries.allocated_minor(payment), currency)
        shown["unallocated"] = shown_amount(entries.unallocated_minor(payment), currency)
    else:  # as nearly all are when they are posted
        amount_minor = get("amount_minor")
        nothing = shown_amount(0, currency) if is_whole(amount_minor) else None
        shown["allocations"], shown["allocated"] = [], nothing
        shown["unallocated"] = nothing if get("status") == "voided" else shown_amount(amount_minor, currency)
    previous = get("previous_numbers")
    shown["previous_numbers"] = previous if isinstance(previous, list) else []
    shown["history"] = [_dump_entry(entry, currency) for entry in history.shown(payment.get("history"))]
    return shown


def _dump_entry(entry: Mapping[str, Any], currency: object) -> Mapping[str, Any]:
    """Return a history entry with amounts as they are answered."""
    if entry.get("action") not in ("allocated", "released"):
        return entry
    changes = dict(mapping_of(entry.get("changes")))
    if "allocated_minor" in changes:
        allocated = mapping_of(changes.pop("allocated_minor"))
        changes["allocated"] = {end: shown_amount(minor, currency) for end, minor in allocated.items()}
    given = [_shown_allocation(allocation, currency) for allocation in documents_in(entry.get("allocations"))]
    shown = {name: value for name, value in entry.items() if name != "claim"}
    return {**shown, "changes": changes, "allocations": given}


def _shown_allocation(allocation: Mapping[str, Any], currency: object) -> dict[str, Any]:
    named = {name: allocation.get(name) for name in ("invoice_number", "credit_note_number")}
    return {**named, "amount": shown_amount(allocation.get("amount_minor"), currency)}
