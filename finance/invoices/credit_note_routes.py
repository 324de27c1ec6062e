"""`/credit-notes`, and crediting an invoice: each view loads, calls and dumps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response

from finance.allocations import model as allocations
from finance.allocations.model import InvoiceBusy, InvoiceIsCancelled
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.conditions import asked_condition, tagged_reply
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply
from finance.edge.openapi import ETAG, LOCATION
from finance.errors import PreconditionFailed
from finance.events import NotRecorded
from finance.invoices import (
    credit_notes,
    crediting,
    examples,
    note_giving,
)
from finance.invoices.answers import (
    CreditNotePageSchema,
    CreditNoteSchema,
    dump_credit_note,
)
from finance.invoices.cancelling import (
    InvoiceHistoryFull,
)
from finance.invoices.credit_notes import CreditNoteNotFound
from finance.invoices.crediting import MoreThanInvoiced
from finance.invoices.files import CREDIT_NOTE_ALLOCATIONS, CREDIT_NOTES, allocations_of_notes, dump_allocation
from finance.invoices.finishing import CreditNoteNotStored
from finance.invoices.model import CreditNote
from finance.invoices.note_giving import CreditNoteBusy
from finance.invoices.schemas import (
    CreditNoteExportSchema,
    CreditNoteListSchema,
    GiveCreditNoteSchema,
    NewCreditNoteSchema,
    ReleaseCreditNoteSchema,
    filters_of,
)
from finance.invoices.seen import masked_credit_note, settling, tags_of_credit_note, tags_of_invoice
from finance.invoices.settling import InvoiceNotFound
from finance.invoices.tax_numbers import GSTIN, TAX_NUMBERS, opened, record_read
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.shops.service import ShopDamaged

blueprint = Blueprint("credit-notes", __name__, url_prefix="/api/v1", description="What is taken back of invoices")


@blueprint.route("/invoices/<invoice_number>/credit-notes", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceIsCancelled, MoreThanInvoiced, InvoiceHistoryFull, InvoiceBusy, CreditNoteNotStored)
@fails(ShopDamaged, PreconditionFailed, IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(NewCreditNoteSchema(), example=examples.NEW_CREDIT_NOTE)
@blueprint.response(201, CreditNoteSchema(), example=examples.CREDITED, headers=ETAG | LOCATION)
def credit_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Credit a part of an invoice, paid or not; what it no longer takes is the credit note's to give to others"""
    answer = crediting.credit_invoice(
        parts().db,
        asked(),
        invoice_number=invoice_number,
        posted=posted,
        settling=settling(),
        condition=asked_condition(tags_of=tags_of_invoice),
    )
    location = f"/api/v1/credit-notes/{answer.document['credit_note_number']}"
    shown = dump_credit_note(opened(parts().cipher, answer.document), in_full=(GSTIN,))
    return tagged_reply(shown, status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>", methods=["GET"])
@requires("client")
@fails(CreditNoteNotFound, NotRecorded)
@blueprint.response(200, CreditNoteSchema(), example=examples.CREDIT_NOTE, headers=ETAG)
def get_credit_note(credit_note_number: str) -> Response:
    """Show a credit note"""
    note = credit_notes.get_credit_note(
        parts().db, tenant=caller().tenant, credit_note_number=credit_note_number, settling=settling()
    )
    read = opened(parts().cipher, note)
    if not caller().may("accountant"):
        return tagged_reply(dump_credit_note(read))
    record_read(parts().db, asked(), read)
    return tagged_reply(dump_credit_note(read, in_full=TAX_NUMBERS))


@blueprint.route("/credit-notes", methods=["GET"])
@requires("accountant")
@blueprint.arguments(CreditNoteListSchema(), location="query")
@blueprint.response(200, CreditNotePageSchema(), example=examples.CREDIT_NOTES)
def list_credit_notes(query: dict[str, Any]) -> Response:
    """List credit notes, the newest day first"""
    list_page = partial(
        credit_notes.list_credit_notes,
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query),
        settling=settling(),
    )
    return list_reply(query, list_page, masked_credit_note)


@blueprint.route("/credit-notes/<credit_note_number>/allocations", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, *allocations.FAILURES, allocations.SameAllocationUnderWay)
@fails(PreconditionFailed, IdempotencyKeyReused, RefusedByForeignIndex)
@blueprint.arguments(GiveCreditNoteSchema(), example=examples.ALLOCATE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.ALLOCATED_CREDIT_NOTE, headers=ETAG)
def allocate_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Give what is left of a credit note to other invoices of its customer"""
    answer = note_giving.allocate_credit_note(
        parts().db,
        asked(),
        credit_note_number=credit_note_number,
        posted=posted["allocations"],
        settling=settling(),
        condition=asked_condition(tags_of=tags_of_credit_note),
    )
    return tagged_reply(masked_credit_note(answer.document), replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>/release", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, InvoiceIsCancelled)
@fails(allocations.NothingAllocated, allocations.AllocationsFull, IdempotencyKeyReused)
@fails(PreconditionFailed, RefusedByForeignIndex)
@blueprint.arguments(ReleaseCreditNoteSchema(), example=examples.RELEASE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.RELEASED_CREDIT_NOTE, headers=ETAG)
def release_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Take back what a credit note gave to an invoice, all of it or a part"""
    answer = note_giving.release_credit_note(
        parts().db,
        asked(),
        credit_note_number=credit_note_number,
        posted=posted,
        settling=settling(),
        condition=asked_condition(tags_of=tags_of_credit_note),
    )
    return tagged_reply(masked_credit_note(answer.document), replayed=answer.replayed)


@exported(blueprint, "/credit-notes/export", CREDIT_NOTES, masked_credit_note)
@requires("accountant")
@blueprint.arguments(CreditNoteExportSchema(), location="query")
def export_credit_notes(query: dict[str, Any]) -> Iterator[list[CreditNote]]:
    """Export every credit note of a list"""
    return credit_notes.export_credit_notes(
        parts().db, tenant=caller().tenant, filters=filters_of(query), settling=settling()
    )


@exported(blueprint, "/credit-notes/allocations/export", CREDIT_NOTE_ALLOCATIONS, dump_allocation)
@requires("accountant")
@blueprint.arguments(CreditNoteExportSchema(), location="query")
def export_credit_note_allocations(query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Export what the credit notes of a list give to invoices, a row each"""
    pages = credit_notes.export_credit_notes(
        parts().db, tenant=caller().tenant, filters=filters_of(query), settling=settling()
    )
    return map(allocations_of_notes, pages)
