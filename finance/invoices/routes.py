"""`/invoices`, `/credit-notes` and the sequences of a shop: each view loads, calls and dumps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response, current_app

from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers.changes import CustomerErased
from finance.edge.blueprints import Blueprint
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply
from finance.edge.openapi import LOCATION
from finance.edge.replies import reply
from finance.invoices import cancelling, credit_notes, examples, issuing, sequences, service
from finance.invoices.answers import (
    CreditNotePageSchema,
    CreditNoteSchema,
    InvoicePageSchema,
    InvoiceSchema,
    SequenceListSchema,
    dump_credit_note,
    dump_invoice,
    dump_sequence,
)
from finance.invoices.cancelling import InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHistoryFull
from finance.invoices.claims import InvoiceBusy
from finance.invoices.credit_notes import CreditNoteNotFound
from finance.invoices.files import (
    CREDIT_NOTE_ALLOCATIONS,
    CREDIT_NOTES,
    EXPORTED,
    allocations_of_notes,
    dump_allocation,
)
from finance.invoices.model import CreditNote, Invoice
from finance.invoices.schemas import (
    CancelSchema,
    CreditNoteExportSchema,
    CreditNoteListSchema,
    InvoiceExportSchema,
    InvoiceListSchema,
    NewInvoiceSchema,
    filters_of,
)
from finance.invoices.sequences import IssuedOnBeforeLast
from finance.invoices.settling import InvoiceNotFound, Settling
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.shops.service import ShopNotFound

EXTENSION = "finance-settling"  # under which the app keeps what finishes what was left half done

blueprint = Blueprint("invoices", __name__, url_prefix="/api/v1", description="Invoices in series without gaps")


@blueprint.route("/invoices", methods=["POST"])
@requires("client")
@fails(IssuedOnBeforeLast, CustomerErased, IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(NewInvoiceSchema(), example=examples.NEW_INVOICE)
@blueprint.response(201, InvoiceSchema(), example=examples.INVOICE, headers=LOCATION)
def issue_invoice(posted: dict[str, Any]) -> Response:
    """Issue an invoice under the next number of its shop's sequence"""
    answer = issuing.issue_invoice(parts().db, asked(), submit=parts().submit_invoice, posted=posted)
    location = f"/api/v1/invoices/{answer.document['invoice_number']}"
    return reply(dump_invoice(answer.document), status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>", methods=["GET"])
@requires("client")
@fails(InvoiceNotFound, *lane.FAILURES)
@blueprint.response(200, InvoiceSchema(), example=examples.PARTLY_PAID)
def get_invoice(invoice_number: str) -> Response:
    """Show an invoice and what is outstanding of it"""
    invoice = service.get_invoice(
        parts().db, tenant=caller().tenant, invoice_number=invoice_number, settling=_settling()
    )
    return reply(dump_invoice(invoice))


@blueprint.route("/invoices", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceListSchema(), location="query")
@blueprint.response(200, InvoicePageSchema(), example=examples.INVOICES)
def list_invoices(query: dict[str, Any]) -> Response:
    """List invoices, the newest day first"""
    list_page = partial(
        service.list_invoices, parts().db, tenant=caller().tenant, filters=filters_of(query), settling=_settling()
    )
    return list_reply(query, list_page, dump_invoice)


@exported(blueprint, "/invoices/export", EXPORTED, dump_invoice)
@requires("accountant")
@blueprint.arguments(InvoiceExportSchema(), location="query")
def export_invoices(query: dict[str, Any]) -> Iterator[list[Invoice]]:
    """Export every invoice of a list"""
    return service.export_invoices(
        parts().db, tenant=caller().tenant, filters=filters_of(query), sort=query["sort"], settling=_settling()
    )


@blueprint.route("/invoices/<invoice_number>/cancel", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHistoryFull, InvoiceBusy)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(CancelSchema(), example=examples.CANCEL)
@blueprint.response(200, InvoiceSchema(), example=examples.CANCELLED)
def cancel_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it"""
    answer = cancelling.cancel_invoice(
        parts().db, asked(), invoice_number=invoice_number, reason=posted["reason"], settling=_settling()
    )
    return reply(dump_invoice(answer.document), replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>", methods=["GET"])
@requires("client")
@fails(CreditNoteNotFound)
@blueprint.response(200, CreditNoteSchema(), example=examples.CREDIT_NOTE)
def get_credit_note(credit_note_number: str) -> Response:
    """Show a credit note"""
    note = credit_notes.get_credit_note(parts().db, tenant=caller().tenant, credit_note_number=credit_note_number)
    return reply(dump_credit_note(note))


@blueprint.route("/credit-notes", methods=["GET"])
@requires("accountant")
@blueprint.arguments(CreditNoteListSchema(), location="query")
@blueprint.response(200, CreditNotePageSchema(), example=examples.CREDIT_NOTES)
def list_credit_notes(query: dict[str, Any]) -> Response:
    """List credit notes, the newest day first"""
    list_page = partial(credit_notes.list_credit_notes, parts().db, tenant=caller().tenant, filters=filters_of(query))
    return list_reply(query, list_page, dump_credit_note)


@exported(blueprint, "/credit-notes/export", CREDIT_NOTES, dump_credit_note)
@requires("accountant")
@blueprint.arguments(CreditNoteExportSchema(), location="query")
def export_credit_notes(query: dict[str, Any]) -> Iterator[list[CreditNote]]:
    """Export every credit note of a list"""
    return credit_notes.export_credit_notes(parts().db, tenant=caller().tenant, filters=filters_of(query))


@exported(blueprint, "/credit-notes/allocations/export", CREDIT_NOTE_ALLOCATIONS, dump_allocation)
@requires("accountant")
@blueprint.arguments(CreditNoteExportSchema(), location="query")
def export_credit_note_allocations(query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Export what the credit notes of a list give to invoices, a row each"""
    pages = credit_notes.export_credit_notes(parts().db, tenant=caller().tenant, filters=filters_of(query))
    return map(allocations_of_notes, pages)


@blueprint.route("/shops/<shop>/sequences", methods=["GET"], tags=["shops"])
@requires("accountant")
@fails(ShopNotFound)
@blueprint.response(200, SequenceListSchema(), example=examples.SEQUENCES)
def list_sequences(shop: str) -> Response:
    """Show each sequence of a shop: its newest number, its count, and whether no number is missing"""
    found = sequences.list_sequences(parts().db, tenant=caller().tenant, shop=shop.lower())
    return reply({"data": [dump_sequence(sequence) for sequence in found]})


def _settling() -> Settling:
    found: Settling = current_app.extensions[EXTENSION]
    return found
