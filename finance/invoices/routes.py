"""`/invoices`, `/credit-notes` and the sequences of a shop: each view loads, calls and dumps."""

from collections.abc import Collection, Iterator
from datetime import date
from functools import partial
from typing import Any

from flask import Response, current_app

from finance.allocations import model as allocations
from finance.allocations.model import InvoiceBusy, InvoiceIsCancelled
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers.changes import CustomerErased
from finance.customers.model import Book
from finance.edge.blueprints import Blueprint
from finance.edge.conditions import asked_condition, tag_of, tagged_reply
from finance.edge.exports import Table, exported
from finance.edge.failures import fails
from finance.edge.lists import EXTENSION as LIST_TURNS
from finance.edge.lists import Turns, list_reply
from finance.edge.openapi import ETAG, LOCATION
from finance.edge.replies import reply
from finance.encryption import EncryptionKeyWrong, EncryptionNotConfigured
from finance.errors import PreconditionFailed
from finance.events import NotRecorded
from finance.invoices import (
    cancelling,
    credit_notes,
    crediting,
    examples,
    issuing,
    note_giving,
    sequences,
    service,
    summary,
)
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
from finance.invoices.credit_limits import OverCreditLimit
from finance.invoices.credit_notes import CreditNoteNotFound
from finance.invoices.crediting import MoreThanInvoiced
from finance.invoices.finishing import CreditNoteNotStored
from finance.invoices.model import CreditNote, Invoice
from finance.invoices.note_giving import CreditNoteBusy
from finance.invoices.schemas import (
    CancelSchema,
    CreditNoteListSchema,
    GiveCreditNoteSchema,
    InvoiceExportSchema,
    InvoiceListSchema,
    NewCreditNoteSchema,
    NewInvoiceSchema,
    OverLimitSchema,
    ReleaseCreditNoteSchema,
    filters_of,
)
from finance.invoices.sequences import IssuedOnBeforeLast
from finance.invoices.settling import InvoiceNotFound, Settling
from finance.invoices.summary_schemas import InvoiceSummaryFiltersSchema, InvoiceSummarySchema
from finance.invoices.tax_numbers import GSTIN, TAX_NUMBERS, opened, record_read
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
@fails(IssuedOnBeforeLast, CustomerErased, OverCreditLimit, IdempotencyKeyReused, RefusedByForeignIndex)
@fails(EncryptionKeyWrong, EncryptionNotConfigured, *lane.FAILURES)
@blueprint.arguments(NewInvoiceSchema(), example=examples.NEW_INVOICE)
@blueprint.arguments(OverLimitSchema(), location="query")
@blueprint.response(201, InvoiceSchema(), example=examples.INVOICE, headers=ETAG | LOCATION)
def issue_invoice(posted: dict[str, Any], query: dict[str, str]) -> Response:
    """Issue an invoice under the next number of its shop's sequence"""
    answer = issuing.issue_invoice(
        Book(parts().db, parts().cipher),
        asked(),
        submit=parts().submit_invoice,
        posted=posted,
        over_limit_confirmed=query["confirm_over_limit"] == "true",
    )
    location = f"/api/v1/invoices/{answer.document['invoice_number']}"
    shown = dump_invoice(answer.document, in_full=(GSTIN,))
    return tagged_reply(shown, status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>", methods=["GET"])
@requires("client")
@fails(InvoiceNotFound, NotRecorded, *lane.FAILURES)
@blueprint.response(200, InvoiceSchema(), example=examples.PARTLY_PAID, headers=ETAG)
def get_invoice(invoice_number: str) -> Response:
    """Show an invoice and what is outstanding of it"""
    invoice = service.get_invoice(
        parts().db, tenant=caller().tenant, invoice_number=invoice_number, settling=_settling()
    )
    read = opened(parts().cipher, invoice)
    if not caller().may("accountant"):
        return tagged_reply(dump_invoice(read))
    record_read(parts().db, asked(), read)
    return tagged_reply(dump_invoice(read, in_full=TAX_NUMBERS))


@blueprint.route("/invoices", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceListSchema(), location="query")
@blueprint.response(200, InvoicePageSchema(), example=examples.INVOICES)
def list_invoices(query: dict[str, Any]) -> Response:
    """List invoices, the newest day first"""
    list_page = partial(
        service.list_invoices,
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query, today=_today()),
        settling=_settling(),
    )
    return list_reply(query, list_page, _masked_invoice)


@blueprint.route("/invoices/summary", methods=["GET"])
@requires("accountant")
@fails(summary.SummaryTakesTooLong)
@blueprint.arguments(InvoiceSummaryFiltersSchema(), location="query")
@blueprint.response(200, InvoiceSummarySchema(), example=examples.SUMMARY)
def summarize_invoices(query: dict[str, Any]) -> Response:
    """Show what the invoices of a list come to, and net and tax by month and rate, for a VAT return"""
    shared, tenant = parts(), caller().tenant
    now = shared.clock()
    today = now.astimezone(shared.config.timezone).date()
    turns: Turns = current_app.extensions[LIST_TURNS]
    with turns.turn(tenant):
        found = summary.summarize(
            shared.db, tenant=tenant, filters=filters_of(query), settling=_settling(), now=now, today=today
        )
    return reply({"as_of": found.as_of, "data": found.data, "taxes": found.taxes})


@exported(blueprint, "/invoices/export", EXPORTED, dump_invoice)
@requires("accountant")
@blueprint.arguments(InvoiceExportSchema(), location="query")
def export_invoices(query: dict[str, Any]) -> Iterator[list[Invoice]]:
    """Export every invoice of a list"""
    return service.export_invoices(
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query, today=_today()),
        sort=query["sort"],
        settling=_settling(),
    )


@blueprint.route("/invoices/<invoice_number>/cancel", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHasCreditNotes)
@fails(InvoiceHistoryFull, InvoiceBusy, PreconditionFailed)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(CancelSchema(), example=examples.CANCEL)
@blueprint.response(200, InvoiceSchema(), example=examples.CANCELLED, headers=ETAG)
def cancel_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it"""
    answer = cancelling.cancel_invoice(
        parts().db,
        asked(),
        invoice_number=invoice_number,
        reason=posted["reason"],
        settling=_settling(),
        condition=asked_condition(tags_of=_tags_of_invoice),
    )
    return tagged_reply(_masked_invoice(answer.document), replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>/credit-notes", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceIsCancelled, MoreThanInvoiced, InvoiceHistoryFull, InvoiceBusy, CreditNoteNotStored)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(NewCreditNoteSchema(), example=examples.NEW_CREDIT_NOTE)
@blueprint.response(201, CreditNoteSchema(), example=examples.CREDITED, headers=ETAG | LOCATION)
def credit_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Credit a part of an invoice, paid or not; what it no longer takes is the credit note's to give to others"""
    answer = crediting.credit_invoice(
        parts().db, asked(), invoice_number=invoice_number, posted=posted, settling=_settling()
    )
    location = f"/api/v1/credit-notes/{answer.document['credit_note_number']}"
    shown = _masked_credit_note(answer.document)
    return tagged_reply(shown, status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>", methods=["GET"])
@requires("client")
@fails(CreditNoteNotFound)
@blueprint.response(200, CreditNoteSchema(), example=examples.CREDIT_NOTE, headers=ETAG)
def get_credit_note(credit_note_number: str) -> Response:
    """Show a credit note"""
    note = credit_notes.get_credit_note(
        parts().db, tenant=caller().tenant, credit_note_number=credit_note_number, settling=_settling()
    )
    return tagged_reply(_masked_credit_note(note))


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
    return list_reply(query, list_page, _masked_credit_note)


@blueprint.route("/credit-notes/<credit_note_number>/allocations", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, *allocations.FAILURES, allocations.SameAllocationUnderWay)
@fails(IdempotencyKeyReused, RefusedByForeignIndex)
@blueprint.arguments(GiveCreditNoteSchema(), example=examples.ALLOCATE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.ALLOCATED_CREDIT_NOTE, headers=ETAG)
def allocate_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Give what is left of a credit note to other invoices of its customer"""
    answer = note_giving.allocate_credit_note(
        parts().db,
        asked(),
        credit_note_number=credit_note_number,
        posted=posted["allocations"],
        settling=_settling(),
    )
    return tagged_reply(_masked_credit_note(answer.document), replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>/release", methods=["POST"])
@requires("accountant")
@fails(CreditNoteNotFound, CreditNoteBusy, InvoiceIsCancelled)
@fails(allocations.NothingAllocated, allocations.AllocationsFull, IdempotencyKeyReused, RefusedByForeignIndex)
@blueprint.arguments(ReleaseCreditNoteSchema(), example=examples.RELEASE_CREDIT_NOTE)
@blueprint.response(200, CreditNoteSchema(), example=examples.RELEASED_CREDIT_NOTE, headers=ETAG)
def release_credit_note(posted: dict[str, Any], credit_note_number: str) -> Response:
    """Take back what a credit note gave to an invoice, all of it or a part"""
    answer = note_giving.release_credit_note(
        parts().db, asked(), credit_note_number=credit_note_number, posted=posted, settling=_settling()
    )
    return tagged_reply(_masked_credit_note(answer.document), replayed=answer.replayed)


@blueprint.route("/shops/<shop>/sequences", methods=["GET"], tags=["shops"])
@requires("accountant")
@fails(ShopNotFound)
@blueprint.response(200, SequenceListSchema(), example=examples.SEQUENCES)
def list_sequences(shop: str) -> Response:
    """Show each sequence of a shop: its newest number, its count, and whether no number is missing"""
    found = sequences.list_sequences(parts().db, tenant=caller().tenant, shop=shop.lower())
    return reply({"data": [dump_sequence(sequence) for sequence in found]})


def _today() -> date:
    """Return the day by which invoices are overdue: one for all shops, as payments have one."""
    return parts().clock().astimezone(parts().config.timezone).date()


def _masked_invoice(invoice: Invoice) -> dict[str, Any]:
    return dump_invoice(opened(parts().cipher, invoice))


def _masked_credit_note(note: CreditNote) -> dict[str, Any]:
    return dump_credit_note(opened(parts().cipher, note))


def _tags_of_invoice(invoice: Invoice) -> Collection[str]:
    """Return what an invoice's state is called, in each way that it is shown."""
    read = opened(parts().cipher, invoice)
    return [tag_of(dump_invoice(read, in_full=names)) for names in ((), (GSTIN,), TAX_NUMBERS)]


def _settling() -> Settling:
    found: Settling = current_app.extensions[EXTENSION]
    return found
