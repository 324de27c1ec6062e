"""`/invoices`, `/credit-notes` and the sequences of a shop: each view loads, calls and dumps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response, current_app

from finance.allocations import model as allocations
from finance.allocations.model import InvoiceBusy, InvoiceIsCancelled
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers.changes import CustomerErased
from finance.edge.blueprints import Blueprint
from finance.edge.exports import Table, exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply
from finance.edge.openapi import LOCATION
from finance.edge.replies import reply
from finance.invoices import cancelling, credit_notes, crediting, examples, issuing, note_giving, sequences, service
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
from finance.invoices.cancelling import (
    InvoiceAlreadyCancelled,
    InvoiceHasCreditNotes,
    InvoiceHasPayments,
    InvoiceHistoryFull,
)
from finance.invoices.credit_notes import CreditNoteNotFound
from finance.invoices.crediting import MoreThanInvoiced
from finance.invoices.finishing import CreditNoteNotStored
from finance.invoices.model import Invoice
from finance.invoices.note_giving import CreditNoteBusy
from finance.invoices.schemas import (
    CancelSchema,
    CreditNoteListSchema,
    GiveCreditNoteSchema,
    InvoiceExportSchema,
    InvoiceListSchema,
    NewCreditNoteSchema,
    NewInvoiceSchema,
    ReleaseCreditNoteSchema,
    filters_of,
)
from finance.invoices.sequences import IssuedOnBeforeLast
from finance.invoices.settling import InvoiceNotFound, Settling
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.shops.service import ShopNotFound

EXTENSION = "finance-settling"  # under which the app keeps what finishes what was left half done

blueprint = Blueprint("invoices", __name__, url_prefix="/api/v1", description="Invoices in series without gaps")

AMOUNTS = ("total_net", "total_tax", "total", "amount_paid", "amount_credited", "outstanding")
EXPORTED = Table(
    name="invoices",
    columns=(
        *("invoice_number", "shop", "customer_code", "customer_name", "issued_on", "due_on", "currency"),
        *AMOUNTS,
        *("status", "credit_note_number", "notes", "created_at"),
    ),
    amounts=frozenset(AMOUNTS),
)


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
@fails(InvoiceNotFound, InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHasCreditNotes)
@fails(InvoiceHistoryFull, InvoiceBusy)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(CancelSchema(), example=examples.CANCEL)
@blueprint.response(200, InvoiceSchema(), example=examples.CANCELLED)
def cancel_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it"""
    answer = cancelling.cancel_invoice(
        parts().db, asked(), invoice_number=invoice_number, reason=posted["reason"], settling=_settling()
    )
    return reply(dump_invoice(answer.document), replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>/credit-notes", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceIsCancelled, MoreThanInvoiced, InvoiceHistoryFull, InvoiceBusy, CreditNoteNotStored)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(NewCreditNoteSchema(), example=examples.NEW_CREDIT_NOTE)
@blueprint.response(201, CreditNoteSchema(), example=examples.CREDITED, headers=LOCATION)
def credit_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Credit a part of an invoice, paid or not; what it no longer takes is the credit note's to give to others"""
    answer = crediting.credit_invoice(
        parts().db, asked(), invoice_number=invoice_number, posted=posted, settling=_settling()
    )
    location = f"/api/v1/credit-notes/{answer.document['credit_note_number']}"
    shown = dump_credit_note(answer.document)
    return reply(shown, status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>", methods=["GET"])
@requires("client")
@fails(CreditNoteNotFound)
@blueprint.response(200, CreditNoteSchema(), example=examples.CREDIT_NOTE)
def get_credit_note(credit_note_number: str) -> Response:
    """Show a credit note"""
    note = credit_notes.get_credit_note(
        parts().db, tenant=caller().tenant, credit_note_number=credit_note_number, settling=_settling()
    )
    return reply(dump_credit_note(note))


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
        settling=_settling(),
    )
    return list_reply(query, list_page, dump_credit_note)


@blueprint.route("/credit-notes/<credit_note_number>/allocations", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, *allocations.FAILURES, allocations.SameAllocationUnderWay)
@fails(IdempotencyKeyReused, RefusedByForeignIndex)
@blueprint.arguments(GiveCreditNoteSchema(), example=examples.ALLOCATE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.ALLOCATED_CREDIT_NOTE)
def allocate_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Give what is left of a credit note to other invoices of its customer"""
    answer = note_giving.allocate_credit_note(
        parts().db,
        asked(),
        credit_note_number=credit_note_number,
        posted=posted["allocations"],
        settling=_settling(),
    )
    return reply(dump_credit_note(answer.document), replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>/release", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, InvoiceIsCancelled)
@fails(allocations.NothingAllocated, allocations.AllocationsFull, IdempotencyKeyReused, RefusedByForeignIndex)
@blueprint.arguments(ReleaseCreditNoteSchema(), example=examples.RELEASE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.RELEASED_CREDIT_NOTE)
def release_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Take back what a credit note gave to an invoice, all of it or a part"""
    answer = note_giving.release_credit_note(
        parts().db, asked(), credit_note_number=credit_note_number, posted=posted, settling=_settling()
    )
    return reply(dump_credit_note(answer.document), replayed=answer.replayed)


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
